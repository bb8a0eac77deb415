"""Blocks: the four kinds, what each kind derives from one formula, and the registry.

A block is a frozen dataclass of attributes. It never holds a graph, a target or an execution: it states shapes,
the formula, the work, the quantization rule and, where C can do it, a description of the kernel call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hwblocks.errors import GraphError, ShapeError
from hwblocks.graph.contraction import Array, Contraction
from hwblocks.graph.nest import Nest
from hwblocks.graph.quant_rule import QuantRule, Role
from hwblocks.graph.registry import register
from hwblocks.graph.tensor import Shape, Tensor
from hwblocks.graph.work import Work
from hwblocks.numerics.accumulator import exact_matmul

if TYPE_CHECKING:
    from hwblocks.graph.site import Site

Call = Any


def parameter() -> Any:
    """A dataclass field for weights given with the block (`Conv2d(weight=W)`); never part of its identity."""
    return field(default=None, compare=False, repr=False, kw_only=True)


class Block:
    """What every block states. Subclass one of the kinds below, not this class.

    input_names: the inputs in order; "b?" may be absent, "xs*" takes any number.
    parameters: which field feeds which input, for example {"weight": "w", "bias": "b"}.
    """

    kind: ClassVar[str] = "block"
    input_names: ClassVar[tuple[str, ...]] = ("x",)
    parameters: ClassVar[dict[str, str]] = {}
    steering: ClassVar[frozenset[int]] = frozenset()  # inputs that only say which elements count or move
    overwrites: ClassVar[tuple[int, ...]] = ()  # inputs whose memory the output may take, element by element
    changes_values: ClassVar[bool] = True
    folds: ClassVar[bool] = True  # False where a node of constants alone must stay
    own_variant: ClassVar[str | None] = None  # its own integer meaning among the names that `variant` may take
    keeps_types: ClassVar[bool] = False  # True where `compute` is given arrays of the stored types, not wider ones
    counts_active: ClassVar[bool] = False  # True where kernels count `active` in place of sums outside their register
    serves_floats: ClassVar[bool] = False  # True where `kernel` is asked for sites with float tensors too

    def __init_subclass__(cls, abstract: bool = False, **more: Any) -> None:
        super().__init_subclass__(**more)
        if cls.own_variant is not None and "__repr__" not in cls.__dict__:
            cls.__repr__ = Block.as_made  # type: ignore[assignment,method-assign]  # a dataclass keeps it
        if not abstract:
            register(cls)

    def as_made(self) -> str:
        """The block as it is made; a variant that is the block's own left out, another one at the end."""
        shown = sorted(self.attributes().items(), key=lambda item: item[0] == "variant")
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown)})"

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Apply the block alone: on arrays it computes in float, on builder values it adds a node."""
        from hwblocks.graph.builder import Value, apply_in_graph

        arguments = self.arguments(inputs, named)
        if any(isinstance(a, Value) for a in arguments):
            return apply_in_graph(self, arguments)
        arrays = [None if a is None else np.asarray(a) for a in arguments]
        self.shape(*(a.shape for a in arrays if a is not None))
        return self.compute(*(a for a in arrays if a is not None))

    def arguments(self, inputs: Sequence[Any], named: dict[str, Any]) -> list[Any]:
        """Positional and named inputs in the block's order, stored parameters filled in."""
        names = [name.rstrip("?*") for name in self.input_names]
        unknown = sorted(set(named) - set(names))
        if unknown:
            raise GraphError(f"{type(self).__name__}: no input named {unknown[0]!r}; inputs are {', '.join(names)}")
        stored = {target: getattr(self, source) for source, target in self.parameters.items()}
        given = list(inputs) + [named.get(n, stored.get(n)) for n in names[len(inputs) :]]
        while given and given[-1] is None:
            given.pop()
        self.check_arity(given)
        return given

    def check_arity(self, given: Sequence[Any]) -> None:
        """Raise GraphError when required inputs are missing or too many are given."""
        variadic = any(name.endswith("*") for name in self.input_names)
        needed = {i: name for i, name in enumerate(self.input_names) if name[-1] not in "?*"}
        missing = [name for i, name in needed.items() if i >= len(given) or _absent(given[i])]
        if missing:
            raise GraphError(f"{type(self).__name__}: input {missing[0]!r} is missing; inputs are {self.input_names}")
        if len(given) > len(self.input_names) and not variadic:
            raise GraphError(
                f"{type(self).__name__}: {len(given)} inputs given, at most {len(self.input_names)} {self.input_names}"
            )

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        """Output shapes from input shapes; raises ShapeError with both where they do not fit."""
        raise GraphError(f"{type(self).__name__} states no shape rule")

    def compute(self, *arrays: Any) -> Any:
        """The formula on arrays of float64, of exact integers or of fractions."""
        raise GraphError(f"{type(self).__name__} states no formula")

    def work(self, *shapes: Shape) -> Work:
        """Operations of one sample, from shapes."""
        return Work()

    def nests(self, *shapes: Shape) -> tuple[Nest, ...]:
        """The loops of the block's sums of products, from shapes; their products are `work(...).macs` together."""
        return ()

    @property
    def quant(self) -> QuantRule:
        """What quantization needs to know."""
        return QuantRule()

    def keeps_samples(self, *shapes: Shape) -> bool:
        """True when the leading axis of every run-time input is a sample axis that the block never mixes."""
        return True

    @property
    def computes_codes(self) -> bool:
        """True for a control block with integer nodes in its bodies."""
        return False

    def passes(self, *shapes: Shape) -> int:
        """How often a sample runs the graphs that the block holds, where shapes alone say it (else counted once)."""
        return 1

    def active(self, inputs: Sequence[Array], outputs: Sequence[Array], site: Site) -> int:
        """Work that the data decided on (`active` of a trace's events), from the inputs that are there; 0 for none."""
        return 0

    def inner_tensors(self, shapes: Sequence[Shape]) -> Mapping[str, Tensor]:
        """Run-time tensors of the block's own graphs that a trace can keep, by their path below the node's name."""
        return {}

    def check_site(self, site: Site) -> None:
        """What shapes alone do not show; raises GraphError where the formats do not fit the block."""

    def kernel(self, site: Site) -> Call | str:
        """The kernel call that serves this block at a site, or the reason why none does.

        Asked only for integer sites, where every tensor is quantized, unless the block serves floats.
        """
        return f"{type(self).__name__} has no kernel"

    def attributes(self) -> dict[str, Any]:
        """The attributes by name, parameters and a variant that is the block's own left out."""
        made = {f.name: getattr(self, f.name) for f in fields(self) if f.compare}  # type: ignore[arg-type]
        if self.own_variant is not None and made["variant"] == self.own_variant:
            del made["variant"]
        return made

    def check_variant(self, *shapes: Shape) -> None:
        """Errors: ShapeError where `variant` names nothing that the block may choose."""
        if self.own_variant is not None and self.variant != self.own_variant:  # type: ignore[attr-defined]
            from hwblocks.graph.algorithm import variant_problem

            if problem := variant_problem(self):
                raise self.fail(problem, *shapes)

    def table_bytes(self, site: Site) -> int:
        """Bytes of the tables that the block's own integer meaning looks up."""
        return 0

    def variant_work(self, *shapes: Shape) -> Work | None:
        """Operations of a variant other than the block's own, None for the block's own."""
        if self.own_variant is None or self.variant == self.own_variant:  # type: ignore[attr-defined]
            return None
        from hwblocks.graph.algorithm import named

        found = named(self, self.variant)  # type: ignore[attr-defined]
        return None if found is None else found.work * size(shapes[0])

    def without_parameters(self) -> Block:
        """The block as its attributes alone."""
        return replace(self, **dict.fromkeys(self.parameters)) if self.parameters else self  # type: ignore[type-var]

    def fail(self, problem: str, *shapes: Shape, hint: str = "") -> ShapeError:
        """A ShapeError that ends with all shapes involved, and a hint."""
        names = [name.rstrip("?*") for name in self.input_names]
        shown = ", ".join(f"{names[min(i, len(names) - 1)]} {shape}" for i, shape in enumerate(shapes))
        return ShapeError(f"{type(self).__name__}: {problem} ({shown})" + (f"; {hint}" if hint else ""))


class Accumulate(Block, abstract=True):
    """Sums of products: lowered to rows times columns, which is the float formula and the exact definition.

    y = fold(rows · columns) + b. Subclasses state `lower`; nothing else multiplies.
    """

    kind = "accumulate"
    input_names: ClassVar[tuple[str, ...]] = ("x", "w", "b?")

    def lower(self, x: Array, w: Array) -> Contraction:
        """The contraction of x and w. Padding enters as zeros (x is centred: real 0 is 0)."""
        raise GraphError(f"{type(self).__name__} states no lowering")

    def weight_axis(self, *shapes: Shape) -> int:
        """The axis of the weight that counts output channels, for one scale per channel."""
        return 0

    def __call__(self, *inputs: Any, accumulator: Any = None, **named: Any) -> Any:
        """Apply the block alone; with an accumulator (a record, its text or one of your own) exactly, to integers."""
        if accumulator is None:
            return super().__call__(*inputs, **named)
        from hwblocks.graph.user_sums import summed

        return summed(self, self.arguments(inputs, named), accumulator)

    def compute(self, x: Array, w: Array, b: Array | None = None) -> Array:
        contraction = self.lower(x, w)
        product = multiply(contraction.rows, contraction.columns)
        y = contraction.fold(product)
        return np.asarray(y if b is None else y + b)


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value)


def multiply(rows: Array, columns: Array) -> Array:
    """rows @ columns: BLAS for floats, exact for integers of any size."""
    if rows.dtype.kind == "f" and columns.dtype.kind == "f":
        return np.asarray(np.matmul(rows, columns))
    return exact_matmul(rows, columns)


class Move(Block, abstract=True):
    """Stored codes chosen or permuted; formats unchanged. Subclasses state `move`."""

    kind = "move"
    changes_values = False
    joins: ClassVar[bool] = False  # True when the output is the inputs one after the other along `dim`
    is_view: ClassVar[bool] = False  # True when the elements keep their order, so that nothing is copied

    @property
    def fill(self) -> float:
        """The real value of elements that come from no input."""
        return 0.0

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        """The block on arrays of any dtype; `zero` stands for the fill value, `lowest` for less than every value."""
        raise GraphError(f"{type(self).__name__} states no move")

    def compute(self, *arrays: Array) -> Array:
        moved = next((a for i, a in enumerate(arrays) if i not in self.steering), arrays[0])
        lowest: Any = np.iinfo(moved.dtype).min if moved.dtype.kind in "iu" else -np.inf
        return self.move(*arrays, zero=self.fill, lowest=lowest)

    def work(self, *shapes: Shape) -> Work:
        """A word read and a word written for each element of the outputs; nothing for a view."""
        words = 0 if self.is_view else sum(map(size, self.shape(*shapes)))
        return Work(reads=words, writes=words)

    @property
    def quant(self) -> QuantRule:
        """All that is moved shares one format; what only steers has none."""
        roles: list[Role] = ["parameter" if i in self.steering else "activation" for i in range(len(self.input_names))]
        return QuantRule(inputs=tuple(roles), output="same")

    def kernel(self, site: Site) -> Call | str:
        from hwblocks.graph.gather import gather_call

        return gather_call(self, site)


@dataclass(frozen=True)
class Pointwise(Block, abstract=True):
    """A function of one element; in integers a table from input code to output code. States `function`.

    variant: its integer meaning: "table" (the function in float64, cast once) or a named algorithm with parameters,
    such as "pwl(8)" (docs/nonlinearities.md lists them).
    """

    kind = "pointwise"
    overwrites: ClassVar[tuple[int, ...]] = (0,)
    own_variant: ClassVar[str | None] = "table"
    variant: str = field(default="table", kw_only=True)

    def function(self, x: Array) -> Array:
        """The float function, element by element, in float64."""
        raise GraphError(f"{type(self).__name__} states no function")

    @property
    def clamp(self) -> tuple[float, float] | None:
        """(lo, hi) when the function only limits its input to these bounds, else None."""
        return None

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        self.check_variant(*shapes)
        return (shapes[0],)

    def compute(self, x: Array) -> Array:
        return self.function(x)

    def work(self, *shapes: Shape) -> Work:
        return self.variant_work(*shapes) or Work(lookups=size(shapes[0]))

    def table_bytes(self, site: Site) -> int:
        x, y = site.input(0).format, site.output.format
        entries = 1 << x.bits if x.bits <= 16 and self.clamp is None else 0
        return entries * ((y.bits + 7) // 8)

    def kernel(self, site: Site) -> Call | str:
        from hwblocks.graph.lookup import table_call

        return table_call(self, site)


class Algorithm(Block, abstract=True):
    """A block with an integer algorithm of its own; by default the exact rational formula, cast once."""

    kind = "algorithm"

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        """(codes, saturated mask) from stored codes: the exact value of `compute` on fractions, cast once."""
        from hwblocks.graph.rational import exact_rational

        return exact_rational(self, inputs, site)


def size(shape: Shape) -> int:
    """Number of elements of a shape."""
    return math.prod(shape)


@dataclass(frozen=True)
class Weighted:
    """Mixed into blocks that take `weight` and `bias` when they are made."""

    weight: Array | None = parameter()
    bias: Array | None = parameter()
