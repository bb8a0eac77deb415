"""Arrays of DSP blocks: cycles, bytes and limits by hand."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import TargetError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.targets.load import load_target, target_text

ARRAYS = ("zcu104-dsp48e2", "versal-dsp58", "agilex-9x9x4")
INT8 = hb.Format("int8")


def conv_net(weight_bits=8, channels=20, outputs=40, groups=1, activation_bits=8):
    build = GraphBuilder("net")
    a, w = hb.Format(f"int{activation_bits}"), hb.Format(f"int{weight_bits}")
    x = build.input("x", (1, 5, 5, channels), a)
    shape = (1, 3, 3, outputs) if groups == channels else (outputs, 3, 3, channels // groups)
    weight = build.constant("w", np.zeros(shape), w)
    return build.build(build.add(hb.Conv2d(padding=1, groups=groups), x, weight, name="conv", formats=[a]))


def changed(tmp_path, name, **values):
    text = target_text(name)
    for key, value in values.items():
        lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in text.splitlines()]
        assert "\n".join(lines) != text.rstrip()
        text = "\n".join(lines)
    (tmp_path / "t.toml").write_text(text)
    return tmp_path / "t.toml"


def row(graph, target):
    return next(iter(hb.cost(graph, target=str(target)).layers))


def test_cycles_by_hand():
    made = row(conv_net(), "zcu104-dsp48e2")
    cycles = 4 * 9 * 2 * 3  # ⌈25 / 8⌉ pixels, 9 taps, ⌈20 / 16⌉ inputs, ⌈40 / 16⌉ outputs
    assert made["array_cycles"] == made["cycles"] == cycles
    assert made["macs"] == 25 * 9 * 20 * 40
    assert made["mapping"] == made["macs"] / (cycles * 2048)
    assert made["products_per_dsp"] == 2


def test_bytes_by_hand():
    made = row(conv_net(), "zcu104-dsp48e2")
    assert made["activations_bytes"] == 25 * 180 * 3 + 25 * 40  # read in each of 3 passes over outputs; written once
    assert made["weights_bytes"] == 4 * 180 * 40  # in each of 4 passes over pixels
    assert made["dram_bytes"] == 0  # everything stays on the device


@pytest.mark.parametrize(
    ("activation_bits", "weight_bits", "passes", "products"),
    [(8, 8, 3, 2), (4, 4, 2, 4), (8, 4, 3, 2), (16, 16, 5, 1), (24, 24, 10, 0.5)],
)
def test_outputs_at_once_follow_the_packing(activation_bits, weight_bits, passes, products):
    made = row(conv_net(weight_bits, activation_bits=activation_bits), "zcu104-dsp48e2")
    assert made["cycles"] == 4 * 9 * 2 * passes  # 16 · r output channels at once
    assert made["products_per_dsp"] == products


def test_depthwise_groups_lie_side_by_side(tmp_path):
    net = conv_net(channels=40, groups=40)
    assert row(net, "zcu104-dsp48e2")["cycles"] == 3 * 4 * 9  # 16 groups at once
    assert row(net, changed(tmp_path, "zcu104-dsp48e2", groups='"serial"'))["cycles"] == 40 * 4 * 9


def test_what_does_not_fit_goes_through_dram(tmp_path):
    target = changed(tmp_path, "zcu104-dsp48e2", bytes=1200)
    made = row(conv_net(), target)
    assert made["spilled_bytes"] == 500 + 1000
    assert made["dram_bytes"] == 500 + 1000 + 7200


def test_peaks():
    peaks = {name: hb.cost(conv_net(), target=name).peak_macs_per_cycle for name in ARRAYS}
    assert peaks == {"zcu104-dsp48e2": 2048, "versal-dsp58": 4608, "agilex-9x9x4": 2048}


def test_a_target_of_ones_own_is_checked(tmp_path):
    few = changed(tmp_path, "zcu104-dsp48e2", dsps=500)
    with pytest.raises(TargetError, match=r"512 DSP blocks, 12 too many"):
        hb.cost(conv_net(), target=str(few))
    small = changed(tmp_path, "zcu104-dsp48e2", bram18=10, uram=0)
    with pytest.raises(TargetError, match=r"3,145,728 bytes.*hold 23,040: 3,122,688 bytes too many"):
        hb.cost(conv_net(), target=str(small))


def test_without_dram_the_layer_that_does_not_fit_is_named(tmp_path):
    text = changed(tmp_path, "zcu104-dsp48e2", bytes=8000).read_text()
    start, end = text.index("[memory.dram]"), text.index("[count]")
    (tmp_path / "t.toml").write_text(text[:start] + text[end:])
    hb.cost(conv_net(), target=str(tmp_path / "t.toml"))
    with pytest.raises(TargetError, match=r"input and output take 9,000 bytes.*has 8,000: 1,000 bytes too many"):
        hb.cost(conv_net(channels=8, outputs=352, weight_bits=2), target=str(tmp_path / "t.toml"))
    with pytest.raises(TargetError, match=r"7,201 bytes|constants, memory 'weights'"):
        hb.cost(conv_net(outputs=48), target=str(tmp_path / "t.toml"))


@pytest.mark.parametrize("name", ARRAYS)
def test_shipped_arrays_fit_their_devices(name):
    assert load_target(name).target.kind == "fpga"
    assert hb.cost(conv_net(), target=name).inferences_per_second > 0
