"""The graph under construction while a .tflite model is imported: tensors by index, variables, constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwblocks.errors import UnsupportedOperatorError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.control import Control
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Tensor
from hwblocks.importers.tflite_file import TfliteModel, TfliteOperator, TfliteSubgraph, TfliteTensor
from hwblocks.numerics.formats import Format
from hwblocks.simulate.execute import run_node

Array = np.ndarray[Any, Any]

DEEPEST = 16  # calls of subgraphs within each other
LARGEST_MADE = 1 << 31  # elements of a tensor at run time
LARGEST_FOLDED = 1 << 26  # elements; nodes of constants that make more are left for run time
ACTIVATIONS: dict[str, tuple[float, float]] = {
    "RELU": (0.0, np.inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}
INTEGER_BITS = {"int2": 2, "int4": 4, "int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32}
INTEGER_BITS |= {"int64": 64, "uint64": 64}


@dataclass(eq=False)
class Variable:
    """A resource variable, or a tensor that keeps its value: what it starts from, its state in the graph, and its
    value at this point of the file.
    """

    name: str
    initial: Array | None = None
    initialised: bool = False  # by CALL_ONCE
    restarts: bool = False  # with every run of the loop or branch that it is in
    state: Value | None = None
    current: Value | None = None


@dataclass(eq=False)
class Scope:
    """A subgraph being imported: the values of its tensors so far."""

    subgraph: TfliteSubgraph
    values: dict[int, Value] = field(default_factory=dict)
    handles: dict[int, Variable] = field(default_factory=dict)


class TfliteImporter:
    """Collects the graph; operators call `value`, `constant`, `add` and `alias`, and `run` for operators inside them.

    rule: imports one operator, whatever its name.
    """

    def __init__(self, name: str, model: TfliteModel, rule: Build, index: int = 0) -> None:
        self.model, self.rule = model, rule
        self.builder = GraphBuilder(name)
        self.variables: dict[str, Variable] = {}
        self.scopes = [Scope(model.subgraphs[index])]
        self.initialising = False
        self.depth = 0

    def nested(self, index: int) -> TfliteImporter:
        """An importer of a subgraph as a graph of its own, with variables of its own."""
        subgraph = self.model.subgraphs[index]
        made = TfliteImporter(subgraph.name or f"subgraph{index}", self.model, self.rule, index)
        made.depth = self.depth + 1
        if made.depth > DEEPEST:
            raise UnsupportedOperatorError(f"subgraph {index}: calls are nested more than {DEEPEST} deep")
        return made

    def run(self, op: TfliteOperator) -> None:
        """Import one operator."""
        self.rule(self, op)

    @property
    def scope(self) -> Scope:
        """The innermost subgraph."""
        return self.scopes[-1]

    def tensor(self, index: int) -> TfliteTensor:
        """A tensor of the current subgraph."""
        return self.scope.subgraph.tensors[index]

    def has(self, op: TfliteOperator, position: int) -> bool:
        """True when an optional input is there."""
        return position < len(op.inputs) and op.inputs[position] >= 0

    def input(self, op: TfliteOperator, position: int) -> Value:
        """The value of an input."""
        if not self.has(op, position):
            raise UnsupportedOperatorError(f"{where(op)}: input {position} is absent")
        return self.value(op.inputs[position])

    def value(self, index: int) -> Value:
        """The value of a tensor; constants and state tensors are made when they are first used."""
        values = self.scope.values
        if index < 0:
            raise UnsupportedOperatorError("a tensor that must be there is absent (index -1)")
        if index not in values:
            tensor = self.tensor(index)
            if tensor.value is not None:
                values[index] = self.builder.constant(
                    name_of(tensor), stored(tensor), format_of(tensor), source_name=tensor.name
                )
            elif tensor.is_variable:
                values[index] = self.state(tensor)
            else:
                raise UnsupportedOperatorError(f"tensor {tensor.name!r} is read before it is made")
        return values[index]

    def state(self, tensor: TfliteTensor) -> Value:
        """A state tensor, starting from its zero point.

        In a body it starts anew with each WHILE or IF, as in LiteRT, which gives the body's memory back in between.
        """
        variable = Variable(name_of(tensor), restarts=self.depth > 0)
        self.keep(tensor.index, variable)
        return self.started(variable, tensor.shape, format_of(tensor), tensor.name)

    def keep(self, tensor: int, variable: Variable) -> None:
        """A tensor of this subgraph keeps its value, also from one call of the subgraph to the next."""
        subgraph = self.model.subgraphs.index(self.scope.subgraph)
        self.variables[f"subgraph {subgraph} tensor {tensor}"] = variable

    def started(self, variable: Variable, shape: Sequence[int], format: Format, source_name: str) -> Value:
        """The state of a variable, made now; it starts from its zero point unless the file initialises it."""
        if math.prod(shape) > LARGEST_FOLDED:
            raise UnsupportedOperatorError(
                f"variable {variable.name!r} of shape {tuple(shape)} is too large to be kept"
            )
        if variable.initial is None:
            zero = format.zero_point if format.is_quantized else 0
            variable.initial = np.full(shape, zero, format.dtype)
        name = self.builder.fresh(variable.name)
        variable.state = variable.current = self.builder.state(name, variable.initial, format, source_name=source_name)
        return variable.state

    def current(self, variable: Variable, like: Tensor) -> Value:
        """The variable's value at this point; its state is made, shaped like a tensor, when nothing came before."""
        if variable.current is None:
            return self.started(variable, like.shape, like.format, like.source_name)
        return variable.current

    def constant(self, op: TfliteOperator, position: int) -> Array:
        """The stored value of a constant input. Errors: UnsupportedOperatorError when it is made at run time."""
        value = self.input(op, position).tensor
        if value.value is None:
            raise UnsupportedOperatorError(f"{where(op)}: input {position} ({value.name!r}) must be a constant")
        return value.value

    def output_tensor(self, op: TfliteOperator, position: int = 0) -> TfliteTensor:
        """The file's tensor of an output."""
        return self.tensor(op.outputs[position])

    def add(
        self,
        op: TfliteOperator,
        block: Block,
        inputs: Sequence[Value | None],
        *,
        activation: str = "NONE",
        formats: Sequence[Format] | None = None,
        names: Sequence[str] | None = None,
        part: str = "",
        **node: Any,
    ) -> Value:
        """Append a block that makes the operator's outputs (or, with `part`, a step on the way to them)."""
        stem = f"{op.name.lower()}.{op.index}" + (f".{part}" if part else "")
        finals = [] if part else [self.tensor(i) for i in op.outputs]
        if names is None:
            names = self.builder.reserved([name_of(t) for t in finals] or [stem])
        if formats is None:
            formats = [format_of(t) for t in finals] or [next(v for v in inputs if v is not None).tensor.format]
        made = self.builder.add(
            block,
            *inputs,
            name=stem,
            outputs=names,
            formats=formats,
            clamp=ACTIVATIONS.get(activation),
            source_name=f"{op.name} {op.index}",
            **node,
        )
        made = self._folded(made)
        if made.tensor.value is None:
            for name in names:
                check_made(self.builder.tensors[name])
        for index, name in zip(op.outputs if not part else (), names, strict=False):
            tensor = self.builder.tensors[name]
            self.builder.tensors[name] = tensor.replace(source_name=self.tensor(index).name)
            self.scope.values[index] = Value(self.builder, name)
        return made

    def _folded(self, made: Value) -> Value:
        """A node whose inputs are all constants is computed now."""
        node = self.builder.nodes[-1]
        inputs = [self.builder.tensors[n] if n else None for n in node.inputs]
        outputs = tuple(self.builder.tensors[n] for n in node.outputs)
        if not inputs or isinstance(node.block, Control) or not all(t is None or t.is_constant for t in inputs):
            return made
        if sum(t.elements for t in outputs) > LARGEST_FOLDED:
            return made
        arrays, _ = run_node(Site(node, tuple(inputs), outputs), [None if t is None else t.value for t in inputs])
        self.builder.nodes.pop()
        for tensor, array in zip(outputs, arrays, strict=True):
            array.setflags(write=False)
            self.builder.tensors[tensor.name] = tensor.replace(value=array)
        return made

    def alias(self, op: TfliteOperator, value: Value, position: int = 0) -> None:
        """An output is an existing value."""
        self.scope.values[op.outputs[position]] = value

    def variable(self, container: str, shared_name: str) -> Variable:
        """The resource variable of a name."""
        return self.variable_of(f"{container}/{shared_name}", Variable(shared_name or container or "variable"))

    def variable_of(self, key: str, like: Variable | None = None) -> Variable:
        """The variable of a key; a new one takes the name, and what it starts from, of `like`."""
        if key not in self.variables:
            name = like.name if like else key.rpartition("/")[2] or "variable"
            self.variables[key] = Variable(name)
        found = self.variables[key]
        if like is not None and like.initialised and not found.initialised and found.state is None:
            found.initial, found.initialised = like.initial, True
        return found

    def key_of(self, variable: Variable) -> str:
        """The key of one of the importer's variables."""
        return next(key for key, found in self.variables.items() if found is variable)

    def complete_variables(self) -> None:
        """In a body every variable that is assigned also has a value at its start."""
        for variable in self.variables.values():
            if variable.state is None and variable.current is not None:
                end, tensor = variable.current, variable.current.tensor
                self.started(variable, tensor.shape, tensor.format, tensor.source_name)
                variable.current = end

    def enter(self, index: int, values: dict[int, Value]) -> Scope:
        """Start importing another subgraph with these values of its inputs."""
        if len(self.scopes) > DEEPEST:
            raise UnsupportedOperatorError(f"subgraph {index}: calls are nested more than {DEEPEST} deep")
        self.scopes.append(Scope(self.model.subgraphs[index], values))
        return self.scope

    def leave(self) -> Scope:
        """End importing a subgraph."""
        return self.scopes.pop()

    def finish_variables(self) -> None:
        """Every state becomes the variable's value at the end of the file."""
        for variable in self.variables.values():
            if variable.state is not None and variable.current is not None:
                self.builder.becomes(variable.state, variable.current)


def fused(op: TfliteOperator) -> str:
    """The fused activation function."""
    return str(op.options.get("fused_activation_function", "NONE"))


def check_made(tensor: Tensor) -> None:
    """Errors: UnsupportedOperatorError for a tensor of a run that is empty, too large, or has several scales."""
    if 0 in tensor.shape:
        raise UnsupportedOperatorError(f"tensor {tensor.name!r} of shape {tensor.shape} holds no elements at run time")
    if tensor.elements > LARGEST_MADE:
        raise UnsupportedOperatorError(f"tensor {tensor.name!r} of shape {tensor.shape} is too large for a run")
    if isinstance(tensor.format.scale, tuple):
        raise UnsupportedOperatorError(
            f"tensor {tensor.name!r} of a run has {len(tensor.format.scale)} scales; only constants have several"
        )


def where(op: TfliteOperator) -> str:
    """How messages name an operator."""
    return f"{op.name} (operator {op.index})"


def name_of(tensor: TfliteTensor) -> str:
    """The tensor's name in the graph: the first of the names that a converter joined by semicolons."""
    return tensor.name.split(";")[0] or f"tensor{tensor.index}"


def stored(tensor: TfliteTensor) -> Array:
    """The constant in the storage type of its format."""
    assert tensor.value is not None
    return np.asarray(tensor.value)


def format_of(tensor: TfliteTensor) -> Format:
    """What the tensor's codes mean. Errors: UnsupportedOperatorError for types without numbers."""
    if tensor.type in ("float16", "float32", "float64", "bool"):
        return Format(tensor.type)
    if tensor.type not in INTEGER_BITS:
        raise UnsupportedOperatorError(f"tensor {tensor.name!r} holds {tensor.type}, which has no numbers here")
    bits, signed = INTEGER_BITS[tensor.type], not tensor.type.startswith("u")
    if not tensor.scale:
        return Format(kind="raw", bits=bits, signed=signed)
    if not signed and bits > 8:
        raise UnsupportedOperatorError(f"tensor {tensor.name!r} holds {tensor.type} with a scale, as no runtime does")
    if len(tensor.scale) == 1:
        return Format(bits=bits, signed=signed, scale=tensor.scale[0], zero_point=tensor.zero_point[0])
    zero: Any = tensor.zero_point if any(tensor.zero_point) else 0
    axis = tensor.quantized_dimension if tensor.quantized_dimension < len(tensor.shape) else 0
    return Format(bits=bits, signed=signed, scale=tensor.scale, zero_point=zero, axis=axis)


def as_tensor(value: Value) -> Tensor:
    """The tensor behind a value."""
    return value.tensor


Build = Callable[[TfliteImporter, TfliteOperator], None]


def unary(make: Callable[[TfliteOperator], Block]) -> Build:
    """The rule of an operator that is one block of its first input."""

    def build_unary(build: TfliteImporter, op: TfliteOperator) -> None:
        build.add(op, make(op), [build.input(op, 0)])

    return build_unary
