"""Einstein summation: Einsum of two operands, and Diagonal for repeated subscripts of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwblocks.errors import GraphError
from hwblocks.graph.block import Accumulate, Move, size
from hwblocks.graph.contraction import Array, Contraction
from hwblocks.graph.products import Product, dense
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.site import Site
from hwblocks.graph.subscripts import Labels, aligned, diagonal, labels_of, parsed, sizes_of
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


@dataclass(frozen=True)
class Diagonal(Move):
    """The elements whose repeated subscripts are equal, each subscript once, in order of appearance.

    subscripts: one letter for each axis, "..." for axes that stay. Source: numpy.einsum of one operand.

    >>> import numpy as np
    >>> Diagonal("ii")(np.array([[1, 2], [3, 4]]))
    array([1, 4])
    """

    subscripts: str = "ii"

    def labels(self, x: Shape) -> Labels:
        """One label for each axis."""
        return labels_of(self, self.subscripts, x, x)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (tuple(sizes_of(self, [self.labels(shapes[0])], shapes).values()),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        labels = self.labels(shapes[0])
        return bool(labels) and labels.count(labels[0]) == 1

    def move(self, *arrays: Array, zero: object, lowest: object) -> Array:
        return diagonal(arrays[0], self.labels(arrays[0].shape))[0]


@dataclass(frozen=True)
class Einsum(Accumulate):
    """y[output] = Σ a[...] · b[...] over all subscripts that the output does not name.

    equation: letters for the axes of a and b, "..." for axes that broadcast, and after -> those of y; without an arrow
    the letters that occur once, in alphabetical order, behind "...". A letter may repeat (a diagonal) or stand in one
    operand only; every combination of subscripts is one product. K runs over the summed subscripts in order of
    appearance, the last fastest. Source: ONNX Einsum, numpy.einsum.

    >>> import numpy as np
    >>> Einsum("ij,jk->ik")(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """

    equation: str = "ij,jk->ik"

    input_names: ClassVar[tuple[str, ...]] = ("a", "b")

    @property
    def quant(self) -> QuantRule:
        """b has one scale for each output channel where the last subscript of y is b's alone."""
        try:
            (a, b), y = parsed(self.equation, 2)
        except ValueError:
            return QuantRule(inputs=("activation",))
        last = y[-1:]
        alone = bool(last) and last != "." and last in b and last not in a and b.count(last) == 1
        return QuantRule(inputs=("activation", "weight" if alone else "activation"))

    def weight_axis(self, *shapes: Shape) -> int:
        _, b, y = self.labels(*shapes[:2])
        return b.index(y[-1]) if y and y[-1] in b else 0

    def labels(self, *shapes: Shape) -> tuple[Labels, Labels, Labels]:
        """The labels of a, b and y. Errors: ShapeError for an equation that does not fit the shapes."""
        try:
            operands, output = parsed(self.equation, 2)
        except ValueError as error:
            raise self.fail(str(error), *shapes) from None
        a, b = (labels_of(self, text, shape, *shapes) for text, shape in zip(operands, shapes, strict=True))
        dots = max((sum(label[0] == "." for label in labels) for labels in (a, b)), default=0)
        spread = tuple(f".{i}" for i in range(dots, 0, -1))
        y: Labels = tuple(
            label for part in output.replace("...", ".") for label in (spread if part == "." else (part,))
        )
        unknown = [label for label in y if label not in (*a, *b)]
        if unknown or len(set(y)) != len(y):
            raise self.fail(f"{self.equation!r}: the output names {unknown or 'a subscript twice'}", *shapes)
        return a, b, y

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        a, b, y = self.labels(*shapes)
        sizes = sizes_of(self, [a, b], shapes)
        return (tuple(sizes[label] for label in y),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        a, _, y = self.labels(*shapes)
        return bool(a and y) and a[0] == y[0] and a.count(a[0]) == 1

    def check_site(self, site: Site) -> None:
        if site.is_integer and not site.output.shape:
            raise GraphError(f"{site.where}: an integer Einsum needs an output axis; keep one of size 1")

    def lower(self, x: Array, w: Array) -> Contraction:
        a, b, y = self.labels(x.shape, w.shape)
        sizes = sizes_of(self, [a, b], (x.shape, w.shape))
        both = tuple(label for label in y if label in a and label in b)
        left, right = (tuple(label for label in y if label in own and label not in both) for own in (a, b))
        inner = tuple(label for label in sizes if label not in y)
        count = {part: size(tuple(sizes[label] for label in part)) for part in {both, left, right, inner}}
        rows = aligned(*diagonal(x, a), (*both, *left, *inner), sizes)
        columns = aligned(*diagonal(w, b), (*both, *inner, *right), sizes)
        order = (*both, *left, *right)
        made = tuple(sizes[label] for label in order)
        perm = [order.index(label) for label in y]

        def fold(sums: Array) -> Array:
            return sums.reshape(made).transpose(perm)

        return Contraction(
            rows.reshape(count[both], count[left], count[inner]),
            columns.reshape(count[both], count[inner], count[right]),
            fold,
            tuple(sizes[label] for label in inner) or (1,),
        )

    def products(self, *shapes: Shape) -> Product:
        """M over the subscripts of a alone, N of b alone, K of those summed; one for each subscript of both and y."""
        a, b, y = self.labels(*shapes)
        sizes = sizes_of(self, [a, b], shapes)
        both = {label for label in y if label in a and label in b}
        rows, columns, inner = ({*a} & {*y} - both, {*b} & {*y} - both, {*sizes} - {*y})
        parts = (tuple(sizes[label] for label in part) for part in (rows, inner, columns, both))
        return dense(*(size(part) for part in parts))

    def work(self, *shapes: Shape) -> Work:
        a, b, _ = self.labels(*shapes)
        macs = size(tuple(sizes_of(self, [a, b], shapes).values()))
        return Work(macs=macs, macs_valid=macs, requants=size(self.shape(*shapes)[0]))
