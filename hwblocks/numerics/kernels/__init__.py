"""Kernels: descriptions of calls, and their binding to the compiled core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from hwblocks.errors import MissingExtensionError, SimulationError

try:
    from hwblocks import _core
except ImportError as error:
    if os.environ.get("HWBLOCKS_NO_EXT") != "1":
        raise MissingExtensionError(
            f"the compiled core is missing ({error}); run `pip install .`, or set HWBLOCKS_NO_EXT=1 for the definitions"
        ) from None
    _core = None  # type: ignore[assignment]

_forced: ContextVar[str | None] = ContextVar("hwblocks_isa", default=None)


def isa_names() -> tuple[str, ...]:
    """Instruction sets that this machine runs, the slowest first; empty without the compiled core."""
    return tuple(_core.isa_names()) if _core else ()


def default_isa() -> str:
    """The instruction set in force: using_isa, else HWBLOCKS_ISA, else the fastest of this machine."""
    wanted = _forced.get() or os.environ.get("HWBLOCKS_ISA")
    names = isa_names()
    if wanted and wanted not in names:
        raise SimulationError(f"HWBLOCKS_ISA={wanted}: this machine and build have {', '.join(names) or 'no kernels'}")
    return wanted or (names[-1] if names else "none")


@contextmanager
def using_isa(name: str) -> Iterator[None]:
    """Force an instruction set inside a with block (tests)."""
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


def bind(call: Any, isa: str) -> Any:
    """The op of a call on an instruction set, or the reason (a str) why no kernel serves it."""
    if _core is None:
        return "the compiled core is missing"
    from hwblocks.numerics.kernels.binding import bind_call

    return bind_call(call, isa)


def Program(steps: Any, slot_bytes: Any, arena_offsets: Any) -> Any:  # noqa: N802 - stands for the class in _core
    """A C program of bound ops; see _core.Program."""
    assert _core is not None
    return _core.Program(steps, slot_bytes, arena_offsets)


def arena_core(*arrays: Any) -> Any:
    """The core's planner of an arena, see _core.Arena; None without the compiled core."""
    return _core.Arena(*arrays) if _core else None


def channel_counts(op: Any) -> Any:
    """Room for what an op counts of each output channel, [channels, words] int64; None for ops that do not."""
    import numpy as np

    return np.zeros((op.counted, _core.COUNT_WORDS), np.int64) if op.counted else None
