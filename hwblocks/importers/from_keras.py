"""Keras models become graphs: hb.from_keras. Keras itself is imported only here, when it is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hwblocks.errors import GraphError, HwblocksError, InputError, MissingExtraError, UnsupportedOperatorError
from hwblocks.graph.builder import Value
from hwblocks.graph.graph import Graph
from hwblocks.graph.rewrite import without_dead_nodes
from hwblocks.graph.tensor import FLOAT32
from hwblocks.importers.keras_graph import KerasBuilder, Rule, Use, values_in
from hwblocks.importers.keras_operators import LAYERS, OPERATIONS
from hwblocks.numerics.formats import Format

Shapes = Mapping[str, Sequence[int]]


def from_keras(model: Any, shapes: Shapes | None = None) -> Graph:
    """The graph of a built Keras 3 model, Sequential or functional, whatever its backend.

    Layers keep their names, inputs and outputs their order; weights are copied as float32. A layer used several times
    becomes several nodes with weights of their own (the graph's metadata name it under "shared_layers").
    shapes: full shapes by input name, where axes other than the first have no size.
    Errors: MissingExtraError without Keras; UnsupportedOperatorError lists every layer without a rule; GraphError for
    models that are not built or not made of layers (subclassed); InputError where an axis has no size.
    """
    try:
        import keras
    except ImportError:
        raise MissingExtraError("from_keras needs Keras 3; run: pip install 'hwblocks[keras]'") from None
    if not isinstance(model, keras.Model):
        raise InputError(f"from_keras takes a keras.Model, not {type(model).__name__}")
    network = network_of(model)
    check_supported(network)
    build = KerasBuilder(model.name, import_use)
    outputs = build.run(network, _inputs(build, network, dict(shapes or {})))
    metadata = {"source": f"keras {keras.__version__}", **build.metadata}
    return without_dead_nodes(build.builder.build(*build.ends(outputs, network), metadata=metadata))


def network_of(model: Any) -> Any:
    """The functional network of a model. Errors: GraphError where there is none."""
    found = getattr(model, "_functional", model)
    if found is None:
        raise GraphError(f"model {model.name!r} is not built: call model.build(input_shape), or it on data, first")
    if not hasattr(found, "_nodes_by_depth"):
        raise GraphError(
            f"model {model.name!r} is a subclass of keras.Model, whose call() is code; make it a functional model "
            "(keras.Model(inputs, outputs)) of its layers"
        )
    return found


def import_use(build: KerasBuilder, use: Use) -> Any:
    """Add what one use of a layer or operation means; returns its output or outputs."""
    rule = rule_of(use.layer)
    try:
        check_call(use)
        if rule is not None:
            return rule.build(build, use)
        return build.run(network_of(use.layer), use.values, f"{use.name}/")
    except HwblocksError as error:
        if repr(use.name) in error.message:
            raise
        raise type(error)(f"{type(use.layer).__name__} {use.name!r}: {error.message}") from None


def check_call(use: Use) -> None:
    """Raise GraphError for calls that ask for another computation than that of inference."""
    if use.named.get("training") is True:
        raise GraphError("is called with training=True; graphs are those of inference")
    if any(True for _ in values_in(use.named.get("mask"))):
        raise GraphError("is called with a mask, and masks are not followed; cut or pad the sequences instead")


def rule_of(layer: Any) -> Rule | None:
    """The rule of a layer or operation; None for models within models and for unknown ones."""
    import keras

    table = LAYERS if isinstance(layer, keras.layers.Layer) else OPERATIONS
    found = type(layer).__module__.split(".")[0] == "keras"
    return table.get(type(layer).__name__) if found else None


def check_supported(network: Any) -> None:
    """Raise one UnsupportedOperatorError that lists every layer without a rule, and every refused setting."""
    missing: dict[str, list[str]] = {}
    for layer in all_layers(network):
        rule = rule_of(layer)
        reason = "" if rule is None else rule.reason(layer)
        if rule is None or reason:
            kind = type(layer).__name__
            names = missing.setdefault(f"{kind} ({reason})" if reason else kind, [])
            names += [layer.name] if layer.name not in names else []
    if missing:
        lines = [f"{kind} × {len(names)}: {', '.join(names)}" for kind, names in sorted(missing.items())]
        raise UnsupportedOperatorError("the model holds layers that are not supported:\n  " + "\n  ".join(lines))


def all_layers(network: Any) -> Iterator[Any]:
    """Every layer and operation, models within models and wrapped layers opened."""
    for nodes in network._nodes_by_depth.values():
        for node in nodes:
            if not node.is_input:
                yield from opened(node.operation)


def opened(layer: Any) -> Iterator[Any]:
    """A layer with what it wraps, or the layers of a model."""
    import keras

    if isinstance(layer, keras.Model):
        yield from all_layers(network_of(layer))
        return
    yield layer
    if type(layer).__name__ in ("TimeDistributed", "SpectralNormalization"):
        yield from opened(layer.layer)


def _inputs(build: KerasBuilder, network: Any, shapes: dict[str, Sequence[int]]) -> list[Value]:
    """The run-time inputs, in the model's order."""
    names = [tensor._keras_history.operation.name for tensor in network.inputs]
    unknown = sorted(set(shapes) - set(names))
    if unknown:
        raise InputError(f"shapes names {unknown[0]!r}, but the inputs are {', '.join(names)}")
    return [
        build.builder.input(name, _shape(name, tensor.shape, shapes.get(name)), _format(name, str(tensor.dtype)))
        for name, tensor in zip(names, network.inputs, strict=True)
    ]


def _shape(name: str, declared: Sequence[int | None], given: Sequence[int] | None) -> tuple[int, ...]:
    sizes = tuple(given) if given is not None else (1, *declared[1:])
    if len(sizes) != len(declared):
        raise InputError(f"shapes[{name!r}] has {len(sizes)} axes, the input {len(declared)}")
    for axis, size in enumerate(sizes):
        if size is None:
            raise InputError(f"input {name!r}: axis {axis} has no size; pass shapes={{{name!r}: (full shape)}}")
    return tuple(int(size) for size in sizes if size is not None)


def _format(name: str, dtype: str) -> Format:
    """Floats, truth values or whole numbers."""
    if "float" in dtype:
        return FLOAT32
    if dtype == "bool":
        return Format("bool")
    if dtype not in ("int8", "uint8", "int16", "uint16", "int32"):
        raise UnsupportedOperatorError(f"input {name!r} holds {dtype}; floats, bool and integers up to int32 are read")
    return Format(kind="raw", bits=int(dtype.lstrip("uint")), signed=dtype[0] == "i")
