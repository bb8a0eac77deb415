"""Writes vela_totals.csv: the total cycles that Vela estimates for some models on each accelerator.

python tests/golden/record_vela.py OUT

OUT/ACCELERATOR/ holds what `vela MODEL.tflite --accelerator-config ACCELERATOR --output-dir OUT/ACCELERATOR` wrote
(ethos-u-vela 5.2.0 from PyPI, its default system configurations). Models: mlcommons/tiny @1afd2c98, Apache-2.0,
benchmark/training/*/trained_models: ad01_int8, vww_96_int8, str_ww_ref_model, pretrainedResnet_large_int8,
kws_ref_model (as mlperf_kws_dscnn_int8) and pretrainedResnet_quant (as mlperf_resnet8_int8).
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

OUT = Path(__file__).with_name("vela_totals.csv")
FIELDS = ("accelerator", "model", "cycles_total", "cycles_npu", "nn_macs")
MODELS = (
    "ad01_int8",
    "mlperf_kws_dscnn_int8",
    "mlperf_resnet8_int8",
    "pretrainedResnet_large_int8",
    "str_ww_ref_model",
    "vww_96_int8",
)


def main(folder: str) -> None:
    """Writes the rows, by accelerator and model."""
    rows = []
    for path in sorted(Path(folder).glob("*/*_summary_*.csv")):
        row = next(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        if row["network"] in MODELS:
            rows.append((path.parent.name, *(row[name] for name in ("network", *FIELDS[2:]))))
    with OUT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        writer.writerows(sorted(rows))


if __name__ == "__main__":
    main(sys.argv[1])
