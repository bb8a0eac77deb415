"""Cases of memories: rows read, written and shifted one by one."""

from __future__ import annotations

import itertools
import math

import numpy as np

import hwblocks as hb

RNG = np.random.default_rng(42)


def normal(*shape):
    """Numbers that float32 holds exactly."""
    return np.round(RNG.normal(size=shape) * 64) / 64


def dot(a, b):
    return math.fsum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def soft(scores):
    """Weights of a row of scores."""
    powers = [math.exp(s - max(scores)) for s in scores]
    return [p / math.fsum(powers) for p in powers]


ROWS = normal(1, 2, 5, 3)
ADDRESS, DATA = np.array([[[4, 0, 4], [1, 1, 2]]]), normal(1, 2, 3, 3)
ENABLE = np.array([[[True, True, False], [True, True, True]]])


def stored(memory, address, data, enable=None):
    """The memory after port by port has written."""
    made = memory.copy()
    for b, p in itertools.product(range(address.shape[1]), range(address.shape[2])):
        if enable is None or enable[0, b, p]:
            made[0, b, int(address[0, b, p])] = data[0, b, p]
    return made


def fetched(memory, address):
    return np.array([[[memory[0, b, int(a)] for a in address[0, b]] for b in range(memory.shape[1])]])


def contents(key, rows, strength):
    """(what each key reads, its weights)."""
    weights = np.array([[soft([strength * dot(k, r) for r in rows]) for k in key[0]]])
    return np.array([[[dot(w, column) for column in rows.T] for w in weights[0]]]), weights


CASES = {
    "MemoryRead": [(hb.MemoryRead(), (ROWS, ADDRESS), fetched(ROWS, ADDRESS))],
    "MemoryWrite": [
        (hb.MemoryWrite(), (ROWS, ADDRESS, DATA), stored(ROWS, ADDRESS, DATA)),
        (hb.MemoryWrite(), (ROWS, ADDRESS, DATA, ENABLE), stored(ROWS, ADDRESS, DATA, ENABLE)),
    ],
    "Memory": [
        (hb.Memory(5, 3, 2, initial=ROWS[0]), (ADDRESS,), fetched(ROWS, ADDRESS)),
        (
            hb.Memory(5, 3, 2, True, initial=ROWS[0]),
            (ADDRESS, ADDRESS, DATA, ENABLE),
            fetched(stored(ROWS, ADDRESS, DATA, ENABLE), ADDRESS),
        ),
        (hb.Memory(5, 3, 2, initial=ROWS[0]), (ADDRESS, ADDRESS, DATA), fetched(ROWS, ADDRESS)),
    ],
    "RingBuffer": [
        (hb.RingBuffer(5, 3, initial=ROWS[0, :1]), (DATA[:, 0],), np.array([[*ROWS[0, 0, 3:], *DATA[0, 0]]])),
        (
            hb.RingBuffer(5, 3, ordered=False, initial=ROWS[0, :1]),
            (DATA[:, 0],),
            (np.array([[*DATA[0, 0], *ROWS[0, 0, 3:]]]), np.array([[3]])),
        ),
    ],
    "ContentMemory": [
        (
            hb.ContentMemory(5, 3, strength=0.5, initial=ROWS[0, 0]),
            (DATA[:, 0], DATA[:, 1], DATA[:, 0], DATA[:, 0]),
            contents(DATA[:, 0], ROWS[0, 0], 0.5),
        )
    ],
}  # fmt: skip

BAD = [
    (hb.MemoryRead(), ((1, 2, 3, 4), (1, 3, 1)), "do not fit"),
    (hb.MemoryWrite(), ((1, 2, 3, 4), (1, 2, 1), (1, 2, 1, 3)), "do not fit"),
    (hb.RingBuffer(2), ((1, 3, 1),), "must be"),
    (hb.ContentMemory(3, 2), ((1, 2, 3),), "must be"),
]
