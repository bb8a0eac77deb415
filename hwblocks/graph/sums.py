"""Constants of a sum of products at a site: what every kernel of an Accumulate block needs besides its geometry."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, accumulate_epilogue, scalar_zero_point, tail_start
from hwblocks.numerics.accumulator import Accumulator, largest_partial, peak
from hwblocks.numerics.kernels.ordered import OrderedSum

LARGEST_WEIGHT = 1 << 15  # centred weights are packed as 16-bit integers
PAIRS = Accumulator("int32 wrap dot(2,sat16) zp=correct")  # the one staged saturation that kernels sum
EXACT_BITS = 64  # of a kernel's register that is never reduced


def centred_weights(site: Site) -> Array | None:
    """The constant w less its zero points, in int64 and its own shape; None where w is no constant."""
    codes = site.constant(1)
    return None if codes is None else codes.astype(np.int64) - site.input(1).format.zero_points(codes.ndim)


def sample_weights(site: Site) -> Array | str:
    """Centred constant weights of a window over samples, or why no kernel serves it."""
    if site.input(0).shape[0] != 1:
        return "the leading axis is not the sample axis"
    codes = centred_weights(site)
    return "the weights are not constant" if codes is None else codes


def sum_constants(site: Site, centred: Array, grouped: Array, pad_code: int | None = None) -> dict[str, Any] | str:
    """x_dtype, x_zero, weights, bias, bound, accumulator_bits, out_dtype, epilogue and so on; or why no kernel serves.

    centred, grouped: weights less their zero points, output channel first and as [G, K, N]. pad_code: what padding
    stores, the zero point of x where None.
    """
    reason = unsupported(site) or _refusal(site, centred)
    if reason:
        return reason
    x, w = site.input(0).format, site.input(1).format
    bias = stated = _bias(site)
    x_zero, saturate = scalar_zero_point(x), site.accumulator == PAIRS
    stored_pad = x_zero if pad_code is None else pad_code
    ordered = OrderedSum(site.accumulator, x_zero, x.lo, x.hi, stated, stored_pad)
    if saturate:  # stored codes are multiplied, the zero point's part joins the bias
        bias = (0 if stated is None else stated) - x_zero * grouped.sum(axis=-2).ravel()
        x_zero = 0
    lowest, highest = min(x.lo, stored_pad), max(x.hi, stored_pad)
    bound = largest_partial(grouped, lowest - x_zero, highest - x_zero, bias)
    exact = saturate and Accumulator(site.accumulator.bits).cannot_overflow(bound)
    bits = EXACT_BITS if exact else register_bits(site, met_bound(site, grouped, ordered, bound))
    channels = grouped.shape[0] * grouped.shape[-1]
    start = tail_start(site, channels)
    split = 0 < start < channels
    return {
        "x_dtype": x.dtype.name,
        "x_zero": x_zero,
        "weights": np.ascontiguousarray(centred),
        "bias": None if bias is None else np.ascontiguousarray(bias, dtype=np.int64),
        "bound": bound,
        "accumulator_bits": EXACT_BITS if isinstance(bits, str) else bits,
        "out_dtype": site.output.format.dtype.name,
        "epilogue": accumulate_epilogue(site, x, w, channels),
        "tail": accumulate_epilogue(site, x, w, channels, site.arithmetic.tail) if split else None,
        "tail_start": start if split else 0,
        "saturate": saturate,
        "pad_value": stored_pad - x_zero,
        "ordered": ordered,
        "in_order": isinstance(bits, str),
    }


def _refusal(site: Site, centred: Array) -> str:
    """Why no kernel serves the constants of a sum, or an empty text."""
    if site.has(2) and site.constant(2) is None:
        return "the bias is not constant"
    return "weights of more than 16 bits" if peak(centred) > LARGEST_WEIGHT else ""


def _bias(site: Site) -> Array | None:
    """The constant bias in int64, where there is one."""
    value = site.constant(2) if site.has(2) else None
    return None if value is None else np.asarray(value, dtype=np.int64)


def met_bound(site: Site, columns: Array, made: OrderedSum, centred: int) -> int:
    """The largest partial sum that the register meets: of stored codes where zp=correct."""
    if site.accumulator.zero_point != "correct" or site.accumulator.is_plain or not made.x_zero:
        return centred
    constants = np.abs(made.x_zero * columns.sum(axis=-2).ravel())
    if made.bias is not None:
        constants = constants + np.abs(made.bias)
    lowest, highest = min(made.x_lo, made.pad_code), max(made.x_hi, made.pad_code)
    return largest_partial(columns, lowest, highest) + int(constants.max(initial=0))


def run_time_bound(made: OrderedSum, weights: int, centred: int) -> int:
    """The same of two run-time operands, whose absolute weights add up to at most `weights`."""
    if made.accumulator.zero_point != "correct" or made.accumulator.is_plain or not made.x_zero:
        return centred
    return weights * (max(-made.x_lo, made.x_hi, 0) + abs(made.x_zero))


def unsupported(site: Site) -> str:
    """Why no kernel sums at this site, or "" when one may."""
    if site.arithmetic.mac is not None:
        return "a user-written multiply-accumulate"
    if site.input(0).is_constant:
        return "the input is a constant"
    if site.input(0).format.bits > 16:
        return "activations of more than 16 bits"
    return ""


def register_bits(site: Site, bound: int) -> int | str:
    """Width to which a kernel wraps its exact sums; a reason where the order of additions can matter."""
    accumulator = site.accumulator
    if accumulator.cannot_overflow(bound):
        return EXACT_BITS
    if not accumulator.is_plain or not accumulator.signed:
        return f"accumulator {accumulator}: an addition may leave the register, so its order matters"
    return accumulator.bits
