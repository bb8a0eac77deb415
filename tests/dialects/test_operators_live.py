"""Random single-operator models: every integer equals that of the installed runtimes, over all attributes.

A family is an operator, its kinds are the types and forms of it. In every dialect at least COUNT cases of a family are
compared, spread over the kinds that the runtime has; those it lacks are listed in `operator_cases.py`, and must be
refused. Floats agree within 1e-5 of the largest.
"""

from __future__ import annotations

import os
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.importers.from_tflite import import_tflite
from hwblocks.importers.tflite_file import read_tflite

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite_micro")
cases, models = import_module("operator_cases"), import_module("operator_models")

FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
COUNT = int(os.environ.get("HWBLOCKS_CASES", 2000 if FUZZ else 200))
SEED = int.from_bytes(os.urandom(4)) if FUZZ else 0
DIALECTS = ("tflm", *cases.LITERT)
PATIENCE = 4  # draws for one case to be compared, before a test gives up
REFUSED = 10  # draws of what a runtime must refuse
EXCEPTIONS = tomllib.loads(Path(__file__).with_name("cannot_be_equal.toml").read_text(encoding="utf-8"))["operators"]


def drawn(family, kind, number):
    """(seed, case) of a number."""
    seed = [SEED, number, *family.encode(), *kind.encode()]
    return seed, cases.FAMILIES[family][kind](np.random.default_rng(seed))


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


class Comparison:
    """One case in several dialects: imported once, simulated once for dialects of the same arithmetic."""

    def __init__(self, family, kind, number):
        self.name = f"{family} {kind}"
        self.seed, self.case = drawn(family, kind, number)
        self.made = {}

    def simulated(self, dialect):
        """Our outputs."""
        if not self.made:
            self.graph = import_tflite(read_tflite(self.case.data, self.name), self.name)
        planned = hb.Simulator(self.graph, dialect=dialect)
        key = tuple(node.arithmetic for node in planned.graph.nodes)
        if key not in self.made:
            inputs = [np.stack(arrays) for arrays in zip(*self.case.invokes)]
            self.made[key] = list(planned.run(inputs, state="carry").outputs.values())
        return self.made[key]

    def holds(self, dialect):
        """True when the runtime took the case; its outputs equal ours."""
        try:
            wanted = models.run(self.case, dialect)
        except models.RefusedError:
            return False
        made, about = self.simulated(dialect), f"{self.name} {dialect} seed {self.seed}"
        assert len(made) == len(wanted)
        if dialect in EXCEPTIONS.get(self.name, {}):
            assert differs_on_ties_alone(self.graph, self.case.inputs[0], made[0], wanted[0]), about
            return True
        for got, expected in zip(made, wanted):
            assert_equal(got, expected, about)
        return True


@pytest.mark.parametrize("family", cases.FAMILIES)
def test_operators_equal_the_runtimes(family):
    shares = {}
    for dialect in DIALECTS:
        kinds = [kind for kind in cases.FAMILIES[family] if cases.has(dialect, family, kind)]
        shares |= {(kind, dialect): -(-COUNT // len(kinds)) for kind in kinds}
    for kind in cases.FAMILIES[family]:
        left = {dialect: shares[kind, dialect] for dialect in DIALECTS if (kind, dialect) in shares}
        most = PATIENCE * max(left.values(), default=0)
        for number in range(most):
            case = Comparison(family, kind, number)
            for dialect in [d for d, count in left.items() if count > 0]:
                left[dialect] -= case.holds(dialect)
            if max(left.values()) == 0:
                break
        assert not any(left.values()), f"{family} {kind}: cases still to be compared after {most} draws: {left}"


def refuses(case, dialect):
    """True when the runtime does not take the case."""
    try:
        models.run(case, dialect)
    except models.RefusedError:
        return True
    return False


@pytest.mark.parametrize("family", cases.LACKING)
def test_what_a_runtime_lacks_is_refused(family):
    for kind, dialects in cases.LACKING[family].items():
        for number in range(REFUSED):
            seed, case = drawn(family, kind, number)
            for dialect in dialects:
                assert refuses(case, dialect), f"{family} {kind} {dialect} seed {seed} is taken"
