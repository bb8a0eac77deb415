"""Step counts: what registers did at every addition, per output element and per output channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

MOST_BITS = 65  # the last entry of a histogram: accumulators that need more than 64 bits
NEVER = -1


@dataclass
class ElementCounts:
    """Of every accumulator, in arrays of one shape.

    steps: additions outside their register. first: the number of the first of them among all additions of its element,
    -1 for none. lowest, highest: sums in registers of the accumulator's own width before they were limited, in the
    register's LSBs (None where only steps are counted, or nothing is added).
    """

    steps: Array
    first: Array
    lowest: Array | None = None
    highest: Array | None = None

    def note(self, number: int, outside: Any) -> None:
        """Count addition `number` of every element; outside: mask of those that left the register."""
        self.first = np.where(outside & (self.steps == 0), number, self.first)
        self.steps = self.steps + outside

    def extend(self, sums: Array) -> None:
        """Widen the extremes by unlimited sums."""
        self.lowest = sums if self.lowest is None else np.minimum(self.lowest, sums)
        self.highest = sums if self.highest is None else np.maximum(self.highest, sums)

    def mapped(self, move: Any) -> ElementCounts:
        """The counts with every array moved in the same way."""
        low, high = (None if a is None else move(a) for a in (self.lowest, self.highest))
        return ElementCounts(move(self.steps), move(self.first), low, high)

    @property
    def earliest(self) -> tuple[int, int] | None:
        """(flat index, step) of the first element with an event."""
        hit = np.flatnonzero(np.ravel(self.steps))
        return (int(hit[0]), int(np.ravel(self.first)[hit[0]])) if hit.size else None


@dataclass
class StepCounts:
    """The same per output channel [C]; the channel is the last axis of the output.

    steps [C]: additions outside their register. first [C, 3]: (sample, element, step) of the first of them, element
    counted in one sample of the output, step among all additions of the element; -1 for none.
    accumulators [C]: how many were followed. lowest, highest [C]: extreme sums before they were limited, in the
    register's LSBs. by_bits [C, 66]: accumulators by the bits that their extremes need in two's complement, 1 to 65
    (65: more than 64).
    """

    steps: Array
    first: Array
    accumulators: Array
    lowest: Array
    highest: Array
    by_bits: Array

    @classmethod
    def of_elements(cls, counts: ElementCounts, per_sample: int) -> StepCounts:
        """Counts of elements [..., C], per_sample of them in one sample."""
        channels = counts.steps.shape[-1]
        steps = counts.steps.reshape(-1, channels)
        first = np.full((channels, 3), NEVER, np.int64)
        for c in np.flatnonzero(steps.any(axis=0)):
            row = int(np.argmax(steps[:, c] > 0))
            flat = row * channels + int(c)
            first[c] = flat // per_sample, flat % per_sample, int(counts.first.reshape(-1, channels)[row, c])
        made = cls.empty(channels)
        made.steps, made.first = steps.sum(axis=0).astype(np.int64), first
        if counts.lowest is not None and counts.highest is not None and steps.size:
            low, high = (a.reshape(-1, channels).astype(object) for a in (counts.lowest, counts.highest))
            made.lowest, made.highest = low.min(axis=0), high.max(axis=0)
            made.accumulators = np.full(channels, len(steps), np.int64)
            made.by_bits = _histogram(low, high)
        return made

    @classmethod
    def of_words(cls, words: Array) -> StepCounts:
        """Counts as the compiled core writes them: one hwb_channel_counts per row."""
        lowest, highest = (
            np.array([(int(hi) << 64) + (int(lo) & ((1 << 64) - 1)) for lo, hi in words[:, at : at + 2]], dtype=object)
            for at in (5, 7)
        )
        return cls(words[:, 0].copy(), words[:, 1:4].copy(), words[:, 4].copy(), lowest, highest, words[:, 9:].copy())

    @classmethod
    def empty(cls, channels: int) -> StepCounts:
        """Nothing counted yet."""
        zeros = np.zeros(channels, np.int64)
        first, bits = np.full((channels, 3), NEVER, np.int64), np.zeros((channels, MOST_BITS + 1), np.int64)
        return cls(zeros, first, zeros.copy(), zeros.astype(object), zeros.astype(object), bits)

    def joined(self, other: StepCounts) -> StepCounts:
        """Both parts of the samples together; the order of the parts does not matter."""
        earlier = [_earlier(a, b) for a, b in zip(self.first.tolist(), other.first.tolist(), strict=True)]
        return StepCounts(
            self.steps + other.steps,
            np.array(earlier, dtype=np.int64).reshape(-1, 3),
            self.accumulators + other.accumulators,
            _extreme(np.minimum, self, other, "lowest"),
            _extreme(np.maximum, self, other, "highest"),
            self.by_bits + other.by_bits,
        )

    def shifted(self, samples: int) -> StepCounts:
        """The counts of samples that stand `samples` further back in the run."""
        moved = self.first.copy()
        moved[moved[:, 0] >= 0, 0] += samples
        return StepCounts(self.steps, moved, self.accumulators, self.lowest, self.highest, self.by_bits)

    @property
    def earliest(self) -> tuple[int, int, int] | None:
        """(sample, element, step) of the first event of all channels."""
        found = [tuple(int(v) for v in row) for row in self.first if row[0] != NEVER]
        return min(found, default=None)  # type: ignore[return-value, type-var]

    @property
    def headroom(self) -> Array:
        """Accumulators of all channels by the bits that they needed: counts [66] indexed by bits 1 to 65."""
        return np.asarray(self.by_bits.sum(axis=0))

    @property
    def bits(self) -> Array:
        """Bits that each channel needed [C], 0 where nothing was followed."""
        return np.asarray(np.where(self.by_bits > 0, np.arange(MOST_BITS + 1), 0).max(axis=1))

    @property
    def extremes(self) -> tuple[int, int] | None:
        """(lowest, highest) sum of all channels before it was limited, in the register's LSBs."""
        seen = self.accumulators > 0
        return (int(self.lowest[seen].min()), int(self.highest[seen].max())) if seen.any() else None

    def to_dict(self) -> dict[str, Any]:
        """Plain lists by field; `headroom` as {bits: accumulators}."""
        names = ("steps", "first", "accumulators", "lowest", "highest", "bits")
        lists = {name: [_plain(v) for v in getattr(self, name).tolist()] for name in names}
        return {**lists, "headroom": {str(b): int(n) for b, n in enumerate(self.headroom) if n}}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StepCounts):
            return NotImplemented
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list) else int(value)


def _earlier(a: list[int], b: list[int]) -> list[int]:
    if NEVER in (a[0], b[0]):
        return b if a[0] == NEVER else a
    return min(a, b)


def _extreme(choose: Any, first: StepCounts, second: StepCounts, name: str) -> Array:
    """The extreme of two parts, of one alone where the other followed nothing."""
    a, b = getattr(first, name), getattr(second, name)
    either = np.where(second.accumulators == 0, a, choose(a, b))
    return np.asarray(np.where(first.accumulators == 0, b, either))


def bits_of(value: int) -> int:
    """Bits that hold a number in two's complement.

    >>> [bits_of(v) for v in (0, -1, 127, 128, -128, -129)]
    [1, 1, 8, 9, 8, 9]
    """
    return (value if value >= 0 else ~value).bit_length() + 1


def _histogram(low: Array, high: Array) -> Array:
    counts = np.zeros((low.shape[1], MOST_BITS + 1), np.int64)
    for c in range(low.shape[1]):
        for least, most in zip(low[:, c], high[:, c], strict=True):
            counts[c, min(MOST_BITS, max(bits_of(int(least)), bits_of(int(most))))] += 1
    return counts
