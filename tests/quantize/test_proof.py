"""Proof of accumulators: bounds by hand, against all inputs, and what is not proven."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.formats import Format
from quantize.proof import sum_bounds, unproven


@pytest.fixture
def linear():
    """An integer Linear over int4 inputs with zero point 2: weights (3, −5), (1, 1), biases 10, −7."""

    def make(accumulator: str, weights=((3, -5), (1, 1))):
        build = hb.GraphBuilder("g")
        x = build.input("x", (1, 2), Format("int4", scale=0.5, zero_point=2))
        w = build.constant("w", np.array(weights), Format("int8", scale=0.25))
        b = build.constant("b", np.array([10, -7]), Format("int32", scale=0.125))
        made = build.add(
            hb.Linear(), x, w, b, name="fc", formats=[Format("int8")],
            arithmetic=Arithmetic(accumulator=Accumulator(accumulator), requantize=None),
        )  # fmt: skip
        return build.build(made)

    return make


def test_bounds_equal_all_inputs(linear):
    graph = linear("int32 wrap")
    sums = [
        (3 * (a - 2) - 5 * (b - 2) + 10, (a - 2) + (b - 2) - 7) for a, b in itertools.product(range(-8, 8), repeat=2)
    ]
    flat = [s for pair in sums for s in pair]
    site = graph.site(graph.node("fc"))
    assert sum_bounds(site, Accumulator("int32 wrap")) == (min(flat), max(flat))


def test_partial_sums_of_other_registers(linear):
    site = linear("int32 saturate").site(linear("int32 saturate").node("fc"))
    # terms: 3·[−10, 5], −5·[−10, 5], bias 10 at any place; second channel: 1·[−10, 5] twice, bias −7
    assert sum_bounds(site, Accumulator("int32 saturate")) == (-30 - 25, 15 + 50 + 10)
    # raw codes [−8, 7]: −24 − 35 before the correction −2·Σw = 4; the last value is the total all the same
    assert sum_bounds(site, Accumulator("int32 saturate zp=correct")) == (-24 - 35, 21 + 40 + 10 + 4)
    assert sum_bounds(site, Accumulator("int32 wrap zp=correct")) == (-45, 75)


@pytest.mark.parametrize(
    ("accumulator", "safe"),
    [
        ("int8 wrap", True),  # −45 … 75
        ("int7 wrap", False),
        ("int8 saturate", True),
        ("int7 saturate", False),
        ("uint8 wrap", False),
        ("int32 wrap dot(2) psum=8:wrap", True),
        ("int32 wrap dot(2) psum=7:wrap", False),
        ("int32 wrap drop=1:floor", True),
        ("int7 wrap drop=1:floor", True),  # half the span, rounded down term by term
        ("int6 wrap drop=1:floor", False),
    ],
)
def test_registers(linear, accumulator, safe):
    lines = unproven(linear(accumulator))
    assert (lines == []) is safe
    if not safe:
        assert lines[0].startswith("Linear 'fc': not proven: sums may reach -") and lines[0].endswith(
            f"the accumulator is {Accumulator(accumulator)}"
        )


def test_width_in_the_message(linear):
    assert unproven(linear("int7 wrap")) == [
        "Linear 'fc': not proven: sums may reach -45 to 75, which takes 8 bits; the accumulator is int7 wrap"
    ]


def test_run_time_products():
    build = hb.GraphBuilder("g")
    a = build.input("a", (1, 2, 3), Format("int4", scale=0.5))
    b = build.input("b", (1, 3, 2), Format("int4", scale=0.5, zero_point=-8))
    made = build.add(
        hb.MatMul(),
        a,
        b,
        name="mm",
        formats=[Format("int8")],
        arithmetic=Arithmetic(accumulator=Accumulator("int10 wrap")),
    )
    graph = build.build(made)
    assert sum_bounds(graph.site(graph.node("mm")), Accumulator("int10 wrap")) == (3 * -8 * 15, 3 * 7 * 15)
    assert unproven(graph) == []


def test_conversion_says_what_is_not_proven(changed_recipe):
    net = hb.Sequential(hb.Linear(weight=np.ones((1, 100))), input_shape=(100,)).graph()
    ranges = qz.calibrate(net, np.ones((1, 100)))
    q = qz.convert(net, ranges, changed_recipe("int8", accumulator="int16 wrap"))
    assert q.metadata["accumulator"] == (
        "Linear 'linear0': not proven: sums may reach 0 to 3238500, which takes 23 bits; the accumulator is int16 wrap"
    )
    assert qz.convert(net, ranges, "int8").metadata["accumulator"] == "safe"
