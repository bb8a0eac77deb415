"""Accumulators: every order against plain Python loops, text forms, bounds against brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwblocks.errors import FormatError
from hwblocks.numerics.accumulator import Accumulator, accumulate, exact_matmul, partial_bounds, total_bounds


def reduced(value: int, bits: int, mode: str) -> int:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if mode == "saturate":
        return min(max(value, low), high)
    return (value - low) % (1 << bits) + low


def in_order(products: list[int], bits: int, mode: str, order: str, n: int, psum: tuple[int, str] | None) -> int:
    """What a register holds in the end, one addition after the other."""

    def add(a: int, b: int) -> int:
        return reduced(a + b, bits, mode)

    groups = [products[i : i + n] for i in range(0, len(products), n)]
    acc = 0
    if order == "sequential":
        for p in products:
            acc = add(acc, p)
    elif order in ("dot", "dot16"):
        for group in groups:
            part = sum(group)
            if order == "dot16":
                part = reduced(part, 16, "saturate")
            elif psum:
                part = reduced(part, *psum)
            acc = add(acc, part)
    elif order == "tiles":
        for group in groups:
            part = 0
            for p in group:
                part = reduced(part + p, *(psum or (bits, mode)))
            acc = add(acc, part)
    elif order == "interleaved":
        lanes = [0] * min(n, len(products))
        for k, p in enumerate(products):
            lanes[k % len(lanes)] = add(lanes[k % len(lanes)], p)
        for lane in lanes:
            acc = add(acc, lane)
    else:
        for group in groups:
            level = group
            while len(level) > 1:
                pairs = [add(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
                level = pairs + ([level[-1]] if len(level) % 2 else [])
            acc = add(acc, level[0])
    return acc


TEXT = {"sequential": "", "dot16": "dot({}, sat16)"}


@given(
    st.lists(st.tuples(st.integers(-128, 127), st.integers(-128, 127)), min_size=1, max_size=24),
    st.integers(8, 24),
    st.sampled_from(["wrap", "saturate"]),
    st.sampled_from(["sequential", "dot", "dot16", "tiles", "interleaved", "tree"]),
    st.integers(1, 9),
    st.sampled_from([None, (12, "wrap"), (14, "saturate")]),
    st.booleans(),
)
def test_every_order_is_the_loop(pairs, bits, mode, order, n, psum, first):
    if order not in ("dot", "tiles"):
        psum = None
    text = f"int{bits} {mode} " + TEXT.get(order, order + "({})").format(n)
    text += f" psum={psum[0]}:{psum[1]}" if psum else ""
    accumulator = Accumulator(text + (" bias=first" if first else ""))
    rows, columns = (np.array([p[i] for p in pairs]) for i in (0, 1))
    bias = 1000
    sums, events = accumulate(rows[None], columns[:, None], np.array([bias]), accumulator, follow=True)
    products = [a * b for a, b in pairs]
    if first:
        start = reduced(bias, bits, mode)
        groups = in_order_with_start(products, bits, mode, order, n, psum, start)
        assert sums[0, 0] == groups
    else:
        assert sums[0, 0] == reduced(in_order(products, bits, mode, order, n, psum) + bias, bits, mode)
    total = sum(products) + bias
    assert events.final == (not -(1 << (bits - 1)) <= total < 1 << (bits - 1))


def in_order_with_start(products, bits, mode, order, n, psum, start):
    """The same with the register at `start`: each group's sum is added to it in turn."""
    if order == "sequential":
        acc = start
        for p in products:
            acc = reduced(acc + p, bits, mode)
        return acc
    if order == "interleaved":
        lanes = [0] * min(n, len(products))
        for k, p in enumerate(products):
            lanes[k % len(lanes)] = reduced(lanes[k % len(lanes)] + p, bits, mode)
        parts = lanes
    elif order == "tree":
        chunks = [products[i : i + n] for i in range(0, len(products), n)]
        parts = [in_order_tree(chunk, bits, mode) for chunk in chunks]
    else:
        chunks = [products[i : i + n] for i in range(0, len(products), n)]
        parts = [_part(chunk, bits, mode, order, psum) for chunk in chunks]
    acc = start
    for part in parts:
        acc = reduced(acc + part, bits, mode)
    return acc


def in_order_tree(level, bits, mode):
    while len(level) > 1:
        pairs = [reduced(level[i] + level[i + 1], bits, mode) for i in range(0, len(level) - 1, 2)]
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def _part(chunk, bits, mode, order, psum):
    if order == "tiles":
        part = 0
        for p in chunk:
            part = reduced(part + p, *(psum or (bits, mode)))
        return part
    if order == "dot16":
        return reduced(sum(chunk), 16, "saturate")
    return reduced(sum(chunk), *psum) if psum else sum(chunk)


def test_order_matters_when_saturating():
    ones = np.array([[1, 1, 1]])
    assert accumulate(ones, np.array([[100], [100], [-100]]), None, Accumulator("int8 saturate"))[0][0, 0] == 27
    assert accumulate(ones, np.array([[100], [-100], [100]]), None, Accumulator("int8 saturate"))[0][0, 0] == 100


def test_dropped_bits_and_axes():
    rows, columns = np.array([[3, 5, 7, 9]]), np.array([[1], [1], [1], [1]])
    assert accumulate(rows, columns, None, Accumulator("int16 wrap drop=1:floor"))[0][0, 0] == 2 * (1 + 2 + 3 + 4)
    assert accumulate(rows, columns, None, Accumulator("int16 wrap drop=1:half_up"))[0][0, 0] == 2 * (2 + 3 + 4 + 5)
    rows, columns = np.array([[100, -100, 100, 100]]), np.ones((4, 1), int)  # (tap, channel) = (2, 2)
    hwc = accumulate(rows, columns, None, Accumulator("int8 saturate"), k_shape=(2, 2))[0][0, 0]
    chw = accumulate(rows, columns, None, Accumulator("int8 saturate axes=chw"), k_shape=(2, 2))[0][0, 0]
    assert (hwc, chw) == (127, 127)
    rows = np.array([[100, 100, -100, -100]])
    hwc = accumulate(rows, columns, None, Accumulator("int8 saturate"), k_shape=(2, 2))[0][0, 0]
    chw = accumulate(rows, columns, None, Accumulator("int8 saturate axes=chw"), k_shape=(2, 2))[0][0, 0]
    assert (hwc, chw) == (-73, 0)


@pytest.mark.parametrize(
    "text",
    [
        "int32 wrap",
        "int16 saturate dot(4) psum=24:wrap bias=first",
        "uint20 trap tree(16)",
        "int24 wrap:1 tiles(64) drop=4:half_even zp=correct axes=chw",
        "int18 saturate dot(2, sat16)",
    ],
)
def test_text_forms_come_back(text):
    assert str(Accumulator(text)) == text
    assert Accumulator(str(Accumulator(text))) == Accumulator(text)


@pytest.mark.parametrize(
    "text", ["", "int3 wrap", "int65 wrap", "int8 bend", "int8 dot(0)", "int8 wrap psum=8:wrap", "int8 q=1"]
)
def test_bad_text_forms(text):
    with pytest.raises(FormatError):
        Accumulator(text)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=4), st.integers(-2, 0), st.integers(0, 2), st.integers(-5, 5))
def test_bounds_are_those_of_all_inputs(weights, low, high, bias):
    columns = np.array(weights)[:, None]
    totals = [
        sum(w * x for w, x in zip(weights, xs, strict=True)) + bias
        for xs in product(range(low, high + 1), repeat=len(weights))
    ]
    assert total_bounds(columns, low, high, np.array([bias])) == ([min(totals)], [max(totals)])
    least, most = partial_bounds(columns, low, high, np.array([bias]))
    assert least[0] <= min(*totals, 0)
    assert most[0] >= max(*totals, 0)


@given(st.integers(0, 62), st.integers(1, 5))
def test_exact_products_of_any_size(bits, k):
    a = np.full((2, k), -(1 << bits))
    b = np.full((k, 3), -(1 << min(bits, 62)))
    assert exact_matmul(a, b).tolist() == [[k << (2 * bits)] * 3] * 2


@pytest.mark.parametrize("order", ["tiles(2)", "interleaved(2)", "tree(4)", "dot(4) psum=8:saturate"])
def test_events_of_every_register_are_the_first_that_counts(order):
    rows, columns = np.array([[100, 100, -100, -100]]), np.ones((4, 1), int)
    _, events = accumulate(rows, columns, None, Accumulator(f"int8 trap {order}"))
    assert (events.first is None) == (events.steps == 0)
    assert (events.steps > 0) == (order in ("tiles(2)", "tree(4)"))
