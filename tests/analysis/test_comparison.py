"""Comparison: errors by hand, accuracy with Wilson's interval, the same result for any number of threads."""

from __future__ import annotations

import math

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.analysis.comparison import Accuracy, Errors
from hwblocks.cli.demo_data import demo_graph, demo_samples
from hwblocks.errors import InputError


def test_errors_by_hand():
    errors = Errors()
    errors.add(np.array([3.0, 4.0]), np.array([3.5, 4.0]))
    errors.add(np.array([0.0]), np.array([-1.0]))
    assert errors.sqnr_db == pytest.approx(10 * math.log10(25 / 1.25))
    assert (errors.largest, errors.elements, math.fsum(errors.bias)) == (1.0, 3, -0.5)
    assert Errors().sqnr_db == math.inf


def test_wilson_interval_of_a_published_example():
    low, high = Accuracy(81, 263).interval  # R. Newcombe 1998, table I: 0.2553 to 0.3662
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


@pytest.fixture(scope="module")
def pair():
    graph, samples = demo_graph(), demo_samples()
    return graph, qz.convert(graph, qz.calibrate(graph, samples["calibration"])), samples


def test_rows_pair_by_origin_and_equal_a_direct_computation(pair):
    graph, made, samples = pair
    images = samples["images"][:100]
    result = hb.compare(graph, made, images, samples["labels"][:100])
    real, codes = hb.run(graph, images, trace="full"), hb.run(made, images, trace="full")
    for row in result.layers:
        tensor = made.tensors[row["tensor"]]
        wanted, got = real.trace[tensor.origin_name].astype(float), codes.trace.real(row["tensor"])
        assert row["max_abs_error"] == np.abs(got - wanted).max()
        sqnr = 10 * math.log10((wanted**2).sum() / ((got - wanted) ** 2).sum())
        assert row["sqnr_db"] == pytest.approx(sqnr, abs=1e-9)
    steps = {row["tensor"]: row["max_error_steps"] for row in result.layers}
    assert result.first_divergence == next(name for name, value in steps.items() if value > 1)
    answers = real.outputs["probabilities"].argmax(1), codes.outputs["probabilities"].argmax(1)
    assert result.float_top1.right == (answers[0] == samples["labels"][:100]).sum()
    assert result.integer_top1.right == (answers[1] == samples["labels"][:100]).sum()
    assert result.agreement == (answers[0] == answers[1]).mean()


def test_threads_change_nothing(pair):
    graph, made, samples = pair
    results = [hb.compare(graph, made, samples["images"][:150], threads=t).to_json() for t in (1, 2, 3)]
    assert results[0] == results[1] == results[2]


def test_bad_pairs_and_labels(pair):
    graph, made, samples = pair
    other = hb.Sequential(hb.ReLU(), input_shape=(3,), name="other").graph()
    with pytest.raises(InputError, match="share no tensor"):
        hb.compare(other, made, samples["images"][:2])
    with pytest.raises(InputError, match="labels"):
        hb.compare(graph, made, samples["images"][:3], samples["labels"][:2])
