"""The C core without Python: strict warnings, address and undefined-behaviour sanitizers, plain loops as oracle."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
STRICT = [
    "-std=c11",
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-ffp-contract=off",
    "-fno-omit-frame-pointer",
]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
X86 = platform.machine().lower() in ("x86_64", "amd64")
COMPILER = shutil.which("gcc") or shutil.which("cc")

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")


def compile_one(source: Path, target: Path) -> Path:
    """One object file; AVX2 sources with their own flag, so that nothing else may use it."""
    # posix_memalign in the drivers is POSIX, not C11
    macros = ["-D_POSIX_C_SOURCE=200112L", *(["-DHWB_HAVE_AVX2=1"] if X86 else [])]
    isa = ["-mavx2"] if source.stem.endswith("__avx2") else []
    include = [f"-I{ROOT / 'csrc/include'}"]
    command = [str(COMPILER), *STRICT, *SANITIZE, *macros, *isa, *include, "-c", str(source), "-o", str(target)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, f"{source.name} does not compile cleanly:\n{made.stderr}"
    return target


@pytest.fixture(scope="session")
def core_objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every source of csrc, compiled strictly."""
    folder = tmp_path_factory.mktemp("core")
    sources = sorted((ROOT / "csrc").rglob("*.c"))
    kept = [s for s in sources if X86 or not s.stem.endswith("__avx2")]
    return [compile_one(s, folder / f"{i}_{s.stem}.o") for i, s in enumerate(kept)]


@pytest.mark.parametrize("driver", sorted(p.stem for p in HERE.glob("check_*.c")))
def test_driver(driver: str, core_objects: list[Path], tmp_path: Path) -> None:
    """A driver finds every kernel equal to its plain loops and no sanitizer complains."""
    own = compile_one(HERE / f"{driver}.c", tmp_path / f"{driver}.o")
    program = tmp_path / driver
    link = [str(COMPILER), *SANITIZE, *map(str, (own, *core_objects)), "-lm", "-o", str(program)]
    subprocess.run(link, check=True, capture_output=True)
    run = subprocess.run([str(program)], capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, f"{run.stdout[-3000:]}\n{run.stderr[-3000:]}"
    assert "ref checked" in run.stdout
