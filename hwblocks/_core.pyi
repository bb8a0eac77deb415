"""Types of the compiled core."""

from typing import Any

ALIGN: int
COUNT_WORDS: int

def isa_names() -> list[str]: ...
def byte_products(isa: str) -> int: ...
def find_lines(
    numbers: Any, constants: tuple[Any, ...], bound: int, slopes: Any, shift: Any, slope: Any, offset: Any, below: Any
) -> int: ...
def replay(numbers: Any, lane: Any, step: Any, marks: Any) -> int: ...

class Constant:
    size: int
    def __init__(self, data: Any) -> None: ...

class Op:
    in_bytes: tuple[int, ...]
    out_bytes: tuple[int, ...]
    counted: int
    scratch_bytes: int
    def __init__(
        self,
        isa: str,
        family: str,
        numbers: Any,
        cast: Any,
        constants: tuple[Constant | None, ...],
        in_bytes: tuple[int, ...],
        out_bytes: tuple[int, ...],
    ) -> None: ...

class Program:
    tile: int
    def __init__(self, steps: list[Any], slot_bytes: list[int], arena_offsets: list[int]) -> None: ...
    def run(
        self, externals: dict[int, Any], n: int, chunk: int, statistics: int, counts: list[Any] | None = None
    ) -> list[tuple[int, int, int, int]]: ...
    def prepare(
        self,
        externals: dict[int, Any],
        n: int,
        chunk: int,
        statistics: int,
        fixed: Any = (),
        carried: Any = (),
        threads: int = 1,
        least: int = 1,
        together: int = 0,
        split: int = 0,
    ) -> Call: ...

class Call:
    def reset(self) -> None: ...
    def run(self, first: int, past: int) -> None: ...
    def release(self) -> None: ...
    def counts(self) -> list[tuple[int, int, int, int]]: ...
    def packed_counts(self) -> bytes: ...

class Arena:
    search_bytes: int
    def __init__(self, size: Any, first: Any, past: Any, starts: Any, member_at: Any, member: Any) -> None: ...
    def first_fit(self, order: Any, begin: int, end: int, by_offset: Any, offset: Any) -> None: ...
    def exchange(self, order: Any, offset: Any, rounds: int, wanted: int, random: int) -> tuple[int, int]: ...
    def begin(self, capacity: int, choice: int, rank: Any) -> None: ...
    def run(self, work: int) -> tuple[int, int, int]: ...
    def offsets(self, offset: Any) -> None: ...
