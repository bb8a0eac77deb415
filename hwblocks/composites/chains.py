"""Chains of blocks inside composites, and layers made of PyTorch's weights by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hwblocks.blocks.conv import Conv1d, Conv2d
from hwblocks.blocks.feature_norm import LayerNorm, RMSNorm
from hwblocks.blocks.linear import Linear
from hwblocks.blocks.normalization import BatchNorm
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import GraphBuilder, Sequential, Value
from hwblocks.graph.contraction import Array

Weights = Mapping[str, Array]
STATISTICS = ("weight", "bias", "running_mean", "running_var")


def blocks_of(chain: Any) -> tuple[Block, ...]:
    """A block, a sequence of blocks or a Sequential as its blocks; None as no blocks."""
    if chain is None:
        return ()
    if isinstance(chain, Block):
        return (chain,)
    return tuple(chain.blocks) if isinstance(chain, Sequential) else tuple(chain)


def follow(build: GraphBuilder, x: Value, blocks: Sequence[Block], name: str) -> Value:
    """The blocks one after the other, in a group of this name."""
    if not blocks:
        return x
    with build.group(name, "chain"):
        for position, block in enumerate(blocks):
            x = build.add(block, x, name=f"{type(block).__name__.lower()}{position}")
    return x


def needed(weights: Weights | None, name: str) -> Array:
    """A weight. Errors: GraphError with the names that are there."""
    if weights is None or name not in weights:
        there = ", ".join(weights or ()) or "none"
        raise GraphError(f"weights[{name!r}] is missing; there are {there}")
    return np.asarray(weights[name])


def optional(weights: Weights | None, name: str) -> Array | None:
    """A weight that may be absent."""
    return np.asarray(weights[name]) if weights and name in weights else None


def linear(build: GraphBuilder, x: Value, weights: Weights | None, name: str, **node: Any) -> Value:
    """x · Wᵀ + b with `name`.weight [O, K], or [O, K, 1, …] of a 1×1 convolution, and `name`.bias."""
    weight = needed(weights, f"{name}.weight")
    block = Linear(weight=weight.reshape(weight.shape[:2]), bias=optional(weights, f"{name}.bias"))
    return build.add(block, x, name=name, **node)


def convolution(
    build: GraphBuilder, x: Value, weights: Weights | None, name: str, norm: str = "", eps: float = 1e-5, **more: Any
) -> Value:
    """A convolution over all spatial axes of x by `name`.weight [O, C / groups, *kernel], then its batch norm.

    norm: the prefix of weight, bias, running_mean and running_var [O]; left out where they are absent.
    """
    weight = needed(weights, f"{name}.weight")
    kind = {3: Conv1d, 4: Conv2d}.get(weight.ndim)
    if kind is None or weight.ndim != len(x.shape):
        raise GraphError(f"weights[{f'{name}.weight'!r}] {weight.shape} does not fit x {x.shape}")
    y = build.add(kind(weight=weight, bias=optional(weights, f"{name}.bias"), layout="torch", **more), x, name=name)
    if optional(weights, f"{norm}.running_mean") is None:
        return y
    statistics = [build.constant(f"{norm}.{part}", needed(weights, f"{norm}.{part}")) for part in STATISTICS]
    return build.add(BatchNorm(eps=eps), y, *statistics, name=norm)


def feature_norm(
    build: GraphBuilder, x: Value, weights: Weights | None, name: str, kind: str = "layer", eps: float = 1e-5
) -> Value:
    """LayerNorm ("layer") or RMSNorm ("rms") over the last axis with `name`.weight and `name`.bias."""
    parameters = [
        build.constant(f"{name}.{part}", array)
        for part in ("weight", "bias")
        if (array := optional(weights, f"{name}.{part}")) is not None
    ]
    return build.add((RMSNorm if kind == "rms" else LayerNorm)(eps=eps), x, *parameters, name=name)
