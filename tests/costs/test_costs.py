"""Counts, memory, cycles and energy, by hand and against published networks."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.costs.energy import mac_pj
from hwblocks.errors import RecipeError, TargetError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.targets.load import energy_names, load_energy, load_target, target_names


def int8_net():
    build = GraphBuilder("net")
    x = build.input("x", (1, 4, 4, 8), hb.Format("int8"))
    w = build.constant("w", np.ones((16, 3, 3, 8)), hb.Format("int8"))
    y = build.add(hb.Conv2d(padding=1), x, w, name="conv", formats=[hb.Format("int8")])
    return build.build(build.add(hb.ReLU(), y, name="relu"))


def test_profile_by_hand():
    p = hb.profile(int8_net())
    assert p.macs == 16 * 9 * 8 * 16
    assert p.macs_valid == 100 * 8 * 16  # 10 × 10 taps of a 4 × 4 input lie inside
    assert (p.weight_bytes, p.peak_bytes, p.peak_bound_bytes) == (1152, 512, 512)
    assert [row["layer"] for row in p.layers] == ["conv", "relu"]
    assert p.layers["compares"] == [0, 256]


def test_cost_by_hand():
    k = hb.cost(int8_net())
    conv, relu = k.layers
    assert conv["compute_cycles"] == 18432 // 64 + 256 // 16
    assert conv["memory_cycles"] == (128 + 256 + 1152) // 16
    assert (conv["cycles"], conv["bound"]) == (304, "compute")
    assert (relu["cycles"], relu["bound"]) == (32, "memory")
    assert k.cycles == 336
    assert k.latency_us == 336 / 500
    table = load_energy("horowitz-45nm")
    assert mac_pj(table, 8, 8, 32) == pytest.approx(0.2 + 0.03 * 4)
    assert relu["energy_pj"] == pytest.approx(256 * 0.03 + 512 * 8 * 0.15625)


def test_weights_pack():
    build = GraphBuilder("net")
    x = build.input("x", (1, 5), hb.Format("int8"))
    w = build.constant("w", np.ones((3, 5)), hb.Format("int4"))
    p = hb.profile(build.build(build.add(hb.Linear(), x, w, formats=[hb.Format("int8")])))
    assert (p.weight_bytes, p.weight_stored_bytes) == (8, 15)


VGG16 = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]


def test_vgg16_from_shapes(shared):
    rows = list(csv.DictReader((shared / "reference" / "macs" / "mac_reference.csv").open()))
    row = next(r for r in rows if any("vgg16" in v.lower() for v in r.values()))
    size, channels, macs, valid = 224, 3, 0, 0
    for width in VGG16:
        if width == "M":
            size //= 2
            continue
        work = hb.Conv2d(padding=1).work((1, size, size, channels), (width, 3, 3, channels))
        macs, valid, channels = macs + work.macs, valid + work.macs_valid, width
    for inputs, outputs in ((512 * 49, 4096), (4096, 4096), (4096, 1000)):
        work = hb.Linear().work((1, inputs), (outputs, inputs))
        macs, valid = macs + work.macs, valid + work.macs_valid
    assert (macs, valid) == (15_470_264_320, 14_969_824_000)
    assert (int(row["macs"]), int(row["macs_valid"])) == (macs, valid)


def test_targets_and_bad_files(tmp_path):
    assert target_names() == ("ideal-64mac",)
    assert energy_names() == ("horowitz-45nm",)
    with pytest.raises(TargetError, match="ideal-64mac"):
        load_target("missing")
    text = (tmp_path / "t.toml").write_text
    good = (hb.__path__[0] + "/targets/library/ideal-64mac.toml", "macs_per_cycle = 64.0")
    source = open(good[0]).read()  # noqa: SIM115
    for change, words in (("macs_per_cycle = 0.0", r"\$\.compute"), ("macs = 64.0", r"unknown field `macs`")):
        text(source.replace(good[1], change))
        with pytest.raises(RecipeError, match=words):
            load_target(tmp_path / "t.toml")
