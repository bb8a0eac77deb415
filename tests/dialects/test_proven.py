"""What `hwblocks info --dialects` calls proven is what the tests of this folder compare, no more and no less.

When it is not: python .ci/write_proven.py
"""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from hwblocks.dialects import names, proven

TFLITE = ("tflm", "litert-ref", "litert-opt", "xnnpack")
EXCEPTIONS = tomllib.loads(Path(__file__).with_name("cannot_be_equal.toml").read_text(encoding="utf-8"))["operators"]


def tflite(dialect):
    """Families of one operator, and of loops and moves, that the live tests compare in a dialect: (exact, near)."""
    cases, moves = import_module("operator_cases"), import_module("test_control_and_moves_live")
    live = {f for f, kinds in cases.FAMILIES.items() if any(cases.has(dialect, f, kind) for kind in kinds)}
    live |= {f for f in moves.FAMILIES if moves.TAKEN.get((f, dialect), 1) > 0}
    excepted = {name.split()[0] for name, dialects in EXCEPTIONS.items() if dialect in dialects}
    near = live & (excepted | set(moves.NEAR))
    return live - near, near


def onnx(dialect):
    """The same for the dialects of ONNX files."""
    operators, groups = import_module("test_onnx_operators_live"), import_module("test_qdq_groups_live")
    return {
        "onnx": (set(operators.STANDARD), set()),
        "ort-noopt": (set(operators.FAMILIES), {"DynamicQuantizeLSTM"}),
        "ort": ({f"QDQ {family}" for family in groups.FAMILIES}, set()),
        "ort-avx2": ({f"QDQ {family}" for family in groups.FAMILIES}, set()),
        "qonnx": (set(import_module("test_qonnx_operators").OPERATORS), set()),
        "hls": ({"Add", "Linear", "Mul", "Sub"}, set()),
    }[dialect]


def compared(dialect):
    """(exact, near) of any dialect."""
    return tflite(dialect) if dialect in TFLITE else onnx(dialect)


@pytest.mark.parametrize("dialect", names())
def test_proven_is_what_is_compared(dialect):
    if dialect in TFLITE:
        pytest.importorskip("ai_edge_litert")
        pytest.importorskip("tflite_micro")
    exact, near = compared(dialect)
    assert proven(dialect) == {"exact": sorted(exact), "near": sorted(near)}


def test_what_is_not_compared_names_families_and_dialects():
    """Results beyond 32 bits are listed by family (or by width, of all families) with a reason for each dialect."""
    pytest.importorskip("ai_edge_litert")
    families = import_module("operator_cases").FAMILIES
    listed = tomllib.loads(Path(__file__).with_name("cannot_be_equal.toml").read_text(encoding="utf-8"))
    for name, dialects in listed["beyond_32_bits"].items():
        assert name in families or name == "int16"
        assert set(dialects) <= set(TFLITE)
        assert all(len(reason) > 5 for reason in dialects.values())
