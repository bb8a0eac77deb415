"""Dialects: the arithmetic of named runtimes, one file each."""

from __future__ import annotations

from importlib import import_module

from hwblocks.errors import DialectError
from hwblocks.graph.dialect import Dialect

MODULES = {
    "tflm": "tflm",
    "litert-ref": "litert_ref",
    "litert-opt": "litert_opt",
    "xnnpack": "xnnpack",
    "onnx": "onnx",
    "ort-noopt": "ort_noopt",
    "ort": "ort",
    "ort-avx2": "ort_avx2",
    "qonnx": "qonnx",
    "hls": "hls",
}


def names() -> tuple[str, ...]:
    """The names of all dialects."""
    return tuple(MODULES)


def dialect(name: str) -> Dialect:
    """The dialect of a name. Errors: DialectError lists the names there are."""
    if name not in MODULES:
        raise DialectError(f"dialect {name!r} is not known; there are {', '.join(MODULES)}")
    made: Dialect = import_module(f"hwblocks.dialects.{MODULES[name]}").DIALECT
    return made
