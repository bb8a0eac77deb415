"""Few models of very many elements, on scales full of ties: what one element in a million shows.

Every family and kind of `dense_cases.py` is compared in every dialect whose runtime has it: COUNT draws, of sums, whose
vectors and remainders differ, SUMS. Under the fuzz profile more, with new seeds.
"""

from __future__ import annotations

import os
from importlib import import_module

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite_micro")
cases, dense = import_module("operator_cases"), import_module("dense_cases")
Comparison = import_module("live_comparison").Comparison

FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
COUNT = int(os.environ.get("HWBLOCKS_DENSE_CASES", 250 if FUZZ else 40))
SUMS, MANY = 200, ("add int8", "add uint8", "sub int8", "sub uint8")
SEED = int.from_bytes(os.urandom(4)) if FUZZ else 0
DIALECTS = ("tflm", *cases.LITERT)
KINDS = [(family, kind) for family in dense.DENSE for kind in dense.DENSE[family]]


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_dense_data_equal_the_runtimes(family, kind):
    name = f"{family} {kind}"
    dialects = [d for d in DIALECTS if cases.has(d, family, kind)]
    compared = dict.fromkeys(dialects, 0)
    count = max(COUNT, SUMS) if name in MANY else COUNT
    for number in range(count):
        seed = [SEED, number, *family.encode(), *kind.encode()]
        case = Comparison(name, seed, dense.DENSE[family][kind](np.random.default_rng(seed)))
        for dialect in dialects:
            compared[dialect] += case.holds(dialect)
    assert all(2 * n >= count for n in compared.values()), f"{name}: of {count} draws were compared {compared}"
