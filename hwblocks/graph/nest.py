"""Nest: the loops of a sum of products, as a machine that runs them sees a block."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hwblocks.graph.tensor import Shape
from hwblocks.graph.window import Window


@dataclass(frozen=True)
class Nest:
    """groups × rows × columns outputs, each a sum of `depth` products.

    rows: output positions (pixels, tokens, steps) that share the weights of a group. columns: output channels of a
    group. groups: contractions that share nothing: groups of a convolution, matrices of a batch.
    window: how a convolution's rows lie on its input; depth is then kernel taps × input channels of a group, with
    products that meet padding. None for a product of matrices.

    >>> Nest(rows=16, depth=72, columns=4).macs
    4608
    """

    rows: int
    depth: int
    columns: int
    groups: int = 1
    window: Window | None = None

    @property
    def macs(self) -> int:
        """groups · rows · depth · columns."""
        return self.groups * self.rows * self.depth * self.columns

    @property
    def kernel(self) -> Shape:
        """Taps along each spatial axis; () without a window."""
        return self.window.kernel if self.window else ()

    @property
    def channels(self) -> int:
        """Input channels of a group."""
        return self.depth // math.prod(self.kernel)

    @property
    def images(self) -> int:
        """Images whose windows follow each other in the rows; 1 without a window."""
        return self.rows // math.prod(self.window.output) if self.window else 1

    @property
    def is_depthwise(self) -> bool:
        """True for several groups of one input channel with a window over each."""
        return self.window is not None and self.groups > 1 and self.channels == 1

    @property
    def is_elementwise(self) -> bool:
        """True where no two products are summed and none shares a weight with a column: a vector unit's work."""
        return self.depth == 1 and self.columns == 1


def product_nest(a: Shape, b: Shape) -> Nest:
    """The nest of a · b: a [..., M, K], b [..., K, N], leading axes broadcast; one b for all is one group.

    >>> product_nest((8, 4, 16), (16, 2))
    Nest(rows=32, depth=16, columns=2, groups=1, window=None)
    """
    lead = math.prod(np.broadcast_shapes(a[:-2], b[:-2]))
    shared = math.prod(b[:-2]) == 1
    return Nest(a[-2] * (lead if shared else 1), a[-1], b[-1], 1 if shared else lead)
