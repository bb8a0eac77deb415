"""The figure and the tables of docs/nonlinearities.md: `python tests/benchmarks/nonlinearities.py` writes both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import numpy as np
from matplotlib import pyplot

import hwblocks as hb
from hwblocks.analysis.curves import OPERATIONS, curve_errors
from hwblocks.graph.builder import GraphBuilder

DOCS = Path(__file__).parents[2] / "docs"
INPUT = "ap_fixed<16,4>"
# block, outputs of 16 and of 8 bits, variants drawn
FUNCTIONS: tuple[tuple[Any, str, str, tuple[str, ...]], ...] = (
    (hb.Sigmoid(), "ap_ufixed<16,0>", "ap_ufixed<8,0>", ("plan", "pwl(4)", "pwl(8, shift)", "interpolated(16)", "cordic(8)")),
    (hb.Tanh(), "ap_fixed<16,1>", "ap_fixed<8,1>", ("plan", "pwl(4)", "pwl(8, shift)", "interpolated(16)", "cordic(8)")),
    (hb.GELU(), "ap_fixed<16,4>", "ap_fixed<8,4>", ("ibert", "pwl(4)", "pwl(8, shift)", "interpolated(16)", "interpolated(64)")),
    (hb.Exp(), "ap_ufixed<16,4>", "ap_ufixed<8,4>", ("ibert", "pwl(4)", "pwl(8, shift)", "interpolated(16)", "cordic(8)")),
)  # fmt: skip
SOFTMAXES = ("table", "gemmlowp", "ibert", "base2", "base2(4)", "base2(8, 12)")
COLOURS = dict(
    zip(
        ("plan", "ibert", "pwl(4)", "pwl(8, shift)", "interpolated(16)", "interpolated(64)", "cordic(8)"),
        ("#c0392b", "#a05195", "#3b6ea5", "#d98b2b", "#5a9c5a", "#2aa198", "#555555"),
        strict=True,
    )
)
SETTINGS = {"svg.hashsalt": "hwblocks", "svg.fonttype": "none", "font.size": 8, "path.simplify_threshold": 0.3}
STRIDE = 144  # codes between points drawn


def run(block: Any, x: Any, y: Any, codes: Any) -> Any:
    """Real outputs of one block on codes [N, ...]."""
    build = GraphBuilder("one")
    value = build.input("x", (1, *codes.shape[1:]), x)
    return hb.run(build.build(build.add(block, value, name="y", formats=[y])), codes).real["y"]


def draw(path: Path) -> None:
    """Above the functions and their variants, below the errors, 16-bit outputs."""
    x = hb.Format(INPUT)
    codes = np.arange(x.lo, x.hi + 1, STRIDE).astype(x.dtype)
    reals = x.dequantize(codes)
    with pyplot.rc_context(SETTINGS):
        figure, panels = pyplot.subplots(2, len(FUNCTIONS), figsize=(13, 5.6), layout="constrained", sharex="col")
        for (block, wide, _, drawn), (above, below) in zip(FUNCTIONS, panels.T, strict=True):
            y = hb.Format(wide)
            exact = np.clip(block.function(reals), *y.dequantize(np.array([y.lo, y.hi])))
            above.plot(reals, exact, color="black", lw=2.4, alpha=0.35, label="function")
            for variant in drawn:
                made = run(type(block)(variant=variant), x, y, codes[None])[0]
                above.plot(reals, made, lw=0.9, color=COLOURS[variant], label=variant)
                below.plot(reals, made - exact, lw=0.9, color=COLOURS[variant])
            above.set_title(f"{type(block).__name__}, {INPUT} to {wide}", fontsize=8)
            above.legend(fontsize=7, frameon=False)
            below.axhline(0.0, color="black", lw=0.5)
            below.set_xlabel("x")
            for panel in (above, below):
                panel.grid(alpha=0.25, lw=0.5)
        panels[0, 0].set_ylabel("y")
        panels[1, 0].set_ylabel("error of y")
        figure.savefig(path, format="svg", metadata={"Date": None})
        pyplot.close(figure)


def table(block: Any, wide: str, narrow: str) -> str:
    """All usual variants of a function: errors with a 16-bit output, the largest with an 8-bit one, bytes, operations."""
    coarse = {row["variant"]: row["max_error_lsb"] for row in curve_errors(block, INPUT, narrow).table}
    head = [
        "variant",
        "max error",
        "mean error",
        "max (LSB of 16 bits)",
        "max (LSB of 8 bits)",
        "tables (B)",
        *OPERATIONS,
    ]
    lines = [head, [":---", *["---:"] * (len(head) - 1)]]
    for row in curve_errors(block, INPUT, wide).table:
        lines.append(
            [
                f"`{row['variant']}`",
                f"{row['max_error']:.2e}",
                f"{row['mean_error']:.2e}",
                f"{row['max_error_lsb']:.2f}",
                f"{coarse[row['variant']]:.2f}",
                f"{row['table_bytes']:,}",
                *(str(row[name]) for name in OPERATIONS),
            ]
        )
    title = f"**{type(block).__name__}**, input `{INPUT}`, outputs `{wide}` and `{narrow}`"
    return f"{title}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)


def softmaxes() -> str:
    """Errors of softmax's variants on random rows."""
    x, y = hb.Format("int8", scale=2.0**-4), hb.Format("int8", scale=2.0**-8, zero_point=-128)
    reals = np.random.default_rng(1).normal(size=(4000, 32)) * 2
    codes = np.clip(np.rint(reals / x.scale), x.lo, x.hi).astype(np.int8)
    exact = hb.Softmax()(x.dequantize(codes))
    lines = ["| variant | max error | mean error | max (LSB) |", "| :--- | ---: | ---: | ---: |"]
    for variant in SOFTMAXES:
        error = np.abs(run(hb.Softmax(variant=variant), x, y, codes) - exact)
        lines.append(f"| `{variant}` | {error.max():.2e} | {error.mean():.2e} | {error.max() / y.scale:.2f} |")
    title = "**Softmax**, 4,000 rows of 32 normal numbers of deviation 2 (seed 1), input scale 1/16, output scale 1/256, int8"
    return f"{title}\n\n" + "\n".join(lines)


def written(text: str) -> str:
    """The page with its generated part made again."""
    parts = [table(block, wide, narrow) for block, wide, narrow, _ in FUNCTIONS]
    made = "\n\n".join([*parts, softmaxes()])
    return re.sub(r"(<!-- tables -->\n).*(\n<!-- end -->)", lambda m: f"{m[1]}\n{made}\n{m[2]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    draw(DOCS / "nonlinearities.svg")
    page = DOCS / "nonlinearities.md"
    page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
