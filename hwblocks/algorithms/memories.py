"""SVDF in integers. Sources: LiteRT `internal/reference/svdf.h`, TFLite-Micro `kernels/svdf_common.cc`; restated."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.algorithms.rescaling import centred, requantization, scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.numerics.gemmlowp import wrap


def svdf(site: Site, inputs: tuple[Array | None, ...], state_zero: int) -> tuple[Array, Array]:
    """(y, memory): features and units requantized; `state_zero` is what is taken off the memory's codes."""
    block: Any = site.node.block
    x, feature, time, bias, memory = inputs
    assert x is not None and feature is not None and time is not None and memory is not None
    record, state, y = requantization(site), site.input(4).format, site.output.format
    products = centred(site, 0, x) @ feature.astype(np.int64).T
    newest = record.multiply(products, record.ratio(scale_of(site, 0), scale_of(site, 1), scalar_scale(state)))
    newest = wrap(np.clip(newest, state.lo, state.hi) + state_zero, state.bits)
    kept = block.remembered(memory.astype(np.int64), newest, time.shape)
    total = block.units(((kept - state_zero) * time.astype(np.int64)).sum(axis=-1))
    if bias is not None:
        total = total + bias.astype(np.int64)
    ratio = record.ratio(scalar_scale(state), scale_of(site, 2), scalar_scale(y))
    return record.multiply(total, ratio) + scalar_zero_point(y), kept.reshape(memory.shape)


@algorithm("int16_state", "SVDF")
def svdf_int16(site: Site, *inputs: Array | None) -> tuple[Array, Array]:
    """16-bit memory; its zero point is not looked at."""
    return svdf(site, inputs, 0)


@algorithm("any_state", "SVDF")
def svdf_any(site: Site, *inputs: Array | None) -> tuple[Array, Array]:
    """8- or 16-bit memory with its zero point."""
    return svdf(site, inputs, scalar_zero_point(site.input(4).format) if site.input(4).format.bits == 8 else 0)
