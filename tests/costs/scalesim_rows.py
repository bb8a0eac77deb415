"""Rows of SCALE-Sim's reports, recorded ones and those of the reference folder, with the layer and array they belong to."""

from __future__ import annotations

import configparser
import csv
from dataclasses import dataclass
from pathlib import Path

from hwblocks.costs.machines.systolic import Array
from hwblocks.graph.plane import PlaneConvolution

RECORDED = Path(__file__).parents[1] / "golden" / "scalesim_layers.csv"
RUNS = (
    "resnet18_os_32",
    *(f"test_{dataflow}_32" for dataflow in ("os", "ws", "is")),
    *(f"mini_{dataflow}_{size}" for dataflow in ("os", "ws", "is") for size in ("8x8", "16x8", "4x12")),
)
TOPOLOGIES = {"resnet18": "Resnet18.csv", "test": "test.csv", "mini": "mini.csv"}


@dataclass(frozen=True)
class Row:
    """One reported layer. buffers: kB of ifmap, filter, ofmap; utilisations: overall, mapping, compute, in %, as printed."""

    name: str
    layer: PlaneConvolution
    array: Array
    buffers: tuple[int, int, int]
    cycles: int
    utilisations: tuple[str, str, str]
    sram: tuple[int, int, int]
    dram: tuple[int, int, int]


def recorded() -> list[Row]:
    """The small odd layers of tests/golden."""
    lines = [line for line in RECORDED.read_text().splitlines() if not line.startswith("#")]
    made = []
    for row in csv.DictReader(lines):
        n = {k: int(v) for k, v in row.items() if v.isdigit()}
        layer = _layer(row["name"], *(n[k] for k in list(row)[7:14]))
        utilisations = tuple(row[k] for k in ("overall_util", "mapping_efficiency", "compute_util"))
        sram = tuple(n[f"sram_{k}"] for k in ("ifmap_reads", "filter_reads", "ofmap_writes"))
        dram = tuple(n[f"dram_{k}"] for k in ("ifmap_reads", "filter_reads", "ofmap_writes"))
        array = Array(n["rows"], n["columns"], row["dataflow"])
        buffers = (n["ifmap_kb"], n["filter_kb"], n["ofmap_kb"])
        made.append(Row(row["name"], layer, array, buffers, n["cycles"], utilisations, sram, dram))
    return made


def reported(folder: Path, run: str) -> list[Row]:
    """A run of the reference folder: its config, topology and reports."""
    config = configparser.ConfigParser()
    config.read(folder / "configs" / f"{run}.cfg")
    preset = config["architecture_presets"]
    array = Array(int(preset["ArrayHeight"]), int(preset["ArrayWidth"]), preset["Dataflow"])
    buffers = tuple(int(preset[f"{name}SramSzkB"]) for name in ("Ifmap", "Filter", "Ofmap"))
    layers = topology(folder / "topologies" / TOPOLOGIES[run.split("_")[0]])
    compute, access = (_texts(folder / "reports" / run / f"{n}_REPORT.csv") for n in ("COMPUTE", "DETAILED_ACCESS"))
    made = []
    for (name, layer), c, a in zip(layers, compute, access, strict=True):
        counts = [int(float(a[i])) for i in (3, 6, 9, 12, 15, 18)]
        cycles = int(float(c[2])) - int(float(c[3])) + 1
        made.append(Row(name, layer, array, buffers, cycles, tuple(c[4:7]), tuple(counts[:3]), tuple(counts[3:])))
    return made


def topology(path: Path) -> list[tuple[str, PlaneConvolution]]:
    """The layers of a topology file; a depthwise one as one layer for each channel."""
    made = []
    for row in _texts(path):
        sizes = [int(text) for text in row[1:8]]
        made += [(row[0], _layer(row[0], *sizes))] * (sizes[4] if "DP" in row[0] else 1)
    return made


def _layer(name, height, width, filter_height, filter_width, channels, filters, stride):
    return PlaneConvolution(
        height, width, filter_height, filter_width, 1 if "DP" in name else channels, filters, (stride, stride)
    )


def _texts(path: Path) -> list[list[str]]:
    rows = [[text.strip() for text in row] for row in csv.reader(path.open())][1:]
    return [row for row in rows if len(row) > 1]
