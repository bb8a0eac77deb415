"""Curves: how far the integer variants of a non-linearity are from their function, and what they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hwblocks.errors import InputError, SimulationError
from hwblocks.graph.algorithm import chosen, site_work, table_bytes, variants
from hwblocks.graph.block import Block, Pointwise
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.lookup import code_table, look_up
from hwblocks.graph.site import Site, scalar_scale
from hwblocks.graph.work import Work
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.cast import Cast
from hwblocks.numerics.formats import Format
from hwblocks.numerics.rounding import Rounding
from hwblocks.table import Column, Result, Section, Table

Array = np.ndarray[Any, Any]

EVERY_BITS = 16  # inputs of at most these bits are measured at every code, wider ones at 2**16 + 1 even codes
STANDARD = {
    "interpolated": ("interpolated(16)", "interpolated(64)"),
    "pwl": ("pwl(4)", "pwl(8)", "pwl(16)", "pwl(8, shift)"),
    "cordic": ("cordic(8)", "cordic(12)", "cordic(16)"),
    "newton": ("newton(1)", "newton(2)"),
}
OPERATIONS = ("lookups", "muls", "adds", "shifts", "compares", "divisions")
COLUMNS = (
    Column("variant"),
    Column("max_error", "max error", format=".3e"),
    Column("mean_error", "mean error", format=".3e"),
    Column("max_error_lsb", "max error", "LSB", ".3f", bar=True),
    Column("mean_error_lsb", "mean error", "LSB", ".3f"),
    Column("max_from_rounded_lsb", "max from rounded", "LSB"),
    Column("worst_at", "worst at x", format=".4g"),
    Column("fit_error_lsb", "fit", "LSB", ".3f"),
    Column("table_bytes", "tables", "B"),
    *(Column(name) for name in OPERATIONS),
)


@dataclass(frozen=True)
class CurveError(Result):
    """One variant of a non-linearity between two formats, over all inputs.

    Errors are distances from the float function limited to what the output format holds: the largest and the mean, in
    real units and in output steps (LSB); the largest distance, in codes, from the correctly rounded value, and the
    input where the error is largest. fit_error_lsb: the largest error of fitted lines before the rounding, over
    all codes of at most 16 bits. table_bytes and work: of its tables, and of one element. constants: its tables and
    coefficients by name, whole numbers (those of a plain table are its codes).
    """

    schema = "curve_error"
    block: str = ""
    variant: str = ""
    x_format: str = ""
    y_format: str = ""
    points: int = 0
    max_error: float = 0.0
    mean_error: float = 0.0
    max_error_lsb: float = 0.0
    mean_error_lsb: float = 0.0
    max_from_rounded_lsb: int = 0
    worst_at: float = 0.0
    fit_error_lsb: float | None = None
    table_bytes: int = 0
    work: Work = Work()
    constants: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """The numbers by column."""
        counts = self.work.to_dict()
        own = {c.key: getattr(self, c.key) for c in COLUMNS if c.key not in OPERATIONS}
        return {**own, **{name: counts[name] for name in OPERATIONS}}

    def content(self) -> dict[str, Any]:
        return {
            "block": self.block,
            "x_format": self.x_format,
            "y_format": self.y_format,
            "points": self.points,
            **self.row(),
            "constants": self.constants,
        }

    def sections(self) -> Sequence[Section]:
        title = f"{self.block} from {self.x_format} to {self.y_format}, {self.points:,} inputs"
        return (Section(title, tables=(Table("Errors", COLUMNS, (self.row(),)),)),)


@dataclass(frozen=True)
class CurveErrors(Result):
    """Variants of one non-linearity side by side. refused: (variant, why) of those that do not serve the formats."""

    schema = "curve_errors"
    curves: tuple[CurveError, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def table(self) -> Table:
        """One row a variant."""
        return Table("Variants", COLUMNS, tuple(curve.row() for curve in self.curves))

    def content(self) -> dict[str, Any]:
        first = self.curves[0]
        head = {"block": first.block, "x_format": first.x_format, "y_format": first.y_format, "points": first.points}
        return {**head, "variants": [c.row() for c in self.curves], "refused": dict(self.refused)}

    def sections(self) -> Sequence[Section]:
        first = self.curves[0]
        title = f"{first.block} from {first.x_format} to {first.y_format}, {first.points:,} inputs"
        text = "Distances from the float function limited to the output format; operations of one element."
        return (Section(title, text, self.refused, (self.table,)),)


def curve_error(
    block: Block, x_format: Format | str, y_format: Format | str, rounding: str = "half_even"
) -> CurveError:
    """Error, tables and operations of a non-linearity's variant from one format to another.

    At every input code up to 16 bits, at 2**16 + 1 even ones of wider inputs. rounding: of the cast at the end.
    Errors: InputError for blocks that are no function of one element or wider than 32 bits, SimulationError where the
    function has no value or the variant does not serve the formats.

    >>> import hwblocks as hb
    >>> c = curve_error(hb.Sigmoid(variant="plan"), "ap_fixed<16,4>", "ap_ufixed<8,0>")
    >>> round(c.max_error, 4), c.max_from_rounded_lsb, c.table_bytes, c.work.muls
    (0.0205, 5, 0, 0)
    """
    if not isinstance(block, Pointwise):
        raise InputError(f"{type(block).__name__} is no function of one element; curves are of Pointwise blocks")
    x, y = (f if isinstance(f, Format) else Format(f) for f in (x_format, y_format))
    site = _site(block, x, y, Rounding(rounding))
    codes = _codes(x)
    wanted = _limited(block, x, y, codes)
    got = look_up(block, codes, site)
    error = np.abs(y.dequantize(got) - wanted)
    rounded = Cast(y, rounding, "saturate").real(wanted)[0]
    named = chosen(site)
    step, worst = scalar_scale(y), int(np.argmax(error))
    return CurveError(
        block=type(block).__name__,
        variant=block.variant,
        x_format=_text(x),
        y_format=_text(y),
        points=codes.size,
        max_error=float(error[worst]),
        mean_error=float(error.mean()),
        max_error_lsb=float(error[worst]) / step,
        mean_error_lsb=float(error.mean()) / step,
        max_from_rounded_lsb=int(np.abs(got - rounded).max()),
        worst_at=float(x.dequantize(codes[worst])),
        fit_error_lsb=None if named is None else named.fit_error(site),
        table_bytes=table_bytes(site),
        work=site_work(site),
        constants=_constants(site),
    )


def curve_errors(
    block: Block, x_format: Format | str, y_format: Format | str, names: Sequence[str] = (), rounding: str = "half_even"
) -> CurveErrors:
    """`curve_error` of several variants; without names of all that the block has, with usual parameters.

    Errors: those of `curve_error`; a named variant that does not serve raises, one of the usual ones is listed.

    >>> import hwblocks as hb
    >>> c = curve_errors(hb.Tanh(), "int8", "ap_fixed<8,1>")
    >>> [row["variant"] for row in c.table][:4]
    ['table', 'interpolated(16)', 'interpolated(64)', 'pwl(4)']
    """
    curves, refused = [], []
    for text in names or standard_variants(block):
        chosen: Any = replace(block, variant=text)  # type: ignore[type-var]
        try:
            curves.append(curve_error(chosen, x_format, y_format, rounding))
        except SimulationError as error:
            if names or (not curves and text != "table"):
                raise
            refused.append((text, error.message))
    if not curves:
        raise InputError(f"no variant of {type(block).__name__} serves: {refused[0][1]}")
    return CurveErrors(curves=tuple(curves), refused=tuple(refused))


def standard_variants(block: Block) -> tuple[str, ...]:
    """The variants of a block with usual parameters; the table first."""
    if not isinstance(block, Pointwise):
        raise InputError(f"{type(block).__name__} is no function of one element; curves are of Pointwise blocks")
    order = (*STANDARD, *sorted(set(variants(block)) - set(STANDARD)))
    known = [name for name in order if name in variants(block)]
    return ("table", *(text for name in known for text in STANDARD.get(name, (name,))))


def _text(format: Format) -> str:
    """A format as people write it."""
    plain = format.is_fixed_point and not format.narrow
    return format.fixed_point_name if plain else repr(format).removeprefix("Format(").removesuffix(")")


def _site(block: Pointwise, x: Format, y: Format, rounding: Rounding) -> Site:
    build = GraphBuilder("curve")
    node = build.add(
        block, build.input("x", (1, 1), x), name="curve", formats=[y], arithmetic=Arithmetic(rounding=rounding)
    )
    graph = build.build(node)
    return graph.site(graph.nodes[0])


def _constants(site: Site) -> dict[str, tuple[int, ...]]:
    named = chosen(site)
    if named is None:
        return {"table": tuple(code_table(site.node.block, site).tolist())}  # type: ignore[arg-type]
    return {name: tuple(values.tolist()) for name, values in named.constants(site).items()}


def _codes(x: Format) -> Array:
    if x.bits <= EVERY_BITS:
        return np.arange(x.lo, x.hi + 1, dtype=np.int64)
    if x.bits > 32:
        raise InputError(f"{x.name}: curves are measured up to 32 input bits")
    return np.unique(np.linspace(x.lo, x.hi, (1 << EVERY_BITS) + 1).round().astype(np.int64))


def _limited(block: Pointwise, x: Format, y: Format, codes: Array) -> Array:
    """The float function limited to the real values of the output format."""
    low, high = y.dequantize(np.array([y.lo, y.hi]))
    with np.errstate(all="ignore"):
        values = np.asarray(block.function(x.dequantize(codes)), np.float64)
    if np.isnan(values).any():
        bad = int(codes[np.isnan(values)][0])
        raise InputError(f"{type(block).__name__} is not a number at code {bad} of {x!r}; give x a format without it")
    return np.clip(values, low, high)
