"""Writes the target files of the microcontrollers and the energy tables of their boards from the fits."""

from __future__ import annotations

import math
from pathlib import Path

from fit_microcontrollers import OPERATIONS_OF_AN_OUTPUT, REMOVES, Row, fitted, stacks
from tiny_networks import MACS

TARGETS = Path(__file__).parents[2] / "hwblocks" / "targets"
MEMORY = {  # SRAM and flash in bytes, by the submitters' systems/*.json
    "G0B1RE": (144 << 10, 512 << 10),
    "L4R5ZI": (640 << 10, 2 << 20),
    "L4R5ZI-P": (640 << 10, 2 << 20),
    "L4R5ZI mbed_os": (640 << 10, 2 << 20),
    "nRF5340-DK": (512 << 10, 1 << 20),
    "U575ZI-Q": (768 << 10, 2 << 20),
    "H7A3ZI-Q": (1_180_000, 2 << 20),
}
# name: stack, board, energy table
OFFERED = {
    "cortex-m0plus-hale": ("HALE 1.0", "G0B1RE", "unmeasured"),
    "cortex-m4-hale": ("HALE 1.0", "L4R5ZI", "board-l4r5zi"),
    "cortex-m33-hale": ("HALE 1.0", "U575ZI-Q", "board-u575zi-q"),
    "cortex-m7-hale": ("HALE 1.0", "H7A3ZI-Q", "board-h7a3zi-q"),
    "cortex-m4-plumerai": ("Plumerai 2023.05", "L4R5ZI", "board-l4r5zi"),
    "cortex-m33-plumerai": ("Plumerai 2023.05", "U575ZI-Q", "board-u575zi-q"),
    "cortex-m7-plumerai": ("Plumerai 2023.05", "H7A3ZI-Q", "board-h7a3zi-q"),
    "cortex-m4-stm32cubeai": ("X-CUBE-AI 10.2", "L4R5ZI-P", "board-l4r5zi-p-cubeai"),
    "cortex-m33-stm32cubeai": ("X-CUBE-AI 10.2", "U575ZI-Q", "board-u575zi-q-cubeai"),
    "cortex-m7-stm32cubeai": ("X-CUBE-AI 8.1", "H7A3ZI-Q", "board-h7a3zi-q-cubeai"),
    "cortex-m4-cmsis-nn": ("microTVM CMSIS-NN", "L4R5ZI", "board-l4r5zi"),
    "cortex-m33-cmsis-nn": ("microTVM CMSIS-NN", "nRF5340-DK", "unmeasured"),
    "cortex-m4-onnc": ("ONNC", "L4R5ZI mbed_os", "board-l4r5zi-onnc"),
}
# name: board, stack or None for all
ENERGY = {
    "board-l4r5zi": ("L4R5ZI", None),
    "board-l4r5zi-onnc": ("L4R5ZI mbed_os", "ONNC"),
    "board-l4r5zi-p-cubeai": ("L4R5ZI-P", "X-CUBE-AI 10.2"),
    "board-u575zi-q": ("U575ZI-Q", None),
    "board-u575zi-q-cubeai": ("U575ZI-Q", "X-CUBE-AI 10.2"),
    "board-h7a3zi-q": ("H7A3ZI-Q", None),
    "board-h7a3zi-q-cubeai": ("H7A3ZI-Q", "X-CUBE-AI 8.1"),
}
RESULTS = "mlcommons/tiny_results_v1.1 @c32ef94d and tiny_results_v1.3 @cd605ea0, closed division"
COUNTED = "hwblocks: instructions of an inner loop counted by hand, not measured"
SIMD = {"16x8": 1.0, "16x16": 1.0, "8x4": 0.8, "4x4": 0.7}
SIMD_WHY = (
    "the multiplier takes two pairs of 16 bits: 8-bit codes are widened first (8 instructions for 4 products), which pays "
    "for the loads and 64-bit sums of 16 bits; 4-bit codes are unpacked and widened (10; 11 at 4x4)"
)
PLAIN = {"16x8": 1.0, "16x16": 1.0, "8x4": 0.75, "4x4": 0.6}
PLAIN_WHY = (
    "one product an instruction at any width (6 instructions with its loads); unpacking 4 bits takes 2 more each"
)


def rounded(value: float) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")


def target_text(name: str, rows: list[Row]) -> str:
    """The file of one target."""
    stack, board, energy = OFFERED[name]
    own = stacks(rows)[stack]
    fit = fitted(own)
    reused, dense, output = (rounded(v) for v in fit.parameters * fit.factors[board])
    row = next(r for r in own if r.board == board)
    errors = [abs(fit.cycles(r) / r.cycles - 1) for r in own if r.board == board]
    sram, flash = MEMORY[board]
    widths, why = (PLAIN, PLAIN_WHY) if row.core == "m0plus" else (SIMD, SIMD_WHY)
    table = "\n".join(f'"{pair}" = {rate}' for pair, rate in widths.items())
    core = row.core.upper().replace("PLUS", "+")
    return f"""# Cortex-{core} on {board} with {stack}. Written by tests/costs/fit_microcontrollers.py --write.
schema = 1

[target]
name = "{name}"
kind = "microcontroller"
clock_mhz = {row.clock_mhz}
source = "{RESULTS}: systems/*.json"
note = "An estimate for {stack} on {board}: within {max(errors):.0%} of its four measured networks; allow 40 % for others (docs/estimates.md). Widths other than 8x8 were not measured."

[stack]
name = "{stack}"
board = "{board}"
removes_dead_channels = {str(stack in REMOVES).lower()}

[cycles_per_mac]
convolution = {reused}
pointwise = {reused}
depthwise = {reused}
dense = {dense}
source = "hwblocks: least squares over the {len(own)} rows of {stack} in {RESULTS}; the rows do not tell convolutions apart"

[overhead]
per_output = {output}
per_operation = {{ v = {rounded(output / OPERATIONS_OF_AN_OUTPUT)}, source = "hwblocks: a load and an addition, a fifteenth of an output; too few in the measured networks to be fitted" }}
source = "hwblocks: the same least squares; layers by themselves show no cost in the rows"

[memory]
source = "{RESULTS}: systems/*.json"

[memory.sram]
bytes = {sram}
technology = "sram"

[memory.flash]
bytes = {flash}
technology = "flash"

# products in the time of one of 8 x 8 bits: {why}
[precision]
source = "{COUNTED}"

[precision.table]
{table}

[energy]
table = "{energy}"
"""


def energy_text(name: str, rows: list[Row]) -> str:
    """The file of one board's energy: the middle of its measured rows, the least and the greatest."""
    board, stack = ENERGY[name]
    own = [r for r in rows if r.board == board and r.energy_uj and stack in (None, r.stack)]
    figures = sorted(r.energy_uj * 1e6 / MACS[r.benchmark] for r in own if r.energy_uj)
    middle = math.prod(figures) ** (1 / len(figures))
    used = ", ".join(sorted({r.stack for r in own}))
    return f"""# Energy of a whole board for each product, measured. Written by tests/costs/fit_microcontrollers.py --write.
name = "{name}"
source = "{RESULTS}: {board}, {used}"
note = "Measured at the board's supply: core, memories, leakage and all else, {len(figures)} networks with {used}. Other networks may lie outside the range."

[board]
v = {rounded(middle)}
low = {rounded(figures[0])}
high = {rounded(figures[-1])}
source = "geometric mean, least and greatest of {len(figures)} rows: energy of an inference / products of the network"
"""


def texts(rows: list[Row]) -> dict[Path, str]:
    """Every file with its text."""
    made = {TARGETS / "library" / f"{name}.toml": target_text(name, rows) for name in OFFERED}
    return made | {TARGETS / "energy" / f"{name}.toml": energy_text(name, rows) for name in ENERGY}


def write(rows: list[Row]) -> None:
    """Writes the files."""
    for path, text in texts(rows).items():
        path.write_text(text, encoding="utf-8")
