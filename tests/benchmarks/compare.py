"""Our speed against the machine's limit, other runtimes and our own other paths, by ratios of interleaved rounds.

    python tests/benchmarks/compare.py [--only gemm,models] [--quick] [--json FILE] [--plot FILE.svg] [--page FILE.md]

Prints Markdown. Goals are told, never enforced: the exit code is 0 whatever the times are, 1 where a peer that is exact
computed other integers, 2 without the compiled core. HWBLOCKS_ISA chooses our instruction set, CC the compiler of the
register-only loop.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import layer_sections
import machine
import model_sections
from layer_sections import Setting, UnequalError
from page import report, rewrite
from results import Comparison, Goal, summaries
from rounds import FULL, QUICK

from hwblocks.numerics import kernels

SECTIONS: dict[str, Callable[[Setting], Iterator[Comparison]]] = {
    "gemm": layer_sections.gemm,
    "conv": layer_sections.conv,
    "depthwise": layer_sections.depthwise,
    "matvec": layer_sections.matvec,
    "models": model_sections.models,
    "widths": layer_sections.widths,
    "statistics": lambda setting: chain(layer_sections.statistics(setting), model_sections.counting(setting)),
    "threads": lambda setting: chain(layer_sections.threads(setting), model_sections.sharing(setting)),
}
QUICK_MOST = 2  # things of each section in a quick run


def chosen_sections(text: str) -> list[str]:
    """Names of sections, separated by commas."""
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in SECTIONS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'none'}: there are {', '.join(SECTIONS)}")
    return [name for name in SECTIONS if name in names]


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Speed against peers, by ratios of interleaved rounds.")
    parser.add_argument("--only", type=chosen_sections, default=list(SECTIONS), help=f"of {','.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="few and short rounds, few shapes: a trial")
    parser.add_argument("--json", type=Path, help="write everything, every round's ratio too")
    parser.add_argument("--plot", type=Path, help="write bars of the ratios as SVG")
    parser.add_argument("--page", type=Path, help="rewrite what stands between this page's markers")
    parser.add_argument("--from", type=Path, dest="source", help="measure nothing: take this JSON file's results")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write. Returns the exit code."""
    chosen = options(arguments)
    if chosen.source is not None:
        comparisons, about = read(json.loads(chosen.source.read_text(encoding="utf-8")))
    else:
        if not kernels.isa_names():
            sys.stderr.write("nothing to measure: the compiled core is missing\n")
            return 2
        try:
            comparisons, about = measured(chosen)
        except UnequalError as error:
            sys.stderr.write(f"not equal: {error}\n")
            return 1
    print(report(comparisons, about))
    write(chosen, comparisons, about)
    return 0


def measured(chosen: argparse.Namespace) -> tuple[list[Comparison], dict[str, Any]]:
    """All chosen sections, and what is to be known about the run."""
    pace = QUICK if chosen.quick else FULL
    setting = Setting(
        kernels.default_isa(), pace, most=QUICK_MOST if chosen.quick else None,
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )  # fmt: skip
    comparisons: list[Comparison] = []
    load = machine.load()
    for name in chosen.only:
        setting.say(f"{name} ...")
        comparisons += SECTIONS[name](setting)
    about = {
        "machine": machine.machine(), "load": load, "versions": machine.versions(), "command": machine.command(),
        "isa": setting.isa, "pace": asdict(pace), "quick": chosen.quick, "sections": chosen.only,
    }  # fmt: skip
    return comparisons, about


def write(chosen: argparse.Namespace, comparisons: list[Comparison], about: dict[str, Any]) -> None:
    """The files that were asked for."""
    if chosen.json is not None:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        made = {
            **about, "comparisons": [{**one.to_dict(), "goals": asdict(one.goal)} for one in comparisons],
            "summaries": [one.to_dict() for one in summaries(comparisons)],
        }  # fmt: skip
        chosen.json.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if chosen.plot is not None:
        from plot import plot

        plot(comparisons, chosen.plot, f"{about['machine']['processor']}, our kernels: {about['isa']}")
    if chosen.page is not None:
        rewrite(chosen.page, report(comparisons, about))


def read(made: dict[str, Any]) -> tuple[list[Comparison], dict[str, Any]]:
    """Comparisons and facts of a JSON file."""
    kept = ("section", "what", "peer", "threads", "macs", "samples", "judged", "note")
    comparisons = [
        Comparison(
            **{name: one[name] for name in kept}, goal=Goal(**one["goals"]),
            ours_seconds=tuple(one["ours_seconds"]), peer_seconds=tuple(one["peer_seconds"]),
        )
        for one in made["comparisons"]
    ]  # fmt: skip
    return comparisons, {k: v for k, v in made.items() if k not in ("comparisons", "summaries")}


if __name__ == "__main__":
    raise SystemExit(main())
