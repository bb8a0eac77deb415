"""Recipes: what the files of the library say, and how a wrong one is refused."""

import copy

import msgspec
import pytest

import quantize as qz
from hwblocks.errors import RecipeError
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.requantize import Requantize
from quantize.recipe import load_recipe, parse_recipe, recipe_names


@pytest.fixture
def refused():
    """The message of the error for one field of int8 set to a value."""

    def message(path: str, value: object) -> str:
        data = copy.deepcopy(msgspec.to_builtins(load_recipe("int8")))
        *folders, last = path.split(".")
        target = data
        for folder in folders:
            target = target[folder]
        target[last] = value
        with pytest.raises(RecipeError) as error:
            parse_recipe(data, "mine.toml")
        assert error.value.message.startswith("mine.toml: ")
        return error.value.message

    return message


def test_library_names():
    assert recipe_names() == ("fixed16", "int16x8", "int8", "w4a8")


@pytest.mark.parametrize(
    ("name", "weights", "activations", "bias", "accumulator", "requantize"),
    [
        (
            "int8",
            (8, "symmetric", "channel", True),
            (8, "affine", "tensor", False),
            32,
            "int32 wrap",
            "single_round",
        ),
        (
            "int16x8",
            (8, "symmetric", "channel", True),
            (16, "symmetric", "tensor", False),
            64,
            "int64 wrap",
            "single_round",
        ),
        (
            "w4a8",
            (4, "symmetric", "channel", True),
            (8, "affine", "tensor", False),
            32,
            "int32 wrap",
            "single_round",
        ),
        (
            "fixed16",
            (16, "power_of_two", "tensor", False),
            (16, "power_of_two", "tensor", False),
            64,
            "int64 wrap",
            "shift",
        ),
    ],
)
def test_library_states_every_choice(name, weights, activations, bias, accumulator, requantize):
    recipe = load_recipe(name)
    for rule, wanted in ((recipe.weights, weights), (recipe.activations, activations)):
        assert (rule.bits, rule.scale, rule.per, rule.narrow) == wanted
        assert rule.signed and rule.overflow == "saturate" and rule.observer == {"name": "minmax"}
    rounding = "half_up" if name == "fixed16" else "half_even"
    assert recipe.weights.rounding == recipe.activations.rounding == recipe.bias.rounding == rounding
    assert recipe.bias.bits == bias
    assert recipe.scale_precision == "float32"
    assert recipe.accumulator_of("any") == Accumulator(accumulator)
    made = recipe.requantize_of("any")
    assert (made.scheme, made.rounding, made.multiplier_bits) == (requantize, "half_up", 31)


def test_a_checked_recipe_comes_back_equal():
    recipe = load_recipe("int8")
    assert load_recipe(recipe) == recipe


@pytest.mark.parametrize("width", [0, 65, -1, 1000])
def test_width_out_of_range(refused, width):
    assert refused("weights.bits", width).endswith(f"bits {width} is not valid; use 1 to 64 - at `$.weights.bits`")
    assert refused("bias.bits", width).endswith("use 1 to 64 - at `$.bias.bits`")


def test_unknown_key_ends_with_its_path(refused):
    assert refused("weights.bit", 8).endswith("unknown key 'bit'; did you mean 'bits'? - at `$.weights.bit`")
    assert refused("flavour", 8).endswith("- at `$.flavour`")
    assert refused("activations.observer", {"name": "percentile", "percen": 99}).endswith(
        "did you mean 'percent'? - at `$.activations.observer.percen`"
    )


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("weights.bits", "8", "bits '8' is not valid"),
        ("weights.bits", 8.5, "bits 8.5 is not valid"),
        ("weights.rounding", "stochastic", "use floor, ceil"),
        ("weights.rounding", "nearest", "use floor, ceil"),
        ("weights.scale", "log", "use symmetric, affine, power_of_two"),
        ("weights.overflow", "trap", "accumulators"),
        ("weights.overflow", "explode", "explode"),
        ("activations.per", "channel", "one scale per tensor"),
        ("activations.narrow", "yes", "Expected `bool`"),
        ("accumulator", "int99 wrap", "4 to 64"),
        ("requantize", "triple_round", "triple_round"),
        ("requantize", "shift", "power_of_two"),
        ("scale_precision", "float8", "use float32, float64"),
        ("weights.observer.name", "oracle", "minmax, moving_average, percentile"),
        ("weights.observer", {"name": "percentile", "percent": 120.0}, "100"),
    ],
)
def test_wrong_values_are_refused_with_their_path(refused, path, value, words):
    message = refused(path, value)
    assert words in message
    assert message.rpartition("`$.")[2].startswith(path)


def test_one_signed_bit_needs_a_zero_point(refused):
    assert "1 signed bit" in refused("weights.bits", 1) or "narrow" in refused("weights.bits", 1)


def test_narrow_needs_a_sign(refused):
    data = msgspec.to_builtins(load_recipe("int8"))
    data["weights"]["signed"] = False
    with pytest.raises(RecipeError, match=r"narrow.*\$\.weights\.narrow"):
        parse_recipe(data)


def test_missing_field_is_named():
    data = msgspec.to_builtins(load_recipe("int8"))
    del data["weights"]["narrow"]
    with pytest.raises(RecipeError, match=r"missing required field `narrow` - at `\$\.weights`"):
        parse_recipe(data)


def test_overrides_apply_in_order(changed_recipe):
    recipe = changed_recipe(
        "int8",
        override=[
            {"match": "conv*", "weights": {"bits": 4}, "accumulator": "int16 saturate"},
            {"match": "conv1", "weights": {"bits": 2, "per": "tensor"}, "bias": {"bits": 16}},
            {"match": "relu1", "activations": {"bits": 16}, "requantize": "exact"},
        ],
    )
    assert recipe.weights_of("w", "conv1").bits == 2
    assert recipe.weights_of("w", "conv1").per == "tensor"
    assert recipe.weights_of("w", "conv2").bits == 4
    assert recipe.weights_of("w", "fc").bits == 8
    assert recipe.bias_of("b", "conv1").bits == 16
    assert recipe.activations_of("relu1", "conv1").bits == 16
    assert recipe.accumulator_of("conv2") == Accumulator("int16 saturate")
    assert recipe.accumulator_of("fc") == Accumulator("int32 wrap")
    assert recipe.requantize_of("relu1") == Requantize.preset("exact")


def test_overrides_are_checked(refused):
    assert refused("override", [{"match": "a", "weights": {"bits": 65}}]).endswith("- at `$.override[0].weights.bits`")
    assert refused("override", [{"match": "a", "colour": 1}]).endswith("- at `$.override[0].colour`")
    assert refused("override", [{"match": "a", "accumulator": "int2 wrap"}]).endswith(
        "- at `$.override[0].accumulator`"
    )


def test_files(tmp_path):
    text = (
        'name = "mine"\nscale_precision = "float32"\naccumulator = "int32 wrap"\nrequantize = "exact"\n'
        '[weights]\nbits = 6\nsigned = true\nnarrow = true\nscale = "symmetric"\nper = "tensor"\n'
        'rounding = "half_even"\noverflow = "saturate"\nobserver = { name = "percentile", percent = 99.5 }\n'
        '[activations]\nbits = 8\nsigned = false\nnarrow = false\nscale = "affine"\nper = "tensor"\n'
        'rounding = "half_even"\noverflow = "saturate"\nobserver = { name = "moving_average" }\n'
        '[bias]\nbits = 32\nrounding = "half_even"\n'
    )
    path = tmp_path / "mine.toml"
    path.write_text(text)
    recipe = qz.load_recipe(path)
    assert recipe.weights.observer == {"name": "percentile", "percent": 99.5}
    (tmp_path / "mine.json").write_bytes(msgspec.json.encode(recipe))
    assert load_recipe(str(tmp_path / "mine.json")) == recipe
    path.write_text(text.replace("bits = 6", "bits = 65"))
    with pytest.raises(RecipeError, match=r"mine\.toml: bits 65 is not valid; use 1 to 64 - at `\$\.weights\.bits`"):
        load_recipe(path)
    path.write_text("name = ")
    with pytest.raises(RecipeError, match="is not valid TOML"):
        load_recipe(path)
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "absent.toml")
    with pytest.raises(RecipeError, match="use fixed16, int16x8, int8, w4a8"):
        load_recipe("int9")
