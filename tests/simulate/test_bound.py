"""Bound simulators and direct runs: arrays in place, states handed on, counts summed, errors told."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.cli.demo_data import demo_samples
from hwblocks.errors import SimulationError

STATEFUL = ("mww_v2_alexa", "tflm_keyword_scrambled_16x8_svdf")


@pytest.fixture(scope="module")
def codes(model):
    images = demo_samples()["images"][:20]
    return model.tensors["image"].format.quantize(images)


@pytest.mark.parametrize("engine", ["fast", "definition"])
@pytest.mark.parametrize("count", [1, 5])
def test_runs_in_place_equal_runs(model, codes, engine, count):
    simulator = hb.Simulator(model, engine=engine)
    bound = simulator.bind(count)
    for start in (0, 7):
        some = codes[start : start + count]
        bound.inputs["image"][...] = some.reshape(bound.inputs["image"].shape)
        bound.run()
        wanted = simulator.run(some).outputs["probabilities"]
        np.testing.assert_array_equal(bound.outputs["probabilities"].reshape(wanted.shape), wanted)


def test_inputs_begin_as_real_zeros(model):
    bound = hb.Simulator(model).bind(2)
    image = model.tensors["image"].format
    assert np.all(bound.inputs["image"] == image.code_of(0.0))


def test_events_sum_over_runs_until_reset(model, codes):
    simulator = hb.Simulator(model)
    bound, once = simulator.bind(4), simulator.run(codes[:4]).events
    bound.inputs["image"][...] = codes[:4].reshape(bound.inputs["image"].shape)
    for times in (1, 2, 3):
        bound.run()
        assert {n: e.saturated for n, e in bound.events.items()} == {n: times * e.saturated for n, e in once.items()}
    bound.reset()
    assert not any(e.saturated for e in bound.events.values())


@pytest.mark.parametrize("count", [0, -3])
def test_nothing_to_bind(model, count):
    with pytest.raises(SimulationError, match="use at least 1"):
        hb.Simulator(model).bind(count)


@pytest.fixture(params=STATEFUL)
def stateful(shared, request):
    graph = hb.load(shared / "models" / "tflite" / f"{request.param}.tflite")
    rng = np.random.default_rng(5)
    tensor = graph.tensors[graph.inputs[0]]
    x = rng.integers(tensor.format.lo, tensor.format.hi + 1, (6, *tensor.shape)).astype(tensor.format.dtype)
    return graph, x


def equal(a, b):
    for name in a:
        np.testing.assert_array_equal(np.ravel(a[name]), np.ravel(b[name]), err_msg=name)


@pytest.mark.parametrize("state", ["carry", "reset"])
def test_states_equal_the_definition(stateful, state, compiled_isa):
    graph, x = stateful
    fast = hb.Simulator(graph, "tflm", isa=compiled_isa)
    exact = hb.Simulator(graph, "tflm", engine="definition")
    for part in (x[:4], x[4:]):  # a second run goes on from the first
        got, wanted = fast.run(part, state=state), exact.run(part, state=state)
        equal(got.outputs, wanted.outputs)
        equal(got.state, wanted.state)


def test_a_stated_state_goes_on_from_there(stateful):
    graph, x = stateful
    simulator = hb.Simulator(graph, "tflm")
    whole = simulator.run(x)
    first = hb.Simulator(graph, "tflm").run(x[:2])
    rest = hb.Simulator(graph, "tflm").run(x[2:], state=first.state)
    equal(rest.state, whole.state)
    for name, array in whole.outputs.items():
        np.testing.assert_array_equal(rest.outputs[name], array[2:])


def test_bound_states_go_on_until_reset(stateful):
    graph, x = stateful
    wanted = hb.Simulator(graph, "tflm").run(x).outputs
    bound = hb.Simulator(graph, "tflm").bind()
    for _ in range(2):
        for i, sample in enumerate(x):
            bound.inputs[graph.inputs[0]][0] = sample
            bound.run()
            for name, array in wanted.items():
                np.testing.assert_array_equal(np.ravel(bound.outputs[name]), np.ravel(array[i]), err_msg=name)
        bound.reset()


def test_progress_tells_every_sample_once(model, codes):
    for threads in (1, 2, 3):
        told = []
        hb.Simulator(model, threads=threads).run(np.concatenate([codes] * 40), progress=told.append)
        assert sum(told) == 40 * len(codes)


def test_an_error_of_the_caller_stops_the_threads(model, codes):
    def refuse(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hb.Simulator(model, threads=2).run(np.concatenate([codes] * 40), progress=refuse)
