"""Register-only loops of multiply-adds (limits.c), compiled when they are asked for."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("limits.c")
ROUNDS = 1_000_000  # of one call: several milliseconds
INSTRUCTIONS = {"avx2": "vpmaddwd + vpaddd, ymm", "avx512": "vpdpbusd, zmm"}


class NoLimitError(Exception):
    """There is no loop for this instruction set, or it cannot be compiled here."""


def compiler() -> list[str]:
    """The system's C compiler as a command line: CC, else cc."""
    return shlex.split(os.environ.get("CC", "cc"))


@cache
def library() -> ctypes.CDLL:
    """The compiled loops. Errors: NoLimitError with what the compiler said."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "limits.so"
        command = [*compiler(), "-O2", "-shared", "-fPIC", "-o", str(made), str(SOURCE)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except OSError as error:
            raise NoLimitError(f"the loop cannot be compiled ({error})") from None
        if done.returncode:
            raise NoLimitError(f"the loop cannot be compiled: {(done.stderr.splitlines() or ['no message'])[0]}")
        return ctypes.CDLL(str(made))  # stays mapped when the folder goes


def limit(isa: str) -> tuple[Callable[[], int], int]:
    """A call of the loop of an instruction set, and its multiply-accumulates. Errors: NoLimitError.

    The loop's instructions must be ones that this machine has: ask for an instruction set of kernels.isa_names().
    """
    if isa not in INSTRUCTIONS:
        raise NoLimitError(f"no register-only loop for {isa}")
    loop = getattr(library(), f"limit_{isa}")
    loop.restype, loop.argtypes = ctypes.c_int64, [ctypes.c_int64]
    return lambda: loop(ROUNDS), loop(1) * ROUNDS
