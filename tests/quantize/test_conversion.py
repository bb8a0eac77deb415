"""Conversion: stored integers of small networks against plain Python arithmetic written here."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.errors import CalibrationError, ConversionError, RecipeError
from hwblocks.graph.io import from_bytes, to_bytes
from hwblocks.graph.tensor import Origin
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.formats import Format
from hwblocks.numerics.requantize import Requantize
from hwblocks.simulate.simulator import Simulator

RECIPES = ("int8", "int16x8", "w4a8", "fixed16")
RNG = np.random.default_rng(11)


def round_half_even(value: Fraction) -> int:
    return round(value)  # Python's round of a Fraction is half to even


def round_half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def clip(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


class PlainQuantizer:
    """One convolution with stride 1, bias, clamp at 0, in plain Python integers, for one recipe."""

    def __init__(self, recipe: str, x, w, b, y_hi: float) -> None:
        self.recipe = recipe
        self.bits = 16 if recipe in ("int16x8", "fixed16") else 8
        self.w_bits = {"w4a8": 4, "fixed16": 16}.get(recipe, 8)
        self.round = round_half_up if recipe == "fixed16" else round_half_even
        self.x_scale, self.x_zero = self.activation(float(x.min()), float(x.max()))
        self.y_scale, self.y_zero = self.activation(0.0, y_hi)
        channels = [w[o] for o in range(len(w))]
        ranges = (
            [(float(w.min()), float(w.max()))] * len(w)
            if recipe == "fixed16"
            else [(c.min(), c.max()) for c in channels]
        )
        self.w_scales = [self.symmetric(lo, hi, self.w_bits) for lo, hi in ranges]
        narrow = recipe != "fixed16"
        low, high = -(1 << (self.w_bits - 1)) + narrow, (1 << (self.w_bits - 1)) - 1
        self.w = [
            [clip(self.round(Fraction(float(v)) / Fraction(s)), low, high) for v in c.ravel()]
            for c, s in zip(channels, self.w_scales, strict=True)
        ]
        self.b = [
            self.round(Fraction(float(v)) / (Fraction(self.x_scale) * Fraction(s)))
            for v, s in zip(b, self.w_scales, strict=True)
        ]

    def symmetric(self, lo: float, hi: float, bits: int) -> float:
        top = (1 << (bits - 1)) - 1
        if self.recipe != "fixed16":
            return float(np.float32(max(-lo, hi) / top))
        exponent = -60
        while Fraction(lo) < -(top + 1) * Fraction(2) ** exponent or Fraction(hi) > top * Fraction(2) ** exponent:
            exponent += 1
        return 2.0**exponent

    def activation(self, lo: float, hi: float) -> tuple[float, int]:
        if self.bits == 16:
            return self.symmetric(lo, hi, 16), 0
        scale = float(np.float32((max(hi, 0.0) - min(lo, 0.0)) / 255))
        return scale, clip(round_half_even(-128 - Fraction(min(lo, 0.0)) / Fraction(scale)), -128, 127)

    def input_codes(self, x) -> np.ndarray:
        quotient = np.asarray(x, np.float32) / np.float32(self.x_scale)
        top = (1 << (self.bits - 1)) - 1
        return np.clip(np.rint(quotient).astype(np.int64) + self.x_zero, -top - 1, top)

    def requantize(self, accumulator: int, channel: int) -> int:
        if self.recipe == "fixed16":
            shift = Fraction(self.x_scale) * Fraction(self.w_scales[channel]) / Fraction(self.y_scale)
            return round_half_up(accumulator * shift)
        ratio = self.x_scale * self.w_scales[channel] / self.y_scale  # binary64, in this order
        mantissa, exponent = math.frexp(ratio)
        multiplier = math.floor(mantissa * 2**31 + 0.5)
        if multiplier == 1 << 31:
            multiplier, exponent = 1 << 30, exponent + 1
        shift = 31 - exponent
        return (accumulator * multiplier + (1 << (shift - 1))) >> shift

    def output(self, codes, kernel: tuple[int, int]) -> np.ndarray:
        """codes [H, W, C] with padding 1 → [H, W, O]."""
        height, width, depth = codes.shape
        made = np.zeros((height, width, len(self.w)), np.int64)
        top = (1 << (self.bits - 1)) - 1
        for i, j, o in itertools.product(range(height), range(width), range(len(self.w))):
            total, weights = self.b[o], iter(self.w[o])
            for di, dj, c in itertools.product(range(kernel[0]), range(kernel[1]), range(depth)):
                weight, row, column = next(weights), i + di - 1, j + dj - 1
                if 0 <= row < height and 0 <= column < width:
                    total += (int(codes[row, column, c]) - self.x_zero) * weight
            made[i, j, o] = clip(self.requantize(total, o) + self.y_zero, max(self.y_zero, -top - 1), top)
        return made


@pytest.mark.parametrize("recipe", RECIPES)
def test_convolution_with_clamp_equals_plain_python(recipe):
    x = RNG.normal(size=(3, 4, 5, 2)).astype(np.float32)
    w = RNG.normal(size=(3, 3, 3, 2)).astype(np.float32) * np.array([1.0, 0.1, 3.0], np.float32)[:, None, None, None]
    b = np.array([0.5, -0.25, 2.0], np.float32)
    net = hb.Sequential(hb.Conv2d(weight=w, bias=b, padding=1), hb.ReLU(), input_shape=(4, 5, 2)).graph()
    ranges = qz.calibrate(net, x)
    q = qz.convert(net, ranges, recipe)
    plain = PlainQuantizer(recipe, x, w, b, ranges["relu1"].hi)
    weights, bias = (q.tensors[name].value for name in q.nodes[0].inputs[1:])
    assert weights.reshape(3, -1).tolist() == plain.w
    assert bias.tolist() == plain.b
    run = Simulator(q, engine="definition").run(np.concatenate([x, 10 * x]), trace="full")
    codes = plain.input_codes(np.concatenate([x, 10 * x]))
    assert np.array_equal(run.trace["x"], codes)
    for sample, made in zip(codes, run.outputs["relu1"], strict=True):
        assert np.array_equal(made, plain.output(sample, (3, 3)))


def small_network():
    build = hb.GraphBuilder("small")
    x = build.input("x", (1, 6, 6, 2))
    y = build.add(hb.Conv2d(weight=RNG.normal(size=(4, 3, 3, 2)), bias=RNG.normal(size=4)), x, name="conv")
    norm = [build.constant(n, v) for n, v in zip("gbmv", RNG.uniform(0.5, 2.0, size=(4, 4)), strict=True)]
    y = build.add(hb.ReLU(), build.add(hb.BatchNorm(), y, *norm, name="bn"), name="relu")
    y = build.add(hb.MaxPool2d(2), build.add(hb.Dropout(), y, name="drop"), name="pool")
    y = build.add(hb.Conv2d(weight=RNG.normal(size=(1, 2, 2, 4)), groups=4), y, name="dw")
    y = build.add(hb.Concat(-1), build.add(hb.Sigmoid(), y, name="gate"), y, name="cat")
    y = build.add(
        hb.MatMul(),
        build.add(hb.Flatten(), y, name="flat"),
        build.constant("m", RNG.normal(size=(8, 5))),
        name="mm",
    )
    y = build.add(hb.Add(), y, build.constant("k", RNG.normal(size=5)), name="logits")
    return build.build(build.add(hb.Softmax(), y, name="prob"))


NET = small_network()
SAMPLES = RNG.normal(size=(40, 6, 6, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def ranges():
    """Ranges of the small network."""
    return qz.calibrate(NET, SAMPLES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_node_has_arithmetic_and_every_tensor_an_origin(ranges, recipe):
    q = qz.convert(NET, ranges, recipe)
    chosen = qz.load_recipe(recipe)
    assert all(q.site(node).is_integer for node in q.nodes)
    for node in q.nodes:
        assert node.arithmetic.rounding == chosen.activations.rounding
        if node.type_name in ("Conv2d", "Linear"):
            assert node.arithmetic.accumulator == Accumulator(chosen.accumulator)
            assert node.arithmetic.requantize == Requantize.parse(chosen.requantize)
        bias = chosen.bias.bits if len(node.inputs) > 2 and node.type_name != "Concat" else None
        assert node.arithmetic.bias_bits == bias
    run_time = {t.name: t.origin_name for t in q.runtime_tensors}
    assert run_time == {
        **{n: n for n in ("x", "relu", "pool", "dw", "gate", "cat", "flat", "logits", "prob")},
        "gate.rescaled": "gate",
    }
    assert all(tensor.origin is not None for tensor in q.tensors.values())
    assert q.metadata["recipe"] == recipe
    assert q.metadata["accumulator"] == "safe"
    assert "'gate' keeps the scale" in q.metadata["notes"]


def test_folded_weights_know_their_factor(ranges):
    q = qz.convert(NET, ranges)
    g, _, _, v = (NET.tensors[name].value.astype(np.float64) for name in "gbmv")
    origin = q.tensors["conv.weight.folded"].origin
    assert origin == Origin("conv.weight", tuple((g / np.sqrt(v + 1e-5)).tolist()))


@pytest.mark.parametrize(("recipe", "least_db"), [("int8", 20), ("int16x8", 25), ("w4a8", 5), ("fixed16", 50)])
def test_integers_stay_near_the_float_network(ranges, recipe, least_db):
    q = qz.convert(NET, ranges, recipe)
    wanted = Simulator(NET).run(SAMPLES, trace=["logits"]).trace["logits"].astype(np.float64)
    got = Simulator(q, engine="definition").run(SAMPLES, trace=["logits"]).trace.real("logits")
    noise = np.sum((got - wanted) ** 2)
    assert 10 * np.log10(np.sum(wanted**2) / noise) > least_db


@pytest.mark.parametrize("recipe", RECIPES)
def test_kernels_equal_the_definition_for_any_batch_and_thread_count(ranges, recipe):
    q = qz.convert(NET, ranges, recipe)
    wanted = Simulator(q, engine="definition").run(SAMPLES, trace="full").trace
    for threads, sizes in ((1, [40]), (2, [1, 7, 32])):
        simulator, start = Simulator(q, threads=threads), 0
        for size in sizes:
            part = slice(start, start + size)
            got = simulator.run(SAMPLES[part], trace="full").trace
            assert all(np.array_equal(got[name], wanted[name][part]) for name in wanted)
            start += size


def test_the_file_round_trip_keeps_every_byte(ranges):
    q = qz.convert(NET, ranges, "w4a8")
    assert to_bytes(from_bytes(to_bytes(q))) == to_bytes(q)


def test_ranges_and_formats_saved_and_loaded_give_the_same_graph(ranges, tmp_path):
    loaded = qz.RangeTable.load(ranges.save(tmp_path / "r.json"))
    wanted = to_bytes(qz.convert(NET, ranges, "int8"))
    assert to_bytes(qz.convert(NET, loaded, "int8")) == wanted
    table = qz.assign(NET, loaded, "int8")
    table = qz.FormatTable.load(table.save(tmp_path / "f.json"))
    assert to_bytes(qz.convert(NET, loaded, "int8", formats=table)) == wanted
    assert to_bytes(qz.convert(NET, None, "int8", formats=table)) == wanted


def test_an_edited_table_is_used_as_it_is(ranges):
    table = qz.assign(NET, ranges, "int8")
    table.formats["pool"] = Format("int8", scale=0.25)
    table.formats["conv.weight.folded"] = Format("int4", scale=0.5)
    q = qz.convert(NET, None, "int8", formats=table)
    assert q.node("relu.rescaled").type_name == "Rescale"
    assert q.producer["pool"].inputs == ("relu.rescaled",)
    assert q.tensors["relu.rescaled"].format == q.tensors["pool"].format == Format("int8", scale=0.25)
    bias = q.tensors[q.producer["relu"].inputs[2]].format
    assert bias == Format("int32", scale=q.tensors["x"].format.scale * 0.5)
    codes = q.tensors["conv.weight.folded"].value
    folded = NET.tensors["conv.weight"].value.astype(np.float64)
    k = np.array(q.tensors["conv.weight.folded"].origin.factor)
    assert np.array_equal(codes, np.clip(np.rint(folded * k[:, None, None, None] / 0.5), -8, 7))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda f: f.pop("pool"), "tensor 'pool' has no row"),
        (lambda f: f.update(pol=f["pool"]), "'pol' is no tensor that is quantized; did you mean pool"),
        (lambda f: f.update(pool=Format("int8", scale=(1.0,) * 4, axis=3)), "'pool' is an activation"),
        (
            lambda f: f.update({"dw.weight": Format("int8", scale=(1.0,) * 4, axis=0)}),
            "'dw.weight' of Conv2d 'dw' have 4 channels along axis 3, the row has 4 scales along axis 0",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused(ranges, edit, words):
    table = qz.assign(NET, ranges, "int8")
    edit(table.formats)
    with pytest.raises(ConversionError, match=words):
        qz.convert(NET, ranges, "int8", formats=table)


def test_scales_that_a_shift_cannot_serve_name_the_node(ranges):
    table = qz.assign(NET, ranges, "fixed16")
    table.formats["logits"] = Format("int16", scale=0.3)
    with pytest.raises(ConversionError, match="Linear 'mm': requantize shift"):
        qz.convert(NET, ranges, "fixed16", formats=table)


def test_a_saturated_bias_of_an_edited_table_is_noted():
    net = hb.Sequential(hb.Linear(weight=np.array([[1.0]]), bias=np.array([100.0])), input_shape=(1,)).graph()
    table = qz.assign(net, qz.calibrate(net, np.array([[1.0]])))
    table.formats["linear0.bias"] = Format("int8", scale=1.0)
    q = qz.convert(net, None, formats=table)
    assert q.tensors["linear0.bias"].value.tolist() == [127]
    assert q.metadata["notes"] == "bias 'linear0.bias' of Linear 'linear0': 1 values saturate at 8 bits"


def test_a_widened_channel_is_in_the_notes():
    weight, bias = np.array([[1e-9], [1.0]]), np.array([1000.0, 1.0])
    net = hb.Sequential(hb.Linear(weight=weight, bias=bias), input_shape=(1,)).graph()
    q = qz.convert(net, qz.calibrate(net, np.array([[2.55], [0.0]])))
    assert "channels 0 was widened" in q.metadata["notes"]
    codes = q.tensors["linear0.bias"].value
    assert (2**30) * (1 - 1e-6) < codes[0] <= 2**30 and q.metadata["accumulator"] == "safe"
    out = Simulator(q, engine="definition").run(np.array([[1.0]]))
    assert abs(out.real["linear0"][0, 0] - 1000.0) <= q.tensors["linear0"].format.scale


def test_overrides_reach_nodes(ranges, changed_recipe):
    override = [{"match": "dw", "accumulator": "int20 saturate", "requantize": "exact", "weights": {"bits": 6}}]
    q = qz.convert(NET, ranges, changed_recipe("int8", override=override))
    assert q.node("dw").arithmetic.accumulator == Accumulator("int20 saturate")
    assert q.node("dw").arithmetic.requantize == Requantize.preset("exact")
    assert q.tensors["dw.weight"].format.bits == 6
    assert q.node("conv").arithmetic.accumulator == Accumulator("int32 wrap")


@pytest.mark.parametrize("per", ["tensor", "channel"])
def test_affine_weights(changed_recipe, per):
    weight = np.array([[0.0, 2.0, 5.1], [-1.0, -2.0, -2.55]])
    net = hb.Sequential(hb.Linear(weight=weight), input_shape=(3,)).graph()
    x = np.array([[1.0, 0.5, -0.25], [0.0, 1.0, -1.0]])
    changes = {"weights.scale": "affine", "weights.narrow": False, "weights.per": per, "requantize": "exact"}
    q = qz.convert(net, qz.calibrate(net, x), changed_recipe("int8", **changes))
    w, x_format, y_format = q.tensors["linear0.weight"], q.tensors["x"].format, q.tensors["linear0"].format
    zeros = np.broadcast_to(w.format.zero_point, (2,)).tolist()
    scales = np.broadcast_to(w.format.scale, (2,)).tolist()
    assert zeros == ([-128, 127] if per == "channel" else [-43, -43])
    run = Simulator(q, engine="definition").run(x, trace="full")
    for codes, made in zip(run.trace["x"].tolist(), run.outputs["linear0"].tolist(), strict=True):
        for o in range(2):
            row = w.value[o].tolist()
            total = sum((c - x_format.zero_point) * (v - zeros[o]) for c, v in zip(codes, row, strict=True))
            ratio = Fraction(x_format.scale) * Fraction(scales[o]) / Fraction(y_format.scale)
            assert made[o] == clip(round(total * ratio) + y_format.zero_point, -128, 127)


def test_shared_weights_are_stored_once():
    build = hb.GraphBuilder("tied")
    w = build.constant("w", np.array([[0.5, 1.0], [0.25, -1.0]]))
    b = build.constant("b", np.array([1.0, 2.0]))
    y = build.add(hb.Linear(), build.input("x", (1, 2)), w, b, name="one")
    net = build.build(build.add(hb.Linear(), y, w, b, name="two"))
    q = qz.convert(net, qz.calibrate(net, np.array([[1.0, 0.5]])))
    assert q.node("one").inputs[1] == q.node("two").inputs[1] == "w"
    assert q.node("two").inputs[2] == "b_1"
    scales = [np.asarray(q.tensors[n].format.scale) * q.tensors[n].value for n in ("b", "b_1")]
    assert np.allclose(scales, [[1.0, 2.0], [1.0, 2.0]], atol=0.01)


def test_missing_arguments_and_wrong_models(ranges):
    with pytest.raises(ConversionError, match="neither ranges nor formats"):
        qz.convert(NET, None)
    with pytest.raises(RecipeError, match="'int7' is not known"):
        qz.convert(NET, ranges, "int7")
    with pytest.raises(ConversionError, match="states its own formats"):
        qz.convert(qz.convert(NET, ranges), ranges)
    other = hb.Sequential(hb.ReLU(), input_shape=(3,)).graph()
    with pytest.raises(CalibrationError, match="tensor 'x': the range table of 'small' holds 2 channels, the graph 3"):
        qz.convert(other, ranges)
