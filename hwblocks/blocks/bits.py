"""Bits of integers without a scale: BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot, BitShift."""

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


class Bits(Algorithm, abstract=True):
    """Logic on the bits of stored integers that broadcast as in NumPy; inputs and output are of one type."""

    keeps_types: ClassVar[bool] = True
    overwrites: ClassVar[tuple[int, ...]] = (0, 1)

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("parameter",), output="float")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        try:
            return (tuple(np.broadcast_shapes(*shapes)),)
        except ValueError:
            raise self.fail("the shapes do not broadcast", *shapes) from None

    def check_site(self, site: Site) -> None:
        """Errors: GraphError where a tensor holds anything but integers of one type."""
        formats = {t.format for t in (*site.present, *site.outputs)}
        wrong = [f for f in formats if f.is_float]
        if wrong or len(formats) > 1:
            names = ", ".join(sorted(repr(f) for f in formats))
            raise GraphError(f"{site.where}: bits need integers of one type, here are {names}")

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=size(self.shape(*shapes)[0]))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        """The bits of the codes themselves."""
        codes = self.compute(*inputs)
        return codes, np.zeros(codes.shape, bool)


class BitPair(Bits, abstract=True):
    """Two operands."""

    input_names: ClassVar[tuple[str, ...]] = ("a", "b")


@dataclass(frozen=True)
class BitwiseAnd(BitPair):
    """y = a ∧ b, bit by bit. Source: ONNX BitwiseAnd.

    >>> BitwiseAnd()(np.array([6]), np.array([3]))
    array([2])
    """

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(a & b)


@dataclass(frozen=True)
class BitwiseOr(BitPair):
    """y = a ∨ b, bit by bit. Source: ONNX BitwiseOr.

    >>> BitwiseOr()(np.array([6]), np.array([3]))
    array([7])
    """

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(a | b)


@dataclass(frozen=True)
class BitwiseXor(BitPair):
    """y = a ⊕ b, bit by bit. Source: ONNX BitwiseXor.

    >>> BitwiseXor()(np.array([6]), np.array([3]))
    array([5])
    """

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(a ^ b)


@dataclass(frozen=True)
class BitwiseNot(Bits):
    """y = ¬x, bit by bit. Source: ONNX BitwiseNot.

    >>> BitwiseNot()(np.array([5]))
    array([-6])
    """

    def compute(self, x: Array) -> Array:
        return np.asarray(~x)


@dataclass(frozen=True)
class BitShift(BitPair):
    """y = the bits of a moved by b places: "left" towards higher ones, "right" towards lower ones.

    Zeros come in at the low end, copies of the sign at the high end; b of the width or more leaves only these.
    Source: ONNX BitShift.

    >>> BitShift("left")(np.array([3], np.uint8), np.array([2], np.uint8))
    array([12], dtype=uint8)
    """

    direction: str = "left"

    def __post_init__(self) -> None:
        if self.direction not in ("left", "right"):
            raise ShapeError(f'BitShift: direction {self.direction!r} must be "left" or "right"')

    def compute(self, a: Array, b: Array) -> Array:
        width = 8 * a.dtype.itemsize
        far = b >= width
        near = np.where(far, 0, b).astype(a.dtype)
        if self.direction == "left":
            return np.asarray(np.where(far, 0, a << near), dtype=a.dtype)
        rest = np.where(a < 0, -1, 0) if a.dtype.kind == "i" else 0
        return np.asarray(np.where(far, rest, a >> near), dtype=a.dtype)
