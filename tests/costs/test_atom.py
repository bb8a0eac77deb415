"""Atoms against every priced row of NVDLA's performance sheet, and by hand."""

from __future__ import annotations

import csv
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from costs.nvdla_sheet import AtomCycles, memory_cycles, sheet_memory_cycles, weights_shared

from hwblocks.costs.machines.atom import (
    Atom,
    AtomLayer,
    buffered_features,
    buffered_weights,
    dram_bytes,
    layer_bytes,
    mac_cycles,
    once_bytes,
)
from hwblocks.errors import ShapeError, TargetError

SHEET = Path(__file__).parents[1] / "golden" / "nvdla_layers.csv"
FULL = Atom(macs=2048, buffer_bytes=512 * 1024)
KB = 1024


def sheet(network):
    """(row as numbers, layer) of a network."""
    lines = [line for line in SHEET.read_text().splitlines() if not line.startswith("#")]
    for row in csv.DictReader(lines):
        if row["network"] == network:
            numbers = {k: Fraction(v) for k, v in row.items() if k not in ("network", "name", "kind") and v}
            yield numbers, layer_of(row["kind"], {k: int(v) for k, v in numbers.items() if v.denominator == 1})


def layer_of(kind, n):
    stride = (n["stride_down"], n["stride_across"])
    sizes = ((n["height"], n["filter_height"]), (n["width"], n["filter_width"]))
    outputs = tuple(-(-(a if n["padded"] else a - f + 1) // s) for (a, f), s in zip(sizes, stride))
    return AtomLayer(
        *(n[k] for k in ("channels", "height", "width", "filters", "filter_height", "filter_width")),
        outputs,
        stride,
        (n["result_height"], n["result_width"]),
        batch=16 if kind == "fc" else 1,
        winograd=bool(n["winograd"]),
        added="elwise" in kind,
    )


def close(value, stored):
    """The sheet stores doubles."""
    return float(value) == pytest.approx(float(stored), rel=1e-13, abs=0)


def check_sizes(sizes, row, least_rows=True):
    assert close(sizes.features / KB, row["features_kb"])
    assert close(sizes.results / KB, row["results_kb"])
    assert close(sizes.weights / KB, row["weights_kb"])
    assert close(sizes.least_weights / KB, row["least_weights_kb"])
    assert close(sizes.least_features / KB, row["least_features_kb"])


def test_alexnet_without_sram():
    total = busy = 0
    for row, layer in sheet("AlexNet"):
        check_sizes(layer_bytes(replace(layer, batch=1), FULL), row)
        moved = once_bytes(layer_bytes(layer, FULL), FULL)
        counted = AtomCycles(mac_cycles(layer, FULL), sheet_memory_cycles(moved, 10, 1000))
        assert close(moved / KB, row["dram_kb"])
        assert close(counted.mac, row["mac_cycles"])
        assert close(counted.cycles, row["cycles"])
        total, busy = total + counted.cycles, busy + counted.mac
    assert float(total) == 895443.5625  # 0.8954 ms at 1 GHz
    assert float(busy / total) == pytest.approx(0.2910284616625406)


def test_alexnet_by_name():
    counted = [float(mac_cycles(layer, FULL)) for _, layer in sheet("AlexNet")]
    assert counted[:4] == [49617.5625, 54675.0, 54675.0, 32448.0]


def test_alexnet_with_4_mb_of_sram():
    """The first layer reads its image from DRAM, conv5 writes to DRAM, fully connected layers read a batch from there.

    The sheet limits the sharing of the second row's weights to the batch of 16; the others use 18.
    """
    rows = list(sheet("AlexNet"))
    convolutions = [layer_bytes(layer, FULL) for _, layer in rows if layer.batch == 1]
    shared = weights_shared(convolutions, 4096 * KB)
    assert shared == 18
    total = 0
    for index, (row, layer) in enumerate(rows):
        sizes = layer_bytes(layer, FULL)
        dram = sizes.weights / (1 if layer.batch > 1 else 16 if index == 1 else shared)
        dram += sizes.features if index == 0 or layer.batch > 1 else 0
        dram += sizes.results if index in (6, 7) else 0
        moved = (dram, sizes.features if index else Fraction(0), sizes.results)
        waits = [sheet_memory_cycles(b, gb, 1000) for b, gb in zip(moved, (10, 25, 25))]
        assert waits == [row["sram_dram_cycles"], row["sram_read_cycles"], row["sram_write_cycles"]]
        counted = AtomCycles(mac_cycles(layer, FULL), *waits)
        assert close(counted.cycles, row["sram_cycles"])
        total += counted.cycles
    assert float(total) == 591475.5625


def test_resnet50_with_the_buffer_rule():
    """This sheet fills filters up to 128, not 16, and shares no weights of the fully connected layer."""
    atom, total = replace(FULL, filters=128), 0
    for row, layer in sheet("ResNet50"):
        alone = replace(layer, batch=1)
        check_sizes(layer_bytes(alone, FULL, spare_rows=1 if row["row"] == 11 else 0), row)
        moved = dram_bytes(alone, FULL, "buffer")
        counted = AtomCycles(mac_cycles(layer, atom), sheet_memory_cycles(moved, 10, 1000))
        assert close(moved / KB, row["dram_kb"]), row
        assert close(counted.mac, row["mac_cycles"]), row
        total += counted.cycles
    assert float(total) == 7113691


def test_googlenet_with_the_buffer_rule():
    """This sheet streams features where they are fewer than 32 filters' weights, and from its row 21 on leaves the 16/9
    of Winograd weights out."""
    total = 0
    for row, layer in sheet("GoogLeNet"):
        alone = replace(layer, batch=1, winograd=layer.winograd and row["row"] < 21)
        sizes = layer_bytes(alone, FULL)
        check_sizes(sizes, row)
        moved = (buffered_features if sizes.features < sizes.least_weights else buffered_weights)(sizes, FULL)
        counted = AtomCycles(mac_cycles(layer, FULL), sheet_memory_cycles(moved, 10, 1000))
        assert close(moved / KB, row["dram_kb"]), row
        assert close(counted.mac, row["mac_cycles"]), row
        total += counted.cycles
    assert float(total) == 1222071


def test_small_array_by_hand():
    layer = AtomLayer(8, 10, 10, 24, 3, 3, outputs=(8, 8))
    small = Atom(macs=64, buffer_bytes=4096, channels=8, filters=8)
    assert mac_cycles(layer, small) == 8 * 64 * 24 * 9 // 64
    assert mac_cycles(replace(layer, winograd=True), small) == Fraction(8 * 64 * 24 * 4, 64)
    sizes = layer_bytes(layer, small)
    assert (sizes.features, sizes.least_features, sizes.weights) == (800, 8 * 4 * 10, 72 * 24)
    assert sizes.least_weights == 72 * 32
    assert dram_bytes(layer, small, "once") == 800 + 1728 + 64 * 24
    tight = replace(small, buffer_bytes=1024)  # 32 filters do not fit: half of it holds weights
    assert layer_bytes(layer, tight).least_weights == 512
    assert dram_bytes(layer, tight, "buffer") == 1728 * 2 + 800 + 1536  # 800 bytes in parts of 512


def test_bytes_and_cycles_by_hand():
    assert memory_cycles(Fraction(1001), 10, 1000) == 101
    assert sheet_memory_cycles(Fraction(10240), 10, 1000) == 1000
    counted = AtomCycles(Fraction(10), Fraction(20), Fraction(20), Fraction(5))
    assert (counted.cycles, counted.bound) == (20, "dram")


def test_bad_atoms_and_layers():
    layer = AtomLayer(64, 10, 1000, 24, 3, 3, outputs=(8, 998))
    with pytest.raises(TargetError, match="1024 bytes: the least rows of features are 256000 bytes"):
        buffered_weights(layer_bytes(layer, FULL), replace(FULL, buffer_bytes=1024))
    with pytest.raises(TargetError, match="3 x 3"):
        AtomLayer(1, 5, 5, 1, 5, 5, outputs=(1, 1), winograd=True)
    with pytest.raises(ShapeError, match="at least 1"):
        AtomLayer(0, 5, 5, 1, 5, 5, outputs=(1, 1))
    with pytest.raises(TargetError, match="at least 1"):
        Atom(0, 1)
    with pytest.raises(TargetError, match="once, buffer"):
        dram_bytes(layer, FULL, "tiled")
