"""Loops and branches: each sample its own way, planned once, saved, counted, compared; bounded, and checked when built."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import DialectError, GraphError, SimulationError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.io import content_hash, load, save, to_bytes

RAW, TRUTH = hb.Format(kind="raw", bits=32), hb.Format("bool")
INT8 = hb.Format("int8", scale=0.5)
NEAR = hb.Format("int8", scale=0.30000001)
STEP = np.array([1, 2, -3], np.int8)
WEIGHT = np.arange(-4, 5).reshape(3, 3).astype(np.int8)


def cond(limit, width=3, format=INT8):
    build = GraphBuilder("test")
    i, _ = build.input("i", (), RAW), build.input("x", (1, width), format)
    return build.build(build.add(hb.Less(), i, build.constant("n", np.int32(limit), RAW), formats=[TRUTH]))


def body(block=None, format=INT8, name="step"):
    """i + 1, and x + STEP or a layer of x."""
    build = GraphBuilder(name)
    i, x = build.input("i", (), RAW), build.input("x", (1, 3), format)
    j = build.add(hb.Add(), i, build.constant("one", np.int32(1), RAW), name="count", formats=[RAW])
    if block is None:
        return build.build(j, build.add(hb.Add(), x, build.constant("k", STEP, INT8), name="add", formats=[format]))
    w = build.constant("w", WEIGHT, hb.Format("int8", scale=0.3))
    return build.build(j, build.add(block, x, w, name="layer", formats=[format]))


def model(limit=5, inner=None, format=INT8, **more):
    build = GraphBuilder("model")
    i, x = build.input("i", (), RAW), build.input("x", (1, 3), format)
    loop = hb.While(cond(limit, format=format), inner or body(), **more)
    build.add(loop, i, x, name="loop", outputs=["j", "y"], formats=[RAW, format])
    return build.build("j", "y")


COUNTS = np.array([0, 3, 9, 4, -1], np.int32)
ROWS = np.arange(15).reshape(5, 1, 3).astype(np.int8)
INPUTS = {"i": COUNTS, "x": ROWS}


def expected(limit=5):
    trips = np.maximum(limit - COUNTS, 0)
    rows = [[min(max(int(v) + int(k) * int(t), -128), 127) for v, k in zip(r[0], STEP)] for r, t in zip(ROWS, trips)]
    return np.maximum(COUNTS, limit), np.array(rows).reshape(5, 1, 3), int(trips.sum())


@pytest.mark.parametrize("engine", ["fast", "definition"])
@pytest.mark.parametrize("threads", [1, 3])
def test_each_sample_runs_its_own_loop(engine, threads):
    run = hb.Simulator(model(), engine=engine, threads=threads).run(INPUTS)
    counts, rows, trips = expected()
    np.testing.assert_array_equal(run.outputs["j"], counts)
    np.testing.assert_array_equal(run.outputs["y"], rows)
    assert run.events["loop"].iterations == trips
    assert run.events["loop/body/add"].outputs == 3 * trips
    assert run.events["loop/cond/less"].outputs == trips + len(COUNTS)
    assert list(run.events) == ["loop", "loop/cond/less", "loop/body/count", "loop/body/add"]


def test_a_loop_without_a_trip_copies_its_inputs():
    run = hb.run(model(limit=-5), INPUTS)
    np.testing.assert_array_equal(run.outputs["y"], ROWS)
    assert run.events["loop"].iterations == 0


def test_a_branch_for_each_sample():
    build = GraphBuilder("model")
    flag, x = build.input("flag", (1,), TRUTH), build.input("x", (1, 3), INT8)
    branches = []
    for name, block in (("then", hb.Flip((1,))), ("else", hb.Identity())):
        inner = GraphBuilder(name)
        branches.append(inner.build(inner.add(block, inner.input("x", (1, 3), INT8), formats=[INT8])))
    build.add(hb.If(*branches), flag, x, name="if", outputs=["y"], formats=[INT8])
    flags = np.array([[True], [False], [True], [False], [False]])
    got = hb.run(build.build("y"), {"flag": flags, "x": ROWS}).outputs["y"]
    np.testing.assert_array_equal(got, np.where(flags[..., None], ROWS[..., ::-1], ROWS))


def nested():
    """A loop in a loop: three trips of two trips each."""
    build = GraphBuilder("outer")
    i, x = build.input("i", (), RAW), build.input("x", (1, 3), INT8)
    j = build.add(hb.Add(), i, build.constant("one", np.int32(1), RAW), name="count", formats=[RAW])
    start = build.constant("start", np.int32(0), RAW)
    build.add(hb.While(cond(2), body()), start, x, name="inner", outputs=["k", "y"], formats=[RAW, INT8])
    return model(3, build.build(j, "y"))


def test_loops_in_loops():
    run = hb.run(nested(), {"i": COUNTS, "x": ROWS})
    trips = np.maximum(3 - COUNTS, 0)
    np.testing.assert_array_equal(run.outputs["y"], ROWS + 2 * trips[:, None, None] * STEP)
    assert run.events["loop/body/inner"].iterations == 2 * trips.sum()


@pytest.mark.parametrize("make", [model, nested])
def test_files_and_pickles_keep_bodies(tmp_path, make):
    graph = make()
    restored = load(save(graph, tmp_path / "g.hwb"))
    again = pickle.loads(pickle.dumps(graph))
    for other in (restored, again):
        assert to_bytes(other) == to_bytes(graph)
        np.testing.assert_array_equal(hb.run(other, INPUTS).outputs["y"], hb.run(graph, INPUTS).outputs["y"])
    assert content_hash(model(max_iterations=7)) != content_hash(graph)


def test_a_loop_without_end_is_stopped():
    forever = model(limit=2**31 - 1, max_iterations=40)
    with pytest.raises(SimulationError, match="While 'loop'.*max_iterations=40"):
        hb.run(forever, INPUTS)
    assert hb.run(model(limit=40, max_iterations=41), INPUTS).events["loop"].iterations == (40 - COUNTS).sum()


def test_formats_on_both_sides_must_agree():
    with pytest.raises(GraphError, match="codes are copied"):
        hb.While(cond(3), body(format=NEAR))
    build = GraphBuilder("model")
    i, x = build.input("i", (), RAW), build.input("x", (1, 3), NEAR)
    build.add(hb.While(cond(3), body()), i, x, name="loop", outputs=["j", "y"], formats=[RAW, INT8])
    with pytest.raises(GraphError, match="While 'loop': 'x' is .*0.3.*need one format"):
        build.build("j", "y")


def test_bodies_are_checked():
    build = GraphBuilder("keeps")
    kept = build.state("kept", np.zeros(3), INT8)
    stateful = build.build(build.add(hb.Identity(), kept, formats=[INT8]))
    with pytest.raises(GraphError, match="keeps states"):
        hb.If(stateful, stateful)
    wide = GraphBuilder("wide")
    wide.input("i", (), RAW)
    with pytest.raises(GraphError, match="one output of one element"):
        hb.While(wide.build(wide.input("x", (1, 3), INT8)), body())


def test_the_dialect_reaches_bodies():
    layer = model(3, body(hb.Linear()))
    for name, scheme in (("tflm", "double_round"), ("xnnpack", "float32")):
        simulator = hb.Simulator(layer, name)
        inner = simulator.graph.nodes[0].block.body.node("layer")
        assert inner.arithmetic.requantize.scheme == scheme
    with pytest.raises(DialectError, match="loop/body 'step', CumSum 'layer': .* has no integer CumSum"):
        hb.Simulator(model(3, cumulated()), "tflm")


def cumulated():
    build = GraphBuilder("step")
    i, x = build.input("i", (), RAW), build.input("x", (1, 3), INT8)
    j = build.add(hb.Add(), i, build.constant("one", np.int32(1), RAW), name="count", formats=[RAW])
    return build.build(j, build.add(hb.CumSum(-1), x, name="layer", formats=[INT8]))


def test_differences_name_the_node_in_the_body():
    rng = np.random.default_rng(3)
    x = {"i": np.full(400, 2, np.int32), "x": rng.integers(-128, 128, (400, 1, 3)).astype(np.int8)}
    found = hb.diff(model(3, body(hb.Linear())), x, "tflm", "xnnpack")
    assert found.first_layer == "y"
    assert "in body/layer" in found.layer("y")["cause"]


def test_accumulators_reach_bodies():
    layer = model(3, body(hb.Linear()))
    simulator = hb.Simulator(layer, accumulator={"loop/body/*": "int6 wrap"})
    run = simulator.run(INPUTS, trace="steps")
    assert run.events["loop/body/layer"].decided_by == "argument 'loop/body/*'"
    assert run.events["loop/body/layer"].final > 0
    with pytest.raises(SimulationError, match="there are loop/body/layer"):
        hb.Simulator(layer, accumulator={"layer": "int6 wrap"})


def test_profiles_count_a_body_once():
    layer = model(3, body(hb.Linear()))
    profile = hb.profile(layer)
    assert profile.macs == 9
    assert profile.weight_bytes == 9 + 4 + 4  # weights, the step of the counter, its limit
    assert [row["layer"] for row in profile.layers] == ["loop/cond/less", "loop/body/count", "loop/body/layer"]
    assert layer.nodes[0].block.work((), (1, 3)).macs == 9
    own = 2 * (4 + 3)  # inputs and outputs of the loop
    assert profile.peak_bytes > own


def test_raw_integers_wrap_as_in_c():
    build = GraphBuilder("g")
    a, b = build.input("a", (1, 2), RAW), build.input("b", (1, 2), RAW)
    graph = build.build(build.add(hb.Mul(), a, b, name="y", formats=[RAW]))
    x = {"a": np.array([[2**30, -(2**31)]], np.int32), "b": np.array([[6, -1]], np.int32)}
    got = hb.run(graph, x).outputs["y"]
    np.testing.assert_array_equal(got, [[-(2**31), -(2**31)]])


def test_states_without_axes():
    """A counter of samples: the state has no axis, and keeps none."""
    build = GraphBuilder("g")
    x, kept = build.input("x", (), RAW), build.state("kept", np.int32(5), RAW)
    y = build.add(hb.Add(), x, kept, name="y", formats=[RAW])
    build.becomes(kept, y)
    graph = build.build(y)
    assert graph.states[0].initial.shape == ()
    run = hb.run(graph, np.array([1, 2, 3], np.int32), state="carry")
    np.testing.assert_array_equal(run.outputs["y"], [6, 8, 11])
