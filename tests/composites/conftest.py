"""Recurrent layers with random weights, as graphs and quantized."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.graph.builder import GraphBuilder

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def random_weights(kind, rng, inner, hidden, out=None, suffixes=("l0",), gates=None):
    count, bound = (gates or GATES[kind]) * hidden, 1 / np.sqrt(hidden)
    made = {}
    for suffix in suffixes:
        made |= {
            f"weight_ih_{suffix}": rng.uniform(-bound, bound, (count, inner)),
            f"weight_hh_{suffix}": rng.uniform(-bound, bound, (count, out or hidden)),
            f"bias_ih_{suffix}": rng.uniform(-bound, bound, count),
            f"bias_hh_{suffix}": rng.uniform(-bound, bound, count),
        }
    return made


def graph_of(block, shape, outputs=slice(0, 1), name="net"):
    build = GraphBuilder(name)
    made = block(build.input("x", (1, *shape)))
    return build.build(*(made if isinstance(made, tuple) else (made,))[outputs])


@pytest.fixture
def recurrent():
    """recurrent(kind, steps, inner, hidden, **attributes) → (graph, samples)."""

    def make(kind, steps=6, inner=5, hidden=7, samples=12, seed=0, outputs=slice(0, 1), **more):
        rng = np.random.default_rng(seed)
        suffixes = [f"l{i}" for i in range(more.get("num_layers", 1))]
        suffixes += [f"{s}_reverse" for s in suffixes] if more.get("bidirectional") else []
        gates = 3 if more.get("coupled") else None
        weights = random_weights(kind, rng, inner, hidden, more.get("proj_size"), suffixes, gates)
        weights |= {f"weight_c{g}_l0": rng.uniform(-0.5, 0.5, hidden) for g in "ifo" if more.get("peephole")}
        if more.get("proj_size"):
            weights["weight_hr_l0"] = rng.uniform(-0.5, 0.5, (more["proj_size"], hidden))
        block = getattr(hb, kind)(inner, hidden, weights=weights, **more)
        x = rng.normal(size=(samples, steps, inner)).astype(np.float32)
        return graph_of(block, (steps, inner), outputs), x

    return make


@pytest.fixture
def quantized(recurrent):
    """The same, quantized: (float graph, integer graph, samples)."""

    def make(*arguments, recipe="int8", **more):
        graph, x = recurrent(*arguments, **more)
        return graph, qz.convert(graph, qz.calibrate(graph, x), recipe), x

    return make
