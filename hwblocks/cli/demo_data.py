"""The demo's network and samples, shipped with the package (see demo_data/CREDITS.md)."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from hwblocks.errors import OutputError
from hwblocks.files import write_atomically, write_npz
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


def save_demo(folder: str | Path) -> tuple[Path, ...]:
    """Write digits.onnx, calibration.npz (image) and test.npz (image, labels), to go on with by the command line.

    Errors: OutputError where the folder cannot be made.
    """
    place, samples = Path(folder), demo_samples()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{place}: the folder cannot be made ({error.strerror})") from None
    model = resources.files("hwblocks").joinpath("demo_data", "digits_cnn.onnx").read_bytes()
    return (
        write_atomically(place / "digits.onnx", model),
        write_npz(place / "calibration.npz", {"image": samples["calibration"]}),
        write_npz(place / "test.npz", {"image": samples["images"], "labels": samples["labels"]}),
    )
