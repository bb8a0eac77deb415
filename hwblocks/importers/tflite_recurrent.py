"""TFLite operators with state tensors of their own: LSTM and SVDF."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwblocks.blocks.shape import Identity, Reshape, Transpose
from hwblocks.blocks.svdf import SVDF
from hwblocks.composites.cells import LongCell
from hwblocks.composites.recurrent import layer
from hwblocks.composites.sequence_lstm import SequenceLSTM
from hwblocks.errors import UnsupportedOperatorError
from hwblocks.graph.builder import Value
from hwblocks.graph.tensor import FLOAT32
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
    _carry(build, kept, [Value(build.builder, name) for name in names[1:]])


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
    if can_expand(block, inputs):
        expanded(build, op, block, inputs)
    else:
        with_states(build, op, block, inputs, (LSTM_HIDDEN, LSTM_CELL))


def can_expand(block: SequenceLSTM, inputs: Sequence[Value | None]) -> bool:
    """True for a layer of floats with constant weights that cells have all parts of."""
    present = [v.tensor for v in inputs if v is not None]
    states = [v.tensor for i, v in enumerate(inputs) if v is not None and i in (0, LSTM_HIDDEN, LSTM_CELL)]
    plain = not (block.layer_norm or block.projection_bias or block.proj_clip > 0)
    return plain and all(t.format == FLOAT32 and (t.is_constant or t in states) for t in present)


def cell(block: SequenceLSTM, inputs: Sequence[Value | None]) -> LongCell:
    """The cell of a layer's weights."""
    given = [v for v in inputs if v is not None]
    tensors = dict(zip(block.present, (v.tensor for v in given), strict=True))
    arrays = {name: t.value for name, t in tensors.items() if t.value is not None}
    w, r, b = (np.concatenate([arrays[f"{kind}_{g}"] for g in block.gates]) for kind in "wrb")
    seen = [arrays.get(f"p_{g}", np.zeros_like(arrays["b_f"])) for g in "ifo"]  # a coupled cell has no p of i
    return LongCell(
        w,
        r,
        b,
        peephole=np.concatenate(seen) if block.peephole else None,
        projection=arrays.get("w_proj"),
        coupled="i" if block.coupled else "",
        cell_clip=block.cell_clip,
    )


def expanded(build: TfliteImporter, op: TfliteOperator, block: SequenceLSTM, inputs: Sequence[Value | None]) -> None:
    """A float layer as a scan over its cell, so that every tensor in it can get a format of its own."""
    builder, x = build.builder, inputs[0]
    states = [v for v in (inputs[LSTM_HIDDEN], inputs[LSTM_CELL]) if v is not None]
    assert x is not None
    with builder.group(f"{op.name.lower()}.{op.index}", "LSTM"):
        steps = x
        if len(x.shape) == 2:
            steps = builder.add(Reshape((0, 1, x.shape[-1])), x, name="one_step")
        elif block.time_major:
            steps = builder.add(Transpose((1, 0, 2)), x, name="batch_first")
        y, last = layer(builder, steps, cell(block, inputs), states)
        if len(x.shape) == 2:
            y = builder.add(Reshape((0, y.shape[-1])), y, name="one_output")
        elif block.time_major:
            y = builder.add(Transpose((1, 0, 2)), y, name="time_first")
    build.add(op, Identity(), [y])
    _carry(build, states, last)


def _carry(build: TfliteImporter, states: Sequence[Value], last: Sequence[Value]) -> None:
    """State variables become these values."""
    for value, following in zip(states, last, strict=True):
        for variable in build.variables.values():
            if variable.state is not None and variable.state.name == value.name:
                variable.current = following


def svdf(build: TfliteImporter, op: TfliteOperator) -> None:
    inputs = [build.input(op, i) if build.has(op, i) else None for i in range(5)]
    with_states(build, op, SVDF(int(op.options["rank"])), inputs, (4,))


RECURRENT: dict[str, Build] = {
    "LSTM": lstm,
    "SVDF": svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
}
