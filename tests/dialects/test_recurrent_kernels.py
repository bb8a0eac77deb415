"""LSTM and SVDF kernels equal the definition in every output, at vector widths, with extreme codes and states."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic

INT8, INT16, INT32 = (hb.Format(name) for name in ("int8", "int16", "int32"))
SAMPLES = 14  # two tiles of rows and a rest
WIDTHS = [(1, 1), (3, 7), (8, 8), (5, 9), (16, 15), (17, 16), (10, 17)]


def codes(rng, shape, low, high):
    """Random codes; every fourth one is an end."""
    drawn = rng.integers(low, high + 1, shape)
    ends = rng.choice([low, high], shape)
    return np.where(rng.integers(0, 4, shape) == 0, ends, drawn)


@pytest.fixture
def assert_equal(compiled_isa):
    """A graph of one node: every output, and what it counted, by kernel and by definition."""

    def check(graph, inputs):
        fast = hb.Simulator(graph, isa=compiled_isa)
        assert not fast.plan.unserved
        exact = hb.Simulator(graph, engine="definition").run(inputs, trace="ranges")
        for trace in (None, "ranges"):
            made = fast.run(inputs, trace=trace)
            for name, wanted in exact.outputs.items():
                np.testing.assert_array_equal(made.outputs[name], wanted)
            for name, events in exact.trace.events.items():
                got = made.trace.events[name]
                assert (got.saturated, got.outputs) == (events.saturated, events.outputs)
        return exact

    return check


def lstm_graph(rng, algorithm, steps, inputs, units, cell_power=-11, clip=0.0, peak=127):
    """An LSTM whose gates run from idle to saturated."""
    build, zero = GraphBuilder("g"), int(rng.integers(-20, 20))
    formats = {
        "x": INT8.replace(scale=float(rng.uniform(0.005, 0.03)), zero_point=int(rng.integers(-128, 128))),
        "h": INT8.replace(scale=1 / 128, zero_point=zero),
        "c": INT16.replace(scale=2.0**cell_power),
    }
    weight = INT8.replace(scale=float(rng.uniform(0.004, 0.02)), narrow=True)
    names = [build.input("x", (1, steps, inputs), formats["x"])]
    for part, inner in (("w", inputs), ("r", units)):
        names += [build.constant(f"{part}_{g}", codes(rng, (units, inner), -peak, peak), weight) for g in "ifco"]
    biases = [build.constant(f"b_{g}", rng.integers(-3000, 3000, units), INT32) for g in "ifco"]
    names += ["", "", "", *biases, "", ""]  # no peepholes, no projection
    names += [build.input("h", (1, units), formats["h"]), build.input("c", (1, units), formats["c"])]
    block = hb.SequenceLSTM(cell_clip=clip, hidden_scale=1 / 128, hidden_zero=zero)
    arithmetic = Arithmetic(requantize=hb.Requantize.preset("double_round"), algorithm=algorithm)
    build.add(block, *names, name="n", formats=[formats["h"], formats["h"], formats["c"]], arithmetic=arithmetic)
    return build.build(*build.nodes[-1].outputs)


@pytest.mark.parametrize(("inputs", "units"), WIDTHS)
@pytest.mark.parametrize("algorithm", ["table_gates", "integer_gates"])
@pytest.mark.parametrize(("steps", "power", "clip"), [(1, -11, 0.0), (5, -15, 0.5), (9, -9, 10.0)])
def test_lstm(assert_equal, algorithm, inputs, units, steps, power, clip):
    rng = np.random.default_rng([steps, inputs, units, len(algorithm)])
    graph = lstm_graph(rng, algorithm, steps, inputs, units, power, clip)
    given = {
        "x": codes(rng, (SAMPLES, steps, inputs), -128, 127).astype(np.int8),
        "h": codes(rng, (SAMPLES, units), -128, 127).astype(np.int8),
        "c": codes(rng, (SAMPLES, units), -32768, 32767).astype(np.int16),
    }
    run = assert_equal(graph, given)
    assert len({a.tobytes() for a in run.outputs.values()}) > 1  # outputs are not one and the same


def svdf_graph(rng, algorithm, state, inputs, units, rank, reach, rounding="double_round", y_scale=0.25):
    """An SVDF whose weights over time lie within ±reach, and the elements of its memory."""
    build, taps = GraphBuilder("g"), int(rng.choice([1, 2, 7, 16]))
    x = INT8.replace(scale=0.02, zero_point=int(rng.integers(-128, 128)))
    state = state.replace(scale=2.0**-10 if state.bits == 16 else 0.06, zero_point=0 if state.bits == 16 else 7)
    weight, y = INT8.replace(scale=0.01), INT8.replace(scale=y_scale, zero_point=-3)
    time = (INT16 if state.bits == 16 else INT8).replace(scale=2.0**-9)
    shape = (units * rank, taps)
    names = [
        build.input("x", (1, inputs), x),
        build.constant("f", codes(rng, (units * rank, inputs), -128, 127), weight),
        build.constant("t", codes(rng, shape, -reach, reach), time),
        build.constant("b", rng.integers(-4000, 4000, units), INT32),
        build.input("m", (1, units * rank * taps), state),
    ]
    record = hb.Requantize.parse(f"{rounding} scale_precision=float32")
    arithmetic = Arithmetic(requantize=record, algorithm=algorithm)
    build.add(hb.SVDF(rank), *names, name="n", formats=[y, state], arithmetic=arithmetic)
    return build.build(*build.nodes[-1].outputs)


def svdf_inputs(rng, graph):
    """Codes of x, and a memory."""
    return {
        name: codes(rng, (SAMPLES, *t.shape[1:]), t.format.lo, t.format.hi).astype(t.format.dtype)
        for name, t in ((name, graph.tensors[name]) for name in graph.inputs)
    }


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize(("inputs", "units"), WIDTHS)
@pytest.mark.parametrize(("algorithm", "state"), [("int16_state", INT16), ("any_state", INT16), ("any_state", INT8)])
def test_svdf(assert_equal, algorithm, state, inputs, units, rank):
    rng = np.random.default_rng([inputs, units, rank, state.bits])
    graph = svdf_graph(rng, algorithm, state, inputs, units, rank, 3000 if state.bits == 16 else 127)
    assert_equal(graph, svdf_inputs(rng, graph))


@pytest.mark.parametrize("rounding", ["double_round", "double_round_up", "single_round"])
@pytest.mark.parametrize("y_scale", [30.0, 2.0**-20])
@pytest.mark.parametrize("units", [1, 15, 17])
def test_svdf_with_sums_beyond_32_bits(assert_equal, rounding, y_scale, units):
    """Two roundings read the lowest 32 bits of a sum; one rounding reads all."""
    rng = np.random.default_rng([units, len(rounding)])
    graph = svdf_graph(rng, "int16_state", INT16, 9, units, 3, 32767, rounding, y_scale)
    assert_equal(graph, svdf_inputs(rng, graph))


def test_what_the_lstm_kernel_leaves_to_the_definition(compiled_isa):
    graph = lstm_graph(np.random.default_rng(1), "integer_gates", 2, 3, 4)
    node = graph.nodes[0]
    moved = graph.replace(nodes=(node.replace(block=hb.SequenceLSTM(hidden_scale=1 / 128, hidden_zero=99)),))
    (reason,) = hb.Simulator(moved, isa=compiled_isa).plan.unserved.values()
    assert "zero point" in reason
