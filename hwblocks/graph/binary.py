"""Binary: what every block of two operands that broadcast has in common."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hwblocks.graph.block import Algorithm, Call
from hwblocks.graph.constant_pairs import constant_pair_call
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape


class Binary(Algorithm, abstract=True):
    """Two operands that broadcast as in NumPy; in integers the exact rational result, cast once."""

    input_names: ClassVar[tuple[str, ...]] = ("a", "b")
    overwrites: ClassVar[tuple[int, ...]] = (0, 1)

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "activation"))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        try:
            return (tuple(np.broadcast_shapes(*shapes)),)
        except ValueError:
            raise self.fail("the shapes do not broadcast", *shapes) from None

    def keeps_samples(self, *shapes: Shape) -> bool:
        return True

    def kernel(self, site: Site) -> Call | str:
        return constant_pair_call(self, site)
