"""One random operator in hwblocks and in the runtimes: integers equal, floats within 1e-5 of the largest."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
from operator_models import RefusedError, run

import hwblocks as hb
from hwblocks.importers.from_tflite import import_tflite
from hwblocks.importers.tflite_file import read_tflite

LISTED = tomllib.loads(Path(__file__).with_name("cannot_be_equal.toml").read_text(encoding="utf-8"))
EXCEPTIONS, BEYOND = LISTED["operators"], LISTED["beyond_32_bits"]


def assert_equal(got, wanted, about):
    """Integers are equal; floats agree within 1e-5 of the largest."""
    got = got.reshape(wanted.shape)
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(got, wanted, about)
        return
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(got[~finite], wanted[~finite], about)
    largest = np.abs(wanted[finite]).max(initial=0)
    np.testing.assert_allclose(got[finite], wanted[finite], 0, 1e-5 * float(largest), err_msg=about)


def differs_on_ties_alone(graph, codes, got, wanted):
    """True when the function's exact value lies within 1e-5 code of a tie wherever 8-bit codes differ.

    16-bit tables hold roundings of roundings: there a code may differ by one.
    """
    (node,) = graph.nodes
    x, y = graph.tensors[node.inputs[0]].format, graph.tensors[node.outputs[0]].format
    got = got.reshape(wanted.shape)
    close = np.abs(got.astype(int) - wanted).max() <= 1
    exact = node.block.function(x.dequantize(codes)) / y.scale
    near = np.abs(np.abs(exact % 1) - 0.5) < 1e-5
    return close and (y.bits == 16 or near[got[0] != wanted[0]].all())


def leaves_32_bits(simulator, inputs):
    """True when a sum times its scales leaves 32 bits before it is limited."""
    run = simulator.run(inputs, trace="ranges", state="carry")
    for node in simulator.graph.nodes:
        site, events = simulator.graph.site(node), run.events[node.name]
        if not isinstance(node.block, hb.Accumulate) or events.lowest is None:
            continue
        step = np.max(site.input(1).format.scale) * site.input(0).format.scale / site.output.format.scale
        if max(-events.lowest, events.highest) * step >= 2**31:
            return True
    return False


class Comparison:
    """One case in several dialects: imported once, simulated once for dialects of the same arithmetic.

    name: "family kind"; seed: what a failure names.
    """

    def __init__(self, name, seed, case):
        self.name, self.seed, self.case = name, seed, case
        self.made = {}

    def simulated(self, dialect):
        """Our outputs."""
        if not self.made:
            self.graph = import_tflite(read_tflite(self.case.data, self.name), self.name)
        planned = hb.Simulator(self.graph, dialect=dialect)
        key = tuple(node.arithmetic for node in planned.graph.nodes)
        if key not in self.made:
            self.made[key] = list(planned.run(self.inputs, state="carry").outputs.values())
        return self.made[key]

    @property
    def inputs(self):
        """The invokes as samples."""
        return [np.stack(arrays) for arrays in zip(*self.case.invokes)]

    def is_beyond(self, dialect):
        """True when the case is one of those that are listed as not compared."""
        listed = dialect in BEYOND.get(self.name.split()[0], {})
        return listed and leaves_32_bits(hb.Simulator(self.graph, dialect=dialect), self.inputs)

    def holds(self, dialect):
        """True when the runtime took the case; its outputs equal ours."""
        try:
            wanted = run(self.case, dialect)
        except RefusedError:
            return False
        made, about = self.simulated(dialect), f"{self.name} {dialect} seed {self.seed}"
        assert len(made) == len(wanted)
        if self.is_beyond(dialect):
            return False
        if dialect in EXCEPTIONS.get(self.name, {}):
            assert differs_on_ties_alone(self.graph, self.case.inputs[0], made[0], wanted[0]), about
            return True
        for got, expected in zip(made, wanted):
            assert_equal(got, expected, about)
        return True
