"""Numbers in another storage type: ConvertType as C and the interpreters convert them, BitCast by their bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwblocks.errors import GraphError, ShapeError
from hwblocks.graph.block import Algorithm, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
NARROW = {"int2": (2, True), "uint2": (2, False), "int4": (4, True), "uint4": (4, False)}
TYPES = ("bool", *INTEGERS, "float16", "float32", "float64")


@dataclass(frozen=True)
class ConvertType(Algorithm):
    """x as the type `to`. Source: ONNX Cast; LiteRT CAST.

    Floats to integers: towards zero, limited to the type's range, NaN to its largest number. Integers to smaller
    integers: the low bits. Anything to 2 or 4 bits: towards zero, then the low bits, stored in bytes. Anything to bool:
    whether it is not 0. Codes are converted as plain integers: their scale is not looked at.

    >>> ConvertType("int8")(np.array([-1.9, 300.0, np.nan]))
    array([ -1, 127, 127], dtype=int8)
    """

    to: str = "float32"

    keeps_types: ClassVar[bool] = True
    overwrites: ClassVar[tuple[int, ...]] = (0,)

    def __post_init__(self) -> None:
        if self.to not in (*TYPES, *NARROW):
            raise ShapeError(f"ConvertType: to={self.to!r} is not one of {', '.join((*TYPES, *NARROW))}")

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="float")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (shapes[0],)

    def compute(self, x: Array) -> Array:
        if self.to == "bool":
            return np.asarray(x != 0)
        if self.to in NARROW:
            return low_bits(x, *NARROW[self.to])
        if x.dtype.kind != "f" or self.to.startswith("float"):
            return np.asarray(x.astype(self.to))
        return truncated(x, np.dtype(self.to))

    def work(self, *shapes: Shape) -> Work:
        """Worst case: the point of a float is moved, a shift; for bool a comparison with 0."""
        elements = size(shapes[0])
        return Work(compares=elements) if self.to == "bool" else Work(shifts=elements)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        return self.compute(inputs[0]), np.zeros(inputs[0].shape, bool)


def low_bits(x: Array, bits: int, signed: bool) -> Array:
    """The low bits of numbers without their fractions, in bytes."""
    whole = truncated(x, np.dtype(np.int64)) if x.dtype.kind == "f" else x.astype(np.int64)
    kept = whole & ((1 << bits) - 1)
    if not signed:
        return kept.astype(np.uint8)
    return np.asarray(kept - ((kept >> (bits - 1)) << bits)).astype(np.int8)


def truncated(x: Array, to: np.dtype[np.generic]) -> Array:
    """Floats towards zero, limited to an integer type; NaN becomes its largest number."""
    limits = np.iinfo(to)  # type: ignore[type-var]
    wide = np.trunc(x.astype(np.float64))
    above = ~(wide < 2.0 ** (limits.bits - (limits.min < 0)))  # true for NaN as well
    below = wide < limits.min
    inside = np.where(above | below, 0.0, wide).astype(to)
    return np.where(above, to.type(limits.max), np.where(below, to.type(limits.min), inside))


@dataclass(frozen=True)
class BitCast(Algorithm):
    """The bits of x read as the type `to`, of the same width. Source: ONNX BitCast.

    >>> BitCast("int32")(np.array([1.0], dtype=np.float32)).tolist() == [0x3F800000]
    True
    """

    to: str = "float32"

    keeps_types: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.to not in TYPES:
            raise ShapeError(f"BitCast: to={self.to!r} is not one of {', '.join(TYPES)}")

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("parameter",), output="float")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (shapes[0],)

    def check_site(self, site: Site) -> None:
        """Errors: GraphError for types of another width."""
        given, to = site.input(0).format.dtype, np.dtype(self.to)
        if given.itemsize != to.itemsize:
            raise GraphError(f"{site.where}: {given} has {8 * given.itemsize} bits, {to} has {8 * to.itemsize}")

    def compute(self, x: Array) -> Array:
        return np.ascontiguousarray(x).reshape(x.shape).view(self.to)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        return self.compute(inputs[0]), np.zeros(inputs[0].shape, bool)
