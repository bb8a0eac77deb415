"""A tensor of a graph: name, shape, number format, and the constant value if it has one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hwblocks.numerics.formats import Format

FLOAT32 = Format("float32")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Origin:
    """Where a tensor's values come from in the float graph: its name there and the factor a pass put on it.

    `factor` is one number per channel (last axis) or one for all: values here = factor · values there.
    """

    name: str
    factor: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, eq=False)
class Tensor:
    """One edge of a graph.

    `shape` counts one sample: the leading axis is 1 where it is the sample axis (Graph.batched).
    `value` is the constant in stored codes (floats for float formats), or None for a run-time tensor.
    `layout` names the axes ("NHWC", "NTC", ...); `source_name` is the name in the imported file.
    """

    name: str
    shape: Shape
    format: Format = FLOAT32
    value: np.ndarray[Any, Any] | None = field(default=None, repr=False)
    origin: Origin | None = None
    layout: str = ""
    source_name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))

    @property
    def is_constant(self) -> bool:
        """True when the tensor carries its value."""
        return self.value is not None

    @property
    def elements(self) -> int:
        """Number of elements of one sample."""
        return math.prod(self.shape)

    @property
    def stored_bytes(self) -> int:
        """Bytes of one sample in the storage type of the format (whole bytes per element)."""
        return self.format.stored_bytes(self.elements)

    @property
    def packed_bytes(self) -> int:
        """Bytes of one sample whose codes are packed without gaps."""
        return (self.format.packed_bits(self.elements) + 7) // 8

    @property
    def origin_name(self) -> str:
        """The tensor's name in the float graph it was made from (its own name if it is from there)."""
        return self.origin.name if self.origin else self.name

    def replace(self, **changes: Any) -> Tensor:
        """A copy with some fields changed."""
        return replace(self, **changes)


def constant(name: str, value: np.ndarray[Any, Any], format: Format = FLOAT32, **more: Any) -> Tensor:
    """A constant tensor from its value, stored in the format's type."""
    array = np.ascontiguousarray(value, dtype=format.dtype).reshape(np.shape(value))
    array.setflags(write=False)
    return Tensor(name, array.shape, format, array, **more)
