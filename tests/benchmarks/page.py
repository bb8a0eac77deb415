"""The page of results: what stands between its markers is written by a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results import Comparison, by_section, goal_table, section_table, summaries

START, END = "<!-- results: written by compare.py -->", "<!-- end of results -->"


class PageError(Exception):
    """The page has no markers, or not one of each."""


def report(comparisons: Sequence[Comparison], about: dict[str, Any]) -> str:
    """Everything in Markdown: the machine, the goals, a table for each section."""
    parts = [facts(about)]
    if comparisons:
        goals = goal_table(summaries(comparisons))
        parts += ["### Goals", goals]
    parts += [
        f"### {name[:1].upper()}{name[1:]}\n\n{section_table(found)}" for name, found in by_section(comparisons).items()
    ]
    return "\n\n".join(parts)


def facts(about: dict[str, Any]) -> str:
    """Machine, versions and command as a list."""
    machine, pace = about["machine"], about["pace"]
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return "\n".join(
        (
            f"- Processor: {machine['processor']}, {machine['processors']} processors, {machine['kernel']}; {caches}",
            f"- Instructions: {', '.join(machine['flags'])}; **our kernels: {about['isa']}**",
            f"- Versions: {versions}",
            f"- Load before the run: {about['load']:g} processes (0 would be a machine that does nothing else)",
            f"- Rounds: {pace['rounds']} of about {pace['seconds'] * 1000:g} ms for each candidate",
            f"- Command: `{about['command']}`",
        )
    )


def rewrite(page: Path, text: str) -> None:
    """Put the text between the markers of a page. Errors: PageError."""
    old = page.read_text(encoding="utf-8")
    if old.count(START) != 1 or old.count(END) != 1 or old.index(START) > old.index(END):
        raise PageError(f"{page.name} needs one line {START!r} and, after it, one line {END!r}")
    before, rest = old.split(START)
    page.write_text(f"{before}{START}\n\n{text}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")
