"""Any accumulator in C: equal to the definition over drawn records, and to hand-written loops of Python integers."""

from __future__ import annotations

import numpy as np
import pytest
from ordered_sums import MODES, ORDERS, convolution, drawn_record, exactly, outcome

import hwblocks as hb
from hwblocks.errors import TrapError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.step_counts import StepCounts, bits_of

SHAPES = (  # channels, outputs, kernel, groups, stride, dilation, padding
    (3, 17, (3, 3), 1, 1, 1, 1),
    (8, 33, (1, 1), 1, 1, 1, 0),
    (6, 12, (2, 3), 2, 2, 1, 1),
    (5, 10, (3, 1), 5, 1, 2, 2),
    (40, 35, (1, 1), 1, 1, 1, 0),
    (4, 40, (3, 3), 1, 1, 2, 2),
    (1, 1, (1, 1), 1, 1, 1, 0),
)


def convolution_of(rng, accumulator, shape, dtype="int8", zero=0, bias=True, weights=None):
    x, target = hb.Format(dtype, scale=0.125, zero_point=zero), hb.Format("int32", scale=1.0 / 64)

    def codes(w_shape):
        return rng.choice([-128, 127], w_shape) if weights == "ends" else rng.integers(-128, 128, w_shape)

    def made_bias():
        return rng.integers(-9000, 9000, shape[1]) if bias else None

    return convolution(shape, (6, 5), x, codes, made_bias, exactly(accumulator), target)


def codes_of(rng, dtype, shape, kind):
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    if kind == "any":
        return rng.integers(low, high + 1, shape).astype(dtype)
    return np.full(shape, low if kind == "lowest" else high, dtype)


@pytest.mark.parametrize("trace", [None, "ranges", "steps"])
@pytest.mark.parametrize("seed", range(40))
def test_drawn_records_equal_the_definition(compiled_isa, seed, trace):
    rng = np.random.default_rng(seed)
    dtype, shape = rng.choice(["int8", "uint8"]), SHAPES[seed % len(SHAPES)]
    zero = int(rng.choice([0, 3, -5] if dtype == "int8" else [0, 128, 255]))
    record = drawn_record(rng, unsigned=rng.random() < 0.15)
    graph = convolution_of(rng, record, shape, dtype, zero, rng.random() < 0.7, rng.choice(["any", "ends"]))
    fast, exact = hb.Simulator(graph, isa=compiled_isa), hb.Simulator(graph, engine="definition")
    assert not fast.plan.unserved, record
    for kind in ("any", "lowest", "highest"):
        x = codes_of(rng, dtype, (3, 6, 5, shape[0]), kind)
        assert outcome(fast, x, trace) == outcome(exact, x, trace), record


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", ORDERS)
def test_every_mode_in_every_order(compiled_isa, mode, order):
    rng = np.random.default_rng(5)
    graph = convolution_of(rng, f"int15 {mode} {order}", (4, 19, (3, 3), 1, 1, 1, 1))
    x = codes_of(rng, "int8", (2, 6, 5, 4), "any")
    for trace in (None, "steps"):
        fast = hb.Simulator(graph, isa=compiled_isa)
        assert outcome(fast, x, trace) == outcome(hb.Simulator(graph, engine="definition"), x, trace)


def linear(accumulator, weights, bias=None, x_dtype="int8", w_dtype="int8"):
    build = GraphBuilder("g")
    x = build.input("x", (1, weights.shape[1]), hb.Format(x_dtype))
    inputs = [x, build.constant("w", weights, hb.Format(w_dtype))]
    if bias is not None:
        inputs.append(build.constant("b", bias, hb.Format("int32")))
    add = build.add(hb.Linear(), *inputs, name="n", formats=[hb.Format("int32")], arithmetic=exactly(accumulator))
    return build.build(add)


def loop(xs, ws, bits, mode):
    """One register, one product after the other: (value, additions outside, lowest, highest, first outside)."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    value, steps, least, most, first = 0, 0, None, None, -1
    for k, (x, w) in enumerate(zip(xs, ws)):
        total = value + int(x) * int(w)
        least, most = min(total, total if least is None else least), max(total, total if most is None else most)
        value = total
        if not low <= total <= high:
            first = k if steps == 0 else first
            steps += 1
            value = max(low, min(high, total)) if mode == "saturate" else (total - low) % 2**bits + low
    return value, steps, least, most, first


@pytest.mark.parametrize("samples", [1, 5, 6, 7, 13])
@pytest.mark.parametrize("k", [1, 2, 31, 32, 33, 97])
@pytest.mark.parametrize("bits", [12, 16, 17, 20])
@pytest.mark.parametrize("mode", ["saturate", "wrap:0", "trap"])
def test_sequential_by_plain_integers(compiled_isa, samples, k, bits, mode):
    rng = np.random.default_rng([samples, k, bits])
    w = rng.choice([-128, 127, 100, 3], (35, k))
    x = rng.choice([-128, 127, 90, -3], (samples, k)).astype(np.int8)
    graph = linear(f"int{bits} {mode}", w)
    wanted = [[loop(x[i], w[j], bits, mode) for j in range(35)] for i in range(samples)]
    events = [(i, j, e[4]) for i, row in enumerate(wanted) for j, e in enumerate(row) if e[1]]
    if mode == "trap" and events:
        with pytest.raises(TrapError, match=r"sample {}, element {}, step {} ".format(*min(events))):
            hb.Simulator(graph, isa=compiled_isa).run(x)
        return
    for trace in (None, "steps"):
        run = hb.Simulator(graph, isa=compiled_isa).run(x, trace=trace)
        assert run.outputs["n"].tolist() == [[e[0] for e in row] for row in wanted]
    counted = run.events["n"]
    assert counted.first == min(events, default=None)
    assert counted.steps == sum(e[1] for row in wanted for e in row)
    assert counted.channels.steps.tolist() == [sum(row[j][1] for row in wanted) for j in range(35)]
    assert counted.channels.lowest.tolist() == [min(row[j][2] for row in wanted) for j in range(35)]
    assert counted.channels.highest.tolist() == [max(row[j][3] for row in wanted) for j in range(35)]
    bits_used = [max(bits_of(e[2]), bits_of(e[3])) for row in wanted for e in row]
    assert counted.channels.headroom.tolist() == [bits_used.count(b) for b in range(66)]


@pytest.mark.parametrize("bits", [16, 18, 24, 40])
@pytest.mark.parametrize("k", [1000, 99_999])
def test_long_sums(compiled_isa, bits, k):
    rng = np.random.default_rng(k)
    w, x = rng.integers(-128, 128, (3, k)), rng.integers(-128, 128, (2, k)).astype(np.int8)
    w[0], x[0] = -128, -128
    run = hb.Simulator(linear(f"int{bits} saturate", w), isa=compiled_isa).run(x)
    wanted = [[loop(x[i], w[j], bits, "saturate")[0] for j in range(3)] for i in range(2)]
    assert run.outputs["n"].tolist() == wanted
    totals = x.astype(np.int64) @ w.T
    assert run.events["n"].final == np.count_nonzero((totals >> (bits - 1)) != (totals >> 63))


@pytest.mark.parametrize(
    "record", ["int32 saturate", "int40 saturate", "int33 trap dot(2)", "int31 saturate_symmetric"]
)
def test_operands_of_16_bits(compiled_isa, record):
    rng = np.random.default_rng(2)
    w, x = rng.choice([-32768, 32767, 5], (9, 50)), rng.choice([-32768, 32767, -7], (4, 50)).astype(np.int16)
    graph = linear(record, w, x_dtype="int16", w_dtype="int16")
    fast = hb.Simulator(graph, isa=compiled_isa)
    assert not fast.plan.unserved
    for trace in (None, "steps"):
        assert outcome(fast, x, trace) == outcome(hb.Simulator(graph, engine="definition"), x, trace)


def test_channels_that_cannot_leave_are_summed_plainly_between_those_that_can(compiled_isa):
    rng = np.random.default_rng(7)
    w = rng.integers(-128, 128, (70, 64))
    w[::2] = rng.integers(-2, 3, (35, 64))
    bias = rng.integers(-500, 500, 70)
    x = rng.choice([-128, 127], (11, 64)).astype(np.int8)
    for record in ("int16 saturate", "int18 saturate bias=first", "int18 trap:0", "int17 saturate_to_zero tree(8)"):
        graph = linear(record, w, bias)
        made = outcome(hb.Simulator(graph, isa=compiled_isa), x, "ranges")
        assert made == outcome(hb.Simulator(graph, engine="definition"), x, "ranges")


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_counts_do_not_depend_on_threads_or_batches(compiled_isa, threads):
    rng = np.random.default_rng(11)
    graph = convolution_of(rng, "int16 saturate", (3, 17, (3, 3), 1, 1, 1, 1))
    x = codes_of(rng, "int8", (300, 6, 5, 3), "any")
    x[:170] = 0
    whole = hb.Simulator(graph, isa=compiled_isa, threads=threads).run(x, trace="steps").events["n"]
    alone = hb.Simulator(graph, isa=compiled_isa, threads=1)
    parts = [alone.run(x[i : i + 60], trace="steps").events["n"] for i in range(0, 300, 60)]
    for i, part in reversed(list(enumerate(parts))):
        part.shift(60 * i)
    joined = parts[3]
    for i in (0, 4, 2, 1):
        joined.add(parts[i])
    assert vars(whole) == vars(joined)
    assert whole.first[0] >= 170


def test_the_first_trap_is_the_same_for_any_threads(compiled_isa):
    rng = np.random.default_rng(12)
    graph = convolution_of(rng, "int17 trap", (3, 17, (3, 3), 1, 1, 1, 1), bias=False)
    x = codes_of(rng, "int8", (290, 6, 5, 3), "any")
    x[:150] = 1
    said = {str(outcome(hb.Simulator(graph, isa=compiled_isa, threads=t), x, None)) for t in (1, 2, 8)}
    assert said == {str(outcome(hb.Simulator(graph, engine="definition"), x, None))}
    assert "sample 15" in said.pop()


@pytest.mark.parametrize("bits", [13, 16, 17, 20])
@pytest.mark.parametrize("mode", ["saturate", "wrap"])
def test_apytypes_limits_every_sum_alike(compiled_isa, bits, mode):
    """Its casts after each addition; its accumulator context (0.5.1) returns unlimited sums at these sizes."""
    apytypes = pytest.importorskip("apytypes")
    overflow = apytypes.OverflowMode.SAT if mode == "saturate" else apytypes.OverflowMode.WRAP
    rng = np.random.default_rng(bits)
    x, w = rng.choice([-128, 127, 60], (7, 80)), rng.choice([-128, 127, -9], (33, 80))
    a, b = (apytypes.APyFixedArray.from_float(v, int_bits=9, frac_bits=0) for v in (x, w))
    held = apytypes.APyFixedArray.from_float(np.zeros((7, 33)), int_bits=bits, frac_bits=0)
    for k in range(80):
        product = a[:, k].reshape((7, 1)) * b[:, k].reshape((1, 33))
        held = (held + product).cast(int_bits=bits, frac_bits=0, overflow=overflow)
    run = hb.Simulator(linear(f"int{bits} {mode}", w), isa=compiled_isa).run(x.astype(np.int8))
    np.testing.assert_array_equal(run.outputs["n"], held.to_numpy().astype(np.int64))


def test_corrected_zero_points_are_bounded_by_stored_codes(compiled_isa):
    """Centred sums fit 17 bits, stored codes times weights do not: the register meets the latter."""
    build = GraphBuilder("g")
    x = build.input("x", (1, 8), hb.Format("uint8", scale=1.0, zero_point=128))
    w = build.constant("w", np.full((1, 8), 60), hb.Format("int8"))
    arithmetic = exactly("int17 saturate zp=correct")
    graph = build.build(build.add(hb.Linear(), x, w, name="n", formats=[hb.Format("int32")], arithmetic=arithmetic))
    codes = np.full((1, 8), 255, np.uint8)
    assert hb.Simulator(graph, isa=compiled_isa).run(codes).outputs["n"].tolist() == [[65535 - 128 * 60 * 8]]


def test_counts_of_nothing_join_with_counts_of_something():
    some = StepCounts.of_words(np.array([[2, 1, 0, 3, 4, -7, -1, 9, 0, *[0] * 66]]))
    assert StepCounts.empty(1).joined(some) == some == some.joined(StepCounts.empty(1))
    assert (some.extremes, some.earliest) == ((-7, 9), (1, 0, 3))
