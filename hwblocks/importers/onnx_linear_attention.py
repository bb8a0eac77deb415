"""ONNX LinearAttention, RotaryEmbedding and SwiGLU."""

from __future__ import annotations

import numpy as np

from hwblocks.blocks.elementwise import Mul
from hwblocks.blocks.exponential import SiLU
from hwblocks.blocks.selection import Take
from hwblocks.blocks.shape import Concat, Reshape, Transpose
from hwblocks.blocks.slicing import Gather, Split
from hwblocks.composites.attention_core import times
from hwblocks.composites.linear_attention import RULES as UPDATES
from hwblocks.composites.linear_attention import Sequences, recur
from hwblocks.composites.positions import pairing, rotate
from hwblocks.errors import GraphError
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.tensor import FLOAT32
from hwblocks.importers.onnx_attention import as_type
from hwblocks.importers.onnx_graph import Importer, OnnxNode
from hwblocks.importers.onnx_rule import Rule

PAST, DECAY, BETA = 3, 4, 5


def _linear_attention(build: Importer, node: OnnxNode) -> None:
    """The recurrence in float32, whatever the types of its inputs, as the standard says."""
    builder = build.builder
    kept = build.value(node.input(PAST) or node.inputs[0]).tensor.format
    q, k, v = (as_type(builder, build.value(name), FLOAT32, "wide") for name in node.inputs[:3])
    heads, groups = (int(node.attribute(f"{part}_num_heads") or 0) for part in ("q", "kv"))
    if min(heads, groups) < 1 or heads % groups or any(len(x.shape) != 3 for x in (q, k, v)):
        raise GraphError(f"q_num_heads={heads} must be a multiple of kv_num_heads={groups}, and q, k, v [N, T, H · D]")
    size = q.shape[2] // heads
    with builder.group(node.name, node.op):
        given = Sequences(
            builder.add(Reshape((0, 0, groups, heads // groups, size)), q, name="queries"),
            builder.add(Reshape((0, 0, groups, size, 1)), k, name="keys"),
            builder.add(Reshape((0, 0, groups, 1, -1)), v, name="values"),
            *_gates(build, node, groups),
        )
        start = _zeros(builder, q.shape[0], given)
        if node.input(PAST):
            start = [as_type(builder, build.value(node.input(PAST)), FLOAT32, "wide_state")]
        y, (state,) = recur(builder, given, float(node.attribute("scale") or 0.0) or size**-0.5, 0.0, start)
        joined = builder.add(Reshape((0, 0, -1)), y, name="joined")
        joined = as_type(builder, joined, build.value(node.inputs[0]).tensor.format, "output")
        state = as_type(builder, state, kept, "present_state")
    build.results(node, [joined, state])


def _zeros(build: GraphBuilder, samples: int, given: Sequences) -> list[Value]:
    return [build.constant("initial", np.zeros((samples, *given.state_shape[1:])))]


def _gates(build: Importer, node: OnnxNode, groups: int) -> tuple[Value | None, Value | None]:
    """(decays, betas) as the update rule asks."""
    rule = node.attribute("update_rule", "gated_delta")
    if rule not in UPDATES:
        raise GraphError(f"update_rule {rule!r} is none of {', '.join(UPDATES)}")
    made: list[Value | None] = []
    for position, word, shape in ((DECAY, "gated", (0, 0, groups, -1, 1)), (BETA, "delta", (0, 0, -1, 1, 1))):
        name = node.input(position)
        if bool(name) != (word in rule):
            raise GraphError(f"update_rule {rule!r} {'forbids' if name else 'needs'} input {position}")
        given = as_type(build.builder, build.value(name), FLOAT32, f"wide{position}") if name else None
        made.append(None if given is None else build.builder.add(Reshape(shape), given, name=f"gates{position}"))
    return made[0], made[1]


def _rotary(build: Importer, node: OnnxNode) -> None:
    builder, x = build.builder, build.value(node.inputs[0])
    flat, count = len(x.shape) == 3, int(node.attribute("num_heads") or 0)
    if flat and (count < 1 or x.shape[2] % count):
        raise GraphError(f"num_heads={count} must divide the channels of X {x.shape}")
    with builder.group(node.name, node.op):
        if flat:
            rows = builder.add(Reshape((0, 0, count, -1)), x, name="heads")
        else:
            rows = builder.add(Transpose((0, 2, 1, 3)), x, name="heads")
        size = rows.shape[3]
        rotary = int(node.attribute("rotary_embedding_dim") or size)
        if rotary % 2 or rotary > size:
            raise GraphError(f"rotary_embedding_dim={rotary} must be even and at most {size}")
        part, *rest = builder.add_all(Split((rotary, size - rotary)), rows, name="parts") if rotary < size else (rows,)
        own, other, partner = _tables(build, node, rotary)
        turned = rotate(builder, part, own, other, partner)
        y = builder.add(Concat(-1), turned, *rest, name="whole") if rest else turned
        last = Reshape((0, 0, -1)) if flat else Transpose((0, 2, 1, 3))
        y = builder.add(last, y, name="restored")
    build.results(node, [y])


def _tables(build: Importer, node: OnnxNode, rotary: int) -> tuple[Value, Value, np.ndarray]:
    """What multiplies an element and its partner [N, T, 1, R], and the partners."""
    builder = build.builder
    partner, angle, sign = pairing(rotary, rotary, bool(node.attribute("interleaved", 0)))
    made = []
    for position, name in ((1, "cos"), (2, "sin")):
        cache = build.value(node.inputs[position])
        if cache.shape[-1] != rotary // 2:
            raise GraphError(f"the {name} cache {cache.shape} must have {rotary // 2} angles")
        if node.input(3):
            cache = builder.add(Take(0), cache, build.value(node.input(3)), name=f"{name}_rows")
        wide = builder.add(Gather(tuple(int(a) for a in angle), 2), cache, name=f"{name}_pairs")
        made.append(builder.add(Reshape((0, 0, 1, rotary)), wide, name=f"{name}_table"))
    signs = builder.constant("signs", sign)
    return made[0], builder.add(Mul(), made[1], signs, name="signed_sin"), partner


def _swiglu(build: Importer, node: OnnxNode) -> None:
    """a · σ(alpha · a) · b, by SiLU(alpha · a) / alpha."""
    a, b = (build.value(name) for name in node.inputs)
    if a.shape != b.shape:
        raise GraphError(f"A {a.shape} and B {b.shape} need one shape")
    alpha = float(node.attribute("alpha", 1.0))
    if not alpha:
        raise GraphError("alpha=0 makes SwiGLU a plain product; write A · B / 2")
    builder = build.builder
    with builder.group(node.name, node.op):
        given = a if alpha == 1.0 else times(builder, a, alpha, "scaled")
        gate = builder.add(SiLU(), given, name="gate")
        gate = gate if alpha == 1.0 else times(builder, gate, 1 / alpha, "gate_scaled")
        made = builder.add(Mul(), gate, b, name="gated")
    build.results(node, [made])


RULES: dict[str, Rule] = {
    "LinearAttention": Rule(_linear_attention),
    "RotaryEmbedding": Rule(_rotary),
    "SwiGLU": Rule(_swiglu),
}
