"""Comparisons of two tensors, and logic on truth values; the results are bools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Algorithm, Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.rational import real_fractions
from hwblocks.graph.relation_calls import comparison_call, truth_call
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


class Truth(Algorithm, abstract=True):
    """Truth values of inputs that broadcast as in NumPy."""

    overwrites: ClassVar[tuple[int, ...]] = (0, 1)

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "activation"), output="float")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        try:
            return (tuple(np.broadcast_shapes(*shapes)),)
        except ValueError:
            raise self.fail("the shapes do not broadcast", *shapes) from None

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=size(self.shape(*shapes)[0]))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        """The formula on the exact real values of codes.

        Errors: SimulationError when an input is not quantized.
        """
        for tensor in site.present:
            if not tensor.format.is_quantized:
                raise SimulationError(f"{site.where}: compares codes with {tensor.name!r}, which is not quantized")
        reals = [real_fractions(codes, t.format) for codes, t in zip(inputs, site.present, strict=True)]
        found = np.asarray(self.compute(*reals)).astype(bool)
        return found, np.zeros(found.shape, bool)


class Comparison(Truth, abstract=True):
    """a compared with b; codes are compared as the real values that they stand for."""

    serves_floats: ClassVar[bool] = True  # the result is a truth value
    input_names: ClassVar[tuple[str, ...]] = ("a", "b")
    relation: ClassVar[str] = ""

    def kernel(self, site: Site) -> Call | str:
        return comparison_call(site, self.relation)


class Logical(Comparison, abstract=True):
    """Two truth values; what is not 0 is true."""

    def kernel(self, site: Site) -> Call | str:
        return truth_call(site, self.relation)


@dataclass(frozen=True)
class Equal(Comparison):
    """y = (a = b). Source: ONNX Equal.

    >>> Equal()(np.array([1.0, 2.0]), np.array(2.0))
    array([False,  True])
    """

    relation: ClassVar[str] = "equal"

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(a == b)


@dataclass(frozen=True)
class NotEqual(Comparison):
    """y = (a ≠ b). Source: TFLite NOT_EQUAL.

    >>> NotEqual()(np.array([1.0, 2.0]), np.array(2.0))
    array([ True, False])
    """

    relation: ClassVar[str] = "not_equal"

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(a != b)


@dataclass(frozen=True)
class Less(Comparison):
    """y = (a < b). Source: ONNX Less.

    >>> Less()(np.array([1.0, 2.0]), np.array(2.0))
    array([ True, False])
    """

    relation: ClassVar[str] = "less"

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(a < b)


@dataclass(frozen=True)
class LessEqual(Comparison):
    """y = (a ≤ b). Source: ONNX LessOrEqual.

    >>> LessEqual()(np.array([1.0, 3.0]), np.array(2.0))
    array([ True, False])
    """

    relation: ClassVar[str] = "less_equal"

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(a <= b)


@dataclass(frozen=True)
class Greater(Comparison):
    """y = (a > b). Source: ONNX Greater.

    >>> Greater()(np.array([1.0, 3.0]), np.array(2.0))
    array([False,  True])
    """

    relation: ClassVar[str] = "greater"

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(a > b)


@dataclass(frozen=True)
class GreaterEqual(Comparison):
    """y = (a ≥ b). Source: ONNX GreaterOrEqual.

    >>> GreaterEqual()(np.array([1.0, 2.0]), np.array(2.0))
    array([False,  True])
    """

    relation: ClassVar[str] = "greater_equal"

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(a >= b)


@dataclass(frozen=True)
class LogicalAnd(Logical):
    """y = a ∧ b; what is not 0 is true. Source: ONNX And.

    >>> LogicalAnd()(np.array([True, False]), np.array(True))
    array([ True, False])
    """

    relation: ClassVar[str] = "both"

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray((a != 0) & (b != 0))


@dataclass(frozen=True)
class LogicalOr(Logical):
    """y = a ∨ b; what is not 0 is true. Source: ONNX Or.

    >>> LogicalOr()(np.array([True, False]), np.array(False))
    array([ True, False])
    """

    relation: ClassVar[str] = "either"

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray((a != 0) | (b != 0))


@dataclass(frozen=True)
class LogicalXor(Logical):
    """y = a ⊕ b, true where exactly one is true; what is not 0 is true. Source: ONNX Xor.

    >>> LogicalXor()(np.array([True, False]), np.array(True))
    array([False,  True])
    """

    relation: ClassVar[str] = "one_of"

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray((a != 0) ^ (b != 0))


@dataclass(frozen=True)
class LogicalNot(Truth):
    """y = ¬x; what is not 0 is true. Source: ONNX Not.

    >>> LogicalNot()(np.array([True, False]))
    array([False,  True])
    """

    serves_floats: ClassVar[bool] = True  # the result is a truth value

    def kernel(self, site: Site) -> Call | str:
        return truth_call(site, "equal")

    def compute(self, x: Array) -> Array:
        return np.asarray(x == 0)


@dataclass(frozen=True)
class IsNaN(Truth):
    """y = whether x is no number; false for all codes. Source: ONNX IsNaN.

    >>> IsNaN()(np.array([1.0, np.nan]))
    array([False,  True])
    """

    def compute(self, x: Array) -> Array:
        return np.asarray(x != x)


@dataclass(frozen=True)
class IsInf(Truth):
    """y = whether x is infinite, of the signs that are looked for; false for all codes. Source: ONNX IsInf.

    >>> IsInf(negative=False)(np.array([1.0, np.inf, -np.inf]))
    array([False,  True, False])
    """

    negative: bool = True
    positive: bool = True

    def compute(self, x: Array) -> Array:
        none = np.zeros(x.shape, dtype=bool)
        below = np.asarray(x == -np.inf) if self.negative else none
        above = np.asarray(x == np.inf) if self.positive else none
        return np.asarray(below | above)
