"""Keras layers and operations: the tables of all rules."""

from __future__ import annotations

from hwblocks.importers import keras_activations, keras_attention, keras_layers, keras_moves, keras_recurrent
from hwblocks.importers.keras_graph import Rule

LAYERS: dict[str, Rule] = {
    **keras_activations.LAYERS,
    **keras_attention.LAYERS,
    **keras_layers.LAYERS,
    **keras_moves.LAYERS,
    **keras_recurrent.LAYERS,
}
OPERATIONS: dict[str, Rule] = {**keras_activations.OPERATIONS, **keras_moves.OPERATIONS}
