"""The C core without Python: strict warnings, address and undefined-behaviour sanitizers, plain loops as oracle."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import pytest

DRIVERS = sorted(Path(__file__).resolve().parent.glob("check_*.c"))
COMPILER = shutil.which("gcc") or shutil.which("cc")

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")


@pytest.fixture(scope="module")
def native(toolchain):
    """The compiler of this machine."""
    return toolchain(COMPILER, platform.machine().lower())


@pytest.fixture(scope="module")
def core(native, tmp_path_factory):
    """Every source of csrc, compiled strictly; an instruction set that the compiler cannot build is an error."""
    return native.compile_core(tmp_path_factory.mktemp("core"))


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda p: p.stem)
def test_driver(native, core, driver, tmp_path):
    """A driver finds every kernel that this machine runs equal to its plain loops."""
    assert "ref checked" in native.run(driver, core, tmp_path)
