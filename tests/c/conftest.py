"""How the C checks are built: one processor family's compiler, strict warnings, address and undefined sanitizers."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
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


def family_of(machine: str) -> tuple[str | None, dict[str, str]]:
    """The macro of a processor family and what each of its instruction sets needs, as setup.py builds them."""
    lines = ast.parse((ROOT / "setup.py").read_text()).body
    assigned = [s for s in lines if isinstance(s, ast.Assign) and ast.unparse(s.targets[0]) == "FAMILIES"]
    families = ast.literal_eval(assigned[0].value)
    return next((rest for names, *rest in families if machine in names), (None, {}))


@dataclass(frozen=True)
class Toolchain:
    """A C compiler for one processor family, the command that runs its programs, and what watches them."""

    compiler: str
    machine: str
    runner: tuple[str, ...] = ()
    sanitize: tuple[str, ...] = tuple(SANITIZE)

    def sources(self) -> list[Path]:
        """Every source of csrc but those of other families' instruction sets."""
        known = {"ref", *family_of(self.machine)[1]}
        return [
            s for s in sorted((ROOT / "csrc").rglob("*.c")) if s.stem.rpartition("__")[2] in known or "__" not in s.stem
        ]

    def compile_one(self, source: Path, target: Path) -> Path:
        """One object file; those of an instruction set with its own flags, so that nothing else may use it."""
        macro, needs = family_of(self.machine)
        # posix_memalign in the drivers is POSIX, not C11
        macros = ["-D_POSIX_C_SOURCE=200112L", *([f"-D{macro}=1"] if macro else [])]
        isa = [f"-m{part}" for part in needs.get(source.stem.rpartition("__")[2], "").split()]
        options = [*STRICT, *self.sanitize, *macros, *isa, f"-I{ROOT / 'csrc/include'}"]
        made = self._made([self.compiler, *options, "-c", str(source), "-o", str(target)])
        assert made.returncode == 0, f"{source.name} does not compile cleanly:\n{made.stderr}"
        return target

    def compile_core(self, folder: Path) -> list[Path]:
        """The objects of every source of csrc."""
        return [self.compile_one(s, folder / f"{i}_{s.stem}.o") for i, s in enumerate(self.sources())]

    def run(self, driver: Path, core: list[Path], folder: Path) -> str:
        """What a driver prints; it must find no failure and no sanitizer may complain."""
        own, program = self.compile_one(driver, folder / f"{driver.stem}.o"), folder / driver.stem
        linked = self._made(
            [self.compiler, *self.sanitize, *map(str, (own, *core)), "-lm", "-pthread", "-o", str(program)]
        )
        assert linked.returncode == 0, linked.stderr
        run = self._made([*self.runner, str(program)], timeout=600)
        assert run.returncode == 0, f"{run.stdout[-3000:]}\n{run.stderr[-3000:]}"
        return run.stdout

    @staticmethod
    def _made(command: list[str], timeout: int | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)


@pytest.fixture(scope="session")
def toolchain() -> Callable[..., Toolchain]:
    """toolchain(compiler, machine, runner, sanitize): builds the core and runs its drivers."""
    return Toolchain
