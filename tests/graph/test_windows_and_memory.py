"""Window arithmetic against loops over positions, and plans that never overlap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hwblocks.errors import InputError, ShapeError
from hwblocks.graph.memory import plan_memory
from hwblocks.graph.window import Window, same_pads

SMALL = st.integers(1, 4)


@given(st.integers(1, 9), SMALL, SMALL, SMALL, st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_windows_are_those_of_the_loop(size, kernel, stride, dilation, before, after, ceil):
    span = dilation * (kernel - 1) + 1
    room = size + before + after - span
    assume(room >= 0)
    starts = list(range(0, room + 1, stride))
    if ceil:
        starts += [starts[-1] + stride] if room % stride else []
        starts = starts[:-1] if starts[-1] >= size + before else starts  # as PyTorch: no window starts past the input
    w = Window((size,), (kernel,), (stride,), (dilation,), ((before, after),), ceil)
    assert w.output == (len(starts),)
    positions = [[s - before + t * dilation for t in range(kernel)] for s in starts]
    assert w.positions(0).tolist() == positions
    assert w.valid_taps == sum(0 <= p < size for row in positions for p in row)
    x = np.arange(10, 10 + size).reshape(1, size, 1)
    wanted = [[x[0, p, 0] if 0 <= p < size else -1 for p in row] for row in positions]
    assert w.gather(x, -1)[0, :, :, 0].tolist() == wanted
    padded = [sum(-before <= p < size + after for p in row) for row in positions]
    assert w.counts(True).tolist() == padded


@given(st.integers(1, 12), SMALL, SMALL, SMALL, st.booleans())
def test_same_padding_gives_the_ceiling(size, kernel, stride, dilation, upper):
    ((before, after),) = same_pads((size,), (kernel,), (stride,), (dilation,), upper)
    assert Window((size,), (kernel,), (stride,), (dilation,), ((before, after),)).output == (-(-size // stride),)
    assert 0 <= (after - before if upper else before - after) <= 1


def test_windows_that_do_not_fit():
    import hwblocks as hb

    with pytest.raises(ShapeError, match="no window fits"):
        hb.MaxPool2d(5)(np.zeros((1, 3, 3, 1)))


BUFFERS = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 6), st.integers(0, 50)), min_size=1, max_size=12)


@given(BUFFERS)
def test_buffers_alive_together_never_overlap(items):
    buffers = [(str(i), lower, lower + length, size) for i, (lower, length, size) in enumerate(items)]
    plan = plan_memory(buffers)
    cells = {}
    for (name, lower, upper, size), offset in zip(buffers, plan.offsets, strict=True):
        for step in range(lower, upper):
            for byte in range(offset, offset + size):
                assert (step, byte) not in cells, (name, cells[step, byte])
                cells[step, byte] = name
    alive = [sum(s for _, lo, hi, s in buffers if lo <= step < hi) for step in range(16)]
    assert plan.bound == max(alive) <= plan.size
    assert plan.size == max((o + b[3] for o, b in zip(plan.offsets, buffers, strict=True)), default=0)


def test_bad_buffers_and_capacity():
    with pytest.raises(InputError, match="lives in"):
        plan_memory([("a", 2, 2, 4)])
    with pytest.raises(InputError, match="capacity"):
        plan_memory([("a", 0, 1, 4), ("b", 0, 1, 4)], capacity=7)


def test_example_of_minimalloc(shared):
    lines = (shared / "reference" / "minimalloc" / "input.12.csv").read_text().splitlines()[1:]
    buffers = [(i, int(lo), int(hi), int(s)) for i, lo, hi, s in (line.split(",") for line in lines)]
    plan = plan_memory(buffers)
    assert plan.bound == 12
