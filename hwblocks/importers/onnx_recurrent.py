"""ONNX recurrent operators: RNN, GRU and LSTM in every direction, with any activations, states and lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hwblocks.blocks.activation import LeakyReLU, ReLU, Sigmoid, Tanh
from hwblocks.blocks.elementwise import Add, Mul
from hwblocks.blocks.exponential import ELU, Softplus
from hwblocks.blocks.rectifier import HardSigmoid, Softsign, ThresholdedReLU
from hwblocks.blocks.shape import Reshape, Transpose
from hwblocks.blocks.slicing import Slice, Stack
from hwblocks.composites.cells import Activation, Cell, GatedCell, LongCell, PlainCell, by_block
from hwblocks.composites.recurrent import layer
from hwblocks.errors import GraphError
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.quant_rule import Preference
from hwblocks.importers.onnx_graph import Importer, OnnxNode
from hwblocks.importers.onnx_rule import Rule

Array = np.ndarray[Any, Any]

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
ORDER = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}  # where the cell's gates stand in the file: zrn, iofc
DEFAULTS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
ALPHA = {"LeakyRelu": 0.01, "Elu": 1.0, "ThresholdedRelu": 1.0, "HardSigmoid": 0.2, "Affine": 1.0, "ScaledTanh": 1.0}
BETA = {"HardSigmoid": 0.5, "Affine": 0.0, "ScaledTanh": 1.0}


def scaled(x: Value, factor: float, name: str) -> Value:
    """factor · x."""
    return x.builder.add(Mul(), x, x.builder.constant(f"{name}.factor", np.array(factor)), name=name)


def activation(name: str, alpha: float, beta: float) -> Activation:
    """An activation of the standard's list. Errors: GraphError for other names."""
    blocks: dict[str, Any] = {
        "Sigmoid": lambda: Sigmoid(),
        "Tanh": lambda: Tanh(),
        "Relu": lambda: ReLU(),
        "LeakyRelu": lambda: LeakyReLU(alpha),
        "Elu": lambda: ELU(alpha),
        "Softplus": lambda: Softplus(),
        "Softsign": lambda: Softsign(),
        "ThresholdedRelu": lambda: ThresholdedReLU(alpha),
        "HardSigmoid": lambda: HardSigmoid(alpha, beta),
    }
    if name in blocks:
        return by_block(blocks[name]())
    if name not in ("Affine", "ScaledTanh"):
        raise GraphError(f"activation {name!r} is not one of {', '.join([*blocks, 'Affine', 'ScaledTanh'])}")

    def composed(x: Value, label: str, preference: Preference | None) -> Value:
        if name == "ScaledTanh":
            curve = x.builder.add(Tanh(), scaled(x, beta, f"{label}_in"), name=f"{label}_tanh")
            return scaled(curve, alpha, label)
        shift = x.builder.constant(f"{label}.shift", np.array(beta))
        return x.builder.add(Add(), scaled(x, alpha, f"{label}_in"), shift, name=label, preference=preference)

    return composed


def activations(node: OnnxNode, directions: int) -> list[tuple[Activation, ...]]:
    """The activations of every direction. alpha and beta are given in order to those that take them."""
    count = len(DEFAULTS[node.op])
    texts = [a.decode() if isinstance(a, bytes) else a for a in node.attribute("activations") or ()]
    given = [str(t) for t in texts] or list(DEFAULTS[node.op]) * directions
    if len(given) != count * directions:
        raise GraphError(f"{len(given)} activations for {directions} directions; {count} for each are needed")
    names = {known.lower(): known for known in (*ALPHA, *BETA, "Sigmoid", "Tanh", "Relu", "Softsign", "Softplus")}
    alphas, betas = list(node.attribute("activation_alpha") or ()), list(node.attribute("activation_beta") or ())
    made = []
    for text in given:
        name = names.get(text.lower(), text)
        alpha = alphas.pop(0) if name in ALPHA and alphas else ALPHA.get(name, 0.0)
        beta = betas.pop(0) if name in BETA and betas else BETA.get(name, 0.0)
        made.append(activation(name, float(alpha), float(beta)))
    return [tuple(made[d * count : (d + 1) * count]) for d in range(directions)]


def reordered(array: Array, op: str) -> Array:
    """Rows [gates · H, …] in the order of the cell's gates."""
    parts = np.split(array, GATES[op])
    return np.concatenate([parts[i] for i in ORDER[op]])


def cells(build: Importer, node: OnnxNode) -> list[Cell]:
    """One cell for each direction."""
    w, r = (build.constant(node.inputs[i]).astype(np.float64) for i in (1, 2))
    bias = build.constant(node.input(3)).astype(np.float64) if node.input(3) else None
    made = []
    for d, curves in enumerate(activations(node, len(w))):
        both = (None, None) if bias is None else [reordered(b, node.op) for b in np.split(bias[d], 2)]
        arrays: dict[str, Any] = {
            "w": reordered(w[d], node.op),
            "r": reordered(r[d], node.op),
            "w_bias": both[0],
            "r_bias": both[1],
        }
        arrays |= {"clip": float(node.attribute("clip", 0.0)), "activations": curves}
        made.append(_cell(build, node, d, arrays))
    return made


def _cell(build: Importer, node: OnnxNode, direction: int, arrays: dict[str, Any]) -> Cell:
    if node.op == "RNN":
        return PlainCell(**arrays)
    if node.op == "GRU":
        return GatedCell(**arrays, reset_after=bool(node.attribute("linear_before_reset", 0)))
    peephole = None
    if node.input(7):
        p = np.split(build.constant(node.input(7)).astype(np.float64)[direction], 3)  # i, o, f
        peephole = np.concatenate([p[0], p[2], p[1]])
    if node.attribute("input_forget", 0):  # f = 1 − i: the rows of f are not read
        arrays |= {name: without_forget(arrays[name]) for name in ("w", "r", "w_bias", "r_bias")}
        arrays["coupled"] = "f"
    return LongCell(**arrays, peephole=peephole)


def without_forget(array: Array | None) -> Array | None:
    """Rows of i, g and o from those of i, f, g and o."""
    return None if array is None else np.concatenate([part for g, part in enumerate(np.split(array, 4)) if g != 1])


def _recurrent(build: Importer, node: OnnxNode) -> None:
    builder, first = build.builder, bool(node.attribute("layout", 0))
    directions = {"forward": (0,), "reverse": (1,), "bidirectional": (0, 1)}.get(node.attribute("direction", "forward"))
    found = cells(build, node)
    if directions is None or len(directions) != len(found):
        raise GraphError(f"direction {node.attribute('direction')!r} does not fit {len(found)} sets of weights")
    x = build.value(node.inputs[0])
    with builder.group(node.name, node.op):
        if not first:
            x = builder.add(Transpose((1, 0, 2)), x, name="batch_first")
        lengths = _lengths(build, node, x.shape[0])
        sequences, lasts = [], []
        for d, (cell, backward) in enumerate(zip(found, directions, strict=True)):
            start = _initial(build, node, d, cell, first)
            with builder.group(f"direction{d}", f"{node.op} layer"):
                y, last = layer(builder, x, cell, start, lengths, bool(backward))
            sequences.append(y)
            lasts.append(last)
        made = _outputs(builder, sequences, lasts, first)
    build.results(node, made)


def _lengths(build: Importer, node: OnnxNode, samples: int) -> Value | None:
    """Lengths [N, 1], None where every sequence is whole."""
    if not node.input(4):
        return None
    return build.builder.add(Reshape((samples, 1)), build.value(node.input(4)), name="sequence_lengths")


def _initial(build: Importer, node: OnnxNode, direction: int, cell: Cell, first: bool) -> list[Value] | None:
    """The initial states of a direction, [N, H] each; zeros where only one of them is given."""
    given = [node.input(i) for i in (5, 6)][: cell.states]
    if not any(given):
        return None
    axis, made = (1 if first else 0), []
    for i, name in enumerate(given):
        if not name:
            made.append(build.builder.constant(f"initial{i}", np.zeros((1, cell.sizes[i]))))
            continue
        cut = Slice((direction,), (direction + 1,), (1,), (axis,))
        state = build.builder.add(cut, build.value(name), name=f"initial_{direction}_{i}")
        made.append(build.builder.add(Reshape((-1, cell.sizes[i])), state, name=f"initial_{direction}_{i}_rows"))
    return made


def _outputs(
    builder: GraphBuilder, sequences: Sequence[Value], lasts: Sequence[tuple[Value, ...]], first: bool
) -> list[Value]:
    """Y and the last states in the file's layout: [T, D, N, H] and [D, N, H], or with the samples first."""
    joined = builder.add(Stack(2), *sequences, name="directions")  # [N, T, D, H]
    y = joined if first else builder.add(Transpose((1, 2, 0, 3)), joined, name="steps_first")
    states = [
        builder.add(Stack(1 if first else 0), *[last[i] for last in lasts], name=f"last{i}")
        for i in range(len(lasts[0]))
    ]
    return [y, *states]


RULES: dict[str, Rule] = {name: Rule(_recurrent) for name in GATES}
