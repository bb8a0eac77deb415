"""Narrowest accumulators as recipes: files that read back, models that are proven safe, every field of the record."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.errors import FormatError
from quantize.narrowing import exactly, save_narrowed
from quantize.recipe import Override, load_recipe, recipe_names
from quantize.recipe_text import recipe_text

FIELDS = [
    "int24 wrap",
    "int12 saturate",
    "int20 trap",
    "int12 wrap:2",
    "int14 saturate_symmetric",
    "uint22 wrap",
    "int14 saturate dot(3)",
    "int16 saturate dot(2, sat16)",
    "int14 saturate interleaved(4)",
    "int14 saturate tree(5)",
    "int16 saturate tiles(4) psum=12:wrap",
    "int16 wrap drop=3:half_even",
    "int13 saturate bias=first",
    "int13 saturate zp=correct",
    "int13 saturate axes=chw",
    "int4 wrap",
]


@pytest.fixture(scope="module")
def model():
    """A float network of three layers, its ranges and samples."""
    rng = np.random.default_rng(11)
    net = hb.Sequential(
        hb.Conv2d(weight=rng.normal(size=(4, 3, 3, 2)) / 4, bias=rng.normal(size=4) / 8, padding=1),
        hb.ReLU(),
        hb.Conv2d(weight=rng.normal(size=(1, 3, 3, 4)) / 3, bias=rng.normal(size=4) / 8, groups=4),
        hb.Flatten(),
        hb.Linear(weight=rng.normal(size=(5, 64)) / 8, bias=rng.normal(size=5) / 8),
        input_shape=(6, 6, 2),
    ).graph()
    x = rng.normal(size=(30, 6, 6, 2)).astype(np.float32)
    return net, qz.calibrate(net, x), x


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_read_back(tmp_path, name):
    recipe = load_recipe(name)
    assert load_recipe(qz.save_recipe(recipe, tmp_path / "r.toml")) == recipe


def test_every_choice_reads_back(tmp_path):
    data = msgspec.to_builtins(load_recipe("int8"))
    data["name"] = 'quotes " \\ and\ttabs \x7f é'
    data["activations"]["observer"] = {"name": "percentile", "percent": 99.5}
    data["override"] = [
        {"match": "fc*", "weights": {"bits": 4, "narrow": False}, "accumulator": "int20 wrap tiles(4) psum=16:wrap"},
        {"match": exactly("a[0]*?"), "activations": {"observer": {"name": "minmax"}}, "bias": {"bits": 16}},
    ]
    recipe = qz.load_recipe(qz.save_recipe(msgspec.convert(data, qz.Recipe), tmp_path / "r.toml"))
    assert msgspec.to_builtins(recipe) == msgspec.to_builtins(msgspec.convert(data, qz.Recipe))
    assert recipe.override[1].matches(["a[0]*?"]) and not recipe.override[1].matches(["a00x", "a0*?"])


def test_comments_stay_comments(tmp_path):
    recipe = msgspec.structs.replace(load_recipe("int8"), override=(Override(match="a", accumulator="int8 wrap"),))
    (tmp_path / "r.toml").write_text(recipe_text(recipe, {"a": 'two\nlines = "1"'}))
    assert load_recipe(tmp_path / "r.toml") == recipe


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("overflow", [None, "saturate", "trap"])
def test_a_model_of_the_narrowed_recipe_is_proven_safe(model, tmp_path, name, overflow):
    net, ranges, x = model
    q = qz.convert(net, ranges, name)
    save_narrowed(tmp_path / "narrow.toml", hb.accumulators(q), name, overflow)
    made = qz.convert(net, ranges, tmp_path / "narrow.toml")
    found = hb.accumulators(made, x)
    assert found.safe
    assert made.metadata["accumulator"] == "safe"
    assert all(row["bits_present"] == max(row["bits_proven"], 4) for row in found.layers)
    assert {row["basis"] for row in found.layers} == {"totals" if overflow is None else "partial sums"}
    for key, codes in hb.run(q, x).outputs.items():
        np.testing.assert_array_equal(hb.run(made, x).outputs[key], codes)


@pytest.mark.parametrize("record", [*FIELDS, "int64 saturate", "uint64 wrap", "int17 wrap_sign_magnitude:1"])
def test_every_field_per_node_from_a_recipe_is_that_of_a_run(model, record):
    """Stated for one layer in a recipe, or given to a run: the same codes, and no other layer changes its record."""
    net, ranges, x = model
    recipe = msgspec.structs.replace(load_recipe("int8"), override=(Override(match="linear*", accumulator=record),))
    stated, plain = qz.convert(net, ranges, recipe), qz.convert(net, ranges, "int8")
    records = [str(n.arithmetic.accumulator) for n in stated.nodes if n.arithmetic and n.arithmetic.accumulator]
    assert records == ["int32 wrap", "int32 wrap", record]
    try:
        wanted = hb.run(stated, x).outputs
    except hb.HwblocksError as error:
        with pytest.raises(type(error)):
            hb.run(plain, x, accumulator={"linear*": record})
        return
    made = hb.run(plain, x, accumulator={"linear*": record}).outputs
    exact = hb.Simulator(stated, engine="definition").run(x).outputs
    for name, codes in wanted.items():
        np.testing.assert_array_equal(made[name], codes)
        np.testing.assert_array_equal(exact[name], codes)


def test_fields_change_numbers(model):
    """Each of the records of the list that can lose something does so in at least one code."""
    net, ranges, x = model
    q = qz.convert(net, ranges, "int8")
    plain = next(iter(hb.run(q, x).outputs.values()))
    for record in FIELDS[1:]:
        if "trap" not in record:
            made = next(iter(hb.run(q, x, accumulator={"linear*": record}).outputs.values()))
            assert (made != plain).any(), record


def test_unknown_overflow(model):
    net, ranges, _ = model
    with pytest.raises(FormatError, match="bend"):
        qz.narrowed(hb.accumulators(qz.convert(net, ranges)), "int8", "bend")
