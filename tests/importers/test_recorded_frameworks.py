"""Graphs imported from Keras and PyTorch against the outputs that these gave, recorded with the graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.io import from_bytes

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = {name: np.load(GOLDEN / f"{name}.npz") for name in ("keras_models", "torch_models")}
CASES = [(file, key.removesuffix(".graph")) for file, held in FILES.items() for key in held if key.endswith(".graph")]


def numbered(held, stem):
    """The arrays of a case named stem0, stem1, …"""
    names = sorted(
        (k for k in held if k.startswith(stem) and k[len(stem) :].isdigit()), key=lambda k: int(k[len(stem) :])
    )
    return [held[name] for name in names]


@pytest.mark.parametrize(("file", "name"), CASES)
def test_outputs(file, name):
    held = FILES[file]
    graph = from_bytes(held[f"{name}.graph"].tobytes())
    xs = numbered(held, f"{name}.x")
    samples = file == "keras_models"  # PyTorch's examples are one sample each
    got = [y if samples else y[0] for y in hb.run(graph, xs if samples else [x[None] for x in xs]).outputs.values()]
    wanted = numbered(held, f"{name}.y")
    assert len(got) == len(wanted)
    for one, want in zip(got, wanted):
        assert one.shape == want.shape
        np.testing.assert_allclose(one, want, rtol=1e-5, atol=1e-5)


def test_frameworks_are_not_imported():
    """The importers are public, yet neither framework is loaded before they are called."""
    import subprocess
    import sys

    code = "import sys, hwblocks as hb; hb.from_keras, hb.from_torch; sys.exit(bool({'keras', 'torch', 'jax'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
