"""The C core on aarch64: built by a cross compiler with the same sanitizers, run by an emulator."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

DRIVERS = sorted(Path(__file__).resolve().parent.glob("check_*.c"))
COMPILER, EMULATOR = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")

pytestmark = pytest.mark.skipif(
    not (COMPILER and EMULATOR), reason="no aarch64-linux-gnu-gcc with qemu-aarch64 (gcc-aarch64-linux-gnu, qemu-user)"
)


@pytest.fixture(scope="module")
def cross(toolchain):
    """The cross compiler, and the emulator with the compiler's own libraries; the leak sanitizer needs ptrace."""
    where = subprocess.run([COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    libc = subprocess.run([COMPILER, "-print-file-name=libc.so.6"], capture_output=True, text=True, check=True)
    if not Path(where.stdout.strip()).is_absolute():
        pytest.skip("the aarch64 compiler has no address sanitizer (libasan8-arm64-cross)")
    root = Path(libc.stdout.strip()).resolve().parents[1]
    return toolchain(COMPILER, "aarch64", ("env", "ASAN_OPTIONS=detect_leaks=0", EMULATOR, "-L", str(root)))


@pytest.fixture(scope="module")
def core(cross, tmp_path_factory):
    """Every source of csrc, compiled strictly for aarch64."""
    return cross.compile_core(tmp_path_factory.mktemp("core"))


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda p: p.stem)
def test_driver(cross, core, driver, tmp_path):
    """A driver finds the kernels for NEON equal to its plain loops."""
    assert "neon checked" in cross.run(driver, core, tmp_path)
