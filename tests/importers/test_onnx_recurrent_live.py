"""RNN, GRU and LSTM of ONNX against onnxruntime: every direction, layout, activation, clip, length and state."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import hwblocks as hb
from hwblocks.importers.from_onnx import import_model

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STEPS, BATCH, INNER, UNITS = 5, 3, 4, 6
PLAIN = ["Sigmoid", "Tanh", "Relu", "LeakyRelu", "Affine", "ScaledTanh", "Elu", "Softplus"]


def model(op, rng, direction, optional, **attributes):
    """A model of one operator whose inputs are X and the states; weights and lengths are constants."""
    count = 2 if direction == "bidirectional" else 1
    gates = GATES[op] * UNITS
    arrays = {
        "W": rng.uniform(-0.6, 0.6, (count, gates, INNER)),
        "R": rng.uniform(-0.6, 0.6, (count, gates, UNITS)),
        "B": rng.uniform(-0.6, 0.6, (count, 2 * gates)),
        "P": rng.uniform(-0.6, 0.6, (count, 3 * UNITS)),
    }
    arrays = {name: a.astype(np.float32) for name, a in arrays.items()}
    arrays["lens"] = np.array([5, 2, 4], np.int32)
    feeds = {"X": rng.normal(size=(STEPS, BATCH, INNER)), "h": rng.normal(size=(count, BATCH, UNITS))}
    feeds["c"] = rng.normal(size=(count, BATCH, UNITS))
    names = ["X", "W", "R", "B", "lens", "h", *(["c", "P"] if op == "LSTM" else [])]
    names = [n if n in ("X", "W", "R") or n in optional else "" for n in names]
    outputs = ["Y", "Y_h", *(["Y_c"] if op == "LSTM" else [])]
    node = helper.make_node(op, names, outputs, hidden_size=UNITS, direction=direction, **attributes)
    given = [n for n in ("X", "h", "c") if n in names]
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, feeds[n].shape) for n in given],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
        [numpy_helper.from_array(arrays[n], n) for n in names if n in arrays],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return made, {n: feeds[n].astype(np.float32) for n in given}


def compared(made, feeds):
    session = pytest.importorskip("onnxruntime").InferenceSession(made.SerializeToString())
    wanted = session.run(None, feeds)
    graph = import_model(made, {n: a.shape for n, a in feeds.items()}, "g")
    got = hb.run(graph, {n: a[None] for n, a in feeds.items()}).outputs
    for name, want in zip([o.name for o in made.graph.output], wanted, strict=True):
        np.testing.assert_allclose(got[name][0], want, rtol=2e-5, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("optional", ["", "B", "B h c", "B lens", "B lens h c P", "P c"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op", GATES)
def test_inputs_and_directions(op, direction, optional):
    rng = np.random.default_rng(3)
    compared(*model(op, rng, direction, optional.split()))


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("op", GATES)
def test_activations(op, name):
    rng = np.random.default_rng(4)
    count = {"RNN": 1, "GRU": 2, "LSTM": 3}[op]
    attributes = {"activations": [name, "Tanh", "Sigmoid"][:count]}
    if name in ("LeakyRelu", "Affine", "ScaledTanh", "Elu"):
        attributes["activation_alpha"] = [0.6]
    if name in ("Affine", "ScaledTanh"):
        attributes["activation_beta"] = [0.3]
    compared(*model(op, rng, "forward", ["B"], **attributes))


@pytest.mark.parametrize("op", GATES)
def test_clip(op):
    compared(*model(op, np.random.default_rng(5), "forward", ["B", "h", "c"], clip=0.4))


@pytest.mark.parametrize("after", [0, 1])
def test_linear_before_reset(after):
    compared(*model("GRU", np.random.default_rng(6), "bidirectional", ["B", "h"], linear_before_reset=after))


def test_coupled_gates():
    compared(*model("LSTM", np.random.default_rng(7), "forward", ["B", "h", "c"], input_forget=1))


def test_an_unknown_activation_is_refused():
    made, feeds = model("RNN", np.random.default_rng(8), "forward", [], activations=["Cube"])
    with pytest.raises(hb.HwblocksError, match="Cube"):
        import_model(made, {n: a.shape for n, a in feeds.items()}, "g")
