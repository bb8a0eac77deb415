"""The core of attention: scores of heads, masks, weights or gates, and the sum of values.

Formats in integers, unless a recipe says otherwise: scores 16 bits with a calibrated scale, in every form (plain,
capped, scaled, with an additive mask); weights the recipe's bits over (0, 1); the context as any output. A masked score
has weight 0 exactly (MaskedSoftmax), so no code is spent on "minus infinity".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwblocks.blocks.elementwise import Add, Mul
from hwblocks.blocks.gating import HardGate
from hwblocks.blocks.linear import MatMul
from hwblocks.blocks.masked_softmax import MaskedSoftmax
from hwblocks.blocks.score_curves import SoftCap
from hwblocks.blocks.shape import Reshape
from hwblocks.blocks.softmax import Softmax
from hwblocks.errors import GraphError
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.quant_rule import Preference

WIDE = Preference(16)
MODES, REDUCTIONS = ("soft", "hard"), ("mean", "sum")


@dataclass(frozen=True)
class Core:
    """How scores q·kᵀ become weights.

    soft: softmax of scale · scores. hard: gates of 0 and 1: the first largest score of a row, or with a threshold every
    scale · score ≥ threshold, whose values are averaged ("mean") or added ("sum").
    softcap: scores become cap · tanh(scale · score / cap); 0 for none.
    """

    scale: float
    softcap: float = 0.0
    mode: str = "soft"
    threshold: float | None = None
    reduce: str = "mean"

    def __post_init__(self) -> None:
        if self.mode not in MODES or self.reduce not in REDUCTIONS:
            raise GraphError(f"attention: mode {self.mode!r} is one of {MODES}, reduce {self.reduce!r} of {REDUCTIONS}")
        if not self.scale > 0 or self.softcap < 0:
            raise GraphError(f"attention: scale={self.scale} must be positive, softcap={self.softcap} not negative")
        if self.threshold is not None and self.mode == "soft":
            raise GraphError('attention: a threshold needs mode="hard"')


@dataclass(frozen=True)
class Attended:
    """The tensors of one attention: context [N, H, L, V], weights [N, H, L, S], and the scores by stage.

    scores: q·kᵀ. capped: scaled and capped where there is a cap. biased: with the additive mask where there is one.
    """

    context: Value
    weights: Value
    scores: Value
    capped: Value
    biased: Value


def by_groups(build: GraphBuilder, a: Value, b: Value, name: str, preference: Preference | None = None) -> Value:
    """a [N, H, L, K] · b [N, G, K, M] → [N, H, L, M]; H / G neighbouring heads of a share a head of b.

    The heads that share one are rows of one product, so that nothing is copied.
    """
    heads, length, inner = a.shape[1:]
    groups = b.shape[1]
    if heads % groups:
        raise GraphError(f"attention: {heads} query heads are no multiple of {groups} key and value heads")
    if groups != heads:
        a = build.add(Reshape((0, groups, heads // groups * length, inner)), a, name=f"{name}_rows")
    made = build.add(MatMul(), a, b, name=name, preference=preference)
    return made if groups == heads else build.add(Reshape((0, heads, length, b.shape[3])), made, name=f"{name}_heads")


def times(build: GraphBuilder, x: Value, factor: float, name: str) -> Value:
    """factor · x, 16 bits wide."""
    return build.add(Mul(), x, build.constant(f"{name}.factor", np.array(factor)), name=name, preference=WIDE)


def attend(
    build: GraphBuilder, q: Value, keys: Value, values: Value, core: Core, keep: Value | None = None,
    bias: Value | None = None,
) -> Attended:  # fmt: skip
    """Attention of q [N, H, L, D] over keys [N, G, D, S] (transposed) and values [N, G, S, V].

    keep: truth values, true where a key takes part. bias: added to the scaled scores. Both broadcast to [N, H, L, S].
    """
    scores = by_groups(build, q, keys, "scores", WIDE)
    capped, factor = scores, core.scale
    if core.softcap:
        capped, factor = build.add(SoftCap(core.softcap, core.scale), scores, name="capped", preference=WIDE), 1.0
    biased = capped
    if bias is not None:
        scaled = capped if factor == 1.0 else times(build, capped, factor, "scaled")
        biased, factor = build.add(Add(), scaled, bias, name="biased", preference=WIDE), 1.0
    weights = weigh(build, biased, keep, core, factor)
    return Attended(by_groups(build, weights, values, "context"), weights, scores, capped, biased)


def weigh(build: GraphBuilder, scores: Value, keep: Value | None, core: Core, factor: float) -> Value:
    """The weights of factor · scores."""
    masks = [] if keep is None else [keep]
    if core.mode == "hard":
        threshold = None if core.threshold is None else core.threshold / factor
        average = core.threshold is not None and core.reduce == "mean"
        return build.add(HardGate(threshold, average), scores, *masks, name="gates")
    block = Softmax(beta=factor) if keep is None else MaskedSoftmax(factor)
    return build.add(block, scores, *masks, name="weights")
