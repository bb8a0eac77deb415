"""Attention: scaled dot products of heads, and multi-head attention with projections, masks and a key/value cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.blocks.activation import Sigmoid
from hwblocks.blocks.elementwise import Add, Mul
from hwblocks.blocks.linear import Linear
from hwblocks.blocks.push import Push
from hwblocks.blocks.reduction import ReduceMean
from hwblocks.blocks.shape import Pad, Reshape, Transpose
from hwblocks.composites.attention_core import Core, attend
from hwblocks.composites.masks import BOOL, before, both, constant_mask, seen
from hwblocks.composites.positions import RotaryEmbedding
from hwblocks.errors import GraphError
from hwblocks.graph.block import Weighted, parameter
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.composite import Composite
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import Preference

Weights = Mapping[str, Array]
GATES = Preference(16, 2.0**-15)


@dataclass(frozen=True, kw_only=True)
class Attention(Composite, abstract=True):
    """What attention blocks share: how scores become weights, and which keys a query sees.

    scale: of the scores; None for 1 / √D. softcap: cap · tanh(score / cap), 0 for none. mode, threshold, reduce: soft
    or hard attention, see attention_core.Core. is_causal: query i sees keys up to i. window: (left, right), how far a
    query sees on either side, −1 for no bound. mask: truth values (true: takes part) or numbers that are added to the
    scaled scores, finite where the graph is to be quantized; both broadcast to [N, H, L, S], three axes are [N, L, S].
    lengths [N, 1]: how many keys of each sequence count.
    A query that sees no key has the context 0.
    """

    scale: float | None = None
    is_causal: bool = False
    softcap: float = 0.0
    mode: str = "soft"
    threshold: float | None = None
    reduce: str = "mean"
    window: tuple[int, int] | None = None

    def core(self, size: int) -> Core:
        """The core for heads of this size."""
        scale = size**-0.5 if self.scale is None else self.scale
        return Core(scale, self.softcap, self.mode, self.threshold, self.reduce)

    def masks(
        self, build: GraphBuilder, shape: tuple[int, int], mask: Value | None, lengths: Value | None, offset: int = 0
    ) -> tuple[Value | None, Value | None]:
        """(keep, bias) of scores [N, H, L, S] with shape (L, S), query 0 standing at key `offset`."""
        keep = constant_mask(build, seen(*shape, offset, self.is_causal, self.window))
        if lengths is not None:
            keep = both(build, keep, before(build, lengths, shape[1]), "keep_within")
        if mask is None:
            return keep, None
        if len(mask.shape) not in (2, 3, 4):
            raise self.fail("mask needs 2 to 4 axes that broadcast to [N, H, L, S]", mask.shape)
        if len(mask.shape) == 3:  # [N, L, S]: for all heads
            mask = build.add(Reshape((0, 1, *mask.shape[1:])), mask, name="mask_of_heads")
        if mask.tensor.format == BOOL:
            return both(build, keep, mask, "keep_masked"), None
        return keep, mask


@dataclass(frozen=True)
class ScaledDotProductAttention(Attention):
    """y = weights · v, weights = softmax(scale · q·kᵀ + mask): q [N, H, L, D], k [N, G, S, D], v [N, G, S, V].

    H / G neighbouring query heads share a key and value head (grouped-query attention; G = 1: multi-query). See
    Attention for the attributes. Source: torch.nn.functional.scaled_dot_product_attention.

    >>> q, k = np.ones((1, 1, 1, 4)), np.zeros((1, 1, 2, 4))
    >>> ScaledDotProductAttention()(q, k, np.array([[[[1.0], [3.0]]]])).tolist()
    [[[[2.0]]]]
    """

    input_names: ClassVar[tuple[str, ...]] = ("q", "k", "v", "mask?", "lengths?")

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        q, k, v, mask, lengths = (*inputs, None, None)[:5]
        if not len(q.shape) == len(k.shape) == len(v.shape) == 4 or q.shape[3] != k.shape[3]:
            raise self.fail("q [N, H, L, D], k [N, G, S, D] and v [N, G, S, V] are needed", q.shape, k.shape, v.shape)
        keys = build.add(Transpose((0, 1, 3, 2)), k, name="keys")
        keep, bias = self.masks(build, (q.shape[2], k.shape[2]), mask, lengths)
        return attend(build, q, keys, v, self.core(q.shape[3]), keep, bias).context


@dataclass(frozen=True)
class MultiheadAttention(Attention):
    """Attention of projected heads: query [N, L, E], key [N, S, kdim], value [N, S, vdim] → [N, L, E].

    key and value absent: those of the query (self-attention); value absent: the key. weights by PyTorch's names:
    in_proj_weight [3E, E], or q_proj_weight [E, E], k_proj_weight [G·D, kdim], v_proj_weight [G·D, vdim]; in_proj_bias;
    bias_k, bias_v (one key and value more); out_proj.weight, out_proj.bias. num_kv_heads G: key and value heads, each
    shared by H / G neighbouring query heads; 0 for H. add_zero_attn: one more key and value of zeros.
    need_weights: the weights, averaged over heads, as second output. batch_first False: sequences are [L, N, E].
    rotary: queries and keys are turned by their positions.
    streaming: keys and values of earlier samples are kept in a cache of max_length positions, the oldest are forgotten;
    sample after sample (state="carry") equals the whole causal sequence as long as it fits.
    Source: torch.nn.MultiheadAttention.

    >>> weights = {"in_proj_weight": np.tile(np.eye(2), (3, 1)), "out_proj.weight": np.eye(2)}
    >>> MultiheadAttention(2, 1, weights=weights)(np.ones((1, 3, 2))).tolist()
    [[[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]]
    """

    embed_dim: int
    num_heads: int = 1
    num_kv_heads: int = 0
    kdim: int = 0
    vdim: int = 0
    add_zero_attn: bool = False
    need_weights: bool = False
    batch_first: bool = True
    streaming: bool = False
    max_length: int = 0
    rotary: RotaryEmbedding | None = None
    weights: Weights | None = parameter()

    input_names: ClassVar[tuple[str, ...]] = ("query", "key?", "value?", "mask?", "lengths?")

    def __post_init__(self) -> None:
        if min(self.embed_dim, self.num_heads) < 1 or self.embed_dim % self.num_heads or self.num_heads % self.groups:
            raise GraphError(
                f"MultiheadAttention: embed_dim={self.embed_dim} must be a multiple of num_heads={self.num_heads}, and "
                f"that of num_kv_heads={self.groups}"
            )
        if self.streaming and self.max_length < 1:
            raise GraphError("MultiheadAttention: streaming=True needs max_length, the positions of its cache")

    @property
    def groups(self) -> int:
        """Key and value heads."""
        return self.num_kv_heads or self.num_heads

    @property
    def head(self) -> int:
        """D, the size of a head."""
        return self.embed_dim // self.num_heads

    def array(self, name: str) -> Array | None:
        """A weight by PyTorch's name, or None; the parts of in_proj by q_proj_weight, q_proj_bias, …"""
        given = self.weights or {}
        if name in given:
            return np.asarray(given[name])
        part, _, kind = name.partition("_proj_")
        if part not in ("q", "k", "v") or f"in_proj_{kind}" not in given:
            return None
        inner = self.groups * self.head
        ends = np.cumsum([0, self.embed_dim, inner, inner])
        i = "qkv".index(part)
        return np.asarray(given[f"in_proj_{kind}"])[ends[i] : ends[i + 1]]

    def projected(self, build: GraphBuilder, x: Value, part: str) -> Value:
        """A projection of a sequence. Errors: GraphError where its weight is missing or does not fit."""
        name = "out_proj.{}" if part == "out" else f"{part}_proj_{{}}"
        weight = self.array(name.format("weight"))
        if weight is None or weight.shape[1:] != x.shape[2:]:
            there = ", ".join(self.weights or ()) or "none"
            shape = None if weight is None else weight.shape
            raise GraphError(
                f"MultiheadAttention: {name.format('weight')} [.., {x.shape[2]}] is needed, not {shape}; "
                f"weights has {there}"
            )
        return build.add(Linear(weight=weight, bias=self.array(name.format("bias"))), x, name=f"{part}_proj")

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value | tuple[Value, ...]:
        query, key, value, mask, lengths = (*inputs, None, None, None, None)[:5]
        if len(query.shape) != 3:
            raise self.fail("query must be [N, L, E]", query.shape)
        if not self.batch_first:
            query, key, value = (
                x if x is None else build.add(Transpose((1, 0, 2)), x, name="batch_first") for x in (query, key, value)
            )
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = (self.projected(build, x, part) for x, part in zip((query, key, value), "qkv", strict=True))
        q, k, v, keep, bias = self._seen(build, q, k, v, mask, lengths)
        made = attend(build, self._heads(build, q, "queries"), self._heads(build, k, "keys", (0, 2, 3, 1)),
                      self._heads(build, v, "values"), self.core(self.head), keep, bias)  # fmt: skip
        rows = build.add(Transpose((0, 2, 1, 3)), made.context, name="rows")
        y = self.projected(build, build.add(Reshape((0, 0, self.embed_dim)), rows, name="joined"), "out")
        y = y if self.batch_first else build.add(Transpose((1, 0, 2)), y, name="steps_first")
        return (y, build.add(ReduceMean((1,), False), made.weights, name="mean_weights")) if self.need_weights else y

    def _heads(self, build: GraphBuilder, x: Value, name: str, perm: tuple[int, ...] = (0, 2, 1, 3)) -> Value:
        """[N, L, H · D] as heads [N, H, L, D], or in another order of (N, L, H, D)."""
        parts = build.add(Reshape((0, 0, -1, self.head)), x, name=f"{name}_of_heads")
        return build.add(Transpose(perm), parts, name=name)

    def _turned(self, build: GraphBuilder, x: Value, name: str) -> Value:
        """A projection with its heads turned by their positions."""
        if self.rotary is None:
            return x
        with build.group(f"rotary_{name}", "RotaryEmbedding"):
            heads = build.add(Reshape((0, 0, -1, self.head)), x, name="heads")
            return build.add(Reshape((0, 0, -1)), self.rotary.turned(build, heads, self.streaming), name="joined")

    def _seen(
        self, build: GraphBuilder, q: Value, k: Value, v: Value, mask: Value | None, lengths: Value | None
    ) -> tuple[Value, Value, Value, Value | None, Value | None]:
        """(q, k, v, keep, bias) with rotation, the cache or additional keys, and the masks."""
        q, k = self._turned(build, q, "q"), self._turned(build, k, "k")
        if self.streaming:
            if mask is not None or lengths is not None or self.array("bias_k") is not None or self.add_zero_attn:
                raise GraphError("MultiheadAttention: streaming=True takes no mask, lengths or additional keys")
            return (q, *self._cached(build, k, v))
        keep, bias = self.masks(build, (q.shape[1], k.shape[1]), mask, lengths)
        return (q, *self._extended(build, k, v, keep, bias))

    def _cached(self, build: GraphBuilder, k: Value, v: Value) -> tuple[Value, Value, Value | None, Value | None]:
        """(keys, values, keep, None) of the cache after the new ones are pushed in."""
        steps, size = k.shape[1], self.max_length
        if steps > size:
            raise self.fail(f"max_length={size} is less than the steps of a sample", k.shape)
        pushed = []
        for name, new, format in (("keys", k, None), ("values", v, None), ("filled", None, BOOL)):
            if new is None:
                new = build.constant("new", np.ones((1, steps), bool), BOOL)
            shape = (1, size, *new.shape[2:])
            more = {} if format is None else {"format": format}
            state = build.state(build.fresh(build._path(f"cache_{name}")), np.zeros(shape), **more)
            formats = () if format is None else (format,)
            pushed.append(build.add(Push(1), state, new, name=f"cached_{name}", formats=formats))
            build.becomes(state, pushed[-1])
        filled = build.add(Reshape((0, 1, 1, size)), pushed[2], name="filled", formats=(BOOL,))
        causal = constant_mask(build, seen(steps, size, size - steps, True, self.window))
        return pushed[0], pushed[1], both(build, filled, causal, "keep_filled"), None

    def _extended(
        self, build: GraphBuilder, k: Value, v: Value, keep: Value | None, bias: Value | None
    ) -> tuple[Value, Value, Value | None, Value | None]:
        """Keys and values with those of bias_k, bias_v and add_zero_attn, which every query sees."""
        extra, more = self.array("bias_k"), self.array("bias_v")
        for first, second in [(extra, more)] * (extra is not None) + [(None, None)] * self.add_zero_attn:
            k, v = _one_more(build, k, first, "more_keys"), _one_more(build, v, second, "more_values")
            keep, bias = (
                m
                if m is None
                else build.add(Pad(((0, 0),) * (len(m.shape) - 1) + ((0, 1),), fill), m, name="more_seen")
                for m, fill in ((keep, 1.0), (bias, 0.0))
            )
        return k, v, keep, bias


def _one_more(build: GraphBuilder, x: Value, row: Array | None, name: str) -> Value:
    """x [N, S, C] with one more position: a row [1, 1, C], or zeros."""
    longer = build.add(Pad(((0, 0), (0, 1), (0, 0))), x, name=f"{name}_room" if row is not None else name)
    if row is None:
        return longer
    added = np.zeros((1, *longer.shape[1:]))
    added[:, -1] = row.reshape(-1)
    return build.add(Add(), longer, build.constant(f"{name}.row", added), name=name)


@dataclass(frozen=True)
class Gate(Weighted, Composite):
    """y ∘ σ(x · wᵀ + b): x [..., K] opens and shuts y [..., O] by weight [O, K] and bias [O].

    In integers the gate has 16 bits at 2⁻¹⁵ unless a recipe says otherwise.

    >>> Gate(weight=np.zeros((2, 3)))(np.ones((1, 3)), np.array([[2.0, 4.0]])).tolist()
    [[1.0, 2.0]]
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "y")

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        x, y = inputs
        if self.weight is None:
            raise GraphError("Gate: weight [O, K] is missing")
        total = build.add(Linear(weight=self.weight, bias=self.bias), x, name="total", preference=Preference(16))
        return build.add(Mul(), y, build.add(Sigmoid(), total, name="gate", preference=GATES), name="gated")
