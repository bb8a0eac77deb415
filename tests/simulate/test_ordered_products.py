"""Products of two run-time operands in any register: kernels equal the definition, over batches, orders and widths."""

from __future__ import annotations

import numpy as np
import pytest
from ordered_sums import MODES, ORDERS, drawn_record, outcome

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic

SHAPES = (  # a, b
    ((1, 5, 9), (1, 9, 17)),
    ((1, 3, 4, 40), (1, 3, 40, 33)),
    ((1, 2, 7, 1), (1, 2, 1, 1)),
    ((1, 1, 13, 300), (1, 1, 300, 5)),
    ((1, 2, 6, 64), (1, 1, 64, 20)),
)


def product(record, shapes, a="int8", b="int8", zeros=(0, 0)):
    build = GraphBuilder("g")
    inputs = [build.input(n, s, hb.Format(f, zero_point=z)) for n, s, f, z in zip("ab", shapes, (a, b), zeros)]
    arithmetic = Arithmetic(requantize=hb.Requantize.preset("exact"), accumulator=hb.Accumulator(record))
    return build.build(
        build.add(hb.MatMul(), *inputs, name="n", formats=[hb.Format("int32", scale=0.25)], arithmetic=arithmetic)
    )


def codes(rng, shape, dtype, kind):
    info = np.iinfo(dtype)
    if kind == "any":
        return rng.integers(info.min, info.max + 1, shape).astype(dtype)
    return rng.choice([info.min, info.max], shape).astype(dtype)


def assert_equal_runs(graph, inputs, isa, trace):
    fast, exact = hb.Simulator(graph, isa=isa), hb.Simulator(graph, engine="definition")
    assert not fast.plan.unserved
    assert outcome(fast, inputs, trace) == outcome(exact, inputs, trace)


@pytest.mark.parametrize("trace", [None, "ranges", "steps"])
@pytest.mark.parametrize("seed", range(40))
def test_drawn_records_equal_the_definition(compiled_isa, seed, trace):
    rng = np.random.default_rng(seed)
    shapes, (a, b) = SHAPES[seed % len(SHAPES)], rng.choice(["int8", "uint8"], 2)
    zeros = [int(rng.choice([0, 3, -5] if d == "int8" else [0, 128, 255])) for d in (a, b)]
    graph = product(drawn_record(rng, unsigned=rng.random() < 0.15), shapes, a, b, zeros)
    for kind in ("any", "ends"):
        inputs = {n: codes(rng, (3, *s[1:]), d, kind) for n, s, d in zip("ab", shapes, (a, b))}
        assert_equal_runs(graph, inputs, compiled_isa, trace)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", ORDERS)
def test_every_mode_in_every_order(compiled_isa, mode, order):
    rng = np.random.default_rng(5)
    graph = product(f"int15 {mode} {order}", SHAPES[1])
    inputs = {n: codes(rng, (2, *s[1:]), "int8", "any") for n, s in zip("ab", SHAPES[1])}
    assert_equal_runs(graph, inputs, compiled_isa, None)


@pytest.mark.parametrize("record", ["int32 wrap", "int16 saturate", "int18 saturate", "int40 saturate", "int33 trap"])
def test_operands_of_16_bits(compiled_isa, record):
    rng = np.random.default_rng(2)
    graph = product(record, SHAPES[1], "int16", "int16")
    inputs = {n: codes(rng, (2, *s[1:]), "int16", "ends") for n, s in zip("ab", SHAPES[1])}
    for trace in (None, "steps"):
        assert_equal_runs(graph, inputs, compiled_isa, trace)
