"""Inputs of a run: arrays, dicts or lists brought to [N, *shape] by input name, checked before any arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.errors import InputError
from hwblocks.graph.graph import Graph
from hwblocks.graph.tensor import Tensor

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Samples:
    """Checked inputs: N samples each in the input's storage type; `short` when they came as [N, *shape[1:]]."""

    arrays: dict[str, Array]
    count: int
    short: bool


class Reader:
    """Reads the inputs of one graph; what need not be looked at is found once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.only = graph.inputs[0] if len(graph.inputs) == 1 else ""
        tensor = graph.tensors[self.only] if self.only else None
        self.plain = tensor is not None and (tensor.format.is_float or _holds_every_code(tensor))
        self.floats = tensor is not None and tensor.format.is_float
        self.dtype = tensor.format.dtype if tensor else None
        self.shape = tensor.shape if tensor else ()

    def read(self, x: Any, real: bool = False) -> Samples:
        """Samples from one array, a dict by input name, or a list in model order; see read_samples."""
        if self.only and type(x) in (list, tuple, dict) and len(x) == 1:
            x = x.get(self.only, x) if type(x) is dict else x[0] if type(x[0]) is np.ndarray else x
        if self.plain and not real and type(x) is np.ndarray and x.dtype == self.dtype and x.ndim and len(x):
            if self.floats:
                _check_finite(self.graph.tensors[self.only], x)
            if x.shape[1:] == self.shape:
                return Samples({self.only: x}, x.shape[0], False)
            if self.shape[:1] == (1,) and x.shape[1:] == self.shape[1:]:
                return Samples({self.only: x.reshape(x.shape[0], *self.shape)}, x.shape[0], True)
        return read_samples(self.graph, x, real)


def _holds_every_code(tensor: Tensor) -> bool:
    """True when every value of the storage type is a code of the format."""
    if not tensor.format.is_quantized:
        return False
    limits = np.iinfo(tensor.format.dtype)
    return tensor.format.lo == limits.min and tensor.format.hi == limits.max


def read_samples(graph: Graph, x: Any, real: bool = False) -> Samples:
    """Samples from one array, a dict by input name, or a list in model order.

    Floats are real values; integers at a quantized input are stored codes unless `real` is set.
    Errors: InputError for unknown or missing names, wrong shape or dtype, NaN, codes outside the format.
    """
    by_name = _by_name(graph, x)
    read = {name: _read(graph.tensors[name], by_name[name], real) for name in graph.inputs}
    counts = {name: array.shape[0] for name, (array, _) in read.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"inputs hold different numbers of samples: {counts}")
    count = next(iter(counts.values()))
    if count == 0:
        raise InputError(f"graph {graph.name!r}: there are no samples (leading axis 0)")
    return Samples({n: a for n, (a, _) in read.items()}, count, all(short for _, short in read.values()))


def _by_name(graph: Graph, x: Any) -> dict[str, Any]:
    if isinstance(x, Mapping):
        unknown = sorted(set(x) - set(graph.inputs))
        missing = [name for name in graph.inputs if name not in x]
        if unknown or missing:
            raise InputError(
                f"graph {graph.name!r} takes inputs {', '.join(graph.inputs)}"
                + (f"; unknown: {', '.join(map(str, unknown))}" if unknown else "")
                + (f"; missing: {', '.join(missing)}" if missing else "")
            )
        return dict(x)
    if isinstance(x, Sequence) and len(x) == len(graph.inputs) and all(isinstance(a, np.ndarray) for a in x):
        return dict(zip(graph.inputs, x, strict=True))
    if len(graph.inputs) == 1:
        return {graph.inputs[0]: x}
    raise InputError(f"graph {graph.name!r} takes {len(graph.inputs)} inputs {graph.inputs}; pass a dict or a list")


def _read(tensor: Tensor, value: Any, real: bool) -> tuple[Array, bool]:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"input {tensor.name!r}: is not an array ({error})") from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"input {tensor.name!r}: holds {array.dtype}, needs floats (real values) or integers (codes)")
    array, short = _shaped(tensor, array)
    return _typed(tensor, array, real), short


def _shaped(tensor: Tensor, array: Array) -> tuple[Array, bool]:
    shape = tensor.shape
    if array.shape[1:] == shape:
        return array, False
    if shape[:1] == (1,) and array.shape[1:] == shape[1:] and array.ndim == len(shape):
        return array.reshape(array.shape[0], *shape), True
    wanted = f"[N, {', '.join(map(str, shape))}]"
    if shape[:1] == (1,):
        wanted += f" or [N, {', '.join(map(str, shape[1:]))}]"
    raise InputError(f"input {tensor.name!r}: has shape {array.shape}, needs {wanted}; the leading axis counts samples")


def _typed(tensor: Tensor, array: Array, real: bool) -> Array:
    format = tensor.format
    if array.dtype.kind == "f" or (real and format.is_quantized):
        _check_finite(tensor, array)
        return format.quantize(array) if format.is_quantized else array.astype(format.dtype, copy=False)
    if not format.is_quantized:
        return array.astype(format.dtype)
    return _codes(tensor, array)


def _check_finite(tensor: Tensor, array: Array) -> None:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    sample = int(np.argwhere(~np.isfinite(array))[0][0])
    raise InputError(f"input {tensor.name!r}: sample {sample} holds NaN or infinity; clean the data")


def _codes(tensor: Tensor, array: Array) -> Array:
    format = tensor.format
    if array.dtype.kind == "b" or (array.dtype.kind == "u") != (not format.signed):
        raise InputError(
            f"input {tensor.name!r}: {array.dtype} codes at a {format.name} input; pass {format.dtype} codes, "
            f"or floats (real values) to have them quantized"
        )
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    if low < format.lo or high > format.hi:
        raise InputError(
            f"input {tensor.name!r}: codes span [{low}, {high}] but {format.name} holds [{format.lo}, {format.hi}]"
        )
    return array.astype(format.dtype, copy=False)
