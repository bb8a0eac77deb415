"""Every example network: trained by its script, quantized, simulated, compared; int8 costs at most one point."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import hwblocks as hb

pytest.importorskip("autograd")
pytest.importorskip("sklearn")
FOLDER = Path(__file__).parents[2] / "examples" / "networks"
sys.path.insert(0, str(FOLDER))

from table import examples  # noqa: E402
from walk import walk  # noqa: E402

EXAMPLES = {example.name: example for example in examples()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_integers_cost_at_most_a_point(name):
    outcome = walk(EXAMPLES[name])
    assert outcome.float_score > 90
    assert outcome.lost <= 1
    x = EXAMPLES[name].data().test_x[:4]
    definition = hb.Simulator(outcome.quantized, engine="definition").run(x).outputs
    for output, codes in hb.run(outcome.quantized, x).outputs.items():
        np.testing.assert_array_equal(codes, definition[output])
    assert outcome.macs == hb.profile(outcome.graph).macs
