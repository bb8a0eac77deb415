"""Shared fixtures: instruction sets, the folder of reference models, seeds, and a summary of what was skipped."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # what several folders of tests share

hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=60)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=1000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


def _isa_names() -> tuple[str, ...]:
    from hwblocks.numerics import kernels

    return kernels.isa_names() or ("none",)


@pytest.fixture(params=_isa_names())
def isa(request):
    """Every instruction set that this machine runs."""
    from hwblocks.numerics import kernels

    with kernels.using_isa(request.param):
        yield request.param


@pytest.fixture(params=_isa_names())
def compiled_isa(request):
    """Every instruction set by name, for what asks for one; skipped where the core was left out on purpose."""
    if request.param == "none":
        pytest.skip("the compiled core was left out (HWBLOCKS_NO_EXT=1)")
    return request.param


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference models: HWBLOCKS_SHARED, else `shared` beside the checkout."""
    folder = Path(os.environ.get("HWBLOCKS_SHARED", Path(__file__).parents[1].parent / "shared"))
    if not (folder / "models").is_dir():
        pytest.skip(f"reference models are not at {folder.name!r} beside the checkout; set HWBLOCKS_SHARED")
    return folder


def pytest_terminal_summary(terminalreporter) -> None:
    """The last lines say how many tests were skipped, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(
        str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr) for report in skipped
    )
    terminalreporter.write_line(f"skipped: {len(skipped)}")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"  {count} × {reason}")
