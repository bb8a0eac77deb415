"""Fixtures of the simulator's tests."""

from __future__ import annotations

import pytest

import quantize as qz
from hwblocks.cli.demo_data import demo_graph, demo_samples


@pytest.fixture(scope="session")
def model():
    """The demo network in int8."""
    samples = demo_samples()
    return qz.convert(demo_graph(), qz.calibrate(demo_graph(), samples["calibration"][:60]), recipe="int8")
