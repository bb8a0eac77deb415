"""Costs side by side: rows, ratios, and energy tables that are never mixed."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.costs.comparison import compare_costs
from hwblocks.errors import InputError
from hwblocks.targets.load import load_target


@pytest.fixture(scope="module")
def models():
    rng = np.random.default_rng(1)
    net = hb.Sequential(hb.Linear(weight=rng.normal(size=(16, 32))), hb.ReLU(), input_shape=(32,))
    ranges = qz.calibrate(net, rng.normal(size=(20, 32)))
    return {recipe: qz.convert(net, ranges, recipe=recipe) for recipe in ("int8", "w4a8", "fixed16")}


def child(tmp_path, name, lines=""):
    path = tmp_path / f"{name}.toml"
    path.write_text(f'inherit = "ideal-64mac"\n{lines}\n[target]\nname = "{name}"\n')
    return load_target(path)


def test_rows_and_ratios(models, tmp_path):
    targets = [load_target("ideal-64mac"), child(tmp_path, "second")]
    rows = list(compare_costs(models, targets).table)
    assert [(row["model"], row["target"]) for row in rows] == [
        (recipe, target) for target in ("ideal-64mac", "second") for recipe in models
    ]
    assert [row["latency_ratio"] for row in rows[:3]] == [row["latency_us"] / rows[0]["latency_us"] for row in rows[:3]]
    assert rows[0]["energy_ratio"] == rows[3]["energy_ratio"] == 1.0
    for row in rows:
        cost = hb.cost(models[row["model"]])
        assert (row["cycles"], row["energy horowitz-45nm"]) == (cost.cycles, cost.energy_pj)


def test_one_model_is_compared_with_its_first_target(models, tmp_path):
    slow = child(tmp_path, "slow", "[vector]\nops_per_cycle = { v = 0.1, source = 'x' }")
    rows = list(compare_costs({"int8": models["int8"]}, [load_target("ideal-64mac"), slow]).table)
    assert rows[1]["latency_ratio"] == rows[1]["latency_us"] / rows[0]["latency_us"] > 1


def test_tables_are_never_mixed(models, tmp_path):
    text = (tmp_path / "own.toml").write_text
    text(
        'name = "own"\nsource = "x"\n[operations]\nmul_8x8 = { v = 1.0, low = 1.0, high = 1.0, source = "x" }\n'
        'add_8 = { v = 1.0, low = 1.0, high = 1.0, source = "x" }\n[memory]\n'
        'sram = [{ bytes = 1024, v = 1.0, low = 1.0, high = 1.0, source = "x" }]\n'
    )
    other = child(tmp_path, "second", f'[energy]\ntable = "{tmp_path}/own.toml"')
    found = compare_costs(models, [load_target("ideal-64mac"), other])
    keys = [column.key for column in found.table.columns]
    assert {"energy horowitz-45nm", "energy own"} <= set(keys)
    for row in found.table:
        assert ("energy own" in row) == (row["target"] == "second")
        assert ("energy horowitz-45nm" in row) == (row["target"] == "ideal-64mac")
    same = compare_costs(models, [load_target("ideal-64mac"), other], energy="horowitz-45nm")
    assert {row["energy_table"] for row in same.table} == {"horowitz-45nm"}


def test_widths_follow_the_rules_of_the_table(models):
    costs = {recipe: hb.cost(made).layers.rows[0] for recipe, made in models.items()}
    mul, add = 0.2, 0.03
    macs = 16 * 32
    assert costs["int8"]["energy_mac"] == pytest.approx(macs * (mul + 4 * add))
    assert costs["w4a8"]["energy_mac"] == pytest.approx(macs * (mul / 2 + 4 * add))
    assert costs["fixed16"]["energy_mac"] == pytest.approx(macs * (4 * mul + 8 * add))  # 64-bit sums


def test_floats_have_no_energy():
    net = hb.Sequential(hb.ReLU(), input_shape=(3,))
    cost = hb.cost(net)
    assert cost.energy is None and cost.energy_pj is None
    assert "quantize the model" in str(cost.to_markdown())


def test_wrong_comparisons(models):
    target = load_target("ideal-64mac")
    with pytest.raises(InputError, match="given twice"):
        compare_costs(models, [target, target])
    with pytest.raises(InputError, match="at least one model"):
        compare_costs({}, [target])
