"""The summary of a run: outputs in numbers, events of every node, in every form a result has."""

from __future__ import annotations

import json

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import InputError
from hwblocks.graph.builder import GraphBuilder


@pytest.fixture
def run():
    """y = 100 · x in int8 with a scale of 1: two of three samples saturate."""
    build = GraphBuilder("net")
    x = build.input("x", (1, 1), hb.Format("int8", scale=1.0))
    w = build.constant("w", np.array([[100]]), hb.Format("int8", scale=1.0))
    y = build.add(hb.Linear(), x, w, name="gain", formats=[hb.Format("int8", scale=1.0)])
    return hb.run(build.build(y), np.array([[1], [2], [-3]], np.int8), trace="ranges")


def test_numbers_by_hand(run):
    (output,), (event,) = run.summary.outputs, run.summary.events
    assert (output["output"], output["shape"], output["least"], output["most"]) == ("gain", "3×1", -128.0, 127.0)
    assert (event["layer"], event["block"], event["outputs"], event["saturated"]) == ("gain", "Linear", 3, 2)
    assert (event["lowest"], event["highest"]) == (-300, 200)
    assert json.loads(run.summary.to_json())["schema"] == "hwblocks.run/1"
    assert "gain" in run.summary.to_markdown()


def test_a_run_is_reported(run, tmp_path):
    page = hb.report(tmp_path / "run.html", run, charts="none")
    assert "gain" in page.read_text()
    with pytest.raises(InputError, match="not ndarray"):
        hb.report(tmp_path / "no.html", run.outputs["gain"])
    assert not (tmp_path / "no.html").exists()
