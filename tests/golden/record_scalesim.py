"""Records what SCALE-Sim reports for small odd layers. Run once, with scalesim 3.0.0 and numpy 1.26.4 installed:

python tests/golden/record_scalesim.py    # writes scalesim_layers.csv beside this file, in about ten minutes

Each row is one layer on one array: bandwidth mode CALC, no sparsity, no custom layout, SRAM sizes in kB. `cycles` is the
tool's Total Cycles - Stall Cycles + 1; utilisations in %, as printed. The first line of the file names version and command.
"""

from __future__ import annotations

import csv
import tempfile
from importlib.metadata import version
from pathlib import Path

from scalesim.scale_sim import scalesim

# name, ifmap height, width, filter height, width, channels, filters, stride
LAYERS = (
    ("outside", 12, 12, 3, 3, 4, 6, 2),  # the last windows reach outside the image
    ("outside5", 13, 9, 5, 5, 3, 10, 3),
    ("gaps", 9, 9, 1, 1, 6, 5, 2),  # a stride beyond the kernel
    ("gaps2", 10, 10, 2, 2, 3, 4, 3),
    ("short", 1, 1, 1, 1, 3, 30, 1),  # fewer terms than array rows
    ("line", 12, 5, 1, 5, 7, 9, 1),
    ("large", 10, 10, 3, 3, 16, 12, 1),  # more words than the buffers hold
    ("brim", 10, 5, 1, 1, 10, 7, 1),  # exactly the words that an active buffer holds
    ("dense", 1, 1, 1, 1, 500, 7, 1),
    ("square", 16, 16, 3, 3, 2, 8, 1),
    ("results513", 27, 1, 1, 1, 2, 19, 1),  # one result, and two, more than half of 1 kB
    ("results514", 257, 1, 1, 1, 2, 2, 1),
    ("DPtwice", 8, 8, 3, 3, 2, 2, 1),
)
LARGE = (  # of ResNet-18, on 32 x 32
    ("Conv1", 224, 224, 7, 7, 3, 64, 2),
    ("Conv3_1a", 56, 56, 3, 3, 64, 128, 2),
    ("Conv4_1b", 14, 14, 3, 3, 256, 256, 1),
)
ARRAYS = ((8, 8), (3, 17), (17, 3), (6, 1), (1, 6), (2, 512))
KILOBYTES = ((1, 2, 1), (2, 1, 2), (1, 1, 3))
CONFIG = """[general]
run_name = run
[architecture_presets]
ArrayHeight: {rows}
ArrayWidth: {columns}
IfmapSramSzkB: {kb[0]}
FilterSramSzkB: {kb[1]}
OfmapSramSzkB: {kb[2]}
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: 10
Dataflow: {dataflow}
MemoryBanks: 1
ReadRequestBuffer: 32
WriteRequestBuffer: 32
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport: false
SparseRep: ellpack_block
OptimizedMapping: false
BlockSize: 8
RandomNumberGeneratorSeed: 40
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""
FIELDS = (
    *("rows", "columns", "dataflow", "ifmap_kb", "filter_kb", "ofmap_kb", "name", "height", "width"),
    *("filter_height", "filter_width", "channels", "filters", "stride"),
    *("cycles", "overall_util", "mapping_efficiency", "compute_util", "sram_ifmap_reads", "sram_filter_reads"),
    *("sram_ofmap_writes", "dram_ifmap_reads", "dram_filter_reads", "dram_ofmap_writes"),
)


def table(path):
    """Rows of a report as lists of stripped texts."""
    return [[text.strip() for text in row] for row in csv.reader(path.open())][1:]


def record(folder, layers, rows, columns, dataflow, kb):
    config, topology, layout = folder / "run.cfg", folder / "layers.csv", folder / "layout.csv"
    config.write_text(CONFIG.format(rows=rows, columns=columns, dataflow=dataflow, kb=kb))
    topology.write_text("\n".join(["header,", *(",".join(map(str, layer)) + "," for layer in layers)]) + "\n")
    expanded = [layer for layer in layers for _ in range(layer[5] if "DP" in layer[0] else 1)]
    layout.write_text("\n".join(["header,", *(f"{layer[0]}," + "1," * 19 for layer in expanded)]) + "\n")
    tool = scalesim(save_disk_space=True, verbose=False, config=str(config), topology=str(topology), layout=str(layout))
    tool.run_scale(top_path=str(folder / "out"))
    reports = folder / "out" / "run"
    compute, access = table(reports / "COMPUTE_REPORT.csv"), table(reports / "DETAILED_ACCESS_REPORT.csv")
    for layer, c, a in zip(expanded, compute, access, strict=True):
        cycles = int(float(c[2])) - int(float(c[3])) + 1
        counts = [int(float(a[i])) for i in (3, 6, 9, 12, 15, 18)]
        yield (rows, columns, dataflow, *kb, *layer, cycles, *c[4:7], *counts)


def main():
    runs = [
        (LAYERS, rows, columns, dataflow, KILOBYTES[(i + j) % 3])
        for i, (rows, columns) in enumerate(ARRAYS)
        for j, dataflow in enumerate(("os", "ws", "is"))
    ]
    runs += [(LARGE, 32, 32, dataflow, (64, 64, 64)) for dataflow in ("ws", "is")]
    with (Path(__file__).parent / "scalesim_layers.csv").open("w", newline="") as file:
        file.write(
            f"# scalesim {version('scalesim')}, numpy {version('numpy')}: python tests/golden/record_scalesim.py\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        for run in runs:
            with tempfile.TemporaryDirectory() as folder:
                writer.writerows(record(Path(folder), *run))


if __name__ == "__main__":
    main()
