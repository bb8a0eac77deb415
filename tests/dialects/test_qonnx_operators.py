"""QONNX quantizers against what the QONNX executor gave (recorded; tests/golden/record_qonnx.py says how)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.importers.from_onnx import import_model

onnx = pytest.importorskip("onnx")
GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "qonnx_operators.npz")
CASES = sorted({key.rpartition(".")[0] for key in GOLDEN.files if key.endswith(".model")})
OPERATORS = sorted({case.partition(".")[0] for case in CASES})


def test_the_record_names_its_runtime():
    assert str(GOLDEN["about"]).startswith("qonnx 1.0.0")
    assert OPERATORS == ["BipolarQuant", "FloatQuant", "IntQuant", "MultiThreshold", "Quant", "Trunc"]


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_equal_the_executor(operator):
    for case in (c for c in CASES if c.startswith(f"{operator}.")):
        graph = import_model(onnx.load_from_string(GOLDEN[f"{case}.model"].tobytes()), {}, "one")
        assert graph.dialect == "qonnx"
        got = next(iter(hb.run(graph, GOLDEN[f"{case}.x"][None]).outputs.values()))[0]
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, GOLDEN[f"{case}.y"].astype(np.float32), case)
