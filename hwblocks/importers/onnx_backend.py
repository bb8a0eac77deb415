"""The backend interface of the onnx package: `onnx.backend.test.BackendTest(Backend, __name__)` runs on hwblocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from onnx.backend import base as interface
from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

from hwblocks.blocks.conversion import ConvertType
from hwblocks.blocks.shape import Identity
from hwblocks.errors import HwblocksError, InputError, UnsupportedOperatorError
from hwblocks.graph.graph import Graph
from hwblocks.importers.from_onnx import RULES, import_model
from hwblocks.importers.onnx_functions import with_functions_expanded
from hwblocks.importers.onnx_graph import COPY, NeedsConstantError
from hwblocks.importers.onnx_node import graphs_of, read_names
from hwblocks.importers.onnx_types import as_codes, in_file_type
from hwblocks.numerics.formats import Format
from hwblocks.simulate.simulator import Simulator

Array = np.ndarray[Any, Any]


class RefusedModelError(UnsupportedOperatorError, BackendIsNotSupposedToImplementIt):
    """A model that hwblocks refuses, in the way that the runner of the onnx package counts as skipped.

    What: the message of the error that refused it.
    Why: nothing is computed that is not what the model says.
    Do: see the message.
    """


@dataclass(frozen=True, eq=False)
class Built:
    """A model for inputs of fixed shapes: the graph, and the inputs that became constants of it."""

    graph: Graph
    frozen: frozenset[str]

    @cached_property
    def simulator(self) -> Simulator:
        """The graph, planned. NaN and infinity are numbers here, as in the standard."""
        return Simulator(self.graph, threads=1, finite=False)

    @property
    def is_folded(self) -> bool:
        """True when every output is a constant, so that no block computes anything."""
        return all(self.graph.tensors[name].is_constant for name in self.graph.outputs)

    def run(self, arrays: Mapping[str, Array]) -> tuple[Array, ...]:
        """The outputs in model order, each of the model's type and shape."""
        tensors = [self.graph.tensors[name] for name in self.graph.outputs]
        made: Mapping[str, Array] = {}
        if not self.is_folded:
            with np.errstate(all="ignore"):
                made = self.simulator.run({n: as_codes(arrays[n])[None] for n in self.graph.inputs}).outputs
        return tuple(
            in_file_type(np.asarray(made[t.name][0] if t.value is None else t.value), t.format) for t in tensors
        )


class BackendRep(interface.BackendRep):
    """A model that runs on arrays of any shapes; its graph is built once for each set of shapes.

    Operators whose result has another shape for other values (Reshape, Slice, Tile, ...) need these values as
    constants, since shapes are fixed in a graph. Where an importer's rule asks for such a value and the model makes it
    from its inputs, those inputs are frozen: the graph is built again with their values as constants, and kept for as
    long as the values are the same. All other inputs stay run-time inputs.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = with_functions_expanded(model, RULES)
        self.frozen: frozenset[str] = frozenset()
        self._built: dict[Any, Built] = {}

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The outputs from arrays in model order or by name. Errors: RefusedModelError with the reason."""
        try:
            arrays = self.arrays(inputs)
            return self.built(arrays).run(arrays)
        except HwblocksError as error:
            raise RefusedModelError(error.message) from error

    def arrays(self, inputs: Any) -> dict[str, Array]:
        """The inputs by name. Errors: InputError for another number of inputs, and for what is no array."""
        stored = {tensor.name for tensor in self.model.graph.initializer}
        names = [value.name for value in self.model.graph.input if value.name not in stored]
        given = inputs
        if not isinstance(inputs, Mapping):
            listed = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
            if len(listed) > len(names):
                names = [value.name for value in self.model.graph.input]
            if len(listed) != len(names):
                raise InputError(f"the model takes {len(names)} inputs {', '.join(names)}; {len(listed)} are given")
            given = dict(zip(names, listed, strict=True))
        for name, value in given.items():
            if isinstance(value, (list, tuple, dict)) or value is None:
                raise InputError(f"input {name!r} is a {type(value).__name__}; arrays are supported")
        return {name: np.asarray(value) for name, value in given.items()}

    def built(self, arrays: Mapping[str, Array]) -> Built:
        """The model for these shapes and the values of frozen inputs."""
        while True:
            key = self._key(arrays)
            if key in self._built:
                return self._built[key]
            try:
                graph = self._graph(arrays)
            except NeedsConstantError as error:
                more = upstream(self.model.graph, error.tensor) & set(arrays) - self.frozen
                if not more:
                    raise
                self.frozen |= more
                continue
            self._built[key] = Built(graph, self.frozen)
            return self._built[key]

    def _key(self, arrays: Mapping[str, Array]) -> Any:
        shapes = tuple((name, array.shape) for name, array in sorted(arrays.items()))
        values = tuple(arrays[name].tobytes() for name in sorted(self.frozen))
        return shapes, tuple(sorted(self.frozen)), values

    def _graph(self, arrays: Mapping[str, Array]) -> Graph:
        shapes = {name: array.shape for name, array in arrays.items() if name not in self.frozen}
        frozen = {name: arrays[name] for name in self.frozen}
        return with_wide_steps(import_model(self.model, shapes, self.model.graph.name or "model", frozen))


def with_wide_steps(graph: Graph) -> Graph:
    """The graph with float32 in place of float16 between nodes, as runtimes compute on processors.

    Inputs, outputs, constants and the results of conversions from other types keep their type.
    """
    half, wide = Format("float16"), Format("float32")
    converted = [n for n in graph.nodes if isinstance(n.block, ConvertType) and n.block.to == "float16"]
    plain = {n.name for n in converted if graph.tensors[n.inputs[0]].format == half}
    kept = {*graph.sources, *graph.sinks, *(n.outputs[0] for n in converted if n.name not in plain)}
    tensors = {
        name: t.replace(format=wide) if t.format == half and not t.is_constant and name not in kept else t
        for name, t in graph.tensors.items()
    }
    nodes = tuple(n.replace(block=Identity()) if n.name in plain else n for n in graph.nodes)
    return graph.replace(tensors=tensors, nodes=nodes)


def upstream(graph: onnx.GraphProto, name: str) -> set[str]:
    """The tensors that a tensor is made from, itself included."""
    sources = dict(made_from(graph))
    found, waiting = set(), [name.rsplit(COPY, 1)[-1]]
    while waiting:
        current = waiting.pop()
        if current and current not in found:
            found.add(current)
            waiting += sources.get(current, ())
    return found


def made_from(graph: onnx.GraphProto) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every tensor with those that its node reads; inputs of a graph inside a node are made from all that it reads."""
    for node in graph.node:
        read = read_names(node)
        yield from ((output, read) for output in node.output)
        for attribute in node.attribute:
            for inner in graphs_of(attribute):
                for position, value in enumerate(inner.input):
                    counts = node.op_type == "Loop" and position < 2  # its trip's number and condition
                    yield value.name, tuple(node.input[:2]) if counts else read
                yield from made_from(inner)


class Backend(interface.Backend):
    """hwblocks as a backend of the onnx package.

    Inputs and outputs have the model's types and shapes; float operators compute in float64 and round once.

    >>> node = onnx.helper.make_node("Add", ["a", "b"], ["y"])
    >>> Backend.run_node(node, [np.array([1], np.float32), np.array([2], np.float32)])
    (array([3.], dtype=float32),)
    """

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """False when the model holds operators or types that are refused whatever its inputs are."""
        try:
            import_model(model, {}, model.graph.name or "model")
        except UnsupportedOperatorError:
            return False
        except HwblocksError:
            return True
        return True

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> BackendRep:
        """The model, ready to run."""
        return BackendRep(model)

    @classmethod
    def run_model(cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[Any, ...]:
        """The outputs of a model."""
        return cls.prepare(model, device).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """The outputs of a single node; `opset_version` chooses the operator set (default: the newest)."""
        listed = list(inputs.values()) if isinstance(inputs, Mapping) else list(inputs)
        names = [name for name in dict.fromkeys(node.input) if name]
        arrays = [np.asarray(a) for a in listed]
        values = [
            onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for name, a in zip(names, arrays, strict=True)
        ]
        outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
        version = int(kwargs.get("opset_version", onnx.defs.onnx_opset_version()))
        opsets = [onnx.helper.make_opsetid("", version)]
        if node.domain not in ("", "ai.onnx"):
            opsets.append(onnx.helper.make_opsetid(node.domain, 1))
        model = onnx.helper.make_model(onnx.helper.make_graph([node], "node", values, outputs), opset_imports=opsets)
        return cls.run_model(model, dict(zip(names, arrays, strict=True)))

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """True for "CPU"."""
        return device.split(":")[0] == "CPU"
