"""Replays of address streams: the compiled core against the definition, and the definition by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwblocks.errors import SimulationError
from hwblocks.numerics.kernels.replay import Walk, demanded, fetched, replay


def test_order_by_hand():
    lane, step = np.array([0, 10, 20], np.int32), np.array([0, 1, 2], np.int32)
    skewed = Walk(lane, step, 2, 3, True, 30)
    assert list(demanded(skewed)) == [0, 1, 10, 2, 11, 12, 20, 21, 22]
    flat = Walk(lane, step, 2, 2, False, 30, repeats=2)
    assert list(demanded(flat)) == [0, 10, 1, 11, 2, 12] * 2 + [20, 21, 22] * 2
    absent = np.zeros(30, bool)
    absent[[1, 12]] = True
    assert list(demanded(Walk(lane, step, 2, 3, True, 30, absent=absent))) == [0, 10, 2, 11, 20, 21, 22]


def test_a_full_buffer_is_dropped_whole():
    assert fetched([1, 2, 1, 3, 1, 2, 3], 3) == 6  # 1 2 3, dropped, 1 2 3, dropped
    assert fetched([1, 2, 1, 3, 1, 2, 3], 4) == 3
    assert fetched([1, 1, 2], 1) == 3


NUMBERS = st.integers(0, 15)


@given(
    lane=st.lists(NUMBERS, min_size=1, max_size=12),
    step=st.lists(NUMBERS, min_size=1, max_size=12),
    ports=st.integers(1, 6),
    span=st.integers(1, 14),
    skewed=st.booleans(),
    repeats=st.integers(1, 3),
    passes=st.integers(1, 3),
    absent=st.sets(st.integers(0, 30)),
    capacity=st.integers(1, 35),
)
def test_the_core_equals_the_definition(lane, step, ports, span, skewed, repeats, passes, absent, capacity):
    outside = np.isin(np.arange(31), list(absent))
    walk = Walk(np.array(lane, np.int32), np.array(step, np.int32), ports, span, skewed, 31, repeats, passes, outside)
    assert replay(walk, capacity) == fetched(demanded(walk), capacity)


def test_a_walk_beyond_its_words_is_refused():
    with pytest.raises(SimulationError, match="word 30 of 30"):
        Walk(np.array([0, 20], np.int32), np.array([0, 10], np.int32), 1, 2, False, 30)


def test_too_many_accesses_are_refused():
    one = np.zeros(1, np.int32)
    with pytest.raises(SimulationError, match="too many to replay"):
        replay(Walk(one, one, 1, 1, False, 1, repeats=1 << 20, passes=1 << 20), 1)


def test_without_the_core_the_definition_answers(monkeypatch):
    walk = Walk(np.array([0, 10, 20], np.int32), np.array([0, 1, 2], np.int32), 2, 3, True, 30, passes=2)
    with_core = replay(walk, 4)
    monkeypatch.setattr("hwblocks.numerics.kernels.replay.isa_names", lambda: ())
    assert replay(walk, 4) == with_core == 18
