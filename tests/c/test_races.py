"""The pool of threads under the thread sanitizer: no two threads touch the same memory unordered."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import pytest

DRIVER = Path(__file__).resolve().parent / "check_threads.c"
COMPILER = shutil.which("gcc") or shutil.which("cc")
SANITIZE = ("-fsanitize=thread",)

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")


def test_no_races(toolchain, tmp_path):
    native = toolchain(COMPILER, platform.machine().lower(), (), SANITIZE)
    assert "ref checked" in native.run(DRIVER, native.compile_core(tmp_path), tmp_path)
