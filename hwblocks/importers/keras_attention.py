"""Attention layers of Keras: MultiHeadAttention over sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.blocks.linear import Linear
from hwblocks.blocks.shape import Reshape, Transpose
from hwblocks.errors import GraphError
from hwblocks.graph.builder import Value
from hwblocks.importers.keras_graph import KerasBuilder, Rule, Use, array, block, optional

SWITCHES = {"_use_gate": "use_gate=True", "_sliding_window": "sliding_window"}
MASKS = ("query_mask", "value_mask", "key_mask")


def refuse_attention(layer: Any) -> str:
    """Why an attention layer cannot be imported."""
    found = [text for name, text in SWITCHES.items() if getattr(layer, name, None)]
    if found:
        return f"with {found[0]}"
    return "" if len(layer._query_dense.kernel.shape) == 3 and len(layer._attention_axes) == 1 else "over several axes"


def heads(build: KerasBuilder, dense: Any, x: Value, name: str) -> Value:
    """x [N, T, D] projected to heads [N, H, T, K]."""
    kernel, bias = array(dense.kernel), optional(dense.bias)  # [D, H, K], [H, K]
    count, size = kernel.shape[1:]
    weight = np.ascontiguousarray(kernel.reshape(len(kernel), -1).T)
    made = build.add(Linear(weight=weight, bias=None if bias is None else bias.ravel()), x, name=name)
    parts = build.add(Reshape((0, x.shape[1], count, size)), made, name=f"{name}.parts")
    return build.add(Transpose((0, 2, 1, 3)), parts, name=f"{name}.heads")


def _attention(build: KerasBuilder, use: Use) -> Value:
    """softmax(q · kᵀ / √K + mask) · v of every head, joined and projected."""
    layer, name = use.layer, use.name
    given = dict(zip(("query", "value", "key"), use.arguments, strict=False)) | use.named
    if given.get("return_attention_scores") or any(given.get(mask) is not None for mask in MASKS):
        raise GraphError("return_attention_scores and the masks of sequences are not followed; use attention_mask")
    query, value = given["query"], given["value"]
    key = value if given.get("key") is None else given["key"]
    parts = {"query": query, "key": key, "value": value}
    if any(len(x.shape) != 3 for x in parts.values()):
        raise GraphError("query, value and key must be [N, T, C]")
    made = [heads(build, getattr(layer, f"_{n}_dense"), x, f"{name}.{n}") for n, x in parts.items()]
    mask = given.get("attention_mask")
    core = block("ScaledDotProductAttention", is_causal=bool(given.get("use_causal_mask", False)))
    context = build.add(core, *made, *([] if mask is None else [mask]), name=f"{name}.attention")
    turned = build.add(Transpose((0, 2, 1, 3)), context, name=f"{name}.steps")
    joined = build.add(Reshape((0, query.shape[1], -1)), turned, name=f"{name}.context")
    kernel = array(layer._output_dense.kernel)  # [H, V, D]
    weight = np.ascontiguousarray(kernel.reshape(-1, kernel.shape[-1]).T)
    return build.add(Linear(weight=weight, bias=optional(layer._output_dense.bias)), joined, name=name)


LAYERS: dict[str, Rule] = {
    "MultiHeadAttention": Rule(_attention, refuse_attention, ("ScaledDotProductAttention",)),
}
