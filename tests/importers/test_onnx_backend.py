"""The backend interface, and all node tests of the installed onnx package through it."""

from __future__ import annotations

import unittest
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test import BackendTest
from onnx.backend.test.loader import load_model_tests

from hwblocks.errors import HwblocksError, InputError, UnsupportedOperatorError
from hwblocks.importers.onnx_backend import Backend, RefusedModelError
from hwblocks.importers.onnx_conformance import conformance, node_tests

INSTALLED = "1.23.2"  # the version whose tests are counted below
PASSED = 1573  # computed by blocks
ANSWERED = 1621  # these, and those that are constants
SHIPPED = 132  # of the models with files, computed by blocks


@pytest.fixture(scope="module")
def result():
    return conformance(node_tests())


def test_no_node_test_gives_another_result_or_another_exception(result):
    assert [case for case in result.cases if case.verdict in ("wrong", "failed")] == []


@pytest.mark.skipif(onnx.__version__ != INSTALLED, reason="the tests of another version are others")
def test_as_many_node_tests_pass_as_before(result):
    counts = result.counts
    assert sum(counts.values()) == 1884
    assert counts["passed"] >= PASSED
    assert counts["passed"] + counts["folded"] >= ANSWERED


def test_every_refusal_has_a_reason(result):
    assert all(case.reason for case in result.cases if case.verdict == "refused")
    tables = {table.title: table for table in result.tables}
    assert sum(tables["Refused"]["tests"]) == result.counts["refused"]


def test_the_package_runs_its_own_tests_on_the_backend():
    suite = BackendTest(Backend, __name__).include("test_(relu|attention_3d|add_bcast|pow_types_int64_float32)_cpu")
    outcome = unittest.TestResult()
    suite.test_suite.run(outcome)
    assert (outcome.errors, outcome.failures) == ([], [])
    assert outcome.testsRun > 1000


def shipped():
    """The models of the package that come with files of inputs and outputs."""
    kinds = ("simple", "pytorch-operator", "pytorch-converted")
    tests = [test for kind in kinds for test in load_model_tests(kind=kind) if test.model_dir]
    return sorted(tests, key=lambda test: test.name)


def stored(folder, kind):
    paths = [folder / f"{kind}_{i}.pb" for i in range(len(list(folder.glob(f"{kind}_*.pb"))))]
    return [numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes())) for path in paths]


def test_shipped_models_pass_or_are_refused():
    refused, passed = [], 0
    for test in shipped():
        ready = Backend.prepare(onnx.load(Path(test.model_dir) / "model.onnx"))
        for folder in sorted(Path(test.model_dir).glob("test_data_set_*")):
            try:
                made = ready.run(stored(folder, "input"))
            except RefusedModelError as error:
                refused.append((test.name, error.message))
                continue
            for got, right in zip(made, stored(folder, "output"), strict=True):
                assert (got.shape, got.dtype) == (right.shape, right.dtype), test.name
                np.testing.assert_allclose(got, right, rtol=test.rtol, atol=test.atol, err_msg=test.name)
            passed += 1
    assert passed >= SHIPPED
    assert all(message for _, message in refused)


def model(nodes, inputs, outputs, opset=21, constants=()):
    values = [helper.make_tensor_value_info(n, t, s) for n, t, s in inputs]
    made = [helper.make_empty_tensor_value_info(n) for n in outputs]
    graph = helper.make_graph(nodes, "g", values, made, list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


RESHAPE = model(
    [helper.make_node("Abs", ["x"], ["a"]), helper.make_node("Reshape", ["a", "shape"], ["y"])],
    [("x", TensorProto.FLOAT, ["n"]), ("shape", TensorProto.INT64, ["k"])],
    ["y"],
)


def test_inputs_are_frozen_only_where_a_rule_asks_for_them():
    ready = Backend.prepare(RESHAPE)
    x = np.array([-1, 2, -3, 4], np.float32)
    np.testing.assert_array_equal(ready.run([x, np.array([2, 2])])[0], [[1, 2], [3, 4]])
    assert ready.frozen == {"shape"}
    first = ready.built(ready.arrays([x, np.array([2, 2])]))
    assert ready.built(ready.arrays([2 * x, np.array([2, 2])])) is first
    np.testing.assert_array_equal(ready.run({"x": x, "shape": np.array([1, -1])})[0], [[1, 2, 3, 4]])
    assert first.graph.inputs == ("x",)
    assert not first.is_folded


def test_what_leads_to_a_constant_is_frozen():
    nodes = [
        helper.make_node("Mul", ["k", "k"], ["square"]),
        helper.make_node("Expand", ["x", "square"], ["y"]),
    ]
    inputs = [("x", TensorProto.FLOAT, [1]), ("k", TensorProto.INT64, [1])]
    ready = Backend.prepare(model(nodes, inputs, ["y"]))
    assert ready.run([np.array([7], np.float32), np.array([2])])[0].tolist() == [7] * 4
    assert ready.frozen == {"k"}


def test_refusals_are_errors_of_both_sides():
    unknown = model([helper.make_node("Multinomial", ["x"], ["y"])], [("x", TensorProto.FLOAT, [2, 2])], ["y"])
    assert not Backend.is_compatible(unknown)
    assert Backend.is_compatible(RESHAPE)
    with pytest.raises(RefusedModelError, match="Multinomial") as error:
        Backend.run_model(unknown, [np.ones((2, 2), np.float32)])
    assert isinstance(error.value, (HwblocksError, unittest.SkipTest))
    assert isinstance(error.value.__cause__, UnsupportedOperatorError)


@pytest.mark.parametrize("inputs", [[np.ones(4, np.float32)], [[1.0], np.array([1])], {"x": None, "shape": None}])
def test_wrong_inputs_are_refused(inputs):
    with pytest.raises(RefusedModelError) as error:
        Backend.prepare(RESHAPE).run(inputs)
    assert isinstance(error.value.__cause__, InputError)


def test_devices_and_single_nodes():
    assert Backend.supports_device("CPU")
    assert not Backend.supports_device("CUDA")
    clip = helper.make_node("Clip", ["x", "", "high"], ["y"])
    (y,) = Backend.run_node(clip, [np.array([1, 5], np.int16), np.array(3, np.int16)], opset_version=13)
    assert (y.dtype, y.tolist()) == (np.int16, [1, 3])


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_floats_are_computed_wide_and_rounded_once(kind):
    node = helper.make_node("Sum", ["a", "b", "c"], ["y"])
    one, tiny = np.array([1], kind), np.array([np.finfo(kind).eps / 2], kind)
    (y,) = Backend.run_node(node, [one, tiny, tiny])
    assert y.dtype == kind
    assert y[0] == (one[0] if kind == "float64" else one[0] + np.finfo(kind).eps)


def test_nan_and_infinity_are_numbers():
    x = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
    assert Backend.run_node(helper.make_node("IsNaN", ["x"], ["y"]), [x])[0].tolist() == [True, False, False, False]
    np.testing.assert_array_equal(Backend.run_node(helper.make_node("Neg", ["x"], ["y"]), [x])[0], -x)
