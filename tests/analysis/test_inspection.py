"""How values lie in formats: counts against NumPy and by hand, maps by hand, one answer for any chunks and threads."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwblocks as hb
import quantize as qz
from hwblocks.analysis import comparison
from hwblocks.analysis.activation_maps import PICTURES, planes_of
from hwblocks.analysis.inspection import inspect_graphs, real_range
from hwblocks.analysis.spread_counts import BINS, GrowingHistogram, Usage, align
from hwblocks.analysis.weight_spread import float_steps
from hwblocks.cli.demo_data import demo_graph, demo_samples
from hwblocks.errors import InputError
from hwblocks.graph.tensor import Origin, Tensor
from hwblocks.numerics.formats import Format

NUMBERS = st.lists(st.floats(-1e6, 1e6, allow_nan=False, width=32), min_size=1, max_size=60)


@pytest.fixture(scope="module")
def models():
    graph, samples = demo_graph(), demo_samples()
    return graph, qz.convert(graph, qz.calibrate(graph, samples["calibration"]), recipe="int8"), samples["images"][:100]


@given(NUMBERS, st.integers(1, 5))
def test_a_growing_histogram_equals_numpy_for_any_order_and_parts(numbers, parts):
    values = np.array(numbers)
    made = GrowingHistogram(0.25)
    for part in np.array_split(values[::-1], parts):
        made.add(part)
    edges = made.start + made.width * np.arange(made.counts.size + 1)
    places = np.floor(values / made.width) * made.width
    assert made.counts.sum() == values.size
    assert made.counts.size <= BINS
    for edge, count in zip(edges, made.counts):
        assert count == np.count_nonzero(places == edge)
    whole = GrowingHistogram(0.25)
    whole.add(values)
    assert (whole.width, whole.start, whole.counts.tolist()) == (made.width, made.start, made.counts.tolist())


def test_the_width_grows_only_as_far_as_it_must():
    made = GrowingHistogram(1.0)
    made.add(np.array([0.0, BINS - 1.0]))
    assert (made.width, made.counts.size) == (1.0, BINS)
    made.add(np.array([float(BINS)]))
    assert (made.width, made.counts.size, made.counts.sum()) == (2.0, BINS // 2 + 1, 3)


def test_what_is_not_finite_is_counted_apart():
    made = GrowingHistogram(1.0)
    made.add(np.array([np.nan, np.inf, 1.5]))
    assert (made.not_finite, made.counts.tolist(), made.start) == (2, [1], 1.0)


def test_histograms_are_aligned():
    first, second = GrowingHistogram(1.0), GrowingHistogram(1.0)
    first.add(np.array([-3.0, 2.5]))
    second.add(np.array([0.0, 250.0]))
    start, bins = align((first, second))
    assert first.width == second.width == 2.0
    assert (start, bins) == (-2, 128)
    assert first.shares(start, bins)[:4] == (50.0, 0.0, 0.0, 50.0)
    assert align((GrowingHistogram(1.0),)) == (0, 0)


def test_use_of_a_format_by_hand():
    use = Usage(Format("int4", scale=1.0))
    units = np.array([-9.0, -8.4, -8.0, 0.0, 7.4, 7.6, 20.0, 3.0])
    use.add(units, np.array([-8, -8, -8, 0, 7, 7, 7, 3]))
    assert (use.below, use.above, use.lowest, use.highest, use.elements) == (1, 2, 3, 3, 8)
    assert use.unused_percent == 100 * 12 / 16
    assert Usage(Format("int32", scale=1.0)).unused_percent is None


def test_the_range_of_a_format():
    assert real_range(Format("uint4", scale=0.5, zero_point=4)) == (-2.0, 5.5)
    assert real_range(Format("int4", scale=(0.5, 2.0), axis=0)) == (-16.0, 14.0)


def test_rows_equal_counts_of_a_whole_run(models):
    graph, made, images = models
    found = inspect_graphs(graph, made, images)
    reals = hb.run(graph, images, trace="full").trace
    codes = hb.run(made, images, trace="full").trace
    for row in found.layers:
        tensor = made.tensors[row["tensor"]]
        format, real, code = tensor.format, reals.real(tensor.origin_name), codes[tensor.name]
        half = format.scale / 2
        low, high = real_range(format)
        for key, inside in (
            ("below", real < low - half),
            ("above", real > high + half),
            ("lowest", code == format.lo),
            ("highest", code == format.hi),
        ):
            assert row[f"{key}_percent"] == 100 * np.count_nonzero(inside) / code.size
        assert row["unused_percent"] == 100 * (256 - np.unique(code).size) / 256


def test_histograms_of_codes_count_whole_codes(models):
    graph, made, images = models
    found = inspect_graphs(graph, made, images, layers="conv1")
    ((name, chart),) = found.activations.charts
    format = made.tensors[name].format
    codes = hb.run(made, images, trace=[name]).trace[name].astype(int) - format.zero_point
    per_bin = round(chart.width / format.scale)
    first = round(chart.start / format.scale + 0.5)
    assert per_bin & (per_bin - 1) == 0
    for place, share in enumerate(dict(chart.series)["integer"]):
        low = first + place * per_bin
        assert share == 100 * np.count_nonzero((codes >= low) & (codes < low + per_bin)) / codes.size
    assert math.isclose(sum(dict(chart.series)["float"]), 100.0)


def test_chunks_and_threads_change_nothing(models, monkeypatch):
    graph, made, images = models
    first = inspect_graphs(graph, made, images, threads=1).to_dict()
    monkeypatch.setattr(comparison, "KEPT_BYTES", 50_000)
    assert inspect_graphs(graph, made, images, threads=2).to_dict() == first


def test_views_are_left_out_and_patterns_choose(models):
    graph, made, images = models
    names = inspect_graphs(graph, made, images).layers["tensor"]
    assert names == ["image", "relu1_out", "pool1_out", "dw_out", "relu2_out", "pool2_out", "logits", "probabilities"]
    assert inspect_graphs(graph, made, images, layers="pool*").layers["layer"] == ["pool1", "pool2"]
    found = inspect_graphs(graph, made, images, layers="depthwise")
    assert (found.activations.links, found.weights.links) == (("depthwise",), ("depthwise",))


def test_bad_layers_and_samples(models):
    graph, made, images = models
    with pytest.raises(InputError, match=r"layers 'con1': no layer of .* fits; it has conv1"):
        inspect_graphs(graph, made, images, layers="con1")
    with pytest.raises(InputError, match="sample 100: there are 100 samples; choose from 0 to 99"):
        inspect_graphs(graph, made, images, shown=(100,))
    with pytest.raises(InputError, match="sample -1"):
        inspect_graphs(graph, made, images, shown=(-1,))


def test_maps_are_the_layers_values(models):
    graph, made, images = models
    found = inspect_graphs(graph, made, images, layers="pool1", shown=(5,), channels=2)
    ((name, chart),) = found.maps.charts
    assert name == "sample 5: pool1_out"
    assert (chart.rows, chart.columns) == (("channel 0", "channel 1"), ("float", "integer", "difference"))
    real = hb.run(graph, images, trace=["pool1_out"]).trace.real("pool1_out")[5]
    got = hb.run(made, images, trace=["pool1_out"]).trace.real("pool1_out")[5]
    for c, (first, second, third) in enumerate(chart.pixels):
        planes = [np.asarray(p.values) for p in (first, second, third)]
        reach = max(np.abs(got - real)[..., c].max(), 1e-12)
        spread = max(first.high - first.low, 1e-12)
        assert np.abs(planes[0] - real[..., c]).max() <= spread / 1e4
        assert np.abs(planes[1] - got[..., c]).max() <= spread / 1e4
        assert (third.low, third.high, third.signed) == (-reach, reach, True)
        assert (first.low, first.high) == (second.low, second.high)


def test_planes_of_every_rank():
    names, planes = planes_of(np.arange(24.0).reshape(1, 3, 2, 4), "NCHW", 2)
    assert (names, planes[1].tolist()) == (("channel 0", "channel 1"), [[8, 9, 10, 11], [12, 13, 14, 15]])
    assert planes_of(np.arange(6.0).reshape(1, 2, 3), "NTC", 4)[1][0].tolist() == [[0, 1, 2], [3, 4, 5]]
    vector = planes_of(np.arange(40.0).reshape(1, 40), "", 4)[1][0]
    assert vector.shape == (2, 32)
    assert np.isnan(vector[1, 8:]).all()
    assert planes_of(np.zeros((1, 1, 1, 7)), "NHWC", 4)[1][0].shape == (1, 7)
    assert planes_of(np.zeros((1, 2, 3, 4, 5)), "NDHWC", 1)[1][0].shape == (6, 4)
    assert planes_of(np.float64(3.0), "", 1)[1][0].tolist() == [[3.0]]


def test_weights_in_steps_of_their_channel():
    format = Format("int8", scale=(0.5, 2.0), axis=0)
    tensor = Tensor("w", (2, 2), format, np.zeros((2, 2), np.int8), Origin("w", (1.0, 4.0)))
    assert float_steps(tensor, np.array([[1.0, 2.0], [3.0, 4.0]])).tolist() == [[2.0, 4.0], [6.0, 8.0]]
    assert float_steps(tensor, np.zeros((3, 2))) is None


def test_weights_beyond_their_codes_are_named():
    net = hb.Sequential(hb.Linear(weight=np.array([[0.5, -1.0], [0.25, 0.125]])), input_shape=(2,))
    made = qz.convert(net, qz.calibrate(net, np.array([[1.0, 0.25], [-1.0, 0.5]])))
    found = hb.inspect(net, made, np.ones((1, 2)))
    ((_, chart),) = found.weights.charts
    assert (chart.below, chart.above) == (0.0, 0.0)
    assert [mark.value for mark in chart.limits] == [-127, 127]
    total = dict(chart.series)
    assert sum(total["float"]) == sum(total["codes"]) == 100.0


def test_too_many_pictures_become_fewer_channels_and_say_so(models):
    many = inspect_graphs(*models, shown=range(20), channels=64).maps
    assert sum(len(line) for _, one in many.charts for line in one.pixels) <= PICTURES
    assert max(len(one.rows) for _, one in many.charts) == 3  # of 8 layers times 20 samples
    assert "Only 3 instead of 64" in many.text
    few = inspect_graphs(*models, channels=8).maps
    assert max(len(one.rows) for _, one in few.charts) == 8
    assert "Only" not in few.text
