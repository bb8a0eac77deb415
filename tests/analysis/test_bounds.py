"""Worst cases of accumulators: against all inputs in plain Python loops, closed forms, padding, run-time products."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_registers import Registers

import hwblocks as hb
from hwblocks.analysis.bounds import node_bounds
from hwblocks.analysis.headroom import observed
from hwblocks.analysis.witness import witness
from hwblocks.errors import InputError
from hwblocks.graph.site import Site
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.formats import Format
from hwblocks.numerics.requantize import Requantize
from hwblocks.simulate.execute import run_node

ORDERS = ("sequential", "dot", "tiles", "interleaved", "tree")
ROUNDINGS = ("floor", "ceil", "to_zero", "away", "half_even", "half_up", "half_down", "half_away", "half_to_zero", "half_odd")  # fmt: skip


def site_of(block, accumulator, x, w, b=None, w_format=None, x_shape=None):
    """A node with an input of a format and constant weights."""
    build = hb.GraphBuilder("g")
    operands = [build.input("x", x_shape, x), build.constant("w", np.array(w), w_format or Format("int8"))]
    if b is not None:
        operands.append(build.constant("b", np.array(b), Format("int32")))
    made = build.add(
        block, *operands, name="sum", formats=[Format("int16")],
        arithmetic=Arithmetic(accumulator=Accumulator(accumulator), requantize=Requantize.preset("shift")),
    )  # fmt: skip
    graph = build.build(made)
    return graph.site(graph.node("sum"))


def text(record, bits):
    """The record in the text form."""
    words = [f"int{bits} {record['overflow']}"]
    words += [f"{record['order']}({record['n']})"] if record["order"] != "sequential" else []
    words += [f"psum={record['psum_bits']}:{record['psum_overflow']}"] if record["psum_overflow"] else []
    words += [f"drop={record['drop']}:{record['rounding']}"] if record["drop"] else []
    return " ".join([*words, f"bias={record['bias']}", f"zp={record['zero_point']}"])


records = st.fixed_dictionaries(
    {
        "overflow": st.sampled_from(["wrap", "saturate", "saturate_symmetric", "trap", "wrap:1"]),
        "order": st.sampled_from(ORDERS),
        "n": st.integers(1, 5),
        "psum_overflow": st.sampled_from([None, None, "wrap", "saturate", "saturate_symmetric", "saturate_to_zero"]),
        "psum_bits": st.integers(4, 7),
        "drop": st.integers(0, 2),
        "rounding": st.sampled_from(ROUNDINGS),
        "bias": st.sampled_from(["first", "last"]),
        "zero_point": st.sampled_from(["subtract", "correct"]),
    }
)


def legal(record):
    return {**record, "psum_overflow": record["psum_overflow"] if record["order"] in ("dot", "tiles") else None}


@settings(max_examples=120)
@given(
    records.map(legal),
    st.sampled_from([Format("int3", zero_point=-4), Format("uint3", zero_point=5), Format("int3", narrow=True), Format("int2", zero_point=1)]),
    st.lists(st.integers(-7, 7), min_size=1, max_size=4),
    st.one_of(st.none(), st.integers(-20, 20)),
)  # fmt: skip
def test_extremes_are_those_of_all_inputs(record, x, weights, bias):
    site = site_of(
        hb.Linear(), text(record, 40), x, [weights], None if bias is None else [bias], x_shape=(1, len(weights))
    )
    found = node_bounds(site)
    assert_equal_to_all_inputs(found, record, x, weights, bias)


def runs(record, x, weights, bias, main_bits=None, unit_bits=None):
    """Registers after each of all inputs, with the input."""
    correct = record["zero_point"] == "correct"
    correction = -x.zero_point * sum(weights) if correct else None
    for codes in itertools.product(range(x.lo, x.hi + 1), repeat=len(weights)):
        made = Registers(record, main_bits, unit_bits)
        centred = [c if correct else c - x.zero_point for c in codes]
        made.run([c * w for c, w in zip(centred, weights)], bias, correction)
        yield codes, made


def judged(values, overflow):
    return values[-1:] if overflow == "wrap" else values


def assert_equal_to_all_inputs(found, record, x, weights, bias):
    limits = record["psum_bits"] if record["psum_overflow"] else None
    every = [judged(made.main, record["overflow"]) for _, made in runs(record, x, weights, bias, None, limits)]
    low, high = min(map(min, every)), max(map(max, every))
    main = found.main
    if main.exact[0]:
        assert (main.lowest[0], main.highest[0]) == (low, high)
        for end, value in (("lowest", low), ("highest", high)):
            given = witness(found, 0, end)
            codes = tuple(int(v) for v in given.x)
            held = next(m for c, m in runs(record, x, weights, bias, None, limits) if c == codes)
            assert value in judged(held.main, record["overflow"])
            assert given.value == value
    else:
        assert main.lowest[0] <= low <= high <= main.highest[0]
        assert record["psum_overflow"] not in (None, "saturate", "saturate_symmetric")
    assert_width_is_the_smallest(found, record, x, weights, bias, limits)


def assert_width_is_the_smallest(found, record, x, weights, bias, limits):
    """At the width found no addition leaves a register that reduces every one; one bit less, one does."""
    bits = found.main.bits(0)
    symmetric = record["overflow"] == "saturate_symmetric"

    def leaves(width):
        low, high = -(1 << (width - 1)) + symmetric, (1 << (width - 1)) - 1
        return any(
            not low <= value <= high
            for _, made in runs(record, x, weights, bias, width if record["overflow"] != "wrap" else None, limits)
            for value in judged(made.main, record["overflow"])
        )

    assert not leaves(bits)
    if found.main.exact[0] and bits > 1 + symmetric:
        assert leaves(bits - 1)


@settings(max_examples=60)
@given(records.map(legal), st.lists(st.integers(-7, 7), min_size=1, max_size=3), st.integers(-9, 9))
def test_units_are_those_of_all_inputs(record, weights, bias):
    record = {
        **record,
        "order": "dot" if record["order"] != "tiles" else "tiles",
        "psum_overflow": record["psum_overflow"] or "wrap",
    }
    x = Format("int3", zero_point=1)
    found = node_bounds(site_of(hb.Linear(), text(record, 40), x, [weights], [bias], x_shape=(1, len(weights))))
    groups = -(-len(weights) // record["n"])
    per_group = 1 if record["order"] == "dot" else record["n"]
    seen = []
    for _, made in runs(record, x, weights, bias, None, None):
        parts = [made.unit[g * per_group : (g + 1) * per_group] for g in range(groups)]
        seen += [v for part in parts for v in judged(part, record["psum_overflow"])]
    assert found.unit is not None and found.unit.exact == (True,)
    assert (found.unit.lowest[0], found.unit.highest[0]) == (min(seen), max(seen))


def test_saturating_dot_units():
    site = site_of(
        hb.Linear(), "int32 wrap dot(2,sat16) zp=correct", Format("uint8"), [[127, 127, -5, 1]], x_shape=(1, 4)
    )
    found = node_bounds(site)
    # pairs reach 2·127·255 = 64770, held at 32767, and −1275 to 255
    assert (found.unit.lowest[0], found.unit.highest[0], found.unit.verdict) == (-1275, 64770, "overflows")
    assert (found.main.lowest[0], found.main.highest[0]) == (-1275, 32767 + 255)
    assert found.main.verdict == "safe"
    assert found.verdict == "overflows"


def test_symmetric_registers_do_not_hold_their_lowest_code():
    for overflow, bits in (("saturate", 8), ("saturate_symmetric", 9)):
        found = node_bounds(site_of(hb.Linear(), f"int8 {overflow}", Format("int8"), [[1]], x_shape=(1, 1)))
        assert (found.main.lowest[0], found.main.bits(0)) == (-128, bits)
        assert found.verdict == ("safe" if bits == 8 else "overflows")


def test_order_counts_where_no_code_stands_for_0():
    """Codes −3 … 3 with zero point −4: every x is 1 … 7, so that products of negative weights never help."""
    x, w = Format("int3", narrow=True, zero_point=-4), np.array([[[3, -2], [5, -4]]])  # [O, tap, c]
    highest = {"hwc": 21 - 2 + 35, "chw": 21 + 35}
    for axes, value in highest.items():
        site = site_of(hb.Conv1d(), f"int32 saturate axes={axes}", x, w, x_shape=(1, 2, 2))
        assert node_bounds(site).main.highest == (value,)
    # products 7, 14, −1, −1, 7: the tree's odd one passes to the end, (21 − 2) + 7
    for order in ("sequential", "tree(5)", "tree(4)", "tiles(2)"):
        site = site_of(hb.Linear(), f"int32 saturate {order}", x, [[1, 2, -1, -1, 1]], x_shape=(1, 5))
        assert node_bounds(site).main.highest == (26,)
    for order, value in (("sequential", 21), ("tree(5)", 21), ("interleaved(3)", 19), ("dot(3)", 20)):
        site = site_of(hb.Linear(), f"int32 saturate {order}", x, [[1, 2, -1, -1, -1]], x_shape=(1, 5))
        assert node_bounds(site).main.highest == (value,)


@pytest.mark.parametrize("taps", [1, 9, 1000])
def test_closed_form_of_weights_of_one_sign(taps):
    site = site_of(hb.Linear(), "int32 saturate", Format("uint8"), [[127] * taps, [-128] * taps], x_shape=(1, taps))
    found = node_bounds(site)
    assert found.main.lowest == (0, -128 * 255 * taps)
    assert found.main.highest == (127 * 255 * taps, 0)
    assert found.main.bits(0) == (127 * 255 * taps).bit_length() + 1
    assert found.main.bits(0, signed=False) == (127 * 255 * taps).bit_length()
    assert found.main.bits(1, signed=False) is None


@given(
    st.lists(st.integers(-127, 127), min_size=1, max_size=40), st.sampled_from(["wrap", "saturate", "saturate tree(8)"])
)
def test_the_l1_norm_bounds_the_width(weights, rest):
    """‖w‖₁ · 2^(N − 1) bounds every sum of signed N-bit inputs (Colbert et al. 2023, A2Q, the data-type bound)."""
    site = site_of(hb.Linear(), f"int32 {rest}", Format("int8"), [weights], x_shape=(1, len(weights)))
    found = node_bounds(site)
    norm = sum(map(abs, weights)) * 128
    assert -norm <= found.main.lowest[0] <= 0 <= found.main.highest[0] <= norm


def plain_convolution(x, w, stride, pad, pad_value):
    """Windows of x (a list) and the products of each."""
    padded = [pad_value] * pad + x + [pad_value] * pad
    for start in range(0, len(padded) - len(w) + 1, stride):
        yield [a * b for a, b in zip(padded[start : start + len(w)], w)]


@pytest.mark.parametrize("order", ["sequential", "interleaved(2)", "tree(3)", "tiles(2)", "dot(2)"])
@pytest.mark.parametrize(
    ("zero_point", "narrow"), [(-4, False), (0, False), (3, False), (-4, True)]
)  # the last pads below x
@pytest.mark.parametrize(("length", "stride", "pad", "pad_code"), [(4, 1, 1, None), (2, 1, 1, None), (1, 1, 1, None), (3, 2, 2, None), (3, 1, 1, 2)])  # fmt: skip
@pytest.mark.parametrize("correct", [False, True])
def test_every_case_of_padding(order, zero_point, narrow, length, stride, pad, pad_code, correct):
    weights, bias, x = [3, -2, 5], -4, Format("int3", zero_point=zero_point, narrow=narrow)
    rest = f"{order} zp={'correct' if correct else 'subtract'}"
    block = hb.Conv1d(stride=stride, padding=pad, pad_code=pad_code)
    site = site_of(
        block, f"int32 saturate {rest}", x, np.array(weights).reshape(1, 3, 1), [bias], x_shape=(1, length, 1)
    )
    found = node_bounds(site)
    name, n = re.fullmatch(r"(\w+)(?:\((\d)\))?", order).groups()
    record = {"overflow": "saturate", "order": name, "n": int(n or 1), "psum_overflow": None, "drop": 0, "bias": "last"}
    shift = 0 if correct else zero_point
    padding = (zero_point if pad_code is None else pad_code) - shift
    seen = []
    for codes in itertools.product(range(x.lo, x.hi + 1), repeat=length):
        for products in plain_convolution([c - shift for c in codes], weights, stride, pad, padding):
            made = Registers(record)
            made.run(products, bias, -zero_point * sum(weights) if correct else None)
            seen += made.main
    assert (found.main.lowest[0], found.main.highest[0], found.main.exact[0]) == (min(seen), max(seen), True)
    assert_replays(found, "lowest")
    assert_replays(found, "highest")


def assert_replays(found, end):
    """The witness as whole inputs of the node leaves a register one bit too narrow, in the node's definition."""
    given = witness(found, None, end)
    width = found.main.register.bits_for(given.value, given.value) - 1
    if width < 4:
        return
    record, node = found.accumulator, found.site.node
    changed = node.replace(arithmetic=node.arithmetic.replace(accumulator=record.replace(bits=width)))
    _, events = run_node(Site(changed, found.site.inputs, found.site.outputs), list(given.inputs), follow=True)
    assert events.steps > 0


CONVOLUTIONS = [
    (hb.Conv2d(padding=1), (1, 5, 4, 2), (3, 3, 3, 2)),
    (hb.Conv2d(stride=2, padding=((0, 1), (1, 0))), (1, 6, 5, 2), (4, 3, 2, 2)),
    (hb.Conv2d(padding=1, groups=4), (1, 4, 4, 4), (1, 3, 3, 8)),
    (hb.Conv2d(padding=2, dilation=2, groups=2), (1, 3, 3, 4), (6, 3, 3, 2)),
    (hb.Conv3d(padding=1), (1, 2, 3, 2, 2), (2, 3, 3, 3, 2)),
    (hb.ConvTranspose1d(stride=2, padding=1), (1, 4, 2), (3, 3, 2)),
    (hb.ConvTranspose2d(stride=(2, 1), groups=2), (1, 3, 3, 4), (4, 2, 3, 2)),
    (hb.Linear(), (1, 3, 7), (4, 7)),
    (hb.Linear(), (5, 7), (4, 7)),
    (hb.Weight(), (1, 3, 6), (6,)),
]


@pytest.mark.parametrize(("block", "x_shape", "w_shape"), CONVOLUTIONS, ids=lambda v: str(v)[:40])
@pytest.mark.parametrize("rest", ["saturate", "wrap", "saturate tree(4) axes=chw", "saturate tiles(3) psum=14:saturate zp=correct bias=first drop=1:half_up axes=chw"])  # fmt: skip
def test_witnesses_attain_the_extremes_in_the_definition(block, x_shape, w_shape, rest):
    """No random input exceeds the bounds; each channel's witness reaches them, at the element it names."""
    rng = np.random.default_rng(5)
    w = rng.integers(-128, 128, w_shape)
    outputs = block.shape(x_shape, w_shape)[0][-1]
    x = Format("uint8", zero_point=77)
    site = site_of(block, f"int40 {rest}", x, w, rng.integers(-900, 900, outputs), x_shape=x_shape)
    found = node_bounds(site)
    for channel in range(outputs):
        for end in ("lowest", "highest"):
            given = witness(found, channel, end)
            assert given.element[-1] == channel
            assert seen_at(found, given) == given.value
    random = rng.integers(0, 256, (20, *x_shape)).astype(np.uint8)
    for sample in random:
        low, high = data_extremes(found, sample)
        assert (np.array(found.main.lowest) <= low).all() and (high <= np.array(found.main.highest)).all()


def data_extremes(found, sample):
    seen = observed(found, [sample, *(t.value for t in found.site.inputs[1:])])
    return np.array(seen[0].lowest), np.array(seen[0].highest)


def seen_at(found, given):
    """The extreme that plain loops see at the witness's element, from the witness's window alone."""
    accumulator, site = found.accumulator, found.site
    zero = site.input(0).format.zero_point
    correct = accumulator.zero_point == "correct"
    numbers = np.arange(given.x.size).reshape(found.operands.k_shape)
    order = (np.moveaxis(numbers, -1, 0) if accumulator.axes == "chw" else numbers).ravel()
    products = [int(given.x[k] - (0 if correct else zero)) * int(given.w[k]) for k in order]
    record = {
        "overflow": str(accumulator.overflow), "order": accumulator.order.name, "n": accumulator.order.n,
        "psum_overflow": str(accumulator.psum.overflow) if accumulator.psum else None,
        "drop": accumulator.drop, "rounding": accumulator.drop_rounding.value, "bias": accumulator.bias,
    }  # fmt: skip
    made = Registers(record, None, accumulator.psum.bits if accumulator.psum else None)
    made.run(products, given.bias, -zero * sum(int(v) for v in given.w) if correct else None)
    return (min if given.end == "lowest" else max)(judged(made.main, record["overflow"]))


def run_time_site(accumulator, a, b, a_shape=(1, 2, 2), b_shape=(1, 2, 2), constant=None):
    build = hb.GraphBuilder("g")
    first = build.constant("a", constant, a) if constant is not None else build.input("a", a_shape, a)
    second = build.input("b", b_shape, b)
    made = build.add(
        hb.MatMul(), first, second, name="mm", formats=[Format("int16")],
        arithmetic=Arithmetic(accumulator=Accumulator(accumulator), requantize=Requantize.preset("shift")),
    )  # fmt: skip
    graph = build.build(made)
    return graph.site(graph.node("mm"))


@pytest.mark.parametrize(
    "rest", ["wrap", "saturate", "saturate drop=1:floor", "wrap zp=correct", "saturate zp=correct"]
)
@pytest.mark.parametrize("zeros", [(-4, 3), (2, 0), (0, -1)])
def test_run_time_products(rest, zeros):
    a, b = (Format("int3", zero_point=z) for z in zeros)
    found = node_bounds(run_time_site(f"int32 {rest}", a, b))
    parts = rest.split()
    record = {"overflow": parts[0], "order": "sequential", "n": 1, "psum_overflow": None, "bias": "last",
              "drop": 1 if "drop=1:floor" in rest else 0, "rounding": "floor"}  # fmt: skip
    correct, seen = "zp=correct" in rest, []
    for x in itertools.product(range(-4, 4), repeat=2):
        for w in itertools.product(range(-4 - zeros[1], 4 - zeros[1]), repeat=2):
            made = Registers(record)
            shift = 0 if correct else zeros[0]
            made.run([(p - shift) * q for p, q in zip(x, w)], None, -zeros[0] * sum(w) if correct else None)
            seen += judged(made.main, parts[0])
    assert len(found.main.lowest) == 2
    for channel in range(2):
        assert found.main.lowest[channel] <= min(seen) and max(seen) <= found.main.highest[channel]
        if rest != "saturate zp=correct" or zeros[0] == 0:
            assert (found.main.lowest[channel], found.main.highest[channel]) == (min(seen), max(seen))
            given = witness(found, channel, "highest")
            rows, columns = (array[0].astype(int) - zero for array, zero in zip(given.inputs, zeros))
            assert given.element[-1] == channel
            assert (rows @ columns)[given.element[1:]] == given.value or record["drop"]
        else:
            assert found.main.exact == (False, False)
            with pytest.raises(InputError, match="no input is known"):
                witness(found, channel, "highest")


def test_a_tensor_times_itself_has_limits_only():
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 2, 2), Format("int3"))
    arithmetic = Arithmetic(accumulator=Accumulator("int8 wrap"))
    graph = build.build(build.add(hb.MatMul(), x, x, name="mm", formats=[Format("int16")], arithmetic=arithmetic))
    found = node_bounds(graph.site(graph.node("mm")))
    assert (found.main.lowest[0], found.main.highest[0], found.main.exact[0]) == (-24, 32, False)


def test_constant_first_operand():
    constant = np.array([[3, -1], [0, 2]], np.int8)[None]
    found = node_bounds(run_time_site("int32 saturate", Format("int8"), Format("int3"), constant=constant))
    # row (3, −1): prefix 3b₁ ≥ −12, then − b₂: −12 − 3 = −15 to 9 + 4 = 13
    assert (found.main.lowest, found.main.highest) == ((-15, -15), (13, 13))
    given = witness(found, 1, "lowest")
    assert (constant[0].astype(int) @ given.inputs[1][0])[given.element[1:]] == -15


def test_constant_weights_with_leading_axes():
    build = hb.GraphBuilder("g")
    x = build.input("x", (2, 1, 2), Format("int3"))
    w = build.constant("w", np.array([[[1, 2], [3, 4]], [[-5, 0], [1, 1]]]), Format("int8"))
    arithmetic = Arithmetic(accumulator=Accumulator("int8 wrap"))
    graph = build.build(build.add(hb.MatMul(), x, w, name="mm", formats=[Format("int16")], arithmetic=arithmetic))
    found = node_bounds(graph.site(graph.node("mm")))
    assert found.main.lowest == (min(-16, -15 - 4), -24)
    assert found.main.highest == (max(12, 20 + 3), 18)
    given = witness(found, 0, "highest")
    assert given.element == (1, 0, 0)
    assert given.inputs[0].tolist()[1] == [[-4, 3]]


def test_sums_beyond_63_bits():
    site = site_of(
        hb.Linear(),
        "int64 saturate",
        Format("int64"),
        [[1 << 40, -(1 << 40)]],
        x_shape=(1, 2),
        w_format=Format("int64"),
    )
    found = node_bounds(site)
    assert (found.main.lowest[0], found.main.highest[0]) == (
        -(1 << 103) - ((1 << 63) - 1) * (1 << 40),
        (1 << 103) + ((1 << 63) - 1) * (1 << 40),
    )
    assert found.verdict == "overflows"
    assert [int(v) for v in witness(found, 0, "highest").x] == [(1 << 63) - 1, -(1 << 63)]


def test_bad_questions():
    found = node_bounds(site_of(hb.Linear(), "int32 wrap", Format("int8"), [[1, 2]], x_shape=(1, 2)))
    for arguments, words in (((3,), "channels 0 to 0"), ((0, "middle"), "lowest"), ((0, "lowest", 1), "no register 1")):
        with pytest.raises(InputError, match=words):
            witness(found, *arguments)
