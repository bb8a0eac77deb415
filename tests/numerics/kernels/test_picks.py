"""Kernels that data steer equal the definition: rows read and written by index, gates, positions, the k largest."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import SimulationError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.kernels.picks import GateCall, PickCall, PlaceCall, PositionCall, RankingCall, WriteCall
from hwblocks.numerics.rounding import Rounding

CODES = hb.Format("int8", scale=0.07, zero_point=-11)
FORMATS = (CODES, hb.Format("uint4", scale=0.5), hb.Format("int16", scale=0.001, zero_point=9))
WHOLE = ("int8", "uint8", "int32", "int64")
BOOL = hb.Format("bool")


def drawn(rng, format, shape):
    return rng.integers(format.lo, format.hi + 1, shape).astype(format.dtype)


def graph_of(block, inputs, formats, name="n", **node):
    """inputs: (shape, format) of a run-time input, or (array, format) of a constant, by name."""
    build = GraphBuilder("g")
    made = [
        build.constant(key, value, fmt) if isinstance(value, np.ndarray) else build.input(key, value, fmt)
        for key, (value, fmt) in inputs.items()
    ]
    return build.build(*build.add_all(block, *made, name=name, formats=formats, **node))


def compare(graph, data, isa):
    fast, exact = hb.Simulator(graph, isa=isa), hb.Simulator(graph, engine="definition")
    assert not fast.plan.unserved
    made, wanted = fast.run(data), exact.run(data)
    for name, array in wanted.outputs.items():
        assert made.outputs[name].dtype == array.dtype
        np.testing.assert_array_equal(made.outputs[name], array)
    assert made.events["n"].saturated == wanted.events["n"].saturated
    assert made.events["n"].active == wanted.events["n"].active
    assert made.events["n"].final == wanted.events["n"].final == 0
    return made


@pytest.mark.parametrize("dtype", WHOLE)
def test_take(isa, rng, dtype):
    index = hb.Format(dtype)
    for block, x, indices, limits in (
        (hb.Take(2, 1), (1, 3, 5, 2), (1, 4), (0, 5)),
        (hb.Take(1, 1), (1, 6), (1, 2, 3), (0, 6)),
        (hb.Take(2, 2), (1, 3, 5, 4), (1, 3, 2), (0, 5)),
    ):
        graph = graph_of(block, {"x": (x, CODES), "i": (indices, index)}, [CODES])
        compare(
            graph,
            {"x": drawn(rng, CODES, (7, *x[1:])), "i": rng.integers(*limits, (7, *indices[1:])).astype(dtype)},
            isa,
        )


@pytest.mark.parametrize("dtype", ["int8", "int64"])
def test_elements_by_several_indices(isa, rng, dtype):
    index = hb.Format(dtype)
    for block, x, indices, limits in (
        (hb.GatherND(1), (1, 3, 5, 2), (1, 4, 2), (0, 3)),
        (hb.GatherND(1, from_end=True), (1, 3, 5, 2), (1, 4, 1), (-3, 3)),
        (hb.GatherND(2), (1, 3, 5), (1, 3, 2, 1), (0, 5)),
        (hb.GatherElements(2), (1, 3, 5, 2), (1, 2, 7, 2), (-5, 5)),
        (hb.GatherElements(-1), (1, 6), (1, 4), (-6, 6)),
    ):
        graph = graph_of(block, {"x": (x, CODES), "i": (indices, index)}, [CODES])
        given = rng.integers(*limits, (7, *indices[1:])).astype(dtype)
        compare(graph, {"x": drawn(rng, CODES, (7, *x[1:])), "i": given}, isa)


@pytest.mark.parametrize("format", FORMATS)
def test_a_look_up_in_a_table(isa, rng, format):
    """An embedding, and a table that indices read from either end, are one program with what follows."""
    table, index = drawn(rng, format, (9, 5)), hb.Format("int64")
    data = rng.integers(0, 9, (6, 4))
    compare(graph_of(hb.Embedding(), {"x": ((1, 4), index), "w": (table, format)}, [format]), {"x": data}, isa)
    take = graph_of(hb.Take(0, from_end=True), {"w": (table, format), "i": ((1, 4), index)}, [format])
    compare(take, {"i": data - 9 * (data % 2)}, isa)


@pytest.mark.parametrize("engine", ["fast", "definition"])
@pytest.mark.parametrize("index", [-1, 5, 1 << 40])
def test_an_index_outside(isa, rng, engine, index):
    graph = graph_of(hb.Take(1, 1), {"x": ((1, 5), CODES), "i": ((1, 2), hb.Format("int64"))}, [CODES])
    data = {"x": drawn(rng, CODES, (3, 5)), "i": np.array([[0, 1], [2, 3], [4, index]])}
    simulator = hb.Simulator(graph, isa=isa, engine=engine)
    assert not simulator.plan.unserved or engine == "definition"
    with pytest.raises(SimulationError, match="index"):
        simulator.run(data)


@pytest.mark.parametrize("dtype", WHOLE)
def test_memory_is_read(isa, rng, dtype):
    inputs = {"m": ((1, 2, 5, 3), CODES), "a": ((1, 2, 4), hb.Format(dtype))}
    data = {"m": drawn(rng, CODES, (6, 2, 5, 3)), "a": rng.integers(0, 5, (6, 2, 4)).astype(dtype)}
    compare(graph_of(hb.MemoryRead(), inputs, [CODES]), data, isa)


@pytest.mark.parametrize("enabled", [False, True])
@pytest.mark.parametrize("constant", [False, True])
def test_memory_is_written(isa, rng, constant, enabled):
    """Several ports write one row: the last one stays."""
    index = hb.Format("int32")
    address = rng.integers(0, 5, (6, 2, 4)).astype(np.int32)
    inputs = {"m": ((1, 2, 5, 3), CODES), "a": (address[:1], index) if constant else ((1, 2, 4), index),
              "d": ((1, 2, 4, 3), CODES)}  # fmt: skip
    data = {"m": drawn(rng, CODES, (6, 2, 5, 3)), "d": drawn(rng, CODES, (6, 2, 4, 3))}
    if not constant:
        data["a"] = address
    if enabled:
        inputs["e"], data["e"] = ((1, 2, 4), BOOL), rng.random((6, 2, 4)) < 0.6
    made = compare(graph_of(hb.MemoryWrite(), inputs, [CODES]), data, isa)
    assert (made.events["n"].active > 0) == enabled


@pytest.mark.parametrize("engine", ["fast", "definition"])
def test_an_address_outside(isa, rng, engine):
    inputs = {"m": ((1, 2, 5), CODES), "a": ((1, 2, 1), hb.Format("int32")), "d": ((1, 2, 1), CODES)}
    data = {"m": drawn(rng, CODES, (1, 2, 5)), "a": np.array([[[0], [5]]], np.int32), "d": drawn(rng, CODES, (1, 2, 1))}
    with pytest.raises(SimulationError):
        hb.Simulator(graph_of(hb.MemoryWrite(), inputs, [CODES]), isa=isa, engine=engine).run(data)


OUTPUTS = (
    hb.Format("uint8", scale=1 / 255),
    hb.Format("int8", scale=1 / 128),
    hb.Format("int4", scale=0.3, zero_point=1),
)


@pytest.mark.parametrize("keep", [None, "run time", "constant"])
@pytest.mark.parametrize("block", [hb.HardGate(), hb.HardGate(0.1), hb.HardGate(-0.2, True), hb.HardGate(1e30)])
def test_gates(isa, rng, block, keep):
    for case, rounding in enumerate(r for r in Rounding if r is not Rounding.STOCHASTIC):
        format, output = FORMATS[case % 3], OUTPUTS[case % 3]
        x, data = drawn(rng, format, (6, 3, 7)), {}
        x[1] = x[1] % 3  # many are equal
        inputs, data["x"] = {"x": ((1, 3, 7), format)}, x.astype(format.dtype)
        truths = rng.random((6, 1, 7)) < 0.5
        if keep == "run time":
            inputs["k"], data["k"] = ((1, 1, 7), BOOL), truths
        elif keep:
            inputs["k"] = (truths[:1], BOOL)
        compare(graph_of(block, inputs, [output], arithmetic=Arithmetic(rounding=rounding)), data, isa)


def test_hardmax(isa, rng):
    x = drawn(rng, CODES, (6, 3, 7)) % 5
    compare(graph_of(hb.Hardmax(), {"x": ((1, 3, 7), CODES)}, [OUTPUTS[1]]), {"x": x.astype(np.int8)}, isa)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("block", [hb.ArgMax, hb.ArgMin])
@pytest.mark.parametrize("dim", [1, 2, -1])
def test_positions(isa, rng, block, dim, last):
    for format, dtype in zip(
        (*FORMATS, hb.Format("int32", scale=1.0)), ("int64", "int32", "uint8", "int64"), strict=True
    ):
        x = drawn(rng, format, (6, 3, 4, 5))
        x[1:4] = np.maximum(x[1:4] % 3, format.lo)
        graph = graph_of(block(dim, last, last), {"x": ((1, 3, 4, 5), format)}, [hb.Format(dtype)])
        compare(graph, {"x": x.astype(format.dtype)}, isa)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize(("k", "dim"), [(1, -1), (3, 1), (5, 2)])
def test_the_k_largest(isa, rng, k, dim, largest):
    for format in FORMATS:
        x = drawn(rng, format, (6, 4, 5))
        x[1:4] = np.maximum(x[1:4] % 3, format.lo)
        graph = graph_of(hb.TopK(k, dim, largest), {"x": ((1, 4, 5), format)}, [format, hb.Format("int64")])
        compare(graph, {"x": x.astype(format.dtype)}, isa)


WRITE = {"dtype": "int8", "outer": 1, "rows": 2, "width": 2, "ports": 1, "address": None, "enabled": False}
SIZES = {"outer": 1, "length": 3, "inner": 1, "largest": True}


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (PickCall(dtype="int8", index_dtype="float32", outer=1, planes=1, rows=2, width=1, picks=1, from_end=False), "float32"),
        (PlaceCall(dtype="int8", index_dtype="bool", elements=1, width=1, base=np.zeros(1), limits=(1,), steps=(1,),
                   from_end=False), "bool"),
        (WriteCall(address_dtype="uint64", **WRITE), "uint64"),
        (GateCall(x_dtype="int8", out_dtype="float32", rows=1, length=1, threshold=None, average=False,
                  codes=np.zeros(2), saturated=np.zeros(2), zero_point=0, counted=True), "float32"),
        (PositionCall(x_dtype="int8", out_dtype="uint64", last=False, **SIZES), "uint64"),
        (PositionCall(x_dtype="int8", out_dtype="int64", last=False, **{**SIZES, "length": 0}), "nothing"),
        (RankingCall(x_dtype="int8", index_dtype="int64", k=4, **SIZES), "k = 4"),
    ],
)  # fmt: skip
def test_refusals(refusal, call, reason):
    assert reason in refusal(call)
