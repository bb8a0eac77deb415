"""Fixtures of the quantizer's tests: recipes by plain dicts, and every tensor of a run."""

from __future__ import annotations

import copy

import msgspec
import numpy as np
import pytest

from hwblocks.simulate.simulator import Simulator
from quantize.recipe import Recipe, load_recipe, parse_recipe


@pytest.fixture
def changed_recipe():
    """A recipe of the library with fields changed: changed_recipe("int8", **{"weights.bits": 4})."""

    def make(name: str, **changes) -> Recipe:
        data = copy.deepcopy(msgspec.to_builtins(load_recipe(name)))
        for path, value in changes.items():
            *folders, last = path.split(".")
            target = data
            for folder in folders:
                target = target[folder]
            target[last] = value
        return parse_recipe(data)

    return make


@pytest.fixture
def all_tensors():
    """Every run-time tensor of a graph over samples [N, *shape], by name."""

    def run(graph, x) -> dict[str, np.ndarray]:
        return dict(Simulator(graph, engine="definition", threads=1).run(x, trace="full").trace)

    return run
