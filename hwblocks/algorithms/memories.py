"""SVDF in integers. Sources: LiteRT `internal/reference/svdf.h`, TFLite-Micro `kernels/svdf_common.cc`; restated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hwblocks.algorithms.rescaling import centred, requantization, scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.recurrent_calls import constant_but, sum_part
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.numerics.gemmlowp import wrap
from hwblocks.numerics.kernels.recurrent import SvdfCall

SVDF_INPUTS = ("x", "w_feature", "w_time", "b", "memory")


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


def svdf_call(site: Site, state_zero: int) -> Any:
    """Features and units as sums with casts of their own."""
    block: Any = site.node.block
    names = [name for name, tensor in zip(SVDF_INPUTS, site.inputs, strict=True) if tensor is not None]
    if reason := constant_but(site, {"x", "memory"}, names):
        return reason
    x, state, y = site.input(0), site.input(4).format, site.output.format
    if x.shape[0] != 1 or x.format.bits > 8 or state.bits > 16:
        return "several samples in one, or codes of more bits"
    record, feature, time = requantization(site), site.constant(1), site.constant(2)
    assert feature is not None and time is not None
    first = record.epilogue(scale_of(site, 0), scale_of(site, 1), state.replace(zero_point=0), len(feature))
    newest = sum_part(x.format, feature.astype(np.int64), None, state, first)
    last = record.epilogue(
        scalar_scale(state), scale_of(site, 2), y, site.output.shape[-1], clamp=site.clamp_codes, counts=site.counts
    )
    by_unit = time.astype(np.int64).reshape(site.output.shape[-1], -1)
    units = sum_part(state.replace(zero_point=state_zero), by_unit, site.constant(3), y, last)
    return SvdfCall(
        x_dtype=x.format.dtype.name,
        x_zero=scalar_zero_point(x.format),
        newest=newest,
        units=replace(units, weights=time.astype(np.int64)),
        rank=block.rank,
        memory_zero=state_zero,
    )


def memory_zero(site: Site) -> int:
    """What is taken off the memory's codes where they may have 8 bits: their zero point."""
    state = site.input(4).format
    return scalar_zero_point(state) if state.bits == 8 else 0


@algorithm("int16_state", "SVDF", kernel=lambda site: svdf_call(site, 0))
def svdf_int16(site: Site, *inputs: Array | None) -> tuple[Array, Array]:
    """16-bit memory; its zero point is not looked at."""
    return svdf(site, inputs, 0)


@algorithm("any_state", "SVDF", kernel=lambda site: svdf_call(site, memory_zero(site)))
def svdf_any(site: Site, *inputs: Array | None) -> tuple[Array, Array]:
    """8- or 16-bit memory with its zero point."""
    return svdf(site, inputs, memory_zero(site))
