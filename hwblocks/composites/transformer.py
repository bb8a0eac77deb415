"""Transformer layers: encoder and decoder, with layer or RMS normalization, and feed-forward or SwiGLU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from hwblocks.blocks.activation import ReLU
from hwblocks.blocks.elementwise import Add, Mul
from hwblocks.blocks.exponential import GELU, SiLU
from hwblocks.composites.attention import MultiheadAttention
from hwblocks.composites.chains import Weights, feature_norm, linear
from hwblocks.composites.positions import RotaryEmbedding
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block, parameter
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.composite import Composite

ACTIVATIONS: dict[str, Block] = {"relu": ReLU(), "gelu": GELU(), "gelu_tanh": GELU("tanh"), "swiglu": SiLU()}
NORMS = ("layer", "rms")


def within(weights: Weights | None, prefix: str) -> Weights:
    """The weights whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in (weights or {}).items() if name.startswith(prefix)}


@dataclass(frozen=True)
class TransformerLayer(Composite, abstract=True):
    """What encoder and decoder layers share: attention, feed-forward, normalization, PyTorch's names of weights.

    norm_first: normalization before each part (pre-norm) rather than after the sum. norm: "layer" or "rms".
    activation: "relu", "gelu", "gelu_tanh", or "swiglu": linear2(silu(linear1(x)) ∘ linear3(x)).
    is_causal, window, num_kv_heads, rotary, streaming, max_length: of the self-attention, see MultiheadAttention.
    """

    d_model: int = 0
    nhead: int = 1
    norm_first: bool = False
    activation: str = "relu"
    norm: str = "layer"
    layer_norm_eps: float = 1e-5
    num_kv_heads: int = 0
    is_causal: bool = False
    window: tuple[int, int] | None = None
    rotary: RotaryEmbedding | None = None
    streaming: bool = False
    max_length: int = 0
    weights: Weights | None = parameter()

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS or self.norm not in NORMS:
            names = (
                f"activation {self.activation!r} of {', '.join(ACTIVATIONS)}, norm {self.norm!r} of {', '.join(NORMS)}"
            )
            raise GraphError(f"{type(self).__name__}: {names}")

    def attention(self, name: str, **more: Any) -> MultiheadAttention:
        """The attention whose weights have this prefix."""
        return MultiheadAttention(self.d_model, self.nhead, weights=within(self.weights, f"{name}."), **more)

    def self_attention(self, **more: Any) -> MultiheadAttention:
        """The attention of a sequence to itself."""
        return self.attention(
            "self_attn", num_kv_heads=self.num_kv_heads, is_causal=more.pop("is_causal", self.is_causal),
            window=self.window, rotary=self.rotary, streaming=self.streaming, max_length=self.max_length, **more,
        )  # fmt: skip

    def feed_forward(self, build: GraphBuilder, x: Value) -> Value:
        """linear2(activation(linear1(x))), or its gated form."""
        inner = linear(build, x, self.weights, "linear1")
        inner = build.add(ACTIVATIONS[self.activation], inner, name="activation")
        if self.activation == "swiglu":
            inner = build.add(Mul(), inner, linear(build, x, self.weights, "linear3"), name="gated")
        return linear(build, inner, self.weights, "linear2")

    def normed(self, build: GraphBuilder, x: Value, number: int) -> Value:
        """Normalization `number`."""
        return feature_norm(build, x, self.weights, f"norm{number}", self.norm, self.layer_norm_eps)

    def part(self, build: GraphBuilder, x: Value, number: int, made: Any) -> Value:
        """x + made(norm(x)), or norm(x + made(x))."""
        if self.norm_first:
            return build.add(Add(), x, made(self.normed(build, x, number)), name=f"sum{number}")
        return self.normed(build, build.add(Add(), x, made(x), name=f"sum{number}"), number)


@dataclass(frozen=True)
class TransformerEncoderLayer(TransformerLayer):
    """Self-attention, then feed-forward, each with a residual sum and a normalization: src [N, T, E] → [N, T, E].

    mask (truth values or numbers to add, up to 4 axes) and lengths [N, 1] as of MultiheadAttention. weights:
    self_attn.in_proj_weight …, linear1, linear2 (linear3), norm1, norm2. Source: torch.nn.TransformerEncoderLayer.

    >>> import numpy as np
    >>> shapes = {"self_attn.in_proj_weight": (6, 2), "self_attn.out_proj.weight": (2, 2)}
    >>> shapes |= {"linear1.weight": (4, 2), "linear2.weight": (2, 4)}
    >>> layer = TransformerEncoderLayer(2, weights={name: np.zeros(shape) for name, shape in shapes.items()})
    >>> layer(np.array([[[1.0, 3.0]]])).round(3).tolist()
    [[[-1.0, 1.0]]]
    """

    input_names: ClassVar[tuple[str, ...]] = ("src", "mask?", "lengths?")

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        src, mask, lengths = (*inputs, None, None)[:3]
        attention = self.self_attention()

        def attended(x: Value) -> Value:
            return build.add(attention, x, None, None, mask, lengths, name="self_attn")

        x = self.part(build, src, 1, attended)
        return self.part(build, x, 2, lambda y: self.feed_forward(build, y))


@dataclass(frozen=True)
class TransformerDecoderLayer(TransformerLayer):
    """Self-attention, attention to a memory, feed-forward: tgt [N, T, E], memory [N, S, E] → [N, T, E].

    mask, lengths: of the self-attention; memory_mask, memory_lengths: of the other. is_causal is False unless stated,
    as in PyTorch. weights: self_attn, multihead_attn, linear1, linear2 (linear3), norm1, norm2, norm3.
    Source: torch.nn.TransformerDecoderLayer.

    >>> import numpy as np
    >>> names = ("self_attn", "multihead_attn")
    >>> import numpy as np
    >>> shapes = {f"{n}.in_proj_weight": (6, 2) for n in names} | {f"{n}.out_proj.weight": (2, 2) for n in names}
    >>> shapes |= {"linear1.weight": (4, 2), "linear2.weight": (2, 4)}
    >>> layer = TransformerDecoderLayer(2, weights={name: np.zeros(shape) for name, shape in shapes.items()})
    >>> layer(np.array([[[1.0, 3.0]]]), np.ones((1, 5, 2))).round(3).tolist()
    [[[-1.0, 1.0]]]
    """

    input_names: ClassVar[tuple[str, ...]] = ("tgt", "memory", "mask?", "memory_mask?", "lengths?", "memory_lengths?")

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        tgt, memory, mask, memory_mask, lengths, memory_lengths = (*inputs, *(None,) * 4)[:6]
        own, other = self.self_attention(), self.attention("multihead_attn")

        def attended(x: Value) -> Value:
            return build.add(own, x, None, None, mask, lengths, name="self_attn")

        def remembered(x: Value) -> Value:
            return build.add(other, x, memory, None, memory_mask, memory_lengths, name="multihead_attn")

        x = self.part(build, tgt, 1, attended)
        x = self.part(build, x, 2, remembered)
        return self.part(build, x, 3, lambda y: self.feed_forward(build, y))
