"""ONNX element types as number formats, and the types that are refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper

from hwblocks.errors import UnsupportedOperatorError
from hwblocks.graph.tensor import FLOAT32
from hwblocks.numerics.formats import Format

Array = np.ndarray[Any, Any]

BOOL = Format("bool")
INT64 = Format(kind="raw", bits=64)
FORMATS: dict[int, Format] = {
    TensorProto.BOOL: BOOL,
    TensorProto.FLOAT16: Format("float16"),
    TensorProto.FLOAT: FLOAT32,
    TensorProto.DOUBLE: Format("float64"),
    **{
        getattr(TensorProto, f"{'INT' if signed else 'UINT'}{bits}"): Format(kind="raw", bits=bits, signed=signed)
        for bits in (2, 4, 8, 16, 32, 64)
        for signed in (True, False)
    },
}
NARROW = ("int2", "uint2", "int4", "uint4")  # stored in bytes, computed with only after a conversion
REASONS = {
    "STRING": "text has no arithmetic",
    "COMPLEX64": "complex numbers have no format",
    "COMPLEX128": "complex numbers have no format",
}


def format_of_type(kind: int, what: str) -> Format:
    """The format of an ONNX element type. Errors: UnsupportedOperatorError where there is none."""
    if kind in FORMATS:
        return FORMATS[kind]
    name = TensorProto.DataType.Name(kind) if kind else "no tensor (a sequence, a map or an optional)"
    reason = REASONS.get(name, "float16, float32, float64, bool and integers of 2 to 64 bits are supported")
    raise UnsupportedOperatorError(f"{what} holds {name}: {reason}")


def format_of_array(array: Array) -> Format:
    """The format of a constant's type: floats, bools, and integers without a scale."""
    if array.dtype.kind in "fiub" or array.dtype.name in NARROW:
        return FORMATS[helper.np_dtype_to_tensor_dtype(array.dtype)]
    return format_of_type(0 if array.dtype.kind == "O" else helper.np_dtype_to_tensor_dtype(array.dtype), "a constant")


def as_codes(array: Array) -> Array:
    """An array in a type that NumPy computes with: integers of 2 and 4 bits in bytes."""
    name = array.dtype.name
    return array.astype(np.uint8 if name.startswith("u") else np.int8) if name in NARROW else array


def in_file_type(array: Array, format: Format) -> Array:
    """An array in the type that a file names: integers of 2 and 4 bits in types of their own."""
    if format.is_float or format.bits >= 8 or format.kind not in ("raw", "int"):
        return array
    kind = getattr(TensorProto, f"{'INT' if format.signed else 'UINT'}{format.bits}", None)
    return array if kind is None else array.astype(helper.tensor_dtype_to_np_dtype(kind))
