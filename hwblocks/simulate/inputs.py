"""Inputs of a run: arrays, dicts or lists brought to [N, *shape] by input name, checked before any arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from hwblocks.errors import InputError
from hwblocks.graph.graph import Graph
from hwblocks.graph.tensor import Tensor

Array = np.ndarray[Any, Any]


@dataclass(eq=False, slots=True)
class Samples:
    """Checked inputs: N samples each in the input's storage type; `short` when they came as [N, *shape[1:]]."""

    arrays: dict[str, Array]
    count: int
    short: bool


class Reader:
    """Reads the inputs of one graph; what need not be looked at is found once."""

    def __init__(self, graph: Graph, finite: bool = True) -> None:
        self.graph, self.finite = graph, finite
        tensors = [graph.tensors[name] for name in graph.inputs]
        self.names = set(graph.inputs)
        self.forms = [
            (t, t.format.is_float, t.format.dtype, t.shape, _short(t.shape))
            for t in tensors
            if t.format.is_float or _holds_every_code(t)
        ]
        self.plain = len(self.forms) == len(tensors) > 0

    def read(self, x: Any, real: bool = False) -> Samples:
        """Samples from one array, a dict by input name, or a list in model order; see read_samples."""
        read = self._stored(x) if self.plain and not real else None
        return read_samples(self.graph, x, real, self.finite) if read is None else read

    def _stored(self, x: Any) -> Samples | None:
        """Arrays of the inputs' own types, where every value is a code, or a float; None for all that needs more."""
        given = self._in_order(x)
        if given is None:
            return None
        arrays, read = {}, None
        for (tensor, is_float, dtype, whole, short), array in zip(self.forms, given):  # noqa: B905 - as long as each other
            if type(array) is not ndarray or array.dtype != dtype:
                return None
            shape = array.shape
            rest = shape[1:]
            if not shape or (rest != whole and rest != short):
                return None
            if is_float and self.finite:
                _check_finite(tensor, array)
            form = (shape[0], rest != whole)
            arrays[tensor.name] = array.reshape(shape[0], *whole) if form[1] else array
            if read not in (None, form):
                return None
            read = form
        return Samples(arrays, *read) if read and read[0] else None

    def _in_order(self, x: Any) -> Sequence[Any] | None:
        """The arrays in model order, or None where they are given in another way."""
        if type(x) is ndarray:
            x = [x]
        elif type(x) is dict and x.keys() == self.names:
            x = [x[tensor.name] for tensor, *_ in self.forms]
        return x if type(x) is list and len(x) == len(self.forms) else None


def _short(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of a sample without its leading axis of 1, where it has one."""
    return shape[1:] if shape[:1] == (1,) else None


def _holds_every_code(tensor: Tensor) -> bool:
    """True when every value of the storage type is a code of the format."""
    if not tensor.format.is_quantized:
        return False
    limits = np.iinfo(tensor.format.dtype)
    return tensor.format.lo == limits.min and tensor.format.hi == limits.max


def read_samples(graph: Graph, x: Any, real: bool = False, finite: bool = True) -> Samples:
    """Samples from one array, a dict by input name, or a list in model order.

    Floats are real values; integers at a quantized input are stored codes unless `real` is set. Without `finite`, NaN
    and infinity pass at inputs that are not quantized.
    Errors: InputError for unknown or missing names, wrong shape or dtype, NaN, codes outside the format.
    """
    by_name = _by_name(graph, x)
    read = {name: _read(graph.tensors[name], by_name[name], real, finite) for name in graph.inputs}
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


def _read(tensor: Tensor, value: Any, real: bool, finite: bool) -> tuple[Array, bool]:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"input {tensor.name!r}: is not an array ({error})") from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"input {tensor.name!r}: holds {array.dtype}, needs floats (real values) or integers (codes)")
    array, short = _shaped(tensor, array)
    return _typed(tensor, array, real, finite), short


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


def _typed(tensor: Tensor, array: Array, real: bool, finite: bool) -> Array:
    format = tensor.format
    if array.dtype.kind == "f" or (real and format.is_quantized):
        if finite or not format.is_float:
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
