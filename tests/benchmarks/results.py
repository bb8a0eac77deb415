"""Results of a comparison: ratios of rounds, goals and whether they are met; as records and as Markdown tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rounds import Times, geometric_mean, ratios

GIGA, MICRO = 1e9, 1e-6


@dataclass(frozen=True)
class Goal:
    """The least ratio wanted of each comparison and of their geometric mean; `stretch` of the mean, or of each where
    that alone has a goal."""

    each: float | None = None
    mean: float | None = None
    stretch: float | None = None


@dataclass(frozen=True)
class Comparison:
    """One candidate of ours against one peer over all rounds.

    judged: "median" of the rounds' ratios, or "best": shortest time of the peer / our shortest time.
    macs: products of one of our calls; samples: of one call. note: what a reader must know.
    """

    section: str
    what: str
    peer: str
    threads: int
    ours_seconds: tuple[float, ...]
    peer_seconds: tuple[float, ...]
    macs: int
    samples: int = 1
    goal: Goal = Goal()
    judged: str = "median"
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """Time of the peer / our time in every round."""
        return ratios({"peer": list(self.peer_seconds), "ours": list(self.ours_seconds)}, "peer", "ours")

    @property
    def ratio(self) -> float:
        """The ratio that is judged."""
        if self.judged == "best":
            return min(self.peer_seconds) / min(self.ours_seconds)
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool | None:
        """Whether the goal of each is met; None without one."""
        return None if self.goal.each is None else self.ratio >= self.goal.each

    def to_dict(self) -> dict[str, Any]:
        """Everything, figures in full."""
        return {
            "section": self.section, "what": self.what, "peer": self.peer, "threads": self.threads,
            "ratio": self.ratio, "judged": self.judged, "goal": self.goal.each, "met": self.met,
            "ratios": self.ratios, "ours_seconds": list(self.ours_seconds), "peer_seconds": list(self.peer_seconds),
            "macs": self.macs, "samples": self.samples, "note": self.note,
        }  # fmt: skip


def compared(
    section: str, what: str, times: Times, ours: str, peers: dict[str, Goal], threads: int, macs: int, **more: Any
) -> list[Comparison]:
    """One comparison for each of the peers that took part in the rounds."""
    mine = tuple(times[ours])
    return [
        Comparison(section, what, peer, threads, mine, tuple(times[peer]), macs, goal=goal, **more)
        for peer, goal in peers.items()
        if peer in times
    ]


def by_section(comparisons: Iterable[Comparison]) -> dict[str, list[Comparison]]:
    """The comparisons of each section, in their order."""
    found: dict[str, list[Comparison]] = {}
    for one in comparisons:
        found.setdefault(one.section, []).append(one)
    return found


@dataclass(frozen=True)
class Summary:
    """The comparisons of a section with one peer on one number of threads, and what was wanted of them."""

    section: str
    peer: str
    threads: int
    count: int
    mean: float
    lowest: float
    highest: float
    goal: Goal

    @property
    def verdicts(self) -> list[tuple[str, float, float, bool]]:
        """(what, ratio, goal, met) for every goal."""
        goal, of_each = self.goal, self.goal.each is not None and self.goal.mean is None
        told = [("each", self.lowest, goal.each), ("geometric mean", self.mean, goal.mean)]
        told.append(("stretch", self.lowest if of_each else self.mean, goal.stretch))
        return [(what, ratio, goal, ratio >= goal) for what, ratio, goal in told if goal is not None]

    def to_dict(self) -> dict[str, Any]:
        """Everything."""
        return {
            "section": self.section, "peer": self.peer, "threads": self.threads, "count": self.count,
            "geometric_mean": self.mean, "lowest": self.lowest, "highest": self.highest,
            "goals": [{"what": w, "ratio": r, "goal": g, "met": m} for w, r, g, m in self.verdicts],
        }  # fmt: skip


def summaries(comparisons: Iterable[Comparison]) -> list[Summary]:
    """One for each section, peer and number of threads, in their order."""
    groups: dict[tuple[str, str, int], list[Comparison]] = {}
    for one in comparisons:
        groups.setdefault((one.section, one.peer, one.threads), []).append(one)
    return [_summary(key, members) for key, members in groups.items()]


def _summary(key: tuple[str, str, int], members: Sequence[Comparison]) -> Summary:
    found = [one.ratio for one in members]
    return Summary(*key, len(found), geometric_mean(found), min(found), max(found), members[0].goal)


def figure(one: Comparison) -> str:
    """Our own speed by the median round: GMAC/s of layers, microseconds a sample of models."""
    seconds = statistics.median(one.ours_seconds)
    if one.section.startswith("models"):
        return f"{seconds / one.samples / MICRO:.2f} µs"
    return f"{one.macs / seconds / GIGA:.1f}"


def cell(one: Comparison | None) -> str:
    """The ratio, and the lowest and highest of the rounds; bold where its goal is missed."""
    if one is None:
        return ""
    text = f"{one.ratio:.2f}"
    marked = f"**{text}**" if one.met is False else text
    return f"{marked} ({min(one.ratios):.2f}–{max(one.ratios):.2f}){' ' + one.note if one.note else ''}"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def section_table(comparisons: Sequence[Comparison]) -> str:
    """One section: a row for each thing measured, a column for each peer."""
    peers = list(dict.fromkeys(one.peer for one in comparisons))
    rows: dict[tuple[str, int], dict[str, Comparison]] = {}
    for one in comparisons:
        rows.setdefault((one.what, one.threads), {})[one.peer] = one
    ours = "ours, a sample" if comparisons[0].section.startswith("models") else "ours, GMAC/s"
    return markdown(
        ["", "threads", ours, *peers],
        (
            [what, str(threads), figure(next(iter(found.values()))), *(cell(found.get(peer)) for peer in peers)]
            for (what, threads), found in rows.items()
        ),
    )


def goal_table(found: Iterable[Summary]) -> str:
    """Every goal, and whether it is met."""
    return markdown(
        ["section", "against", "threads", "over", "lowest–highest", "goal of", "ratio", "goal", "met"],
        (
            [one.section, one.peer, str(one.threads), str(one.count), f"{one.lowest:.2f}–{one.highest:.2f}", what,
             f"{ratio:.2f}", f"{goal:.2f}", "yes" if met else "no"]
            for one in found for what, ratio, goal, met in one.verdicts
        ),
    )  # fmt: skip
