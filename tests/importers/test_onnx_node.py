"""Single-operator models of the ONNX standard with their recorded outputs: each passes, or is listed as refused."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest

from hwblocks.errors import HwblocksError
from hwblocks.importers.onnx_backend import Backend

SHARED = Path(os.environ.get("HWBLOCKS_SHARED", Path(__file__).parents[3] / "shared"))
CASES = sorted((SHARED / "models" / "onnx_node").glob("*.onnx"))
LISTED = tomllib.loads(Path(__file__).with_name("onnx_node_refused.toml").read_text(encoding="utf-8"))
REFUSED = {name: reason for reason, names in LISTED.items() for name in names}

pytestmark = pytest.mark.skipif(not CASES, reason="the recorded models are not there")


def arrays(stored, kind):
    numbers = sorted(int(key.removeprefix(kind)) for key in stored if key.startswith(kind))
    return [stored[f"{kind}{number}"] for number in numbers]


def run(path):
    stored = np.load(path.with_suffix(".npz"))
    return Backend.prepare(onnx.load(path)).run(arrays(stored, "in")), arrays(stored, "out")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_recorded_outputs(path):
    if path.stem in REFUSED:
        with pytest.raises(HwblocksError):
            run(path)
        return
    made, wanted = run(path)
    assert len(made) == len(wanted)
    for got, right in zip(made, wanted, strict=True):
        assert (got.shape, got.dtype) == (right.shape, right.dtype)
        np.testing.assert_allclose(got, right, rtol=1e-3, atol=1e-7)


def test_what_is_listed_exists_once():
    names = [name for group in LISTED.values() for name in group]
    assert len(names) == len(set(names))
    assert set(names) <= {path.stem for path in CASES}
