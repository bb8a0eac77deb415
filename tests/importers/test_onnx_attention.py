"""ONNX Attention, LinearAttention, RotaryEmbedding and SwiGLU: the standard's cases, run-time masks, caches, refusals."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import hwblocks as hb
import quantize as qz
from hwblocks.importers.from_onnx import import_model

KINDS = ("test_attention", "test_linear_attention", "test_rotary")


def imported(model, feeds):
    """The graph, and its feeds; inputs that are not finite become constants."""
    for name in [n for n, a in feeds.items() if a.dtype.kind == "f" and not np.isfinite(a).all()]:
        model.graph.initializer.append(numpy_helper.from_array(feeds.pop(name), name))
    return import_model(model, {n: a.shape for n, a in feeds.items()}, "g"), feeds


def outputs(graph, feeds):
    return [a[0] for a in hb.run(graph, {n: a[None] for n, a in feeds.items()}).outputs.values()]


def test_recorded_cases(shared):
    """One test for all of them, so that it can be skipped as a whole."""
    folder, checked = shared / "models" / "onnx_node", 0
    for path in sorted(folder.glob("*.onnx")):
        if not path.stem.startswith(KINDS):
            continue
        model, arrays = onnx.load(path), np.load(path.with_suffix(".npz"))
        given = [i.name for i in model.graph.input if i.name not in {t.name for t in model.graph.initializer}]
        graph, feeds = imported(model, {name: arrays[f"in{i}"] for i, name in enumerate(given)})
        for i, got in enumerate(outputs(graph, feeds)):
            want = arrays[f"out{i}"]
            near = 2e-3 if want.dtype == np.float16 else 1e-5
            np.testing.assert_allclose(got.reshape(want.shape), want, rtol=1e-3, atol=near, err_msg=path.stem)
        checked += 1
    assert checked > 50


def one_node(op, arrays, names, count=1, opset=28, fixed=(), **attributes):
    """A model of one node and its feeds; the arrays named in `fixed` are constants."""
    kinds = {n: helper.np_dtype_to_tensor_dtype(a.dtype) for n, a in arrays.items()}
    graph = helper.make_graph(
        [helper.make_node(op, names, [f"y{i}" for i in range(count)], **attributes)],
        "g",
        [helper.make_tensor_value_info(n, kinds[n], a.shape) for n, a in arrays.items() if n not in fixed],
        [helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, None) for i in range(count)],
        [numpy_helper.from_array(arrays[n], n) for n in fixed],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return made, {n: a for n, a in arrays.items() if n not in fixed}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def attended(q, k, v, seen, bias=0.0):
    """[N, H, L, V] by loops; seen [N, H, L, S]."""
    made = np.zeros((*q.shape[:3], v.shape[3]))
    for n, h, i in np.ndindex(*q.shape[:3]):
        keys = [j for j in range(k.shape[2]) if seen[n, h, i, j]]
        scores = [float(q[n, h, i] @ k[n, h, j]) / math.sqrt(q.shape[3]) + np.broadcast_to(bias, seen.shape)[n, h, i, j]
                  for j in keys]  # fmt: skip
        powers = [math.exp(s - max(scores)) for s in scores]
        for p, j in zip(powers, keys):
            made[n, h, i] += p / sum(powers) * v[n, h, j]
    return made


@pytest.mark.parametrize("fixed", [(), ("mask",)])
def test_masks_and_caches_at_run_time(fixed):
    arrays = {"q": normal(2, 3, 4, 6), "k": normal(2, 3, 4, 6, seed=1), "v": normal(2, 3, 4, 5, seed=2)}
    arrays |= {"mask": np.random.default_rng(3).random((4, 7)) < 0.6}
    arrays |= {"past_k": normal(2, 3, 3, 6, seed=4), "past_v": normal(2, 3, 3, 5, seed=5)}
    names = ["q", "k", "v", "mask", "past_k", "past_v"]
    model, feeds = one_node("Attention", arrays, names, 3, 24, fixed, is_causal=1)
    y, key, value = outputs(*imported(model, feeds))
    k, v = (np.concatenate([arrays[f"past_{n}"], arrays[n]], axis=2) for n in "kv")
    seen = arrays["mask"] & (np.arange(7) <= np.arange(4)[:, None] + 3)
    np.testing.assert_array_equal(key, k)
    np.testing.assert_array_equal(value, v)
    want = attended(arrays["q"], k, v, np.broadcast_to(seen, (2, 3, 4, 7)))
    np.testing.assert_allclose(y, want, rtol=1e-4, atol=1e-5)


def test_lengths_and_windows_at_run_time():
    arrays = {"q": normal(2, 3, 2, 6), "k": normal(2, 3, 7, 6, seed=1), "v": normal(2, 3, 7, 5, seed=2)}
    arrays |= {"lengths": np.array([7, 4], np.int64)}
    names = ["q", "k", "v", "", "", "", "lengths"]
    more = {"is_causal": 1, "left_window_size": 2}
    model, feeds = one_node("Attention", arrays, names, 1, 25, **more)
    (y,) = outputs(*imported(model, feeds))
    at = np.arange(2)[None, :, None] + arrays["lengths"][:, None, None] - 2
    distance = at - np.arange(7)
    seen = ((distance >= 0) & (distance <= 2))[:, None]
    want = attended(arrays["q"], arrays["k"], arrays["v"], np.broadcast_to(seen, (2, 3, 2, 7)))
    np.testing.assert_allclose(y, want, rtol=1e-4, atol=1e-5)


def test_an_imported_attention_is_quantized(isa):
    arrays = {"q": normal(1, 2, 4, 6), "k": normal(1, 2, 4, 6, seed=1), "v": normal(1, 2, 4, 5, seed=2)}
    model, feeds = one_node("Attention", arrays, ["q", "k", "v"], 1, 24, is_causal=1, softcap=3.0)
    graph, _ = imported(model, feeds)
    x = {n: normal(8, *a.shape[1:], seed=9 + i) for i, (n, a) in enumerate(arrays.items())}
    q = qz.convert(graph, qz.calibrate(graph, x), "int8")
    simulator = hb.Simulator(q, isa=isa)
    assert simulator.plan.unserved == {}
    fast, slow, real = simulator.run(x), hb.Simulator(q, engine="definition").run(x), hb.run(graph, x)
    np.testing.assert_array_equal(fast.outputs["y0"], slow.outputs["y0"])
    assert np.abs(fast.real["y0"] - real.outputs["y0"]).max() < 0.05


@pytest.mark.parametrize("fixed", [(), ("cos", "sin", "places")])
def test_rotary_positions_at_run_time(fixed):
    x, angle = normal(2, 3, 4, 6), normal(9, 2, seed=1)
    places = np.array([[0, 3, 8], [5, 5, 1]], np.int64)
    arrays = {"x": np.swapaxes(x, 1, 2), "cos": np.cos(angle), "sin": np.sin(angle), "places": places}
    model, feeds = one_node("RotaryEmbedding", arrays, ["x", "cos", "sin", "places"], 1, 23, fixed,
                            rotary_embedding_dim=4)  # fmt: skip
    (y,) = outputs(*imported(model, feeds))
    want = x.copy()
    for n, t, h, i in np.ndindex(2, 3, 4, 2):
        c, s = math.cos(angle[places[n, t], i]), math.sin(angle[places[n, t], i])
        a, b = x[n, t, h, i], x[n, t, h, i + 2]
        want[n, t, h, i], want[n, t, h, i + 2] = a * c - b * s, a * s + b * c
    np.testing.assert_allclose(y, np.swapaxes(want, 1, 2), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, 1.7])
def test_swiglu(alpha):
    arrays = {"a": normal(2, 3), "b": normal(2, 3, seed=1)}
    model, feeds = one_node("SwiGLU", arrays, ["a", "b"], 1, 28, **({} if alpha == 1 else {"alpha": alpha}))
    (y,) = outputs(*imported(model, feeds))
    a, b = arrays["a"].astype(float), arrays["b"].astype(float)
    np.testing.assert_allclose(y, a / (1 + np.exp(-alpha * a)) * b, rtol=1e-5)


HEADS = {"q": normal(1, 2, 3, 4), "k": normal(1, 2, 3, 4), "v": normal(1, 2, 3, 4)}
FLAT = {"q": normal(1, 3, 8), "k": normal(1, 3, 8), "v": normal(1, 3, 8)}
QKV = ["q", "k", "v"]
BAD = [
    ("Attention", HEADS, QKV, {"softmax_precision": 10}, "softmax_precision 10"),
    ("Attention", FLAT, QKV, {}, "number of heads"),
    ("Attention", HEADS, QKV, {"left_window_size": -2}, "window sizes"),
    ("LinearAttention", FLAT, QKV, {"q_num_heads": 3, "kv_num_heads": 2}, "multiple"),
    ("LinearAttention", FLAT, QKV, {"q_num_heads": 2, "kv_num_heads": 2}, "needs input 4"),
    ("LinearAttention", FLAT, QKV, {"q_num_heads": 2, "kv_num_heads": 2, "update_rule": "leap"}, "'leap'"),
    ("SwiGLU", {"a": normal(1, 2), "b": normal(1, 3)}, ["a", "b"], {}, "one shape"),
    ("SwiGLU", {"a": normal(1, 2), "b": normal(1, 2)}, ["a", "b"], {"alpha": 0.0}, "alpha=0"),
]


@pytest.mark.parametrize(("op", "arrays", "names", "attributes", "words"), BAD, ids=range(len(BAD)))
def test_refusals(op, arrays, names, attributes, words):
    with pytest.raises(hb.HwblocksError) as error:
        imported(*one_node(op, arrays, names, **attributes))
    assert words in error.value.message
