"""Programs: arenas, chunks, threads and checks; the choice of an instruction set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hwblocks.errors import SimulationError
from hwblocks.numerics import kernels
from hwblocks.numerics.kernels.table import TableCall

COUNT = 100


@pytest.fixture
def two_tables(isa, random_codes, rng):
    """A program of two tables with its middle tensor in the arena, and the composed table."""
    first, second = (random_codes(rng, "uint8", 256).astype(np.int64) for _ in range(2))
    ops = [kernels.bind(TableCall("uint8", "uint8", t, COUNT), isa) for t in (first, second)]
    program = kernels.Program([(ops[0], (0,), 1), (ops[1], (1,), 2)], [COUNT] * 3, [-1, 64, -1])
    return program, second[first]


@pytest.mark.parametrize(("n", "chunk"), [(1, 1), (3, 3), (7, 7), (3, 7)])
def test_arena_holds_the_middle(two_tables, random_codes, rng, n, chunk):
    program, composed = two_tables
    x, y = random_codes(rng, "uint8", (n, COUNT)), np.empty((n, COUNT), np.uint8)
    counted = program.run({0: x, 2: y}, n, chunk, 1)
    np.testing.assert_array_equal(y, composed[x])
    assert np.shape(counted) == (2, 4)


def test_threads_share_a_program(two_tables, random_codes, rng):
    program, composed = two_tables
    inputs = [random_codes(rng, "uint8", (5, COUNT)) for _ in range(64)]

    def work(x):
        y = np.empty_like(x)
        program.run({0: x, 2: y}, 5, 5, 1)
        return y

    with ThreadPoolExecutor(4) as pool:
        for x, y in zip(inputs, pool.map(work, inputs), strict=True):
            np.testing.assert_array_equal(y, composed[x])


def test_wrong_sizes_are_refused(two_tables):
    program, _ = two_tables
    good, short = np.zeros((2, COUNT), np.uint8), np.zeros((2, COUNT - 1), np.uint8)
    with pytest.raises(ValueError, match="bytes"):
        program.run({0: short, 2: good}, 2, 2, 1)
    with pytest.raises(ValueError, match="slot 2"):
        program.run({0: good}, 2, 2, 1)
    with pytest.raises(ValueError, match="chunk"):
        program.run({0: good, 2: good}, 2, 1, 1)


def test_a_read_only_output_is_refused(two_tables):
    program, _ = two_tables
    x, y = np.zeros((1, COUNT), np.uint8), np.zeros((1, COUNT), np.uint8)
    y.flags.writeable = False
    with pytest.raises((ValueError, BufferError, TypeError)):
        program.run({0: x, 2: y}, 1, 1, 1)


def test_slots_too_small_for_their_op_are_refused(isa):
    op = kernels.bind(TableCall("uint8", "uint8", np.arange(256), COUNT), isa)
    with pytest.raises(ValueError, match="bytes"):
        kernels.Program([(op, (0,), 1)], [COUNT, COUNT - 1], [-1, -1])


def test_levels_of_statistics(run_call, conv_call, random_codes, rng):
    call = conv_call(rng)
    codes = random_codes(rng, "int8", (2, call.height, call.width, call.channels))
    elements = call.out_height * call.out_width * call.out_channels
    silent = run_call(call, [codes], elements, call.out_dtype, statistics=1)
    assert silent.lowest > silent.highest


def test_forced_instruction_set(isa, monkeypatch):
    with kernels.using_isa(isa):
        assert kernels.default_isa() == isa
    monkeypatch.setenv("HWBLOCKS_ISA", isa)
    assert kernels.default_isa() == isa
    monkeypatch.setenv("HWBLOCKS_ISA", "mmx")
    with pytest.raises(SimulationError, match="mmx"):
        kernels.default_isa()
