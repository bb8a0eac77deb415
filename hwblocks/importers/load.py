"""Loading a model by its file name's ending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwblocks.errors import FileFormatError, InputError
from hwblocks.graph import io
from hwblocks.graph.builder import Sequential
from hwblocks.graph.graph import Graph

Shapes = Mapping[str, Sequence[int]]


def load(path: str | Path, shapes: Shapes | None = None) -> Graph:
    """The graph of a .onnx, .tflite or .hwb file.

    shapes: full shapes by input name, to fix symbolic axes of a .onnx file (a symbolic leading axis counts samples).
    Errors: FileFormatError for other endings and for files that are not what they say.
    """
    path = Path(path)
    if path.suffix == ".hwb":
        return io.load(path)
    if path.suffix == ".onnx":
        from hwblocks.importers.from_onnx import load_onnx

        return load_onnx(path, shapes)
    if path.suffix == ".tflite":
        from hwblocks.importers.from_tflite import load_tflite

        return load_tflite(path)
    kind = path.suffix or "(none)"
    raise FileFormatError(f"{path}: files of kind {kind!r} cannot be loaded; use .onnx, .tflite or .hwb")


def as_graph(model: Any, sample_shape: Sequence[int] | None = None) -> Graph:
    """A graph from a graph, a chain of blocks (its input shape from `sample_shape`), or a file's path."""
    if isinstance(model, Graph):
        return model
    if isinstance(model, Sequential):
        return model.graph(sample_shape)
    if isinstance(model, (str, Path)):
        return load(model)
    raise InputError(f"a model is a Graph, a Sequential or a path of a file, not {type(model).__name__}")
