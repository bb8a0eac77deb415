"""Writes mlperf_tiny_boards.csv: measured rows of MLPerf Tiny on Cortex-M boards, with core, clock and software stack.

python tests/golden/record_boards.py RESULTS.csv

RESULTS.csv: inferences per second and energy by system, extracted from mlcommons/tiny_results_v1.1 (c32ef94d1942) and
tiny_results_v1.3 (cd605ea09813), closed division, Apache-2.0. Clock, core and inference framework are those of the
repositories' systems/*.json. Left out: systems with an accelerator, repeated submissions of one measurement, and
systems that ran one benchmark.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

OUT = Path(__file__).with_name("mlperf_tiny_boards.csv")
BENCHMARKS = ("ad", "ic", "kws", "vww")
FIELDS = ("round", "org", "system", "board", "core", "clock_mhz", "stack", "benchmark", "inf_per_s", "energy_uj")
BOARDS = {
    "G0B1": ("G0B1RE", "m0plus", 64),
    "L4R5ZI-P": ("L4R5ZI-P", "m4", 120),
    "L4R5": ("L4R5ZI", "m4", 120),
    "CY8C": ("CY8CPROTO-062", "m4", 150),
    "M467": ("M467HJ", "m4", 200),
    "NRF5340": ("nRF5340-DK", "m33", 128),
    "U575": ("U575ZI-Q", "m33", 160),
    "U385": ("U385RG-Q", "m33", 96),
    "H7A3": ("H7A3ZI-Q", "m7", 280),
    "F746": ("F746NG", "m7", 216),
}
STACKS = {
    ("v1.1", "bosch"): "HALE 1.0",
    ("v1.1", "plumerai"): "Plumerai 2023.05",
    ("v1.1", "STMicroelectronics"): "X-CUBE-AI 8.1",
    ("v1.3", "STMicroelectronics"): "X-CUBE-AI 10.2",
    ("v1.1", "Skymizer"): "ONNC",
    ("v1.1", "Nuvoton"): "ONNC",
}
KRAI = {
    "CMSIS-NN": "microTVM CMSIS-NN",
    "NATIVE": "microTVM native",
    "AI-7.3": "X-CUBE-AI 7.3",
    "AI-8.0": "X-CUBE-AI 8.0",
}


def stack_of(row: dict[str, str]) -> str | None:
    """The software stack of a system; None for what is left out."""
    if row["org"] == "Krai":
        return next(stack for part, stack in KRAI.items() if part in row["system"])
    return STACKS.get((row["round"], row["org"]))


def main(results: str) -> None:
    """Writes the rows in the order of the source."""
    rows = []
    for row in csv.DictReader(Path(results).read_text(encoding="utf-8").splitlines()):
        board = next((b for part, b in BOARDS.items() if part in row["system"].upper()), None)
        stack = stack_of(row)
        if board is None or stack is None or row["benchmark"] not in BENCHMARKS or not row["inf_per_s"]:
            continue
        name, core, clock = board
        variant = next((f" {v}" for v in ("mbed_os", "zephyr") if v in row["system"] and row["org"] == "Skymizer"), "")
        about = (row["round"], row["org"], row["system"], name + variant, core, clock, stack)
        rows.append((*about, row["benchmark"], row["inf_per_s"], row["energy_uJ"]))
    with OUT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        writer.writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1])
