"""NVDLA-like targets on graphs: the sheet's AlexNet rows, groups, widths, and buffers too small."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import TargetError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.targets.load import load_target

INT8 = hb.Format("int8")


def conv(height, channels, filters, kernel, bits=8, **attributes):
    build = GraphBuilder("conv")
    form = hb.Format(f"int{bits}")
    x = build.input("x", (1, height, height, channels), form)
    groups = attributes.get("groups", 1)
    w = build.constant("w", np.ones((filters, kernel, kernel, channels // groups), np.int8), INT8)
    return build.build(build.add(hb.Conv2d(**attributes), x, w, name="conv", formats=[form]))


# AlexNet with two groups, MAC cycles of NVDLA's performance sheet at 2048 MACs
ALEXNET = [
    ((224, 3, 96, 11), {"stride": 4}, 49617.5625),
    ((27, 96, 256, 5), {"padding": 2, "groups": 2}, 2 * 54675.0),
    ((13, 256, 384, 3), {"padding": 1}, 73008.0),
]


@pytest.mark.parametrize(("sizes", "attributes", "cycles"), ALEXNET)
def test_cycles_of_the_sheet(sizes, attributes, cycles):
    (row,) = hb.cost(conv(*sizes, **attributes), "nvdla-full").layers
    assert row["sheet_cycles"] == cycles
    assert row["array_cycles"] == int(np.ceil(cycles))


def test_wider_operands_are_slower():
    eight, sixteen = (hb.cost(conv(16, 32, 32, 3, bits), "nvdla-full").layers.rows[0] for bits in (8, 16))
    assert sixteen["sheet_cycles"] == 2 * eight["sheet_cycles"]


def test_winograd_saves_products(tmp_path):
    path = tmp_path / "t.toml"
    path.write_text('inherit = "nvdla-full"\n[target]\nname = "winograd"\n[array]\nwinograd = true\n')
    plain, fast = (hb.cost(conv(16, 32, 32, 3), t).layers.rows[0] for t in ("nvdla-full", load_target(path)))
    assert fast["sheet_cycles"] == pytest.approx(plain["sheet_cycles"] / 2.25)
    assert (
        hb.cost(conv(16, 32, 32, 3, stride=2), load_target(path)).layers.rows[0]["sheet_cycles"]
        == (hb.cost(conv(16, 32, 32, 3, stride=2), "nvdla-full").layers.rows[0]["sheet_cycles"])
    )


def test_an_sram_keeps_features_that_fit(tmp_path):
    path = tmp_path / "t.toml"
    path.write_text(
        'inherit = "nvdla-full"\n[target]\nname = "sram"\n[memory.sram]\nbytes = 20000\ngb_per_s = 25\nsource = "sheet"\n'
    )
    small, large = (hb.cost(conv(n, 16, 16, 1), load_target(path)).moved for n in (8, 32))
    assert small == {"cbuf": 0, "sram": 2 * 8 * 8 * 16, "dram": 16 * 16}
    assert large == {"cbuf": 0, "sram": 0, "dram": 2 * 32 * 32 * 16 + 16 * 16}


def test_a_buffer_too_small_names_the_layer(tmp_path):
    path = tmp_path / "t.toml"
    path.write_text(
        'inherit = "nvdla-full"\n[target]\nname = "tiny"\n[memory.cbuf]\nbytes = { v = 64, source = "x" }\n'
    )
    with pytest.raises(TargetError, match="conv.*on tiny: a convolution buffer of 64 bytes"):
        hb.cost(conv(64, 32, 32, 3), load_target(path))
