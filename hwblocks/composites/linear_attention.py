"""Linear attention: a state of key-value products that every step updates and every query reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.blocks.activation import ReLU
from hwblocks.blocks.elementwise import Add, Mul, Sub
from hwblocks.blocks.exponential import Exp
from hwblocks.blocks.linear import MatMul
from hwblocks.blocks.reduction import ReduceSum
from hwblocks.blocks.scan import Scan
from hwblocks.blocks.score_curves import EluPlusOne, Inverse
from hwblocks.blocks.shape import Reshape, Transpose
from hwblocks.composites.attention_core import times
from hwblocks.errors import GraphError
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.composite import Composite
from hwblocks.graph.graph import Graph
from hwblocks.graph.quant_rule import Preference

WIDE = Preference(16)
RULES = ("linear", "gated", "delta", "gated_delta")
FEATURES = {"elu": EluPlusOne(), "relu": ReLU(), "none": None}


@dataclass(frozen=True)
class Sequences:
    """What a step reads, with G groups of R query heads: queries [N, T, G, R, D], keys [N, T, G, D, 1],
    values [N, T, G, 1, V], and by rule decays [N, T, G, D or 1, 1] (logarithms) and betas [N, T, G or 1, 1, 1]."""

    queries: Value
    keys: Value
    values: Value
    decays: Value | None = None
    betas: Value | None = None

    @property
    def present(self) -> list[Value]:
        """Those that are there."""
        return [v for v in (self.queries, self.keys, self.values, self.decays, self.betas) if v is not None]

    @property
    def state_shape(self) -> tuple[int, ...]:
        """[1, G, D, V]."""
        return (1, self.keys.shape[2], self.keys.shape[3], self.values.shape[4])


def recur(
    build: GraphBuilder, given: Sequences, scale: float = 1.0, normalize: float = 0.0,
    start: Sequence[Value] | None = None,
) -> tuple[Value, tuple[Value, ...]]:  # fmt: skip
    """(outputs [N, T, G, R, V], last states) of the recurrence, in this order in every step:

    S ← e^decay ∘ S; v ← beta ∘ (v − kᵀ·S); S ← S + k·v; y = scale · q·S, what is absent left out. S [N, G, D, V].
    normalize: with a second state z ← z + k, y is divided by q·z, and is 0 where q·z is below `normalize`;
    0 for no division.
    """
    states = list(start) if start else _zeros(build, given, bool(normalize))
    body = _step(given, scale, normalize, [s.shape for s in states])
    made = build.add_all(Scan(body, len(states), len(given.present), axis=1), *states, *given.present, name="steps")
    return made[-1], made[: len(states)]


def _zeros(build: GraphBuilder, given: Sequences, normalized: bool) -> list[Value]:
    shape = given.state_shape
    shapes = [shape, (*shape[:3], 1)][: 1 + normalized]
    return [build.constant(f"initial{i}", np.zeros(s)) for i, s in enumerate(shapes)]


def _step(given: Sequences, scale: float, normalize: float, shapes: list[tuple[int, ...]]) -> Graph:
    """The graph of one step: (S, z?, q, k, v, decay?, beta?) → (S, z?, y)."""
    step = GraphBuilder("step")
    states = [step.input(n, (1, *s[1:])) for n, s in zip(("state", "weight"), shapes, strict=False)]
    names = [n for n in ("queries", "keys", "values", "decays", "betas") if getattr(given, n) is not None]
    parts = {n: step.input(n, (1, *v.shape[2:])) for n, v in zip(names, given.present, strict=True)}
    state, value, key = states[0], parts["values"], parts["keys"]
    if "decays" in parts:
        decay = step.add(Exp(), parts["decays"], name="decay", preference=WIDE)
        state = step.add(Mul(), state, decay, name="decayed", preference=WIDE)
    if "betas" in parts:
        row = step.add(Transpose((0, 1, 3, 2)), key, name="key_row")
        known = step.add(MatMul(), row, state, name="known", preference=WIDE)
        value = step.add(Mul(), step.add(Sub(), value, known, name="news", preference=WIDE), parts["betas"],
                         name="correction", preference=WIDE)  # fmt: skip
    product = step.add(MatMul(), key, value, name="product", preference=WIDE)
    state = step.add(Add(), state, product, name="next_state", preference=WIDE)
    read = step.add(MatMul(), parts["queries"], state, name="read", preference=WIDE)
    if scale != 1.0:
        read = times(step, read, scale, "output")
    if not normalize:
        return step.build(state, read)
    weight = step.add(Add(), states[1], key, name="next_weight", preference=WIDE)
    total = step.add(MatMul(), parts["queries"], weight, name="total", preference=WIDE)
    inverse = step.add(Inverse(normalize), total, name="inverse", preference=WIDE)
    return step.build(state, weight, step.add(Mul(), read, inverse, name="output"))


@dataclass(frozen=True)
class LinearAttention(Composite):
    """y = φ(q)·Σ φ(k)ᵀ·v / φ(q)·Σ φ(k)ᵀ: q [N, H, L, D], k [N, G, S, D], v [N, G, S, V] → [N, H, L, V].

    feature_map φ: "elu" (x + 1 or e^x), "relu" or "none". is_causal: position i sums over positions up to i, by a
    recurrence with the state Σ φ(k)ᵀ·v [D, V]; else over all. normalize: divide by the sum of weights; where that is
    below eps, y is 0.
    streaming: the state goes on from sample to sample (state="carry"). H / G neighbouring query heads share a state.
    Source: Katharopoulos et al. 2020.

    >>> x = np.ones((1, 1, 3, 2))
    >>> LinearAttention()(x, x, x * 4.0)[0, 0, 2].round(6).tolist()
    [4.0, 4.0]
    """

    feature_map: str = "elu"
    is_causal: bool = True
    normalize: bool = True
    eps: float = 1e-6
    streaming: bool = False

    input_names: ClassVar[tuple[str, ...]] = ("q", "k", "v")

    def __post_init__(self) -> None:
        if self.feature_map not in FEATURES:
            raise GraphError(f"LinearAttention: feature_map {self.feature_map!r} is none of {', '.join(FEATURES)}")
        if self.streaming and not self.is_causal:
            raise GraphError("LinearAttention: streaming=True needs is_causal=True")

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        q, k, v = inputs
        if not len(q.shape) == len(k.shape) == len(v.shape) == 4 or q.shape[1] % k.shape[1]:
            raise self.fail("q [N, H, L, D], k [N, G, S, D], v [N, G, S, V] with H a multiple of G are needed", *(
                x.shape for x in inputs))  # fmt: skip
        features = FEATURES[self.feature_map]
        if features is not None:
            q = build.add(features, q, name="query_features")
            k = build.add(features, k, name="key_features")
        return self._causal(build, q, k, v) if self.is_causal else self._whole(build, q, k, v)

    def _causal(self, build: GraphBuilder, q: Value, k: Value, v: Value) -> Value:
        groups, heads, steps = k.shape[1], q.shape[1], q.shape[2]
        if k.shape[2] != steps:
            raise self.fail("causal attention needs as many keys as queries", q.shape, k.shape, v.shape)
        first = [build.add(Transpose((0, 2, 1, 3)), x, name=f"{n}_by_step") for x, n in ((q, "q"), (k, "k"), (v, "v"))]
        shapes = ((0, 0, groups, heads // groups, -1), (0, 0, 0, -1, 1), (0, 0, 0, 1, -1))
        named = zip(first, shapes, ("queries", "keys", "values"), strict=True)
        given = Sequences(*(build.add(Reshape(s), x, name=n) for x, s, n in named))
        start = self._kept(build, given) if self.streaming else None
        y, last = recur(build, given, 1.0, self.eps if self.normalize else 0.0, start)
        for state, value in zip(start or (), last, strict=False):
            build.becomes(state, value)
        joined = build.add(Reshape((0, 0, heads, v.shape[3])), y, name="outputs_of_heads")
        return build.add(Transpose((0, 2, 1, 3)), joined, name="context")

    def _kept(self, build: GraphBuilder, given: Sequences) -> list[Value]:
        shape = given.state_shape
        shapes = [shape, (*shape[:3], 1)][: 1 + self.normalize]
        return [build.state(build.fresh(build._path(f"state{i}")), np.zeros(s)) for i, s in enumerate(shapes)]

    def _whole(self, build: GraphBuilder, q: Value, k: Value, v: Value) -> Value:
        groups, heads, length = k.shape[1], q.shape[1], q.shape[2]
        if groups != heads:
            q = build.add(Reshape((0, groups, heads // groups * length, -1)), q, name="queries")
        keys = build.add(Transpose((0, 1, 3, 2)), k, name="keys")
        y = build.add(MatMul(), q, build.add(MatMul(), keys, v, name="state", preference=WIDE), name="read",
                      preference=WIDE)  # fmt: skip
        if self.normalize:
            weight = build.add(ReduceSum((3,)), keys, name="weight", preference=WIDE)
            total = build.add(MatMul(), q, weight, name="total", preference=WIDE)
            inverse = build.add(Inverse(self.eps), total, name="inverse", preference=WIDE)
            y = build.add(Mul(), y, inverse, name="context")
        return y if groups == heads else build.add(Reshape((0, heads, length, -1)), y, name="context_of_heads")
