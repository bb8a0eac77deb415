"""Random single-operator models: every integer equals that of the installed runtimes, over all attributes.

A family is an operator, its kinds are the types and forms of it. In every dialect at least COUNT cases of a family are
compared, spread over the kinds that the runtime has; those it lacks are listed in `operator_cases.py`, and must be
refused. Floats agree within 1e-5 of the largest.
"""

from __future__ import annotations

import os
from importlib import import_module

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite_micro")
cases, models = import_module("operator_cases"), import_module("operator_models")
Comparison = import_module("live_comparison").Comparison

FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
COUNT = int(os.environ.get("HWBLOCKS_CASES", 2000 if FUZZ else 200))
SEED = int.from_bytes(os.urandom(4)) if FUZZ else 0
DIALECTS = ("tflm", *cases.LITERT)
PATIENCE = 4  # draws for one case to be compared, before a test gives up
REFUSED = 10  # draws of what a runtime must refuse


def drawn(family, kind, number):
    """(seed, case) of a number."""
    seed = [SEED, number, *family.encode(), *kind.encode()]
    return seed, cases.FAMILIES[family][kind](np.random.default_rng(seed))


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
            case = Comparison(f"{family} {kind}", *drawn(family, kind, number))
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
