"""Calibration: rows of every tensor, the same for any form of the samples, and clear errors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.errors import CalibrationError, InputError
from hwblocks.numerics.formats import Format
from quantize import calibration

DATA = np.random.default_rng(1).normal(size=(150, 5, 5, 2)).astype(np.float32)


@pytest.fixture
def net():
    rng = np.random.default_rng(2)
    build = hb.GraphBuilder("net")
    x = build.input("x", (1, 5, 5, 2))
    y = build.add(hb.Conv2d(weight=rng.normal(size=(3, 3, 3, 2)), padding=1), x, name="conv")
    y = build.add(hb.Flatten(), build.add(hb.ReLU(), y, name="relu"), name="flat")
    return build.build(build.add(hb.Linear(weight=rng.normal(size=(4, 75))), y, name="fc"))


@pytest.fixture
def two_inputs():
    build = hb.GraphBuilder("pair")
    a, b = build.input("a", (1, 3)), build.input("b", (1, 3))
    return build.build(build.add(hb.Add(), a, b, name="sum"))


def test_every_run_time_tensor_has_a_row(net, all_tensors):
    table = qz.calibrate(net, DATA)
    assert list(table) == ["x", "conv", "relu", "flat", "fc"]
    for name, values in all_tensors(net, DATA).items():
        assert table[name].samples == 150
        assert (table[name].lo, table[name].hi) == (values.min(), values.max())
        assert table[name].channel_hi.tolist() == values.reshape(-1, values.shape[-1]).max(axis=0).tolist()
        assert table[name].histogram.total == values.size


def batches(*sizes):
    return [DATA[a:b] for a, b in pairwise(np.cumsum([0, *sizes]))]


@pytest.mark.parametrize(
    "samples",
    [
        {"x": DATA},
        [DATA],
        DATA[:, None],
        iter([DATA]),
        batches(1, 64, 0, 85),
        iter(batches(*[1] * 150)),
        ({"x": batch} for batch in batches(7, 143)),
        [{"x": batch} for batch in batches(149, 1)],
        ([batch] for batch in batches(75, 75)),
        list(DATA),
        DATA.astype(np.float64),
    ],
    ids=["dict", "list", "with unit axis", "iterator", "list of batches", "one by one", "dicts",
         "list of dicts", "lists", "list of samples", "float64"],
)  # fmt: skip
def test_the_form_of_the_samples_does_not_matter(net, samples):
    assert qz.calibrate(net, samples).to_json() == qz.calibrate(net, DATA).to_json()


def test_several_inputs(two_inputs):
    a, b = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), np.array([[1.0, 1.0, 1.0], [-5.0, 0.0, 0.0]])
    expected = qz.calibrate(two_inputs, {"a": a, "b": b})
    assert (expected["sum"].lo, expected["sum"].hi) == (-5.0, 4.0)
    for samples in ([a, b], iter([[a[:1], b[:1]], {"b": b[1:], "a": a[1:]}])):
        assert qz.calibrate(two_inputs, samples).to_json() == expected.to_json()


def test_a_stream_is_read_once_and_not_held(net, monkeypatch):
    monkeypatch.setattr(calibration, "LARGEST_CHUNK", 8)
    taken = []

    def stream():
        for position in range(40):
            taken.append(position)
            yield DATA[position : position + 1]

    progress = []
    qz.calibrate(net, stream(), progress=lambda count: progress.append((len(taken), count)))
    assert progress == [(8, 8), (16, 8), (24, 8), (32, 8), (40, 8)]


def test_constant_parts_have_no_row_and_do_not_disturb():
    build = hb.GraphBuilder("g")
    k = build.add(hb.Reshape((1, 3)), build.constant("c", np.array([1.0, 2.0, 3.0])), name="k")
    net = build.build(build.add(hb.Add(), build.input("x", (1, 3)), k, name="y"))
    table = qz.calibrate(net, np.array([[0.0, 0.0, 0.0], [1.0, 1.0, -9.0]]))
    assert list(table) == ["x", "y"]
    assert (table["y"].lo, table["y"].hi) == (-6.0, 3.0)
    assert qz.convert(net, table).nodes[0].inputs == ("x", "k")


def test_integer_samples_are_real_values(two_inputs):
    table = qz.calibrate(two_inputs, {"a": np.array([[255, 0, 3]], np.uint8), "b": np.zeros((1, 3))})
    assert table["a"].hi == 255.0


def test_sequential_learns_its_shape_from_the_samples():
    table = qz.calibrate(hb.Sequential(hb.ReLU()), np.array([[-1.0, 2.0], [3.0, 0.0]]))
    assert (table["relu0"].hi, table["x"].lo) == (3.0, -1.0)


@pytest.mark.parametrize("samples", [iter([]), [], np.empty((0, 5, 5, 2)), iter([np.empty((0, 5, 5, 2))])])
def test_an_empty_set_is_refused(net, samples):
    with pytest.raises(CalibrationError, match="calibration set is empty"):
        qz.calibrate(net, samples)
    if not isinstance(samples, np.ndarray):
        with pytest.raises(CalibrationError, match="is empty"):
            qz.calibrate(hb.Sequential(hb.ReLU()), iter([]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_refused_by_sample_and_input(net, value):
    bad = DATA[:20].copy()
    bad[13, 2, 2, 1] = value
    with pytest.raises(InputError, match="input 'x': sample 13 holds NaN or infinity"):
        qz.calibrate(net, bad)
    with pytest.raises(InputError, match=r"sample 13 .*; samples of this batch count from 150"):
        qz.calibrate(net, iter([DATA, bad]))


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros((3, 4, 5, 2)), "input 'x': has shape"),
        (np.zeros(3), "input 'x': has shape"),
        (np.array([["a"]]), "input 'x': holds <U1"),
        ({"y": DATA}, "unknown: y; missing: x"),
        ("cal.npz", "samples are str"),
        (3, "samples are int"),
    ],
)
def test_samples_that_do_not_fit_are_refused(net, samples, words):
    with pytest.raises(InputError, match=words):
        qz.calibrate(net, samples)


def test_overflow_inside_the_net_names_the_node(net):
    huge = DATA[:70].copy()
    huge[65] = 1e38
    message = r"Conv2d 'conv': output 'conv' holds NaN or infinity at sample 65"
    with np.errstate(over="ignore"), pytest.raises(CalibrationError, match=message):
        qz.calibrate(net, huge)


def test_an_integer_graph_is_refused():
    build = hb.GraphBuilder("int")
    x = build.input("x", (1, 2), Format("int8", scale=0.5))
    graph = build.build(build.add(hb.ReLU(), x))
    with pytest.raises(CalibrationError, match="computes in integers already"):
        qz.calibrate(graph, np.zeros((1, 2)))
