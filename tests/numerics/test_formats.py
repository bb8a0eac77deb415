"""Formats: notations, ranges, exact files, and the float edge."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from hwblocks.errors import FormatError, InputError
from hwblocks.numerics.formats import Format


@pytest.mark.parametrize(
    ("notation", "bits", "signed", "scale"),
    [
        ("int8", 8, True, 1.0),
        ("uint4", 4, False, 1.0),
        ("ap_fixed<16,6>", 16, True, 2.0**-10),
        ("fixed<8,10>", 8, True, 4.0),
        ("ap_ufixed<8,-2>", 8, False, 2.0**-10),
        ("sfix16_En10", 16, True, 2.0**-10),
        ("ufix16_E5", 16, False, 32.0),
        ("fixdt(1,16,12)", 16, True, 2.0**-12),
        ("sfix8_S0p5", 8, True, 0.5),
    ],
)
def test_notations(notation, bits, signed, scale):
    format = Format(notation)
    assert (format.bits, format.signed, format.scale, format.zero_point) == (bits, signed, scale, 0)


def test_q_notation_needs_its_convention():
    assert Format("Q1.7", q_convention="arm") == Format("ap_fixed<8,1>")
    assert Format("Q0.7", q_convention="ti") == Format("ap_fixed<8,1>")
    assert Format("UQ0.8") == Format("ap_ufixed<8,0>")
    with pytest.raises(FormatError, match="ambiguous"):
        Format("Q1.7")


@pytest.mark.parametrize("bad", ["int0", "int65", "float8", "ap_fixed<0,0>", "Q15", "sfix_En3", "", "int-8"])
def test_bad_notations(bad):
    with pytest.raises(FormatError):
        Format(bad)


@pytest.mark.parametrize(
    "fields",
    [
        {"scale": 0.0},
        {"scale": -1.0},
        {"scale": float("nan")},
        {"zero_point": 128},
        {"scale": (0.1, 0.2)},
        {"bits": 65},
    ],
)
def test_contradicting_fields(fields):
    with pytest.raises(FormatError):
        Format("int8", **fields)


SAMPLES = [
    Format("int8", scale=0.1, zero_point=-3),
    Format("int4", narrow=True, scale=(0.1, 0.25), axis=0),
    Format("ap_fixed<16,6>"),
    Format("float32"),
    Format("int32", kind="raw"),
    Format("uint8", scale=1 / 3, zero_point=255),
]


@pytest.mark.parametrize("format", SAMPLES, ids=repr)
def test_round_trips(format):
    assert eval(repr(format)) == format
    assert Format.from_dict(format.to_dict()) == format
    assert pickle.loads(pickle.dumps(format)) == format
    assert len({format, Format.from_dict(format.to_dict())}) == 1


def test_ranges_and_storage():
    assert (Format("int4", narrow=True).lo, Format("int4").lo, Format("uint5").hi) == (-7, -8, 31)
    assert Format("int12").dtype == np.int16
    assert Format("int12").stored_bytes(3) == 6
    assert Format("int12").packed_bits(3) == 36
    assert Format("sfix16_En10").frac_bits == 10
    assert Format("int8", scale=0.3).frac_bits is None


def test_the_float_edge_divides_in_float32_and_rounds_to_even():
    x = np.array([0.5, 1.5, 2.5, -0.5, 1e20, -1e20, 3e9, np.inf], dtype=np.float32)
    assert Format("int8", zero_point=3).quantize(x).tolist() == [3, 5, 5, 3, 127, -128, 127, 127]
    scale = np.float32(0.1)
    values = (np.arange(-3000, 3000) * 0.0333).astype(np.float32)
    wanted = np.clip(np.rint(values / scale).astype(np.int64) + 7, -128, 127)
    assert Format("int8", scale=float(scale), zero_point=7).quantize(values).tolist() == wanted.tolist()
    with pytest.raises(InputError, match="NaN"):
        Format("int8").quantize(np.array([np.nan]))


def test_codes_of_bounds_are_the_nearest():
    format = Format("int8", scale=0.5, zero_point=-10)
    assert [format.code_of(v) for v in (0.0, 0.25, -0.25, 6.0, 1e9, -1e9)] == [-10, -9, -11, 2, 127, -128]
