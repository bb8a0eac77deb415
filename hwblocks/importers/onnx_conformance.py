"""Conformance: the node tests that the onnx package ships, run one by one through the backend."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hwblocks.errors import HwblocksError
from hwblocks.importers.onnx_backend import Backend
from hwblocks.table import Column, Result, Section, Table

VERDICTS = ("passed", "folded", "refused", "wrong", "failed")
MEANINGS = {
    "passed": "computed by blocks, equal within the test's tolerance",
    "folded": "all outputs are constants of the model or of frozen inputs, evaluated by the package's own reference",
    "refused": "an HwblocksError says why",
    "wrong": "other values, shapes or types",
    "failed": "any other exception",
}


@dataclass(frozen=True)
class Case:
    """One test: its name, operator, what came of it, and why."""

    name: str
    operator: str
    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class Conformance(Result):
    """What came of every test; refusals are grouped by operator and reason."""

    schema = "conformance"
    cases: tuple[Case, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of tests by verdict."""
        found = Counter(case.verdict for case in self.cases)
        return {verdict: found[verdict] for verdict in VERDICTS}

    def content(self) -> dict[str, Any]:
        return {"total": len(self.cases), "counts": self.counts, "cases": [vars(case) for case in self.cases]}

    def sections(self) -> Sequence[Section]:
        counts = tuple(
            {"verdict": verdict, "tests": count, "meaning": MEANINGS[verdict]} for verdict, count in self.counts.items()
        )
        columns = (Column("verdict"), Column("tests"), Column("meaning"))
        summary = Section(f"{len(self.cases)} node tests", tables=(Table("Verdicts", columns, counts),))
        return (summary, *(self._grouped(v) for v in ("refused", "wrong", "failed") if self.counts[v]))

    def _grouped(self, verdict: str) -> Section:
        groups: dict[tuple[str, str], list[str]] = {}
        for case in self.cases:
            if case.verdict == verdict:
                groups.setdefault((case.operator, case.reason), []).append(case.name)
        rows = tuple(
            {"operator": operator, "tests": len(names), "reason": reason, "first": names[0]}
            for (operator, reason), names in sorted(groups.items())
        )
        columns = (Column("operator"), Column("tests"), Column("reason"), Column("first"))
        return Section(verdict.capitalize(), tables=(Table(verdict.capitalize(), columns, rows),))


def node_tests() -> list[Any]:
    """The node tests of the installed onnx package; their data are made when they are loaded (some seconds)."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(load_model_tests(kind="node"))


def conformance(tests: Iterable[Any] | None = None, progress: Callable[[int], None] | None = None) -> Conformance:
    """Run tests (default: all node tests); `progress` is called with 1 after each."""
    cases = []
    for test in node_tests() if tests is None else tests:
        cases.append(judged(test))
        if progress is not None:
            progress(1)
    return Conformance(cases=tuple(cases))


def judged(test: Any) -> Case:
    """One test and what came of it."""
    operator = operator_of(test)
    try:
        folded = _checked(test)
    except HwblocksError as error:
        return Case(test.name, operator, "refused", shortened(error.message))
    except AssertionError as error:
        return Case(test.name, operator, "wrong", shortened(" ".join(str(error).split())))
    except Exception as error:  # the very thing that is looked for
        return Case(test.name, operator, "failed", shortened(f"{type(error).__name__}: {error}"))
    return Case(test.name, operator, "folded" if folded else "passed")


def _checked(test: Any) -> bool:
    """Compare all data sets; True when no block computed anything."""
    from onnx.backend.test.runner import Runner, _normalize_tensor

    prepared, folded = Backend.prepare(test.model), True
    for inputs, wanted in test.data_sets:
        given = [_normalize_tensor(value) for value in inputs]
        made = prepared.run(given)
        Runner.assert_similar_outputs([_normalize_tensor(v) for v in wanted], made, test.rtol, test.atol)
        folded = folded and prepared.built(prepared.arrays(given)).is_folded
    return folded


def operator_of(test: Any) -> str:
    """The operator that a test is about; a model of several nodes is named by what it expands."""
    nodes = test.model.graph.node
    if len(nodes) == 1:
        return str(nodes[0].op_type)
    return f"{re.sub('^test_|_expanded.*$', '', test.name).split('_')[0]} (expanded)"


def shortened(message: str) -> str:
    """The message without the names of single nodes and tensors, so that like reasons are counted together."""
    line = re.sub(r"'[^']*'", "…", " ".join(message.split()))
    line = re.sub(r" × \d+: [^\s,]+(?:, [^\s,]+)*", "", line)
    return line if len(line) <= 160 else f"{line[:159]}…"
