"""Samples from files: .npz by input name, .npy, and idx files of images and labels, plain or gzipped."""

from __future__ import annotations

import gzip
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from hwblocks.errors import FileFormatError, InputError
from hwblocks.graph.graph import Graph

Array = np.ndarray[Any, Any]
IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
IDX_LARGEST = 1 << 32


def read_arrays(path: str | Path) -> dict[str, Array]:
    """The arrays of a file by name; a file of one array gives the name "". Errors: FileFormatError."""
    path = Path(path)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        if path.suffix == ".npy":
            return {"": np.load(path, allow_pickle=False)}
        return {"": read_idx(path)}
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror or error}); check the path") from None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise FileFormatError(f"{path}: is not a whole file of arrays ({error}); use .npz, .npy or idx") from None


def read_idx(path: Path) -> Array:
    """An idx file (the format of MNIST), .gz or not."""
    raw = path.read_bytes()
    data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in IDX_TYPES:
        raise FileFormatError(f"{path}: is no .npz, .npy or idx file; samples come from one of these")
    dtype, axes = np.dtype(IDX_TYPES[data[2]]), data[3]
    shape = tuple(int(s) for s in np.frombuffer(data, ">u4", axes, 4))
    size = math.prod(shape) * dtype.itemsize
    if size > IDX_LARGEST or len(data) != 4 + 4 * axes + size:
        raise FileFormatError(f"{path}: declares {shape} of {dtype.name}, but holds {len(data) - 4 - 4 * axes} bytes")
    return np.frombuffer(data, dtype, offset=4 + 4 * axes).reshape(shape).astype(dtype.newbyteorder("="))


def read_samples_file(path: str | Path, graph: Graph, part: str | None = None) -> dict[str, Array]:
    """Samples by input name. One array serves a model of one input; it is reshaped when its elements fit a sample."""
    arrays = read_arrays(path)
    if set(graph.inputs) <= set(arrays):
        chosen = {name: arrays[name] for name in graph.inputs}
    elif len(graph.inputs) == 1:
        chosen = {graph.inputs[0]: _only(arrays, path, graph.inputs[0])}
    else:
        raise InputError(f"{path}: holds {', '.join(arrays)}, but the model's inputs are {', '.join(graph.inputs)}")
    return {name: _shaped(_sliced(array, part), graph.tensors[name].shape) for name, array in chosen.items()}


def given_or_random(graph: Graph, path: str | None, part: str | None, count: int, seed: int) -> dict[str, Array]:
    """Samples of a file, or random ones over the whole range of every input (floats: −1 to 1)."""
    if path is not None:
        return read_samples_file(path, graph, part)
    generator = np.random.default_rng(seed)
    made: dict[str, Array] = {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        shape = (count, *tensor.shape)
        if tensor.format.is_float:
            made[name] = generator.uniform(-1, 1, shape).astype(tensor.format.dtype)
        else:
            made[name] = generator.integers(tensor.format.lo, tensor.format.hi + 1, shape).astype(tensor.format.dtype)
    return made


def _only(arrays: dict[str, Array], path: str | Path, name: str) -> Array:
    for key in ("", "x", "images", "in0"):
        if key in arrays:
            return arrays[key]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    raise InputError(f"{path}: holds {', '.join(arrays)}; name one of them {name!r}, as the model's input")


def _shaped(array: Array, shape: tuple[int, ...]) -> Array:
    """Samples with the model's shape where only the axes differ ([N, 28, 28] for an input of 1 × 28 × 28)."""
    if array.ndim > 1 and array.shape[1:] not in (shape, shape[1:]) and array[0].size == math.prod(shape):
        return array.reshape(array.shape[0], *shape)
    return array


def read_labels(path: str | Path, part: str | None = None) -> Array:
    """Class numbers, one per sample; the array named labels or y of a .npz."""
    arrays = read_arrays(path)
    for key in ("labels", "y", ""):
        if key in arrays:
            return _sliced(arrays[key], part).ravel()
    raise InputError(f"{path}: holds {', '.join(arrays)}; name the class numbers 'labels'")


def _sliced(array: Array, part: str | None) -> Array:
    if part is None:
        return array
    first, colon, last = part.partition(":")
    try:
        start, stop = int(first or 0), int(last) if last else len(array)
    except ValueError:
        colon = ""
        start = stop = 0
    if not colon or not 0 <= start < stop <= len(array):
        raise InputError(f"--range {part}: write a:b with 0 <= a < b <= {len(array)}, the number of samples")
    return array[start:stop]
