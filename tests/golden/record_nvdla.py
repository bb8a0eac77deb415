"""Records the layers that NVDLA's performance sheet prices. Run once, with openpyxl installed:

python tests/golden/record_nvdla.py NVDLA_OpenSource_Performance.xlsx    # writes nvdla_layers.csv beside this file

The sheet: github.com/nvdla/hw, commit 8e06b1b9d85a, perf/NVDLA_OpenSource_Performance.xlsx, with the values stored in it:
1-byte features and weights, a convolution buffer of 512 KB, 2048 MACs, 1000 MHz, SRAM 25 GB/s read and 25 GB/s written,
DRAM 10 GB/s, batch 16 of fully connected layers. Only rows with MAC cycles; sizes in KB (1024 bytes); dram_kb, mac_cycles
and cycles: without SRAM; sram_…: the columns of AlexNet with 4 MB of SRAM.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import openpyxl

GIVEN = dict(
    zip(("name", "kind", "channels", "height", "width", "filters", "filter_height", "filter_width"), "CDEFGHIJ")
)
GIVEN |= {"padded": "K", "stride_down": "L", "stride_across": "M", "result_height": "U", "result_width": "V"}
COMPUTED = {
    "AlexNet": {
        **{
            "features_kb": "X",
            "least_features_kb": "Y",
            "results_kb": "Z",
            "weights_kb": "AA",
            "least_weights_kb": "AB",
        },
        **{"winograd": "AC", "dram_kb": "AO", "mac_cycles": "AQ", "cycles": "AR"},
        **{"sram_dram_cycles": "AF", "sram_read_cycles": "AH", "sram_write_cycles": "AJ", "sram_cycles": "AL"},
    },
    "GoogLeNet": {
        **{
            "features_kb": "X",
            "least_features_kb": "Y",
            "results_kb": "Z",
            "weights_kb": "AA",
            "least_weights_kb": "AB",
        },
        **{"winograd": "AC", "dram_kb": "AP", "mac_cycles": "AR", "cycles": "AS"},
    },
    "ResNet50": {
        **{
            "features_kb": "X",
            "least_features_kb": "Y",
            "results_kb": "Z",
            "weights_kb": "AB",
            "least_weights_kb": "AA",
        },
        **{"winograd": "AM", "dram_kb": "AO", "mac_cycles": "AR", "cycles": "AS"},
    },
}


def rows(book, network):
    sheet, columns = book[network], GIVEN | COMPUTED[network]
    for row in range(11, sheet.max_row + 1):
        values = {key: sheet[f"{column}{row}"].value for key, column in columns.items()}
        if values["channels"] is not None and isinstance(values["mac_cycles"], (int, float)):
            yield {"network": network, "row": row} | {k: _text(v) for k, v in values.items()}


def _text(value):
    return int(value) if isinstance(value, bool) else value


def main():
    book = openpyxl.load_workbook(sys.argv[1], data_only=True)
    fields = ["network", "row", *GIVEN, *COMPUTED["AlexNet"]]
    with (Path(__file__).parent / "nvdla_layers.csv").open("w", newline="") as file:
        file.write(
            "# nvdla/hw @8e06b1b9d85a perf/NVDLA_OpenSource_Performance.xlsx: python tests/golden/record_nvdla.py\n"
        )
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        writer.writeheader()
        for network in COMPUTED:
            writer.writerows(rows(book, network))


if __name__ == "__main__":
    main()
