"""Sums, norms and extremes of stated taps by kernel equal the definition: reductions, poolings, interpolation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.tap_calls import AxisTaps, reads_of, whole_axis
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.kernels.taps import TapExtremeCall, TapSumCall
from hwblocks.numerics.rounding import Rounding

ROUNDINGS = [r for r in Rounding if r is not Rounding.STOCHASTIC]
FORMATS = (
    hb.Format("int4", scale=0.5),
    hb.Format("int8", scale=0.07, zero_point=-11),
    hb.Format("uint8", scale=2.0**-5, zero_point=130),
    hb.Format("int16", scale=0.0011, zero_point=77),
)
OUTPUTS = (hb.Format("int8", scale=0.11), hb.Format("int5", scale=0.5), hb.Format("uint8", scale=0.3, zero_point=9),
           hb.Format("int16", scale=1 / 512))  # fmt: skip
SUMS = {
    "mean of the last axis": (hb.ReduceMean((-1,)), (1, 3, 20)),
    "mean of axes apart": (hb.ReduceMean((1, 3)), (1, 3, 4, 5, 2)),
    "mean of one run": (hb.ReduceMean((1, 2), False), (1, 3, 4, 70)),
    "sum of no axis": (hb.ReduceSum(()), (1, 3, 4)),
    "sum of axes apart": (hb.ReduceSum((1, -1), False), (1, 3, 4, 5)),
    "average of three axes": (hb.AvgPool3d(2, padding=1, count_include_pad=False), (1, 3, 4, 5, 3)),
    "average with padding": (hb.AvgPool3d((2, 3, 1), stride=(1, 2, 1), padding=(1, 1, 0)), (1, 3, 4, 2, 2)),
    "shares of an axis": (hb.AdaptiveAvgPool1d(4), (1, 7, 3)),
    "shares of two axes": (hb.AdaptiveAvgPool2d((3, None)), (1, 5, 4, 2)),
    "shares of three axes": (hb.AdaptiveAvgPool3d(2), (1, 3, 5, 2, 2)),
    "p = 1": (hb.LpPool1d(3, p=1), (1, 9, 2)),
    "p = 2": (hb.LpPool2d(2, padding=1, stride=1), (1, 4, 3, 2)),
    "p = 3": (hb.LpPool3d(2, p=3), (1, 2, 4, 2, 2)),
    "p = 2 over everything": (hb.GlobalLpPool(), (1, 4, 5, 3)),
    "sum of sizes": (hb.ReduceL1((1,)), (1, 4, 5)),
    "sum of squares": (hb.ReduceSumSquare((1, -1)), (1, 3, 4, 2)),
    "root of squares": (hb.ReduceL2((-1,), False), (1, 3, 4)),
    "linear": (hb.Resize((5, 7)), (1, 3, 4, 2)),
    "linear with corners": (hb.Resize((5,), coordinate_transformation_mode="align_corners"), (1, 3, 2)),
    "cubic": (hb.Resize((5, 6), mode="cubic"), (1, 4, 3, 2)),
    "cubic without the outside": (hb.Resize((6,), mode="cubic", exclude_outside=True, axes=(-1,)), (1, 3, 4)),
    "stretched": (hb.Resize((2, 2), antialias=True), (1, 5, 7, 2)),
}
EXTREMES = {
    "largest of axes apart": (hb.ReduceMax((1, 3)), (1, 3, 4, 5, 2)),
    "smallest of axes apart": (hb.ReduceMin((1, 3), False), (1, 3, 4, 5)),
    "pooling": (hb.MaxPool3d(2, padding=1, stride=(1, 2, 1)), (1, 3, 4, 5, 3)),
    "shares of an axis": (hb.AdaptiveMaxPool1d(4), (1, 7, 3)),
    "shares of two axes": (hb.AdaptiveMaxPool2d((3, None)), (1, 5, 4, 20)),
    "shares of three axes": (hb.AdaptiveMaxPool3d(2), (1, 3, 5, 2, 2)),
}


def compare(block, shape, x_format, y_format, rng, isa, clamp=None, rounding="half_even"):
    build = GraphBuilder("g")
    x = build.input("x", shape, x_format)
    arithmetic = Arithmetic(rounding=Rounding(rounding))
    graph = build.build(build.add(block, x, name="n", formats=[y_format], clamp=clamp, arithmetic=arithmetic))
    codes = rng.integers(x_format.lo, x_format.hi + 1, (4, *shape[1:]))
    codes[1] = rng.choice([x_format.lo, x_format.hi], shape[1:])
    codes[2] = x_format.zero_point
    fast, exact = hb.Simulator(graph, isa=isa), hb.Simulator(graph, engine="definition")
    assert not fast.plan.unserved
    made, wanted = fast.run(codes.astype(x_format.dtype)), exact.run(codes.astype(x_format.dtype))
    for name, array in wanted.outputs.items():
        np.testing.assert_array_equal(made.outputs[name], array)
    assert made.events["n"].saturated == wanted.events["n"].saturated


@pytest.mark.parametrize("name", SUMS)
def test_sums(isa, rng, name):
    block, shape = SUMS[name]
    for case, rounding in enumerate(ROUNDINGS):
        clamp = (0.0, 0.9) if case % 5 == 4 else None
        formats = FORMATS[case % len(FORMATS)], OUTPUTS[(case // 2) % len(OUTPUTS)]
        compare(block, shape, *formats, rng, isa, clamp, rounding)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_ties_are_exact(isa, rng, rounding):
    """Means of four small codes, and roots of whole squares: many lie where a rounding turns."""
    x, y = hb.Format("int4", scale=1.0), hb.Format("int8", scale=0.5)
    compare(hb.ReduceMean((1,)), (1, 4, 90), x, y, rng, isa, None, rounding)
    compare(hb.GlobalLpPool(), (1, 4, 90), x, y, rng, isa, None, rounding)


@pytest.mark.parametrize("format", [*FORMATS, hb.Format("int32", scale=0.5)])
@pytest.mark.parametrize("name", EXTREMES)
def test_extremes(isa, rng, name, format):
    compare(*EXTREMES[name], format, format, rng, isa)


def test_wide_codes_are_summed(isa, rng):
    compare(hb.ReduceSum((1,)), (1, 5, 3), hb.Format("int32", scale=2.0**-20), hb.Format("int16", scale=1.0), rng, isa)


def test_outputs_outside_the_input_keep_the_definition(isa):
    build, format = GraphBuilder("g"), FORMATS[1]
    crop = hb.Resize((5,), coordinate_transformation_mode="tf_crop_and_resize", roi=((-0.5, 1.5),))
    graph = build.build(build.add(crop, build.input("x", (1, 3, 2), format), name="n", formats=[format]))
    assert hb.Simulator(graph, isa=isa).plan.unserved == {"n": "outputs that lie outside the input"}


def test_reads_of_two_axes():
    made = reads_of((1, 3, 2), {1: AxisTaps(np.array([[0, 2], [1, -1]]), np.array([[5, 7], [2, 0]])), 2: whole_axis(2)})
    assert made.first.tolist() == [0, 4, 6] and made.inner == 1
    assert made.at.tolist() == [0, 1, 4, 5, 2, 3] and made.weight.tolist() == [5, 5, 7, 7, 2, 2]


CALL = TapSumCall(
    x_dtype="int8", x_zero=0, reads=reads_of((1, 4), {1: whole_axis(4)}), power=0, degree=1, divisors=None, ratio_num=1,
    ratio_den=3, rounding=Rounding.HALF_EVEN, zero_point=0, out_dtype="int8", lo=-128, hi=127, clamp_lo=-128,
    clamp_hi=127,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"x_dtype": "int64"}, "stored as int64"),
        ({"power": 9}, "sums of 66 bits"),
        ({"ratio_num": 1 << 120, "ratio_den": 1 << 119}, "128-bit"),
        ({"ratio_num": 1 << 30}, "far outside"),
        ({"power": 3, "degree": 3, "ratio_num": 3**420, "ratio_den": 3**421}, "2048 bits"),
    ],
)
def test_refusals(refusal, changes, reason):
    assert reason in refusal(replace(CALL, **changes))


def test_a_move_of_unknown_codes_is_refused(refusal):
    call = TapExtremeCall(dtype="uint64", reads=CALL.reads, lowest=0, largest=True)
    assert "stored as uint64" in refusal(call)
