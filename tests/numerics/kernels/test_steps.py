"""Element-wise steps, sums over axes, runtimes' softmax and float pooling: kernels equal NumPy's integers and floats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwblocks.numerics import gemmlowp, interpolation
from hwblocks.numerics.formats import Format
from hwblocks.numerics.kernels.elements import ElementsCall, FloatSumCall, Operand
from hwblocks.numerics.kernels.pool import FloatPoolCall
from hwblocks.numerics.kernels.reduce import ReduceCall
from hwblocks.numerics.kernels.softmax import RuntimeSoftmaxCall
from hwblocks.numerics.requantize import Requantize

SIZES = (1, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 130)
SCHEMES = ("single_round", "double_round", "double_round_up", "float32", "float64", "q16", "float32 zero_point=inside",
           "float64 half_even zero_point=inside", "exact")  # fmt: skip
COMBINE = {
    "alone": lambda a, b: a,
    "sum": lambda a, b: a + b,
    "product": lambda a, b: a * b,
    "square": lambda a, b: (a + b) ** 2,
}
COLUMNS = 16
LIMITS = {"lo": -128, "hi": 127, "clamp_lo": -128, "clamp_hi": 127}


def epilogue_of(text, ratio, zero, out="int8", channels=COLUMNS):
    return Requantize.parse(text).epilogue(ratio, 1.0, Format(out, scale=1.0, zero_point=zero), channels)


def applied(sums, epilogue, tail, start, row=0):
    """Codes and count of int64 sums [..., C] by an epilogue, from element `start` of each row of C on by the tail."""
    first = replicated(epilogue, sums)
    if tail is None:
        return first
    last = replicated(tail, sums)
    late = np.arange(sums.shape[-1]) % (row or sums.shape[-1]) >= start
    return tuple(np.where(late, b, a) for a, b in zip(first, last, strict=True))


def replicated(epilogue, sums):
    codes, outside = epilogue.apply(sums.reshape(-1, 1).repeat(len(epilogue.multiplier), axis=1))
    return codes[:, 0].reshape(sums.shape), outside[:, 0].reshape(sums.shape)


def tabled(rng, dtype, count, peak, index=None, own=None):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    table = rng.integers(-peak, peak + 1, int(high) - int(low) + 1)
    table[0], table[-1] = -peak, peak
    return Operand(dtype=dtype, count=own or count, table=table, index=index)


def worth(operand, codes, n, call):
    count = call.count
    if operand.constant is not None:
        return np.broadcast_to(operand.constant.astype(np.int64), (n, count))
    read = codes if operand.index is None else codes[:, operand.index]
    wide = read.astype(np.int64)
    if operand.table is None:
        return wide - operand.zero
    at = wide - np.iinfo(operand.dtype).min
    if operand.rest is None:
        return operand.table[at]
    late = np.arange(count) % (call.row or count) >= call.tail_start
    return np.where(late, operand.rest[at], operand.table[at])


@pytest.fixture
def assert_elements(run_call, random_codes):
    def check(rng, call, kind="any", n=3):
        run_time = [o for o in call.operands if o.constant is None]
        inputs = [random_codes(rng, o.dtype, (n, o.count), kind) for o in run_time]
        given = iter(inputs)
        values = [worth(o, None if o.constant is not None else next(given), n, call) for o in call.operands]
        sums = COMBINE[call.combination](values[0], values[-1])
        codes, outside = applied(sums, call.epilogue, call.tail, call.tail_start, call.row)
        got = run_call(call, inputs, call.count, call.out_dtype)
        np.testing.assert_array_equal(got.codes, codes)
        assert got.saturated == np.count_nonzero(outside)

    return check


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("combination", COMBINE)
def test_combinations_at_vector_widths(assert_elements, rng, combination, count):
    operands = (tabled(rng, "int8", count, 4000), tabled(rng, "uint8", count, 4000))[
        : 1 if combination == "alone" else 2
    ]
    peak = 8000 if combination in ("alone", "sum") else 4000 * 4000
    call = ElementsCall(combination=combination, operands=operands, count=count, out_dtype="int8",
                        epilogue=epilogue_of("double_round", 150 / peak, -3))  # fmt: skip
    assert_elements(rng, call)


@pytest.mark.parametrize("kind", ["any", "lowest", "highest", "ends"])
@pytest.mark.parametrize("text", SCHEMES)
def test_schemes_of_products(assert_elements, rng, text, kind):
    operands = (Operand(dtype="int8", count=35, zero=127), Operand(dtype="uint8", count=35, zero=0))
    for out, zero in (("int8", -128), ("uint8", 255), ("int16", 5)):
        call = ElementsCall(combination="product", operands=operands, count=35, out_dtype=out,
                            epilogue=epilogue_of(text, 0.0071, zero, out))  # fmt: skip
        assert_elements(rng, call, kind)


@pytest.mark.parametrize("text", SCHEMES)
def test_sixteen_bit_products_leave_32_bits(assert_elements, rng, text):
    operands = (Operand(dtype="int16", count=21, zero=0), Operand(dtype="uint16", count=21, zero=3))
    call = ElementsCall(combination="product", operands=operands, count=21, out_dtype="int16",
                        epilogue=epilogue_of(text, 2.0**-16 * 1.3, 0, "int16"))  # fmt: skip
    if text.startswith("double"):
        call = ElementsCall(**{**vars(call), "operands": (operands[0], Operand(dtype="int16", count=21, zero=0))})
    assert_elements(rng, call, "ends")


@pytest.mark.parametrize("count", SIZES)
def test_a_remainder_has_its_own_cast(assert_elements, rng, count):
    call = ElementsCall(combination="alone", operands=(Operand(dtype="int8", count=count, zero=-7),), count=count,
                        out_dtype="int8", epilogue=epilogue_of("double_round_up", 0.5, 1),
                        tail=epilogue_of("double_round", 0.5, 1), tail_start=count // 16 * 16)  # fmt: skip
    assert_elements(rng, call)


@pytest.mark.parametrize("row", SIZES)
def test_the_rest_of_each_row_has_its_own_tables(assert_elements, rng, row):
    count, end = 3 * row, epilogue_of("double_round", 0.01, 1)
    first, second = (tabled(rng, kind, count, 9000) for kind in ("int8", "int16"))
    operands = tuple(replace(o, rest=rng.permutation(o.table)) for o in (first, second))
    call = ElementsCall(combination="sum", operands=operands, count=count, out_dtype="int8", epilogue=end,
                        tail=end, tail_start=row // 8 * 8, row=row)  # fmt: skip
    assert_elements(rng, call)


def test_broadcast_and_constant_operands(assert_elements, rng):
    count, end = 70, epilogue_of("single_round", 0.01, 9)
    constant = Operand(constant=rng.integers(-9000, 9000, count))
    few = tabled(rng, "int16", count, 9000, np.arange(count) % 10, 10)
    for operands in ((few, constant), (tabled(rng, "int8", count, 9000), few)):
        assert_elements(
            rng, ElementsCall(combination="sum", operands=operands, count=count, out_dtype="int8", epilogue=end)
        )


def test_operands_beyond_32_bits_are_refused(refusal, rng):
    operands = (Operand(dtype="int8", count=4, zero=0), Operand(constant=np.full(4, 1 << 31)))
    call = ElementsCall(
        combination="sum", operands=operands, count=4, out_dtype="int8", epilogue=epilogue_of("q16", 0.1, 0)
    )
    assert "operands" in refusal(call)


@pytest.mark.parametrize("count", SIZES)
def test_float_sums_round_once_to_binary32(run_call, random_codes, rng, count):
    a = Operand(dtype="int8", count=count, table=np.arange(-128, 128) * np.float64(np.float32(0.37)))
    b = Operand(
        dtype="uint8", count=count, table=(np.arange(256) * np.float32(0.71) - np.float32(90)).astype(np.float64)
    )
    call = FloatSumCall(
        operands=(a, b), count=count, out_dtype="int8", **{**LIMITS, "clamp_hi": 60}, counts=(True, False)
    )
    x, z = random_codes(rng, "int8", (3, count)), random_codes(rng, "uint8", (3, count))
    wide = np.rint((a.table[x.astype(int) + 128] + b.table[z]).astype(np.float32)).astype(np.int64)
    got = run_call(call, [x, z], count, "int8")
    np.testing.assert_array_equal(got.codes, np.clip(wide, -128, 60))
    assert got.saturated == np.count_nonzero(wide < -128)


@pytest.mark.parametrize("text", SCHEMES)
@pytest.mark.parametrize("inner", [1, 7, 8, 9, 16, 17, 33])
def test_sums_over_axes(run_call, random_codes, rng, inner, text):
    dtype, outer, reduced = str(rng.choice(["int8", "uint8", "int16", "uint16"])), 2, 11
    bias, start = -reduced * 5, inner // 8 * 8
    ends = [epilogue_of(t, 127 / (np.iinfo(dtype).max * 6), 3, channels=inner) for t in (text, "double_round")]
    call = ReduceCall(x_dtype=dtype, outer=outer, reduced=reduced, inner=inner, bias=bias, bound=1 << 21, out_dtype="int8",
                      epilogue=ends[0], tail=ends[1], tail_start=start)  # fmt: skip
    x = random_codes(rng, dtype, (3, outer, reduced, inner))
    sums = x.astype(np.int64).sum(axis=2) + bias
    codes, outside = applied(sums, ends[0], ends[1], start)
    got = run_call(call, [x], outer * inner, "int8")
    np.testing.assert_array_equal(got.codes, codes.reshape(3, -1))
    assert got.saturated == np.count_nonzero(outside)


def softmax_case(method, dtype):
    """A call's table, second table and constant, and its definition on max − x [..., length]."""
    span = int(np.iinfo(dtype).max) - int(np.iinfo(dtype).min) + 1
    reals = np.exp(-np.arange(span) * 12.0 / span)
    if method == "fixed":
        table = np.minimum(np.rint(reals * 2.0**31), 2**31 - 1).astype(np.int64)
        terms = gemmlowp.shift_away(table, 12)

        def fixed(d):
            inverse, over = gemmlowp.reciprocal(terms[d].sum(axis=-1, keepdims=True), 12)
            return gemmlowp.shift_away(gemmlowp.high_product(table[d], inverse), over + 31 - 8)

        return table, terms, 0.0, fixed
    if method == "midpoint":
        table = np.rint(reals * 32767).astype(np.int64)
        inverse = interpolation.midpoint_table(lambda v: 1 / (1 + v), 1 / 65535, -32768, 2 / 65535, 0, np.float64)

        def midpoint(d):
            total = table[d].sum(axis=-1, keepdims=True)
            room = gemmlowp.leading_zeros(total)
            rest = ((total << (room - 1)) + (1 << 13)) >> 14
            factor = interpolation.interpolate(inverse, gemmlowp.saturate(rest - 98304, 16))
            return np.clip((table[d] * factor + (np.int64(1) << (30 - room))) >> (31 - room), 0, 32767)

        return table, inverse, 0.0, midpoint
    table = reals.astype(np.float32)
    constant = 1 / 256 if method == "float32" else 255.0

    def floats(d):
        total = np.cumsum(table[d], axis=-1, dtype=np.float32)[..., -1:]
        if method == "float32":
            unit = np.float32(1) / (total * np.float32(constant))
            return np.floor((table[d] * unit).astype(np.float64) + 0.5).astype(np.int64)
        return np.rint(table[d].astype(np.float64) * constant / total).astype(np.int64)

    return table, None, constant, floats


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 17, 100])
@pytest.mark.parametrize(("method", "dtype"), [("fixed", "int8"), ("fixed", "uint8"), ("midpoint", "int16"),
                                               ("midpoint", "int8"), ("float32", "int8"), ("float64", "uint8")])  # fmt: skip
def test_softmax_of_runtimes(run_call, random_codes, rng, method, dtype, length):
    table, second, constant, definition = softmax_case(method, dtype)
    limits = LIMITS if method != "midpoint" else {"lo": -32768, "hi": 32767, "clamp_lo": 5, "clamp_hi": 30000}
    out = "int8" if method != "midpoint" else "int16"
    call = RuntimeSoftmaxCall(method=method, x_dtype=dtype, out_dtype=out, rows=2, length=length, table=table, second=second,
                              constant=constant, bits=8, zero_point=-128, **limits)  # fmt: skip
    for kind in ("any", "ends", "lowest"):
        x = random_codes(rng, dtype, (3, 2, length), kind)
        wide = definition(x.max(axis=-1, keepdims=True).astype(np.int64) - x) - 128
        got = run_call(call, [x], 2 * length, out)
        np.testing.assert_array_equal(got.codes.reshape(x.shape), np.clip(wide, call.clamp_lo, call.clamp_hi))
        assert got.saturated == np.count_nonzero((wide < call.lo) | (wide > call.hi))


def test_a_long_fixed_softmax_is_refused(refusal):
    table = np.zeros(256, np.int64)
    call = RuntimeSoftmaxCall(method="fixed", x_dtype="int8", out_dtype="int8", rows=1, length=5000, table=table,
                              second=table, bits=8, zero_point=0, **LIMITS)  # fmt: skip
    assert "5000" in refusal(call)


def test_float_pooling(run_call, random_codes, rng):
    height, width, channels, reals = 5, 6, 9, ((np.arange(256) - 131) * np.float32(0.0371)).astype(np.float32)
    divisors = rng.integers(1, 7, (6, 7))
    call = FloatPoolCall(x_dtype="uint8", out_dtype="int8", height=height, width=width, channels=channels, out_height=6,
                         out_width=7, kernel=(2, 2), stride=(1, 1), dilation=(1, 1), pad=(1, 1), divisors=divisors,
                         reals=reals, y_scale=0.05, zero_point=11, **LIMITS)  # fmt: skip
    x = random_codes(rng, "uint8", (2, height, width, channels))
    padded = np.pad(reals[x], ((0, 0), (1, 1), (1, 1), (0, 0)))
    total = np.zeros((2, 6, 7, channels), np.float32)
    for i in range(2):
        for j in range(2):
            total = total + padded[:, i : i + 6, j : j + 7]
    mean = total / divisors.astype(np.float32)[None, :, :, None]
    wide = np.rint(mean / np.float32(0.05) + np.float32(11)).astype(np.int64)
    got = run_call(call, [x], wide[0].size, "int8")
    np.testing.assert_array_equal(got.codes, np.clip(wide, -128, 127).reshape(2, -1))
    assert got.saturated == np.count_nonzero((wide < -128) | (wide > 127))
