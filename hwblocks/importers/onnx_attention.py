"""ONNX Attention (operator sets 23 to 25): heads, masks of every rank, caches, windows, and its optional outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.blocks.conversion import ConvertType
from hwblocks.blocks.logic import GreaterEqual, Less, LessEqual, NotEqual
from hwblocks.blocks.selection import Select
from hwblocks.blocks.shape import Concat, Pad, Reshape, Transpose
from hwblocks.composites.attention_core import Attended, Core, attend, times
from hwblocks.composites.masks import BOOL, UNBOUNDED, both, constant_mask, seen
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.tensor import FLOAT32
from hwblocks.importers.onnx_graph import Importer, OnnxNode
from hwblocks.importers.onnx_rule import Rule
from hwblocks.numerics.formats import Format

Array = np.ndarray[Any, Any]

MASK, PAST_KEY, PAST_VALUE, LENGTHS = 3, 4, 5, 6
PLAIN_PRECISIONS = (0, 1, 11)  # of the softmax: not stated, float32, float64
RAW, CAPPED, BIASED, WEIGHTS = range(4)  # what the fourth output shows


def heads(build: GraphBuilder, x: Value, count: int | None, name: str) -> Value:
    """[N, T, H · D] as [N, H, T, D]; four axes stay as they are."""
    if len(x.shape) == 4:
        return x
    if len(x.shape) != 3 or not count or x.shape[2] % count:
        raise GraphError(f"{name} {x.shape} must be [N, T, H · D] with its number of heads, or [N, H, T, D]")
    parts = build.add(Reshape((0, 0, count, x.shape[2] // count)), x, name=f"{name}_of_heads")
    return build.add(Transpose((0, 2, 1, 3)), parts, name=f"{name}_heads")


def as_type(build: GraphBuilder, x: Value, format: Format, name: str) -> Value:
    """x in a float format."""
    if x.tensor.format == format:
        return x
    return build.add(ConvertType(format.dtype.name), x, name=name, formats=(format,))


def _attention(build: Importer, node: OnnxNode) -> None:
    """Keys and values stay in their type; what is computed of them is float32, cast to the type of Q at the end."""
    builder = build.builder
    q, k, v = (build.value(name) for name in node.inputs[:3])
    flat, kept = len(q.shape) == 3, q.tensor.format
    with builder.group(node.name, node.op):
        counts = [node.attribute(f"{part}_num_heads") for part in ("q", "kv", "kv")]
        q, k, v = (heads(builder, x, c, n) for x, c, n in zip((q, k, v), counts, ("q", "k", "v"), strict=True))
        k, v = _with_past(build, node, k, PAST_KEY), _with_past(build, node, v, PAST_VALUE)
        keep, bias = _masks(build, node, q.shape[2], k.shape[2])
        wide = [as_type(builder, x, FLOAT32, f"wide_{n}") for x, n in ((q, "q"), (k, "k"), (v, "v"))]
        keys = builder.add(Transpose((0, 1, 3, 2)), wide[1], name="keys")
        core = _core(node, q.shape[3])
        made = attend(builder, wide[0], keys, wide[2], core, keep, bias)
        context = made.context
        if flat:
            rows = builder.add(Transpose((0, 2, 1, 3)), context, name="rows")
            context = builder.add(Reshape((0, 0, -1)), rows, name="joined")
        values = [as_type(builder, context, kept, "output"), k, v]
        if len(node.outputs) > 3 and node.outputs[3]:
            values.append(as_type(builder, _shown(builder, node, made, core, keep), kept, "shown_as_given"))
    build.results(node, values)


def _core(node: OnnxNode, size: int) -> Core:
    scale = node.attribute("scale")
    return Core(size**-0.5 if scale is None else float(scale), float(node.attribute("softcap") or 0.0))


def _with_past(build: Importer, node: OnnxNode, new: Value, position: int) -> Value:
    """Earlier keys or values before the new ones."""
    if not node.input(position):
        return new
    return build.builder.add(Concat(2), build.value(node.input(position)), new, name=f"present{position}")


def _masks(build: Importer, node: OnnxNode, queries: int, keys: int) -> tuple[Value | None, Value | None]:
    """(keep, bias): which keys each query sees, and what is added to its scores."""
    builder, causal = build.builder, bool(node.attribute("is_causal", 0))
    window = tuple(int(node.attribute(f"{side}_window_size", UNBOUNDED)) for side in ("left", "right"))
    if min(window) < UNBOUNDED:
        raise GraphError(f"window sizes {window} must be -1 or not negative")
    if node.input(LENGTHS):
        keep = _by_lengths(build, node, queries, keys, causal, (window[0], window[1]))
    else:
        offset = build.shape(node.input(PAST_KEY))[2] if node.input(PAST_KEY) else 0
        keep = constant_mask(builder, seen(queries, keys, offset, causal, (window[0], window[1])))
    if not node.input(MASK):
        return keep, None
    mask = _padded(build, node, keys)
    if mask.tensor.format == BOOL:
        return both(builder, keep, mask, "keep_masked"), None
    allowed, bias = finite(builder, as_type(builder, mask, FLOAT32, "wide_mask"))
    return both(builder, keep, allowed, "keep_masked"), bias


def _by_lengths(
    build: Importer, node: OnnxNode, queries: int, keys: int, causal: bool, window: tuple[int, int]
) -> Value | None:
    """Keys before each sequence's length, whose last `queries` positions are those of the queries."""
    builder = build.builder
    lengths = build.value(node.input(LENGTHS))
    given = builder.add(Reshape((lengths.shape[0], 1, 1, 1)), lengths, name="lengths")
    places = np.arange(keys).reshape(1, 1, 1, keys)
    after = (np.arange(keys)[None] - np.arange(queries)[:, None] + queries).reshape(1, 1, queries, keys)
    left, right = window
    bounds: list[tuple[Block, str, Array]] = [(Less(), "within", places)]
    if causal:
        bounds.append((LessEqual(), "causal", after))  # key ≤ query + length − queries
    if left != UNBOUNDED:
        bounds.append((GreaterEqual(), "left", after + left))
    if right != UNBOUNDED:
        bounds.append((LessEqual(), "right", after - right))
    keep: Value | None = None
    for block, name, bound in bounds:
        limit = builder.constant(f"{name}.places", bound)
        keep = both(builder, keep, builder.add(block, limit, given, name=name, formats=(BOOL,)), f"keep_{name}")
    return keep


def _padded(build: Importer, node: OnnxNode, keys: int) -> Value:
    """The mask for every key: those that it does not reach are not seen."""
    name = node.input(MASK)
    if build.is_constant(name):
        array = build.constant(name)
        truths = array.dtype == bool
        mask = build.builder.constant("mask", array, BOOL if truths else FLOAT32)
    else:
        mask = build.value(name)
    missing = keys - mask.shape[-1]
    if missing <= 0:
        return mask
    fill = 0.0 if mask.tensor.format == BOOL else -np.inf
    pads = ((0, 0),) * (len(mask.shape) - 1) + ((0, missing),)
    if mask.tensor.value is not None:
        longer = np.pad(mask.tensor.value, pads, constant_values=fill)
        return build.builder.constant("mask_padded", longer, mask.tensor.format)
    return build.builder.add(Pad(pads, fill), mask, name="mask_padded")


def finite(build: GraphBuilder, mask: Value) -> tuple[Value | None, Value]:
    """(where an additive mask is not −∞, the mask with 0 in those places)."""
    value = mask.tensor.value
    if value is not None:
        hidden = np.isneginf(value)
        if not hidden.any():
            return None, mask
        return build.constant("allowed", ~hidden, BOOL), build.constant("bias", np.where(hidden, 0, value))
    format = mask.tensor.format
    lowest = build.constant("hidden", np.array(-np.inf), format)
    allowed = build.add(NotEqual(), mask, lowest, name="allowed", formats=(BOOL,))
    zero = build.constant("nothing", np.zeros(()), format)
    return allowed, build.add(Select(), allowed, mask, zero, name="bias")


def _shown(build: GraphBuilder, node: OnnxNode, made: Attended, core: Core, keep: Value | None) -> Value:
    """The fourth output: scores by stage, or the weights."""
    mode = int(node.attribute("qk_matmul_output_mode", RAW))
    if mode == WEIGHTS:
        return made.weights
    if mode == RAW or (mode == CAPPED and not core.softcap):
        return times(build, made.scores, core.scale, "shown")
    if mode == CAPPED:
        return made.capped
    if mode != BIASED:
        raise GraphError(f"qk_matmul_output_mode={mode} must be 0, 1, 2 or 3")
    plain = made.biased is made.scores
    shown = times(build, made.scores, core.scale, "shown") if plain else made.biased
    if keep is None:
        return shown
    lowest = build.constant("hidden_scores", np.array(-np.inf), shown.tensor.format)
    return build.add(Select(), keep, shown, lowest, name="shown_masked")


def _refused(node: OnnxNode) -> str:
    precision = int(node.attribute("softmax_precision", 0))
    if precision not in PLAIN_PRECISIONS:
        return f"softmax_precision {precision}: the softmax is computed in float64; use 1 or 11"
    return ""


RULES: dict[str, Rule] = {"Attention": Rule(_attention, _refused)}
