"""Recurrent layers of Keras: SimpleRNN, LSTM, GRU and RNN of their cells, in both directions, with states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hwblocks.blocks.elementwise import Add, Mul
from hwblocks.blocks.shape import Concat, Reshape
from hwblocks.blocks.slicing import Flip, Slice
from hwblocks.composites.cells import Cell, GatedCell, LongCell, PlainCell
from hwblocks.composites.recurrent import layer as recurrent_layer
from hwblocks.errors import GraphError
from hwblocks.graph.builder import Value
from hwblocks.importers.keras_activations import of_cell, refuse_curve
from hwblocks.importers.keras_graph import Array, KerasBuilder, Rule, Use, array, optional, values_in

CELLS = {"SimpleRNNCell": 1, "GRUCell": 3, "LSTMCell": 4}


def rows(weight: Any, order: Sequence[int]) -> Array:
    """[I, gates · H] as [gates · H, I], the gates in another order."""
    parts = np.split(array(weight).T, len(order))
    return np.concatenate([parts[i] for i in order])


def cell_of(cell: Any) -> Cell:
    """The cell of a layer. Keras's gates: LSTM i, f, c, o; GRU z, r, h."""
    kind = type(cell).__name__
    order = {"SimpleRNNCell": (0,), "GRUCell": (1, 0, 2), "LSTMCell": (0, 1, 2, 3)}[kind]
    bias, inner = optional(cell.bias), None
    if bias is not None and bias.ndim == 2:
        bias, inner = bias
    arrays: dict[str, Any] = {
        "w": rows(cell.kernel, order),
        "r": rows(cell.recurrent_kernel, order),
        "w_bias": None if bias is None else rows(bias[None], order)[:, 0],
        "r_bias": None if inner is None else rows(inner[None], order)[:, 0],
    }
    curve = of_cell(cell.activation)
    if kind == "SimpleRNNCell":
        return PlainCell(**arrays, activations=(curve,))
    gate = of_cell(cell.recurrent_activation)
    if kind == "GRUCell":
        return GatedCell(**arrays, activations=(gate, curve), reset_after=bool(cell.reset_after))
    return LongCell(**arrays, activations=(gate, curve, curve))


def cells_of(layer: Any) -> list[Any]:
    """The cells of a layer, several where they are stacked."""
    return list(layer.cell.cells) if type(layer.cell).__name__ == "StackedRNNCells" else [layer.cell]


def refuse_recurrent(layer: Any) -> str:
    """Why a recurrent layer cannot be imported."""
    for cell in cells_of(layer):
        if type(cell).__name__ not in CELLS or type(cell).__module__.split(".")[0] != "keras":
            return f"of the cell {type(cell).__name__}"
        reason = refuse_curve(cell.activation) or refuse_curve(getattr(cell, "recurrent_activation", None))
        if reason:
            return reason
    if getattr(layer.cell, "reverse_state_order", False):
        return "of stacked cells with reverse_state_order=True"
    if layer.stateful and layer.go_backwards:
        return "stateful=True with go_backwards=True: the other direction starts at the end"
    return ""


def _refuse_both(layer: Any) -> str:
    inner = (layer.forward_layer, layer.backward_layer)
    if any(type(one).__name__ not in ("SimpleRNN", "LSTM", "GRU", "RNN") for one in inner):
        return f"of {type(layer.forward_layer).__name__}"
    return refuse_recurrent(inner[0]) or refuse_recurrent(inner[1])


def scanned(
    build: KerasBuilder, layer: Any, x: Value, name: str, initial: Sequence[Value] = ()
) -> tuple[Value, list[Value]]:
    """(outputs [N, T, H] in the order of x, last states) of a layer; stacked cells run one after the other."""
    if len(x.shape) != 3:
        raise GraphError(f"a recurrent layer takes [N, T, C], not {x.shape}")
    if initial and layer.stateful:
        raise GraphError("stateful=True with initial_state: states are either carried or given")
    left, states = list(initial), list[Value]()
    with build.builder.group(name, type(layer).__name__):
        for number, one in enumerate(cells_of(layer)):
            cell = cell_of(one)
            start = [left.pop(0) for _ in range(cell.states)] if left else None
            with build.builder.group(f"cell{number}", f"{type(layer).__name__} layer"):
                x, last = recurrent_layer(
                    build.builder, x, cell, start, None, bool(layer.go_backwards), bool(layer.stateful)
                )
            states += last
    return x, states


def last_step(build: KerasBuilder, layer: Any, outputs: Value, name: str) -> Value:
    """The output of the step that is computed last, [N, H]."""
    at = 0 if layer.go_backwards else outputs.shape[1] - 1
    row = build.add(Slice((at,), (at + 1,), (1,), (1,)), outputs, name=f"{name}.step")
    return build.add(Reshape((0, outputs.shape[2])), row, name=name)


def _outputs(build: KerasBuilder, layer: Any, outputs: Value, name: str) -> Value:
    """What the layer returns as its output: the last step, or all in the order in which they were computed."""
    if not layer.return_sequences:
        return last_step(build, layer, outputs, name)
    if layer.go_backwards:
        return build.add(Flip((1,)), outputs, name=name)
    return outputs


def initial_states(use: Use) -> list[Value]:
    """The states given with the call."""
    return list(values_in(use.named.get("initial_state"))) or list(values_in(use.arguments[1:2]))


def _recurrent(build: KerasBuilder, use: Use) -> Any:
    x = next(values_in(use.arguments[:1] or use.named))
    outputs, states = scanned(build, use.layer, x, use.name, initial_states(use))
    made = _outputs(build, use.layer, outputs, use.name)
    return (made, *states) if use.layer.return_state else made


def _both(build: KerasBuilder, use: Use) -> Any:
    """Both directions; the second one's outputs are put in the order of the first one's."""
    layer, x = use.layer, next(values_in(use.arguments[:1] or use.named))
    given = initial_states(use)
    half, made, states = len(given) // 2, [], []
    for one, start in ((layer.forward_layer, given[:half]), (layer.backward_layer, given[half:])):
        name = f"{use.name}.{'forward' if one is layer.forward_layer else 'backward'}"
        outputs, last = scanned(build, one, x, name, start)
        made.append(outputs if layer.return_sequences else last_step(build, one, outputs, f"{name}.last"))
        states += last
    joined = _merged(build, layer.merge_mode, made, use.name)
    return (*joined, *states) if layer.return_state else joined


def _merged(build: KerasBuilder, mode: str | None, made: Sequence[Value], name: str) -> tuple[Value, ...]:
    if mode is None:
        return tuple(made)
    if mode == "concat":
        return (build.add(Concat(-1), *made, name=name),)
    if mode == "mul":
        return (build.add(Mul(), *made, name=name),)
    if mode == "sum":
        return (build.add(Add(), *made, name=name),)
    total = build.add(Add(), *made, name=f"{name}.sum")
    return (build.add(Mul(), total, build.constant(f"{name}.half", np.array(0.5)), name=name),)


LAYERS: dict[str, Rule] = {
    "Bidirectional": Rule(_both, _refuse_both),
    **{name: Rule(_recurrent, refuse_recurrent) for name in ("GRU", "LSTM", "RNN", "SimpleRNN")},
}
