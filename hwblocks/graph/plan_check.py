"""The check of a memory plan: a sweep over time that shares nothing with the planner."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from hwblocks.errors import InputError


def check_plan(buffers: Sequence[tuple[str, int, int, int]], offsets: Sequence[int], size: int, align: int = 1) -> None:
    """Check that buffers (id, lower, upper, size) at these offsets lie within `size` bytes and never overlap.

    Errors: InputError with the buffer that lies outside or is not aligned, or the two that overlap and the bytes.

    >>> check_plan([("a", 0, 2, 4), ("b", 1, 3, 4)], [0, 4], 8)
    >>> check_plan([("a", 0, 2, 4), ("b", 1, 3, 4)], [0, 3], 8)
    Traceback (most recent call last):
    hwblocks.errors.InputError: buffers 'a' and 'b' are alive together in steps [1, 2) and share bytes [3, 4) [HWB401]
    """
    if len(buffers) != len(offsets):
        raise InputError(f"{len(offsets)} offsets for {len(buffers)} buffers")
    for (name, _, _, bytes_), offset in zip(buffers, offsets, strict=True):
        if offset < 0 or offset + bytes_ > size or offset % align:
            raise InputError(
                f"buffer {name!r}: bytes [{offset}, {offset + bytes_}) of an arena of {size}, aligned to {align}"
            )
    used = [i for i, buffer in enumerate(buffers) if buffer[3] > 0]
    events = sorted([(buffers[i][1], 1, i) for i in used] + [(buffers[i][2], 0, i) for i in used])
    alive: list[tuple[int, int]] = []  # (offset, buffer), the lowest first
    for _, begins, i in events:
        at = bisect_left(alive, (offsets[i], i))
        if not begins:
            del alive[at]
            continue
        for _, other in alive[max(at - 1, 0) : at + 1]:  # those alive do not overlap: only neighbours can reach in
            _check_apart(buffers, offsets, other, i)
        alive.insert(at, (offsets[i], i))


def _check_apart(buffers: Sequence[tuple[str, int, int, int]], offsets: Sequence[int], i: int, j: int) -> None:
    low, high = max(offsets[i], offsets[j]), min(offsets[i] + buffers[i][3], offsets[j] + buffers[j][3])
    if low >= high:
        return
    first, past = max(buffers[i][1], buffers[j][1]), min(buffers[i][2], buffers[j][2])
    raise InputError(
        f"buffers {buffers[i][0]!r} and {buffers[j][0]!r} are alive together in steps [{first}, {past}) "
        f"and share bytes [{low}, {high})"
    )
