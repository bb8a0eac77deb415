"""The simulator: the same integers everywhere, inputs checked, accumulators by plain loops."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.cli.demo_data import demo_graph, demo_samples
from hwblocks.errors import InputError, SimulationError, TrapError
from hwblocks.graph.builder import GraphBuilder

RECIPES = ("int8", "int16x8", "w4a8", "fixed16")


@pytest.fixture(scope="module")
def models():
    graph, samples = demo_graph(), demo_samples()
    table = qz.calibrate(graph, samples["calibration"][:60])
    return {recipe: qz.convert(graph, table, recipe=recipe) for recipe in RECIPES}


@pytest.fixture(scope="module")
def images():
    return demo_samples()["images"][:64]


@pytest.fixture(scope="module")
def exact(models, images):
    return {r: hb.Simulator(m, engine="definition").run(images, trace="full") for r, m in models.items()}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("batch", [1, 7, 64])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_kernels_equal_the_definition(models, images, exact, isa, recipe, batch, threads):
    simulator = hb.Simulator(models[recipe], threads=threads, isa=isa)
    assert simulator.plan.unserved == {}
    run = simulator.run(images[:batch], trace="full")
    for name, codes in exact[recipe].trace.items():
        np.testing.assert_array_equal(run.trace[name], codes[:batch], err_msg=name)
    plain = simulator.run(images[:batch])
    for name, codes in exact[recipe].outputs.items():
        np.testing.assert_array_equal(plain.outputs[name], codes[:batch])


@pytest.mark.parametrize("recipe", RECIPES)
def test_events_and_ranges_equal_the_definition(models, images, exact, isa, recipe):
    run = hb.Simulator(models[recipe], isa=isa).run(images, trace="ranges")
    for name, counted in exact[recipe].events.items():
        assert (run.events[name].saturated, run.events[name].final) == (counted.saturated, counted.final)
        if counted.lowest is not None:
            assert (run.events[name].lowest, run.events[name].highest) == (counted.lowest, counted.highest)


def test_float_does_not_depend_on_batch_or_threads(images):
    graph = demo_graph()
    whole = hb.run(graph, images, threads=1).outputs["probabilities"]
    for threads in (2, 3):
        np.testing.assert_array_equal(hb.run(graph, images, threads=threads).outputs["probabilities"], whole)
    singles = [hb.run(graph, images[i : i + 1]).outputs["probabilities"][0] for i in range(8)]
    np.testing.assert_array_equal(np.array(singles), whole[:8])


def test_outputs_follow_the_form_of_the_inputs(models, images):
    model = models["int8"]
    short, full = hb.run(model, images[:3]), hb.run(model, images[:3, None])
    assert short.outputs["probabilities"].shape == (3, 10)
    assert full.outputs["probabilities"].shape == (3, 1, 10)
    assert short.outputs["probabilities"].dtype == np.int8
    assert short.real["probabilities"].dtype == np.float64
    codes = model.tensors["image"].format.quantize(images[:3])
    np.testing.assert_array_equal(hb.run(model, codes).outputs["probabilities"], short.outputs["probabilities"])
    np.testing.assert_array_equal(
        hb.run(model, {"image": images[:3]}).outputs["probabilities"], short.outputs["probabilities"]
    )


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((2, 8, 8)), "shape"),
        (np.full((2, 1, 8, 8), np.nan), "NaN"),
        (np.zeros((2, 1, 8, 8), np.uint8), "uint8"),
        (np.full((2, 1, 8, 8), 300, np.int64), "codes span"),
        (np.zeros((0, 1, 8, 8)), "no samples"),
        ({"picture": np.zeros((2, 1, 8, 8))}, "unknown: picture"),
        (np.array(["a"]), "holds"),
    ],
)
def test_bad_inputs(models, x, words):
    with pytest.raises(InputError, match=words):
        hb.run(models["int8"], x)


def test_bad_requests(models, images):
    for more in (
        {"trace": "everything"},
        {"trace": ["nope"]},
        {"accumulator": {"nope*": "int8 wrap"}},
        {"dialect": "tflite"},
    ):
        with pytest.raises(SimulationError):
            hb.run(models["int8"], images[:1], **more)


def linear(weights, x, accumulator=None):
    """One int8 linear layer with exact requantization to int32, and the run."""
    from hwblocks.graph.builder import GraphBuilder
    from hwblocks.numerics.arithmetic import Arithmetic

    build = GraphBuilder("one")
    value = build.input("x", (1, x.shape[1]), hb.Format("int8"))
    w = build.constant("w", weights, hb.Format("int8"))
    arithmetic = Arithmetic(requantize=hb.Requantize.preset("exact"))
    y = build.add(hb.Linear(), value, w, name="fc", formats=[hb.Format("int32")], arithmetic=arithmetic)
    return hb.run(build.build(y), x, accumulator=accumulator, trace="steps" if accumulator else None)


def test_any_accumulator_by_plain_loops():
    rng = np.random.default_rng(3)
    x, w = rng.integers(-128, 128, (5, 20)).astype(np.int8), rng.integers(-128, 128, (3, 20)).astype(np.int8)
    run = linear(w, x, "int14 saturate")
    steps = 0
    for i in range(5):
        for j in range(3):
            acc = 0
            for k in range(20):
                total = acc + int(x[i, k]) * int(w[j, k])
                acc = min(max(total, -8192), 8191)
                steps += acc != total
            assert run.outputs["fc"][i, j] == acc
    assert run.events["fc"].steps == steps > 0
    assert run.events["fc"].decided_by == "argument '*'"
    wrapped = linear(w, x, "int14 wrap").outputs["fc"]
    exact = x.astype(int) @ w.astype(int).T
    np.testing.assert_array_equal(wrapped, (exact + 8192) % 16384 - 8192)
    np.testing.assert_array_equal(linear(w, x).outputs["fc"], exact)


def test_corrected_zero_points_and_first_bias_give_the_same_total_where_nothing_overflows(models, images):
    wanted = hb.run(models["int8"], images[:4]).outputs["probabilities"]
    for text in (
        "int32 wrap zp=correct",
        "int32 saturate bias=first",
        "int32 wrap tree(4) axes=chw",
        "int32 saturate interleaved(3)",
    ):
        got = hb.run(models["int8"], images[:4], accumulator=text).outputs["probabilities"]
        np.testing.assert_array_equal(got, wanted, err_msg=text)


def test_trap_names_the_first_event():
    x, w = np.full((3, 4), 127, np.int8), np.full((2, 4), 127, np.int8)
    x[0] = 1
    with pytest.raises(TrapError, match=r"fc.*sample 1.*element 0.*step 2"):
        linear(w, x, "int16 trap")


def test_steps_are_counted_for_plain_wrap_too():
    x, w = np.full((1, 3), 100, np.int8), np.array([[100, 100, -100]], np.int8)
    run = linear(w, x, "int14 wrap")
    assert run.events["fc"].steps == sum(
        not -8192 <= total <= 8191 for total in (10000, (10000 - 16384) + 10000, (10000 - 16384 + 10000) - 10000)
    )


def test_padding_with_a_value_stores_its_code(isa):
    from hwblocks.graph.builder import GraphBuilder

    build = GraphBuilder("pad")
    format = hb.Format("int8", scale=0.5, zero_point=-3)
    x = build.input("x", (1, 2), format)
    graph = build.build(build.add(hb.Pad(((0, 0), (1, 1)), value=2.0), x, name="p"))
    for engine in ("fast", "definition"):
        run = hb.Simulator(graph, isa=isa, engine=engine).run(np.array([[5, 6]], np.int8))
        assert run.outputs["p"].tolist() == [[1, 5, 6, 1]]


@pytest.mark.parametrize("used", ["inside and outside", "outside"])
def test_a_split_is_one_step_of_a_program(used):
    build, codes = GraphBuilder("g"), hb.Format("int8", scale=0.1)
    x = build.input("x", (1, 4, 6), codes)
    build.add(hb.Split((3, 1, 2)), x, name="s", formats=[codes] * 3)
    first, middle, last = build.nodes[-1].outputs
    relu = build.add(hb.ReLU(), middle, name="r", formats=[codes])
    graph = build.build(first, last, relu if used.startswith("inside") else middle)
    data = np.random.default_rng(0).integers(-128, 128, (9, 4, 6)).astype(np.int8)
    simulator = hb.Simulator(graph)
    assert not simulator.plan.unserved
    made = list(simulator.run(data).outputs.values())
    third = np.maximum(data[..., 3:4], 0) if used.startswith("inside") else data[..., 3:4]
    for got, wanted in zip(made, (data[..., :3], data[..., 4:], third), strict=True):
        np.testing.assert_array_equal(got, wanted)
