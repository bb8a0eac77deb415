"""Writes the tables of docs/estimates.md.

python tests/costs/write_estimates.py SHARED [MODELS]

SHARED: the folder with reference/vela and models/tflite. MODELS: more TFLite files named as in
tests/golden/vela_totals.csv (mlcommons/tiny @1afd2c98, benchmark/training/*/trained_models); without it the table of
further models stays as it is.
"""

from __future__ import annotations

import csv
import re
import statistics
import sys
from functools import cache
from pathlib import Path

from fit_microcontrollers import REMOVES, fitted, judged, measured, stacks
from tiny_networks import MACS

import hwblocks as hb
from hwblocks.costs.vela_csv import BesideVela, beside_vela

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "estimates.md"
TOTALS = ROOT / "tests" / "golden" / "vela_totals.csv"
FOLDERS = (
    "u55-128_default",
    "u55-128_hee_shared",
    "u55-128_legacy",
    "u55-256_default",
    "u55-256_hee_shared",
    "u65-256_default",
    "u65-256_ce_ded",
    "u65-512_default",
)
FILES = {
    "kws": ("mlperf_kws_dscnn_int8", "kws_ref_model"),
    "resnet8": ("mlperf_resnet8_int8", "pretrainedResnet_quant"),
}


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, the first column to the left."""
    lines = [heads, [":---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(errors: list[float]) -> str:
    """Median and worst of some errors."""
    sizes = [abs(e) for e in errors]
    return f"median {statistics.median(sizes):.1%}, worst {max(sizes):.1%} of {len(sizes)} rows"


@cache
def compared(shared: Path, model: str, folder: str) -> BesideVela:
    """A recorded per-layer file beside our cost."""
    file, name = FILES[model]
    cost = hb.cost(shared / "models" / "tflite" / f"{file}.tflite", target=f"ethos-{folder.split('_')[0]}")
    return beside_vela(cost, shared / "reference" / "vela" / folder / f"{name}_per-layer.csv")


def vela_totals(shared: Path) -> str:
    """Totals of every recorded folder."""
    rows, errors = [], []
    for folder in FOLDERS:
        for model in FILES:
            found = compared(shared, model, folder)
            errors.append(found.error)
            cells = [f"{found.cycles:,}", f"{found.vela_cycles:,.0f}", f"{found.error:+.1%}"]
            rows.append([folder, model, *cells])
    return table(["reference", "model", "cycles", "Vela", "error"], rows) + f"\n\nTotals: {spread(errors)}."


def vela_layers(shared: Path) -> str:
    """Layers of both models: cycles here / Vela's, on four accelerators."""
    parts = []
    folders = [f for f in FOLDERS if f.endswith("_default")]
    for model in FILES:
        found = [compared(shared, model, folder) for folder in folders]
        rows = [
            [str(lines[0]["layer"]), *(f"{r['cycles']:,} / {r['vela_cycles']:,.0f} ({r['error']:+.0%})" for r in lines)]
            for lines in zip(*(f.layers for f in found), strict=True)
        ]
        parts.append(table([model, *(f"ethos-{f.split('_')[0]}" for f in folders)], rows))
    return "\n\n".join(parts)


def further_models(models: Path) -> str:
    """Models that are in no reference folder, on six accelerators."""
    found: dict[str, dict[str, str]] = {}
    errors: list[float] = []
    heads: list[str] = []
    for row in csv.DictReader(TOTALS.read_text(encoding="utf-8").splitlines()):
        path = next(iter(models.glob(f"{row['model']}.tflite")), None)
        if path is None or row["model"].startswith("mlperf"):
            continue
        heads = sorted({*heads, row["accelerator"]}, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])
        cycles, vela = hb.cost(path, target=row["accelerator"]).cycles, int(row["cycles_total"])
        errors.append(cycles / vela - 1)
        found.setdefault(row["model"], {})[row["accelerator"]] = f"{cycles:,} / {vela:,} ({errors[-1]:+.0%})"
    rows = [[model, *(cells[head] for head in heads)] for model, cells in found.items()]
    return table(["model", *heads], rows) + f"\n\nTotals: {spread(errors)}."


def parameters() -> str:
    """The fit of each stack, in cycles on each of its boards."""
    rows = []
    for stack, own in stacks(measured()).items():
        fit = fitted(own)
        for board, factor in fit.factors.items():
            row = next(r for r in own if r.board == board)
            reused, dense, output = fit.parameters * factor
            dead = "dropped" if stack in REMOVES else "computed"
            core = f"M{row.core[1:].replace('plus', '+')}, {row.clock_mhz} MHz"
            rows.append([stack, board, core, f"{reused:.2f}", f"{dense:.2f}", f"{output:.1f}", dead])
    heads = ["stack", "board", "core", "cycles a product", "a dense product", "an output", "dead channels"]
    return table(heads, rows)


def board_errors() -> str:
    """Every measured row with its errors."""
    rows = []
    found = judged(measured())
    for j in found:
        unseen = "" if j.without_benchmark is None else f"{j.without_benchmark:+.1%}"
        row = j.row
        per_mac = f"{row.cycles / MACS[row.benchmark]:.2f}"
        cells = [f"{row.cycles:,.0f}", per_mac, f"{j.estimate:,.0f}", f"{j.fit:+.1%}", f"{j.without_row:+.1%}", unseen]
        rows.append([f"{row.stack}, {row.board}", row.benchmark, *cells])
    heads = ["stack, board", "model", "measured cycles", "a MAC", "estimate", "error", "row unseen", "model unseen"]
    unseen_models = [j.without_benchmark for j in found if j.without_benchmark is not None]
    text = (
        f"Error of the fit: {spread([j.fit for j in found])}. Row unseen (fitted without it): "
        f"{spread([j.without_row for j in found])}. Model unseen (fitted without all rows of that network): "
        f"{spread(unseen_models)}."
    )
    return f"{text}\n\n{table(heads, rows)}"


def written(page: str, parts: dict[str, str]) -> str:
    """The page with the text between its markers replaced."""
    for name, text in parts.items():
        pattern = rf"(<!-- begin: {name} -->\n).*?(<!-- end: {name} -->)"
        page, count = re.subn(pattern, lambda m, text=text: f"{m[1]}{text}\n{m[2]}", page, flags=re.DOTALL)
        assert count == 1, f"docs/estimates.md has no markers for {name!r}"
    return page


def parts_of(shared: Path, models: Path | None) -> dict[str, str]:
    """Every generated part."""
    made = {
        "vela totals": vela_totals(shared),
        "vela layers": vela_layers(shared),
        "parameters": parameters(),
        "board errors": board_errors(),
    }
    return made | ({"further models": further_models(models)} if models else {})


if __name__ == "__main__":
    places = [Path(argument) for argument in sys.argv[1:]]
    PAGE.write_text(written(PAGE.read_text("utf-8"), parts_of(places[0], places[1] if places[1:] else None)), "utf-8")
