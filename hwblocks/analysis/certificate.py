"""Certificate: the bounds of a model's accumulators with all that is needed to prove them again, as JSON."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hwblocks.analysis.bounds import Bounds, Extremes
from hwblocks.analysis.operands import Operands, pad_value
from hwblocks.analysis.witness import end_choice
from hwblocks.files import write_atomically
from hwblocks.graph.site import scalar_zero_point
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics.accumulator import peak

Array = np.ndarray[Any, Any]
SCHEMA = "hwblocks.accumulator-certificate/1"


def certificate(model: str, bounds: Sequence[Bounds]) -> dict[str, Any]:
    """The certificate of some nodes; docs/accumulators.md describes every field."""
    return {"schema": SCHEMA, "model": model, "nodes": [_node(b) for b in bounds]}


def write_certificate(path: str | Path, record: dict[str, Any]) -> Path:
    """Write a certificate as JSON: the same bounds always give the same bytes."""
    return write_atomically(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def _node(bounds: Bounds) -> dict[str, Any]:
    used, site = bounds.operands, bounds.site
    return {
        "name": bounds.name,
        "block": site.node.type_name,
        "accumulator": str(bounds.accumulator),
        "groups": int(used.columns.shape[2]),
        "channels": used.channels,
        "k_shape": list(used.k_shape),
        "x": _x(bounds),
        "w": _w(used, site.input(1)),
        "bias": _bias(used, site.input(2) if site.has(2) else None),
        "tied": used.tied,
        "registers": [_register(bounds, extremes) for extremes in bounds.registers],
    }


def _x(bounds: Bounds) -> dict[str, Any]:
    """The codes of x: a constant one's, else their range, the code of padding, and where each case has padding."""
    used, tensor = bounds.operands, bounds.site.input(0)
    zero = scalar_zero_point(tensor.format)
    record: dict[str, Any] = {"format": repr(tensor.format), "zero_point": zero}
    if tensor.is_constant:
        return record | packed(used.rows[0])
    pad = pad_value(bounds.site, zero) + zero
    cases = [bits_text(case) for case in used.taken]
    return record | {"lowest": tensor.format.lo, "highest": tensor.format.hi, "pad": pad, "cases": cases}


def _w(used: Operands, tensor: Tensor) -> dict[str, Any]:
    """Constant weights minus their zero points [L, G, K, N], else the range of their codes."""
    record: dict[str, Any] = {"format": tensor.format.name}
    if tensor.is_constant:
        return record | packed(used.columns[0])
    zero = scalar_zero_point(tensor.format)
    return record | {"zero_point": zero, "lowest": tensor.format.lo, "highest": tensor.format.hi}


def _bias(used: Operands, tensor: Tensor | None) -> list[int] | dict[str, int] | None:
    """One code for each channel, or the range of a run-time bias."""
    if tensor is None or used.bias is None:
        return None
    if tensor.is_constant:
        return [int(b) for b in used.bias[0].ravel()]
    return {"lowest": tensor.format.lo, "highest": tensor.format.hi}


def packed(values: Array) -> dict[str, Any]:
    """Integers as base64 of little-endian two's complement, their shape, bytes of one, and SHA-256 of the bytes."""
    limit = peak(values)
    size = next(s for s in (1, 2, 4, 8) if limit < 1 << (8 * s - 1))
    data = np.ascontiguousarray(values.astype(np.int64)).astype(f"<i{size}").tobytes()
    return {
        "shape": list(values.shape),
        "bytes": size,
        "codes": base64.b64encode(data).decode(),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def bits_text(flags: Array) -> str:
    """Flags as a hexadecimal number whose bit k is flag k.

    >>> bits_text(np.array([True, False, False, False, True]))
    '11'
    """
    return np.packbits(flags.astype(bool), bitorder="little").tobytes()[::-1].hex()


def _register(bounds: Bounds, extremes: Extremes) -> dict[str, Any]:
    register = extremes.register
    return {
        "name": register.name,
        "bits": register.bits,
        "signed": register.signed,
        "overflow": str(register.overflow),
        "basis": register.basis,
        "verdict": extremes.verdict,
        "claims": [_claim(bounds, extremes, channel) for channel in range(len(extremes.lowest))],
    }


def _claim(bounds: Bounds, extremes: Extremes, channel: int) -> dict[str, Any]:
    """What is claimed of a channel; bits: the smallest signed width, bits_unsigned: unsigned, null if none."""
    exact = extremes.exact[channel]
    return {
        "lowest": extremes.lowest[channel],
        "highest": extremes.highest[channel],
        "exact": exact,
        "bits": extremes.bits(channel),
        "bits_unsigned": extremes.bits(channel, signed=False),
        "witness_lowest": _window(bounds, channel, extremes.lowest_case[channel], 0) if exact else None,
        "witness_highest": _window(bounds, channel, extremes.highest_case[channel], 1) if exact else None,
    }


def _window(bounds: Bounds, channel: int, case: int, position: int) -> dict[str, Any]:
    """The case of a witness, and which of its codes of x and w are the highest (the others are the lowest)."""
    used = bounds.operands
    lead, row = divmod(case, used.rows.shape[-2])
    group, column = divmod(channel, used.width)
    rows = used.rows[:, min(lead, used.rows.shape[1] - 1), min(group, used.rows.shape[2] - 1), row]
    columns = used.columns[:, min(lead, used.columns.shape[1] - 1), group, :, min(column, used.columns.shape[-1] - 1)]
    x, w = end_choice(rows, columns, position)
    record: dict[str, Any] = {"lead": lead, "case": row}
    if not bounds.site.input(0).is_constant:
        record["x_highest"] = bits_text(x == 1)
    if used.varying:
        record["w_highest"] = bits_text(w == 1)
    return record
