"""The demo's network and samples, shipped with the package (see demo_data/CREDITS.md)."""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np

from hwblocks.graph.graph import Graph
from hwblocks.importers.load import load


def demo_graph() -> Graph:
    """The float network: digits_cnn.onnx."""
    with resources.as_file(resources.files("hwblocks").joinpath("demo_data", "digits_cnn.onnx")) as path:
        return load(path)


def demo_samples() -> dict[str, np.ndarray[Any, Any]]:
    """calibration and images [N, 1, 8, 8] as float32 values 0 to 16, labels [N]."""
    with (
        resources.as_file(resources.files("hwblocks").joinpath("demo_data", "digits.npz")) as path,
        np.load(path, allow_pickle=False) as archive,
    ):
        return {n: archive[n] if n == "labels" else archive[n].astype(np.float32) for n in archive.files}
