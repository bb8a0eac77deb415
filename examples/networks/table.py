"""All examples in one table: `python examples/networks/table.py` prints it, with a path it writes the page."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from walk import Example, Outcome, walk

MODULES = (
    *("feed_forward", "convolutional", "time_series", "gated"),
    *("transformer", "memory_network", "residual", "hard_attention"),
)
HEAD = """# Example networks

Each network is trained for seconds by its script in `examples/networks`, on scikit-learn's digits (or a series made of
two waves and noise), with gradients by autograd. Then it is quantized with 200 samples, simulated in integers on the
test samples, compared with floats and profiled. `python examples/networks/gated.py` does one of them and prints its
layers; this table is written by `python examples/networks/table.py docs/networks.md`.

Scores are top-1, or R² for the time series, in percent of the test samples. The last column names the tensors inside a
layer that have 16 bits by its own preference, which a recipe can override; all others are int8.
"""


def examples() -> list[Example]:
    """Every example, in the order of the modules."""
    found = [vars(import_module(name)) for name in MODULES]
    return [value for module in found for value in module.values() if isinstance(value, Example)]


def page(outcomes: list[Outcome]) -> str:
    """The page of all outcomes."""
    rows = [outcome.row() for outcome in outcomes]
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
    lines += ["| " + " | ".join(f"{v:,}" if isinstance(v, int) else str(v) for v in r.values()) + " |" for r in rows]
    return HEAD + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = page([walk(example) for example in examples()])
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text)
    else:
        print(text)
