"""Kernel calls of recurrent blocks at a site: sums with constant weights inside a block, and how they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_zero_point
from hwblocks.numerics.formats import Format
from hwblocks.numerics.kernels.recurrent import SumPart
from hwblocks.numerics.requantize import Epilogue, Requantize


def sum_part(x: Format, weights: Array, bias: Array | None, format: Format, epilogue: Epilogue) -> SumPart:
    """Sums of centred codes of x times weights [O, K], and their cast to a format."""
    zero = scalar_zero_point(x)
    reach = max(x.hi - zero, zero - x.lo)
    added = np.zeros(len(weights), np.int64) if bias is None else np.abs(bias.astype(np.int64))
    bound = int((np.abs(weights).sum(axis=1) * reach + added).max(initial=0))
    return SumPart(weights=weights, bias=bias, bound=bound, out_dtype=format.dtype.name, epilogue=epilogue)


def gate_part(
    x: Format, weights: Sequence[Array], biases: Sequence[Array] | None, ratios: Sequence[float], format: Format
) -> SumPart:
    """The gates' sums [gates · U, K], each gate requantized in two roundings by a ratio of its own."""
    record, units = Requantize.preset("double_round"), len(weights[0])
    steps = [record.multiplier(ratio) for ratio in ratios]
    plain = record.epilogue(1.0, 1.0, format, units * len(weights))
    epilogue = replace(
        plain,
        multiplier=np.repeat([m for m, _ in steps], units).astype(np.int64),
        shift=np.repeat([shift for _, shift in steps], units).astype(np.int64),
    )
    bias = None if biases is None else np.concatenate(biases).astype(np.int64)
    return sum_part(x, np.concatenate(weights).astype(np.int64), bias, format, epilogue)


def constant_but(site: Site, run_time: set[str], names: Sequence[str]) -> str:
    """Why a kernel cannot take the site's inputs, by name: those in run_time must not be constants, all others must."""
    for name, tensor in zip(names, site.present, strict=True):
        if tensor.is_constant == (name in run_time):
            return f"{name} is {'a constant' if tensor.is_constant else 'no constant'}"
    return ""
