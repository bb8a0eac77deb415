"""Counts, memory, cycles and energy, by hand and against published networks."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic

AFFINE = Arithmetic(requantize=hb.Requantize.preset("single_round"), accumulator=hb.Accumulator(32))


def int8_net():
    build = GraphBuilder("net")
    x = build.input("x", (1, 4, 4, 8), hb.Format("int8"))
    w = build.constant("w", np.ones((16, 3, 3, 8)), hb.Format("int8"))
    y = build.add(hb.Conv2d(padding=1), x, w, name="conv", formats=[hb.Format("int8")], arithmetic=AFFINE)
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
    assert conv["array_cycles"] == 18432 // 64
    assert conv["vector_cycles"] == 256 // 16  # requantizations
    assert conv["main_cycles"] == (128 + 256 + 1152) // 16
    assert (conv["cycles"], conv["bound"], conv["utilisation"]) == (288, "array", 1.0)
    assert (relu["cycles"], relu["bound"]) == (32, "main")
    assert (k.cycles, k.latency_us, k.inferences_per_second) == (320, 320 / 500, 500e6 / 320)
    assert k.utilisation == 288 / 320
    assert k.moved == {"main": 128 + 256 + 1152 + 512}


def test_energy_by_hand():
    conv, relu = hb.cost(int8_net()).layers
    mul, add, sram = 0.2, 0.03, 1.5625
    assert conv["energy_mac"] == pytest.approx(18432 * (mul + 4 * add))
    assert conv["energy_other"] == pytest.approx(256 * (mul * 32 * 31 / 64 + add * 4))  # accumulator × multiplier
    assert conv["energy_main"] == pytest.approx((128 + 256 + 1152) * 8 * sram)
    assert relu["energy"] == pytest.approx(256 * add + 512 * 8 * sram)
    assert relu["energy_low"] == pytest.approx(relu["energy"] / 2)
    assert relu["energy_high"] == pytest.approx(relu["energy"] * 2)


def test_operations_by_widths_by_hand():
    p = hb.profile(int8_net())
    assert [tuple(row.values()) for row in p.operations] == [
        ("macs", "8x8→32", 18432),
        ("compares", "8", 256),
        ("requants", "32→8", 256),
    ]
    assert p.by_widths == (("8x8→32", 18432),)


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
