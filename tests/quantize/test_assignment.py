"""Assignment: formats by hand for every rule of blocks and recipes, and conflicts by name."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.errors import CalibrationError, ConversionError, RecipeError
from hwblocks.numerics.formats import Format


def f32(value: float) -> float:
    return float(np.float32(value))


@pytest.fixture
def formats_of():
    """The format table of a graph whose calibration set is given."""

    def make(graph, samples, recipe="int8"):
        return qz.assign(graph, qz.calibrate(graph, samples), recipe)

    return make


@pytest.fixture
def branches():
    """softmax(x) beside relu(x · 4), joined: two sources with different ranges."""
    build = hb.GraphBuilder("branches")
    x = build.input("x", (1, 4))
    left = build.add(hb.Softmax(), x, name="soft")
    right = build.add(hb.ReLU(), build.add(hb.Linear(weight=4 * np.eye(4)), x, name="fc"), name="act")
    return build.build(build.add(hb.Flatten(), build.add(hb.Concat(-1), left, right, name="cat"), name="flat"))


X = np.array([[-1.0, 0.0, 0.5, 2.0], [1.0, 0.25, -0.5, -2.0]])


def test_int8_formats_by_hand(formats_of):
    weight = np.array([[0.5, -1.27], [0.0, 2.54]])
    net = hb.Sequential(hb.Linear(weight=weight, bias=np.array([0.1, -0.2])), hb.ReLU(), input_shape=(2,)).graph()
    table = formats_of(net, np.array([[1.0, -1.0], [-1.0, 1.0]]))
    assert table["x"] == Format("int8", scale=f32(2 / 255), zero_point=round(-128 + 1 / f32(2 / 255)))
    scales = (f32(f32(1.27) / 127), f32(f32(2.54) / 127))
    assert table["linear0.weight"] == Format("int8", narrow=True, scale=scales, axis=0)
    x_scale = f32(2 / 255)
    assert table["linear0.bias"] == Format("int32", scale=(x_scale * scales[0], x_scale * scales[1]), axis=0)
    # outputs: (0.5 + 1.27 + 0.1, −2.54 − 0.2 → 0), (−1.77 + 0.1 → 0, 2.34): the largest is 2.34
    assert table["relu1"].zero_point == -128
    assert table["relu1"].scale == f32(qz.calibrate(net, np.array([[-1.0, 1.0]]))["relu1"].hi / 255)
    assert table.notes == []
    assert list(table) == ["x", "relu1", "linear0.weight", "linear0.bias"]


@pytest.mark.parametrize(
    ("recipe", "soft"),
    [
        ("int8", Format("int8", scale=1 / 256, zero_point=-128)),
        ("w4a8", Format("int8", scale=1 / 256, zero_point=-128)),
        ("int16x8", Format("int16", scale=2.0**-15)),
        ("fixed16", Format("int16", scale=2.0**-15)),
    ],
)
def test_known_ranges_take_their_own_scale(formats_of, recipe, soft):
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 4))
    y = build.add(hb.Reshape((1, 2, 2)), build.add(hb.Sigmoid(), x, name="sig"), name="shaped")
    table = formats_of(build.build(y, build.add(hb.Softmax(), x, name="soft")), X, recipe)
    assert table["sig"] == table["shaped"] == table["soft"] == soft
    assert table.notes == []


def test_equal_known_ranges_share_it(formats_of):
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 4))
    y = build.add(hb.Concat(-1), build.add(hb.Sigmoid(), x, name="a"), build.add(hb.Softmax(), x, name="b"), name="cat")
    table = formats_of(build.build(y), X)
    assert table["cat"] == table["a"] == table["b"] == Format("int8", scale=1 / 256, zero_point=-128)
    assert table.notes == []


def test_moved_tensors_share_the_union_of_their_ranges(formats_of):
    build = hb.GraphBuilder("g")
    a, b = build.input("a", (1, 2)), build.input("b", (1, 2))
    r = build.add(hb.Reshape((1, 2, 1)), a, name="r")
    s = build.add(hb.Unsqueeze(-1), b, name="s")
    table = formats_of(build.build(build.add(hb.Concat(1), r, s, name="cat")), {"a": [[0.0, 2.0]], "b": [[-0.55, 1.0]]})
    made = Format("int8", scale=f32((2.0 + f32(0.55)) / 255), zero_point=-73)
    assert {table[n] for n in ("a", "b", "r", "s", "cat")} == {made}


def test_a_known_range_beside_another_is_rescaled_and_noted(formats_of, branches):
    table = formats_of(branches, X)
    assert table["soft"] == Format("int8", scale=1 / 256, zero_point=-128)
    shared = Format("int8", scale=f32(8 / 255), zero_point=-128)
    assert table["act"] == table["cat"] == table["flat"] == shared
    assert table.notes == [
        "tensor 'soft' keeps the scale 0.00390625 of its known range; where it meets 'act' it is rescaled to "
        f"{shared.scale!r}"
    ]


def test_two_different_known_ranges(formats_of):
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 4))
    y = build.add(hb.Concat(-1), build.add(hb.Sigmoid(), x, name="a"), build.add(hb.Tanh(), x, name="b"), name="cat")
    table = formats_of(build.build(y), X)
    assert table["a"] == Format("int8", scale=1 / 256, zero_point=-128)
    assert table["b"] == Format("int8", scale=1 / 128)
    assert table["cat"].scale > 1.9 / 255 and len(table.notes) == 2


def test_constants_that_feed_element_wise_blocks_are_activations(formats_of):
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 4))
    y = build.add(hb.Mul(), x, build.constant("k", np.array([0.0, 1.0, 2.0, 5.1])), name="y")
    z = build.add(hb.Concat(-1), y, build.constant("c", np.full((1, 4), 100.0)), name="z")
    table = formats_of(build.build(z), X)
    assert table["k"] == Format("int8", scale=f32(f32(5.1) / 255), zero_point=-128)
    assert table["c"] == table["z"] == table["y"]
    assert table["c"].scale * (127 - table["c"].zero_point) > 99.7


def test_a_tensor_of_zeros_has_a_scale_and_a_note(formats_of):
    net = hb.Sequential(hb.Linear(weight=-np.eye(2)), hb.ReLU(), input_shape=(2,)).graph()
    table = formats_of(net, np.array([[1.0, 2.0]]))
    assert table["relu1"] == Format("int8", scale=f32(2 / 255), zero_point=round(-128 + 1 / f32(2 / 255)))
    assert table.notes == ["tensor 'relu1' has the range 0 to 0; its scale is that of -1 to 1"]


def test_weights_of_zeros(formats_of, changed_recipe):
    net = hb.Sequential(hb.Linear(weight=np.array([[0.0, 0.0], [1.27, 0.5]])), input_shape=(2,)).graph()
    table = formats_of(net, np.array([[1.0, 2.0]]))
    assert table["linear0.weight"].scale == (f32(f32(1.27) / 127), f32(f32(1.27) / 127))
    assert "channels 0 are all 0" in table.notes[0]
    zero = hb.Sequential(hb.Linear(weight=np.zeros((2, 2))), input_shape=(2,)).graph()
    for per in ("tensor", "channel"):
        made = formats_of(zero, np.array([[1.0, 2.0]]), changed_recipe("int8", **{"weights.per": per}))
        assert np.all(np.asarray(made["linear0.weight"].scale) == f32(1 / 127))


def test_observers_choose_weight_ranges_per_channel(formats_of, changed_recipe):
    weight = np.ones((2, 1000))
    weight[0, 0] = 100.0
    net = hb.Sequential(hb.Linear(weight=weight), input_shape=(1000,)).graph()
    recipe = changed_recipe("int8", **{"weights.observer": {"name": "percentile", "percent": 99.0}})
    table = formats_of(net, np.ones((1, 1000)), recipe)
    # channel 0: bins of width 100/1024 rounded up to 1/8: the bin of 1.0 ends at 1.125
    assert table["linear0.weight"].scale == (f32(1.125 / 127), f32(1 / 127))


def test_a_bias_that_does_not_fit_widens_its_channel(formats_of):
    # x in [0, 2.55] has scale 0.01; channel 0: w scale 1e-9 / 127, so 1000 needs far more than 31 bits
    weight, bias = np.array([[1e-9], [1.27]]), np.array([1000.0, 1.0])
    net = hb.Sequential(hb.Linear(weight=weight, bias=bias), input_shape=(1,)).graph()
    table = formats_of(net, np.array([[2.55], [0.0]]))
    narrow, plain = table["linear0.weight"].scale
    assert plain == f32(f32(1.27) / 127)
    codes = 1000.0 / (table["x"].scale * narrow)
    half = (2**31 - 1) / 2
    assert half * (1 - 1e-6) < codes <= half
    assert table["linear0.bias"].scale[0] == table["x"].scale * narrow
    assert table.notes == [
        "weights 'linear0.weight' of Linear 'linear0': the scale of channels 0 was widened, since "
        "the bias would leave 32 bits"
    ]


def test_widening_keeps_powers_of_two(formats_of, changed_recipe):
    recipe = changed_recipe("fixed16", **{"bias.bits": 16})
    net = hb.Sequential(hb.Linear(weight=np.array([[0.5]]), bias=np.array([100.0])), input_shape=(1,)).graph()
    table = formats_of(net, np.array([[1.0]]), recipe)
    # x: 2**-14, w: 2**-16 + 1; 100 / 2**-14 / s ≤ 32767 / 2 needs s ≥ 100 · 2**14 / 16383.5 = 100.003: 2**7
    assert table["x"] == Format("int16", scale=2.0**-14)
    assert table["linear0.weight"].scale == 2.0**7
    assert "was widened" in table.notes[0]


def test_overrides_by_node_and_tensor(formats_of, branches, changed_recipe):
    recipe = changed_recipe(
        "int8",
        override=[
            {"match": "fc", "weights": {"bits": 4, "per": "tensor"}},
            {"match": "soft", "activations": {"scale": "symmetric"}},
            {"match": "act", "activations": {"scale": "symmetric"}},
        ],
    )
    table = formats_of(branches, X, recipe)
    assert table["fc.weight"] == Format("int4", narrow=True, scale=f32(4 / 7))
    assert table["soft"] == Format("int8", scale=2.0**-7)
    assert table["cat"] == Format("int8", scale=f32(8 / 127))


def test_contradicting_overrides_are_explained_by_name(formats_of, branches, changed_recipe):
    recipe = changed_recipe("int8", override=[{"match": "act", "activations": {"bits": 16}}])
    with pytest.raises(ConversionError) as error:
        formats_of(branches, X, recipe)
    assert error.value.message == (
        "Concat 'cat', Flatten 'flat': codes are moved unchanged, so these tensors need one format, "
        "but recipe 'int8' asks for int8 affine for 'soft'; int16 affine for 'act'; "
        "override all of them alike"
    )


def test_overrides_of_moves_count_too(formats_of, branches, changed_recipe):
    with pytest.raises(ConversionError, match="for 'soft', 'act'; int4 affine for 'flat'"):
        formats_of(branches, X, changed_recipe("int8", override=[{"match": "flat", "activations": {"bits": 4}}]))


def test_overrides_that_match_nothing_are_refused(formats_of, branches, changed_recipe):
    recipe = changed_recipe("int8", override=[{"match": "conv*"}])
    with pytest.raises(RecipeError, match=r"'conv\*' matches no node .* - at `\$\.override\[0\]\.match`"):
        formats_of(branches, X, recipe)


def test_a_table_of_another_model_is_refused(branches):
    other = hb.Sequential(hb.ReLU(), input_shape=(4,)).graph()
    with pytest.raises(CalibrationError, match="has no row"):
        qz.assign(branches, qz.calibrate(other, X))


def test_average_pooling_keeps_its_format(formats_of):
    build = hb.GraphBuilder("g")
    y = build.add(hb.AvgPool2d(2), build.input("x", (1, 2, 2, 1)), name="y")
    table = formats_of(build.build(y), np.array([0.0, 1.0, 2.0, 4.0]).reshape(1, 2, 2, 1))
    assert table["y"] == table["x"] == Format("int8", scale=f32(4 / 255), zero_point=-128)


def test_unsigned_activations(formats_of, changed_recipe):
    recipe = changed_recipe("int8", **{"activations.signed": False})
    net = hb.Sequential(hb.ReLU(), input_shape=(4,)).graph()
    assert formats_of(net, np.abs(X), recipe)["relu0"] == Format("uint8", scale=f32(2 / 255))
    symmetric = changed_recipe("int8", **{"activations.signed": False, "activations.scale": "symmetric"})
    with pytest.raises(ConversionError, match=r"tensor 'x': goes down to -2\.0"):
        formats_of(net, X, symmetric)
