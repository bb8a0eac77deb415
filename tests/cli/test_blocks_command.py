"""`hwblocks blocks`: the operators served, and what comes of node tests."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from hwblocks.cli import cli
from hwblocks.importers import from_onnx, from_tflite, onnx_conformance
from hwblocks.importers.coverage import blocks_of, coverage


def test_coverage_names_every_rule_and_real_blocks():
    served = coverage().operators
    assert set(served["ONNX"]) == set(from_onnx.RULES)
    assert set(served["TFLite"]) == set(from_tflite.RULES)
    assert "Conv2d" in served["ONNX"]["Conv"]
    assert served["ONNX"]["Clip"] == ("Clip", "Maximum", "Minimum", "ReLU6")
    assert served["ONNX"]["Loop"] == (
        "Add",
        "Concat",
        "DynamicUpdateSlice",
        "Identity",
        "Less",
        "LogicalAnd",
        "Reshape",
        "Unsqueeze",
        "While",
    )
    assert served["TFLite"]["CONV_2D"]
    assert blocks_of(lambda build, node: None) == ()


def test_coverage_is_printed():
    done = CliRunner().invoke(cli, ["blocks", "--coverage"])
    assert done.exit_code == 0
    assert "Softsign" in done.output
    printed = json.loads(CliRunner().invoke(cli, ["blocks", "--coverage", "--json"]).output)
    assert printed["operators"]["ONNX"]["Mish"] == ["Mish"]


def case(op, wanted, name="test_case", x=(1.0, -2.0)):
    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [len(x)])]
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"])], "g", values, [helper.make_empty_tensor_value_info("y")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    data = [([np.array(x, np.float32)], [np.asarray(wanted)])]
    return SimpleNamespace(name=name, model=model, data_sets=data, rtol=1e-3, atol=1e-7)


RIGHT = np.array([1, 2], np.float32)
CASES = [
    (case("Abs", RIGHT), "passed", ""),
    (case("Shape", np.array([2])), "folded", ""),
    (case("Abs", RIGHT + 1), "wrong", "Mismatched"),
    (case("Abs", RIGHT.astype(np.float64)), "wrong", "dtype"),
    (case("Abs", RIGHT[None]), "wrong", "shape"),
    (case("Multinomial", RIGHT), "refused", "not supported: Multinomial"),
]


@pytest.mark.parametrize(("test", "verdict", "reason"), CASES)
def test_verdicts(test, verdict, reason):
    judged = onnx_conformance.judged(test)
    assert judged.verdict == verdict
    assert reason in judged.reason
    assert judged.operator == test.model.graph.node[0].op_type


def test_an_exception_that_is_no_refusal_is_a_failure(monkeypatch):
    monkeypatch.setattr(onnx_conformance.Backend, "prepare", lambda model: 1 / 0)
    judged = onnx_conformance.judged(CASES[0][0])
    assert (judged.verdict, judged.reason) == ("failed", "ZeroDivisionError: division by zero")


@pytest.mark.parametrize(("chosen", "code"), [(slice(0, 2), 0), (slice(0, 3), 1), (slice(5, 6), 0)])
def test_the_exit_code_says_whether_a_result_differs(monkeypatch, chosen, code):
    tests = [test for test, *_ in CASES[chosen]]
    monkeypatch.setattr(onnx_conformance, "node_tests", lambda: tests)
    done = CliRunner().invoke(cli, ["blocks", "--conformance", "--json"], standalone_mode=False)
    assert done.return_value == code
    assert json.loads(done.output)["total"] == len(tests)


def test_only_one_listing_at_a_time():
    done = CliRunner().invoke(cli, ["blocks", "--coverage", "--conformance"])
    assert done.exit_code == 2
