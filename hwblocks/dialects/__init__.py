"""Dialects: the arithmetic of named runtimes, one file each."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import import_module
from pathlib import Path

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


def proven(name: str) -> dict[str, list[str]]:
    """What was compared with the runtime: operators whose integers are all equal, and those equal but for the last bit
    of a float function or sum. The tests of this folder hold the list.

    >>> "conv2d" in proven("tflm")["exact"]
    True
    """
    dialect(name)
    return {key: list(values) for key, values in _proven()[name].items()}


@cache
def _proven() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(Path(__file__).with_name("proven.toml").read_text(encoding="utf-8"))
