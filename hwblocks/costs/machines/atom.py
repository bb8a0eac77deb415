"""Atoms: an array that multiplies a chunk of channels by a chunk of filters each cycle, with one buffer (NVDLA).

Channels are folded with the stride, C·sh·sw, and filled up to the atom, as filters are; a 3 × 3 filter may run as a
Winograd product with 2.25 times fewer products and 16/9 times more weights. Fractions of cycles are kept.
Source: github.com/nvdla/hw @8e06b1b9d85a, perf/NVDLA_OpenSource_Performance.xlsx, whose rows these figures equal
(tests/costs/test_atom.py); it fills up to 16 for every size of array, and its ResNet50 without SRAM up to 128 filters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from hwblocks.errors import ShapeError, TargetError

WINOGRAD_SAVING, WINOGRAD_WEIGHTS = Fraction(9, 4), Fraction(16, 9)
LEAST_FILTERS = 32  # filters that the buffer holds at least


@dataclass(frozen=True)
class Atom:
    """An array of `macs` products a cycle and its buffer, which features and weights share.

    channels, filters: what both are filled up to. feature_bytes, weight_bytes: of one element.
    """

    macs: int
    buffer_bytes: int
    channels: int = 16
    filters: int = 16
    feature_bytes: int = 1
    weight_bytes: int = 1

    def __post_init__(self) -> None:
        sizes = (self.macs, self.buffer_bytes, self.channels, self.filters, self.feature_bytes, self.weight_bytes)
        if min(sizes) < 1:
            raise TargetError(f"{self}: every number is at least 1")


@dataclass(frozen=True)
class AtomLayer:
    """A convolution or, with a 1 × 1 image or a filter as large as its image, a fully connected layer.

    outputs: windows (down, across). results: what is written after a fused pooling, None for the outputs.
    batch: samples of a fully connected layer that share its weights. winograd: of 3 × 3 filters only.
    added: another tensor of the results' size is read and added (an element-wise operator).
    """

    channels: int
    height: int
    width: int
    filters: int
    filter_height: int
    filter_width: int
    outputs: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    results: tuple[int, int] | None = None
    batch: int = 1
    winograd: bool = False
    added: bool = False

    def __post_init__(self) -> None:
        sizes = (self.channels, self.height, self.width, self.filters, self.filter_height, self.filter_width)
        if min(*sizes, *self.outputs, *self.stride, *(self.results or (1,)), self.batch) < 1:
            raise ShapeError(f"{self}: every size is at least 1")
        if self.winograd and (self.filter_height, self.filter_width) != (3, 3):
            raise TargetError(f"winograd: filters of 3 x 3, not {self.filter_height} x {self.filter_width}")


@dataclass(frozen=True)
class AtomBytes:
    """Bytes of a layer, channels filled up. least_features: of the image rows that a row of windows needs, with a spare
    one; least_weights: of 32 filters, or half the buffer where they do not fit. weights: for one sample of a batch.
    """

    features: Fraction
    least_features: Fraction
    results: Fraction
    weights: Fraction
    least_weights: Fraction
    added: Fraction = Fraction(0)


def mac_cycles(layer: AtomLayer, atom: Atom) -> Fraction:
    """⌈C·sh·sw⌉_atom · outputs · ⌈N·batch⌉_atom · Fh·Fw / (sh·sw · MACs · batch), and / 2.25 for Winograd.

    >>> conv1 = AtomLayer(3, 224, 224, 96, 11, 11, outputs=(54, 54), stride=(4, 4))
    >>> float(mac_cycles(conv1, Atom(macs=2048, buffer_bytes=512 * 1024)))
    49617.5625
    """
    folded = layer.stride[0] * layer.stride[1]
    channels = _filled(layer.channels * folded, atom.channels) * layer.outputs[0] * layer.outputs[1]
    filters = _filled(layer.filters * layer.batch, atom.filters) * layer.filter_height * layer.filter_width
    direct = Fraction(channels * filters, folded * atom.macs * layer.batch)
    return direct / WINOGRAD_SAVING if layer.winograd else direct


def layer_bytes(layer: AtomLayer, atom: Atom, spare_rows: int = 1) -> AtomBytes:
    """Bytes of features, results and weights, by the same filling up."""
    down, across = layer.stride
    channels = _filled(layer.channels * down * across, atom.channels)
    rows, width = -(-layer.height // down), -(-layer.width // across)
    one_filter = channels * -(-layer.filter_height // down) * -(-layer.filter_width // across) * atom.weight_bytes
    height, length = layer.results or layer.outputs
    results = Fraction(height * length * _filled(layer.filters, atom.channels) * atom.feature_bytes)
    least = Fraction(one_filter * LEAST_FILTERS)
    return AtomBytes(
        features=Fraction(channels * rows * width * atom.feature_bytes),
        least_features=Fraction(channels * min(layer.filter_height + spare_rows, rows) * width * atom.feature_bytes),
        results=results,
        weights=Fraction(one_filter * layer.filters, layer.batch) * (WINOGRAD_WEIGHTS if layer.winograd else 1),
        least_weights=Fraction(atom.buffer_bytes, 2) if least >= atom.buffer_bytes else least,
        added=results if layer.added else Fraction(0),
    )


def once_bytes(sizes: AtomBytes, atom: Atom) -> Fraction:
    """DRAM bytes where every tensor moves once."""
    return sizes.features + sizes.weights + sizes.results + sizes.added


def buffered_bytes(sizes: AtomBytes, atom: Atom) -> Fraction:
    """DRAM bytes by the convolution buffer rule.

    The larger operand streams once, in as many parts as the buffer needs beside the least of the other, and the smaller
    one is read again for each part: features ⌈weights / (buffer − least features)⌉ times where weights stream, weights
    ⌈features / (buffer − least weights)⌉ times where features do. What fits is read once.
    """
    if sizes.features < sizes.weights:
        return buffered_features(sizes, atom)
    return buffered_weights(sizes, atom)


def buffered_features(sizes: AtomBytes, atom: Atom) -> Fraction:
    """The rule where features come in parts and weights are read for each of them."""
    room = _room(atom, sizes.least_weights, "filters")
    return sizes.weights * max(math.ceil(sizes.features / room), 1) + sizes.features + sizes.results + sizes.added


def buffered_weights(sizes: AtomBytes, atom: Atom) -> Fraction:
    """The rule where weights come in parts and features are read for each of them."""
    room = _room(atom, sizes.least_features, "rows of features")
    return sizes.features * max(math.ceil(sizes.weights / room), 1) + sizes.weights + sizes.results + sizes.added


RULES: dict[str, Callable[[AtomBytes, Atom], Fraction]] = {"once": once_bytes, "buffer": buffered_bytes}


def dram_bytes(layer: AtomLayer, atom: Atom, rule: str) -> Fraction:
    """DRAM bytes of a layer whose tensors all live there, by a rule of RULES.

    Errors: TargetError where not even the least rows of features, or the least filters, fit the buffer.
    """
    if rule not in RULES:
        raise TargetError(f"traffic {rule!r}: it is one of {', '.join(RULES)}")
    return RULES[rule](layer_bytes(layer, atom), atom)


def _filled(count: int, unit: int) -> int:
    return -(-count // unit) * unit


def _room(atom: Atom, least: Fraction, what: str) -> Fraction:
    room = atom.buffer_bytes - least
    if room <= 0:
        raise TargetError(
            f"a convolution buffer of {atom.buffer_bytes} bytes: the least {what} are {math.ceil(least)} bytes"
        )
    return room
