"""Site: a block placed in a graph, with everything its integer meaning and its kernel may depend on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.node import Node
from hwblocks.graph.tensor import Shape, Tensor
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format
from hwblocks.numerics.requantize import Epilogue, Requantize


@dataclass(frozen=True, eq=False)
class Site:
    """A node with its input tensors (None where an optional one is absent) and its output tensors."""

    node: Node
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]

    @property
    def where(self) -> str:
        """How messages name the node."""
        return self.node.where

    @property
    def arithmetic(self) -> Arithmetic:
        """The node's arithmetic, or the default one."""
        return self.node.arithmetic or Arithmetic()

    @property
    def accumulator(self) -> Accumulator:
        """The node's accumulator; 64 bits where none is stated."""
        return self.arithmetic.accumulator or Accumulator(64)

    @property
    def present(self) -> tuple[Tensor, ...]:
        """The inputs that are there."""
        return tuple(t for t in self.inputs if t is not None)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Shapes of the inputs that are there."""
        return tuple(t.shape for t in self.present)

    @property
    def output(self) -> Tensor:
        """The first output."""
        return self.outputs[0]

    def input(self, position: int) -> Tensor:
        """The input at a position, which must be there."""
        tensor = self.inputs[position] if position < len(self.inputs) else None
        if tensor is None:
            raise SimulationError(f"{self.where}: input {position} is absent")
        return tensor

    def has(self, position: int) -> bool:
        """True when the optional input at a position is there."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def constant(self, position: int) -> np.ndarray[Any, Any] | None:
        """The constant codes of an input, or None."""
        return self.inputs[position].value if self.has(position) else None  # type: ignore[union-attr]

    @property
    def is_integer(self) -> bool:
        """True when the node computes on stored codes: its output and all inputs are, but for those that only steer and
        constant parameters."""
        block = self.node.block
        return self.output.format.is_quantized and all(
            t.format.is_quantized or (t.is_constant and block.quant.role(i) == "parameter")
            for i, t in enumerate(self.inputs)
            if t is not None and i not in block.steering
        )

    @property
    def equal_formats(self) -> bool:
        """True when the first input and the output store the same codes for the same values."""
        return self.input(0).format == self.output.format

    @cached_property
    def clamp_codes(self) -> tuple[int, int]:
        """The fused clamp as codes of the output format (its whole range without a clamp)."""
        return clamp_codes(self.output.format, self.node.clamp, self.arithmetic.edge)

    @property
    def counts(self) -> tuple[bool, bool]:
        """Whether leaving the format's range below and above counts as saturation: not where a fused clamp bounds."""
        low, high = self.node.clamp or (-np.inf, np.inf)
        return low == -np.inf, high == np.inf


def clamp_codes(format: Format, clamp: tuple[float, float] | None, edge: EdgeRule | None = None) -> tuple[int, int]:
    """Real bounds as codes: by the edge rule, else the nearest code; limited to the format's range."""
    if clamp is None or not format.is_quantized:
        return format.lo, format.hi
    code = format.code_of if edge is None else lambda real: edge.code(real, format)
    low, high = clamp
    return (
        format.lo if low == -np.inf else code(low),
        format.hi if high == np.inf else code(high),
    )


def scalar_scale(format: Format) -> float:
    """The one scale of a per-tensor format."""
    if not isinstance(format.scale, float):
        raise SimulationError(f"format {format!r} has no single scale; activations need one scale per tensor")
    return format.scale


def scalar_zero_point(format: Format) -> int:
    """The one zero point of a per-tensor format."""
    if not isinstance(format.zero_point, int):
        raise SimulationError(f"format {format!r} has no single zero point; activations need one per tensor")
    return format.zero_point


def tail_start(site: Site, channels: int) -> int:
    """The first channel that a runtime's remainder loop requantizes; `channels` where there is none."""
    arithmetic = site.arithmetic
    if arithmetic.tail is None or not arithmetic.lanes:
        return channels
    return channels // arithmetic.lanes * arithmetic.lanes


def in_tail(site: Site, shape: Shape) -> np.ndarray[Any, Any]:
    """Mask of the elements [N, *shape] that a runtime's remainder loop takes: the last ones of each sample."""
    lanes = site.arithmetic.lanes or 1
    lead = shape[0] if len(shape) == len(site.output.shape) and site.output.shape[:1] != shape[:1] else 1
    count = math.prod(shape) // max(lead, 1)
    rest = np.arange(count) >= count // lanes * lanes
    return np.broadcast_to(rest, (lead, count)).reshape(shape)


def accumulate_epilogue(
    site: Site, x: Format, w: Format, channels: int, requantize: Requantize | None = None
) -> Epilogue:
    """How the accumulator of x·w becomes the output code: the node's requantization with its constants.

    The accumulator counts in units of scale(x)·scale(w[channel]); `channels` is the size of its last axis.
    """
    output = site.output.format
    if not output.is_quantized:
        raise SimulationError(f"{site.where}: output {site.output.name!r} is {output.name}, not quantized")
    if requantize is None:
        stated = site.arithmetic.tail if tail_start(site, channels) == 0 else site.arithmetic.requantize
        requantize = stated or Requantize.preset("exact")
    weight_scale = np.asarray(w.scale, dtype=np.float64) if isinstance(w.scale, tuple) else scalar_scale(w)
    return requantize.epilogue(
        scalar_scale(x),
        weight_scale,
        output,
        channels,
        clamp=site.clamp_codes,
        counts=site.counts,
        overflow=site.arithmetic.overflow,
    )


def limits(site: Site) -> dict[str, Any]:
    """The fields of a call that say how its results are limited."""
    y = site.output.format
    return {
        "out_dtype": y.dtype.name,
        "lo": y.lo,
        "hi": y.hi,
        "clamp_lo": site.clamp_codes[0],
        "clamp_hi": site.clamp_codes[1],
        "counts": site.counts,
    }
