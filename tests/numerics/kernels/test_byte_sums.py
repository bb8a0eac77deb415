"""8-bit convolutions summed in bytes where an instruction set prefers them, and what must not be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwblocks.numerics.kernels.conv_binding import kind_of_sums

PREFER_BYTES = ("avx512",)
ZEROS = [("int8", -128), ("int8", 127), ("int8", 3), ("uint8", 0), ("uint8", 255), ("uint8", 77)]


@pytest.fixture
def assert_conv(isa, run_call, random_codes, rng):
    """assert_conv(call, kind of sums where bytes are preferred): sums of random and extreme codes by plain loops."""

    def check(call, preferred):
        if isa in PREFER_BYTES:
            assert kind_of_sums(call, isa) == preferred
        assert preferred == "bytes" or kind_of_sums(call, isa) != "bytes"
        for kind in ("any", "lowest", "highest", "ends"):
            codes = random_codes(rng, call.x_dtype, (2, call.height, call.width, call.channels), kind)
            wanted = padded_sums(codes, call).reshape(2, -1)
            np.testing.assert_array_equal(run_call(call, [codes], wanted.shape[1], call.out_dtype).codes, wanted)

    return check


def padded_sums(codes, call):
    """Sums in int64 over an input that is really padded with pad_value + x_zero, group by group."""
    (kh, kw), (up, left) = call.kernel, call.pad
    reach = [
        (n - 1) * s + d * (k - 1) + 1
        for n, s, d, k in zip((call.out_height, call.out_width), call.stride, call.dilation, call.kernel)
    ]
    rest = [max(0, r - p - size) for r, p, size in zip(reach, call.pad, codes.shape[1:3])]
    x = np.pad(
        codes.astype(np.int64) - call.x_zero,
        ((0, 0), (up, rest[0]), (left, rest[1]), (0, 0)),
        constant_values=call.pad_value,
    )
    inputs, outputs = call.channels // call.groups, call.out_channels // call.groups
    y = np.zeros((len(codes), call.out_height, call.out_width, call.out_channels), np.int64)
    for i in range(kh):
        for j in range(kw):
            rows = i * call.dilation[0] + np.arange(call.out_height) * call.stride[0]
            columns = j * call.dilation[1] + np.arange(call.out_width) * call.stride[1]
            taps = x[:, rows[:, None], columns[None, :]]
            for o in range(call.out_channels):
                g = o // outputs
                y[..., o] += taps[..., g * inputs : (g + 1) * inputs] @ call.weights[o, i, j]
    return y if call.bias is None else y + call.bias


@pytest.mark.parametrize("groups", [1, 3, 6])
@pytest.mark.parametrize(("dtype", "zero"), ZEROS)
def test_zero_points_at_both_ends(assert_conv, conv_call, rng, dtype, zero, groups):
    for weights in (None, -128, 127):
        call = conv_call(rng, dtype, channels=6, outputs=18, groups=groups, x_zero=zero, stride=(2, 1), weights=weights)
        assert_conv(call, "bytes")


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7, 8, 17])
def test_tails_of_four(assert_conv, conv_call, rng, channels, dtype):
    assert_conv(conv_call(rng, dtype, channels=channels, outputs=17, kernel=(1, 3), x_zero=9), "bytes")


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize(("dtype", "zero", "pads"), [("int8", -7, (-128, -8, 0, 127)), ("uint8", 200, (0, 77, 255))])
def test_padding_by_another_code(assert_conv, conv_call, rng, dtype, zero, pads, groups):
    for pad_code in pads:
        call = conv_call(rng, dtype, channels=6, outputs=12, groups=groups, x_zero=zero, pad=(2, 1), after=(1, 2))
        assert_conv(replace(call, pad_value=pad_code - zero, bound=call.bound * 2), "bytes")


@pytest.mark.parametrize("groups", [1, 6])
@pytest.mark.parametrize("peak", [-129, 128, 255])
def test_weights_less_their_zero_point_beyond_8_bits_are_words(assert_conv, conv_call, rng, peak, groups):
    """uint8 weights with a zero point, or int8 ones less −128: one such weight is enough."""
    weights = rng.integers(-128, 128, (18, 3, 3, 6 // groups))
    weights[7, 1, 2, 0] = peak
    assert_conv(conv_call(rng, "uint8", channels=6, outputs=18, groups=groups, x_zero=128, weights=weights), "s32")


@pytest.mark.parametrize(("dtype", "zero", "pad_code"), [("int8", 0, 128), ("int8", 100, -129), ("uint8", 10, -1)])
def test_padding_that_is_no_code_is_in_words(assert_conv, conv_call, rng, dtype, zero, pad_code):
    call = conv_call(rng, dtype, x_zero=zero)
    assert_conv(replace(call, pad_value=pad_code - zero, bound=call.bound * 2), "s32")


@pytest.mark.parametrize(("dtype", "zero"), ZEROS)
@pytest.mark.parametrize(
    ("peak", "kind"), [(1, "bytes"), (7, "bytes"), (16, "bytes"), (17, "s32"), (127, "s32"), (128, "s32")]
)
def test_narrow_weights_where_16_bits_hold_their_products(assert_conv, isa, conv_call, rng, peak, kind, dtype, zero):
    """Four pairs of products of 255 and ±16 fit 16 bits, of 17 they do not; few output positions keep bytes of weights."""
    for weights in (None, -peak, peak - 1):
        call = conv_call(rng, dtype, channels=21, outputs=19, x_zero=zero, weights=weights, w_peak=peak)
        narrow = "bytes" if weights == peak - 1 <= 16 else kind
        if isa == "avx2":
            assert kind_of_sums(call, isa) == narrow
        assert_conv(call, "bytes")
        for outputs, kind_of_words in ((19, "s32"), (181, "mixed")):  # bytes of weights where there are many of them
            few = conv_call(rng, dtype, height=3, width=3, channels=21, outputs=outputs, pad=(0, 0), after=(0, 0),
                            x_zero=zero, weights=weights, w_peak=peak)  # fmt: skip
            if isa == "avx2":
                assert kind_of_sums(few, isa) == ("bytes" if narrow == "bytes" else kind_of_words)
            assert_conv(few, "bytes")


def test_other_kinds(conv_call, rng, isa):
    assert kind_of_sums(conv_call(rng, "int16"), isa) != "bytes"
    assert kind_of_sums(replace(conv_call(rng), saturate=True), isa) == "sat16"
    assert kind_of_sums(replace(conv_call(rng), bound=1 << 31), isa) == "s64"


def test_the_bias_holds_what_the_zero_points_add(assert_conv, conv_call, rng):
    """Weights that all are −128 at K = 60,000: the bias itself is near the end of 32 bits."""
    call = conv_call(rng, "uint8", height=1, width=1, channels=60_000, outputs=2, kernel=(1, 1), pad=(0, 0),
                     after=(0, 0), weights=-128, x_zero=255)  # fmt: skip
    assert_conv(call, "bytes")
