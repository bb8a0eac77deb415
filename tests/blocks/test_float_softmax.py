"""Softmax of floats and its logarithm: the kernels equal the definition in every bit, and exact decimals to one rounding."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder

FLOAT = hb.Format("float32")
BLOCKS = [hb.Softmax(), hb.Softmax(beta=0.37), hb.LogSoftmax()]


def graph_of(block, shape, format=FLOAT):
    build = GraphBuilder("g")
    return build.build(build.add(block, build.input("x", shape, format), name="n", formats=[format]))


def both(block, x, isa):
    graph = graph_of(block, (1, *x.shape[1:]))
    simulator = hb.Simulator(graph, isa=isa)
    assert simulator.plan.unserved == {}
    exact = hb.Simulator(graph, engine="definition").run(x).outputs["n"]
    fast = simulator.run(x).outputs["n"]
    assert fast.dtype == exact.dtype == np.float32
    np.testing.assert_array_equal(fast.view(np.int32), exact.view(np.int32))
    return exact


def by_decimals(block, row):
    """One row with forty digits."""
    beta = Decimal(block.beta) if isinstance(block, hb.Softmax) else Decimal(1)
    below = [beta * (Decimal(v) - Decimal(max(row))) for v in row]
    total = sum(v.exp() for v in below)
    return [v.exp() / total if isinstance(block, hb.Softmax) else v - total.ln() for v in below]


@pytest.mark.parametrize("block", BLOCKS, ids=repr)
@pytest.mark.parametrize("length", [1, 2, 10, 63, 64, 65, 200])
def test_rows(isa, block, length):
    rng = np.random.default_rng(length)
    x = (rng.normal(size=(5, 3, length)) * np.array([1e-3, 1, 30])[:, None]).astype(np.float32)
    got = both(block, x, isa)
    with localcontext() as context:
        context.prec = 40
        for index in np.ndindex(*x.shape[:2]):
            for value, wanted in zip(got[index].tolist(), by_decimals(block, x[index].tolist())):
                unit = float(np.spacing(np.float32(abs(wanted))))
                assert abs(Decimal(value) - wanted) <= Decimal(unit) * Decimal("0.5001") + length * Decimal(2) ** -53


@pytest.mark.parametrize(
    ("block", "shape", "format", "words"),
    [
        (hb.Softmax(1), (1, 3, 4), FLOAT, "inner axis"),
        (hb.LogSoftmax(1), (1, 3, 4), FLOAT, "inner axis"),
        (hb.Softmax(beta=-1.0), (1, 4), FLOAT, "factor"),
        (hb.LogSoftmax(), (1, 4), hb.Format("float64"), "float64"),
    ],
)
def test_what_no_kernel_serves(compiled_isa, block, shape, format, words):
    simulator = hb.Simulator(graph_of(block, shape, format), isa=compiled_isa)
    assert words in simulator.plan.unserved["n"]


def test_types_stay():
    for dtype in (np.float32, np.float64):
        assert hb.Softmax()(np.zeros((1, 2), dtype)).dtype == dtype
    assert hb.LogSoftmax()(np.zeros((1, 2), int)).dtype == np.float64
