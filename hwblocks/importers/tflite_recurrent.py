"""TFLite operators with state tensors of their own: LSTM and SVDF."""

from __future__ import annotations

from hwblocks.blocks.svdf import SVDF
from hwblocks.composites.sequence_lstm import SequenceLSTM
from hwblocks.errors import UnsupportedOperatorError
from hwblocks.graph.builder import Value
from hwblocks.importers.tflite_file import TfliteOperator
from hwblocks.importers.tflite_graph import Build, TfliteImporter, format_of, name_of, where

LSTM_HIDDEN, LSTM_CELL = 18, 19


def with_states(
    build: TfliteImporter,
    op: TfliteOperator,
    block: SequenceLSTM | SVDF,
    inputs: list[Value | None],
    states: tuple[int, ...],
) -> None:
    """A block whose outputs after the first are the next values of these state inputs."""
    kept = [build.input(op, position) for position in states]
    first = build.output_tensor(op)
    applied = isinstance(block, SVDF) and first.type == "float32"  # integer kernels leave the activation out
    names = build.builder.reserved([name_of(first), *(f"{value.name}.next" for value in kept)])
    build.add(
        op,
        block,
        inputs,
        activation=str(op.options.get("fused_activation_function", "NONE")) if applied else "NONE",
        formats=[format_of(first), *(value.tensor.format for value in kept)],
        names=names,
    )
    for value, name in zip(kept, names[1:], strict=True):
        for variable in build.variables.values():
            if variable.state is not None and variable.state.name == value.name:
                variable.current = Value(build.builder, name)


def lstm(build: TfliteImporter, op: TfliteOperator) -> None:
    if op.options.get("kernel_type", "FULL") == "BASIC":
        raise UnsupportedOperatorError(f"{where(op)}: kernel type BASIC (uint8, 16-bit cell) is not supported")
    if op.options.get("fused_activation_function", "TANH") != "TANH":
        raise UnsupportedOperatorError(f"{where(op)}: only the activation TANH is supported")
    has = [build.has(op, position) for position in range(24)]
    inner = [build.scope.subgraph.tensors[i] for i in op.intermediates]
    hidden = inner[4] if len(inner) == 5 and inner[4].scale else None
    block = SequenceLSTM(
        coupled=not has[1],
        peephole=has[10],
        projection=has[16],
        projection_bias=has[17],
        layer_norm=has[21],
        cell_clip=float(op.options.get("cell_clip", 0.0)),
        proj_clip=float(op.options.get("proj_clip", 0.0)),
        time_major=bool(op.options.get("time_major", False)) and len(build.input(op, 0).shape) == 3,
        gate_scales=tuple(t.scale[0] if t.scale else 0.0 for t in inner[:4]),
        hidden_scale=hidden.scale[0] if hidden else 0.0,
        hidden_zero=hidden.zero_point[0] if hidden else 0,
    )
    inputs = [build.input(op, position) if has[position] else None for position in range(24)]
    with_states(build, op, block, inputs, (LSTM_HIDDEN, LSTM_CELL))


def svdf(build: TfliteImporter, op: TfliteOperator) -> None:
    inputs = [build.input(op, i) if build.has(op, i) else None for i in range(5)]
    with_states(build, op, SVDF(int(op.options["rank"])), inputs, (4,))


RECURRENT: dict[str, Build] = {
    "LSTM": lstm,
    "SVDF": svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
}
