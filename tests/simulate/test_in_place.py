"""Sequences in place: whatever shares memory, every sample's tensors and states equal the definition's."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic

CODES = hb.Format("int8", scale=0.5, zero_point=3)
WIDTH = 5


class Delay:
    """A graph that keeps the last rows of its input, and what is built on them."""

    def __init__(self):
        self.build, self.rng = GraphBuilder("g"), np.random.default_rng(3)
        self.x = self.build.input("x", (1, 1, WIDTH), CODES)

    def state(self, name, rows):
        codes = self.rng.integers(-128, 128, (1, rows, WIDTH))
        return self.build.state(name, codes, CODES)

    def add(self, block, *values, name):
        return self.build.add(block, *values, name=name, formats=[CODES], arithmetic=Arithmetic())

    def made(self, value, name):
        """A tensor that a step makes, neither an input nor a state."""
        return self.add(hb.MaxPool1d(1), value, name=name)

    def join(self, *values, name="joined"):
        return self.add(hb.Concat(1), *values, name=name)

    def cut(self, value, first, rows, name):
        return self.add(hb.Slice((first,), (first + rows,), (1,), (1,)), value, name=name)


def plain(d):
    """A window of the last four rows; nobody else reads them."""
    kept = d.state("kept", 3)
    joined = d.join(kept, d.made(d.x, "new"))
    d.build.becomes(kept, d.cut(joined, 1, 3, "next"))
    return [d.add(hb.MaxPool1d(4), joined, name="y")], 2


def read_elsewhere(d):
    """State, new row and what the state becomes are read by others too; one of them is an output."""
    kept = d.state("kept", 3)
    new = d.made(d.x, "new")
    joined = d.join(kept, new)
    after = d.cut(joined, 1, 3, "next")
    d.build.becomes(kept, after)
    outs = [d.made(v, f"y{i}") for i, v in enumerate((kept, new, joined, after, d.cut(kept, 1, 1, "middle")))]
    return [*outs, new], 2


def joined_input(d):
    """An input of the graph is joined, and the window is an output."""
    kept = d.state("kept", 2)
    joined = d.join(kept, d.x)
    d.build.becomes(kept, d.cut(joined, 1, 2, "next"))
    return [joined], 0


def nested(d):
    """A window joined with another row, and twice with the same one."""
    kept = d.state("kept", 2)
    new = d.made(d.x, "new")
    joined = d.join(kept, new)
    more = d.join(joined, d.made(new, "again"), name="more")
    twice = d.join(new, new, name="twice")
    d.build.becomes(kept, d.cut(joined, 1, 2, "next"))
    return [d.add(hb.MaxPool1d(4), more, name="y"), d.made(twice, "z")], 2


def handed_over(d):
    """The oldest row of one state becomes another state, which stands before or behind it."""
    late, kept, later = d.state("late", 1), d.state("kept", 2), d.state("later", 1)
    joined = d.join(kept, d.made(d.x, "new"))
    d.build.becomes(kept, d.cut(joined, 1, 2, "next"))
    oldest = d.cut(joined, 0, 1, "oldest")
    d.build.becomes(late, oldest)
    d.build.becomes(later, oldest)
    return [d.made(v, f"y{i}") for i, v in enumerate((late, joined, later))], None


@pytest.mark.parametrize("shape", [plain, read_elsewhere, joined_input, nested, handed_over])
@pytest.mark.parametrize("trace", [None, "full"])
def test_states_equal_the_definition(compiled_isa, shape, trace):
    d = Delay()
    outputs, moved = shape(d)
    graph = d.build.build(*outputs)
    x = d.rng.integers(-128, 128, (7, 1, WIDTH)).astype(np.int8)
    fast, exact = hb.Simulator(graph, isa=compiled_isa), hb.Simulator(graph, engine="definition")
    assert not fast.plan.unserved
    for state in ("carry", "reset"):
        for part in (x[:4], x[4:]):
            got, wanted = (s.run(part, trace=trace, state=state) for s in (fast, exact))
            assert got.events.keys() == wanted.events.keys()
            for name in wanted.events:
                assert got.events[name].outputs == wanted.events[name].outputs
            for mine, right in ((got.outputs, wanted.outputs), (got.state, wanted.state)):
                for name, array in right.items():
                    np.testing.assert_array_equal(mine[name], array, err_msg=name)
            for name in graph.tensors if trace else ():
                if not graph.tensors[name].is_constant and name not in graph.inputs:
                    np.testing.assert_array_equal(got.trace[name], wanted.trace[name], err_msg=name)
    if trace is None:
        direct = fast._direct(fast.plan, (), 1)
        assert (None if direct.in_place is None else len(direct.in_place.stage.moved)) == (moved or None)


def test_bound_runs_go_on_until_reset(compiled_isa):
    d = Delay()
    graph = d.build.build(*read_elsewhere(d)[0])
    x = d.rng.integers(-128, 128, (6, 1, 1, WIDTH)).astype(np.int8)
    wanted = hb.Simulator(graph, engine="definition").run(x).outputs
    bound = hb.Simulator(graph, isa=compiled_isa).bind(2)
    for _ in range(2):
        for i in range(0, 6, 2):
            bound.inputs["x"][...] = x[i : i + 2]
            bound.run()
            for name, array in wanted.items():
                np.testing.assert_array_equal(bound.outputs[name].ravel(), array[i : i + 2].ravel(), err_msg=name)
        bound.reset()
