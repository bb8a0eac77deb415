"""Sums: layers and additions whose operands are codes, as integer nodes that keep their exact results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.blocks.elementwise import Add
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter
from hwblocks.graph.site import Site, scalar_scale
from hwblocks.graph.tensor import Origin, Tensor
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.formats import Format
from hwblocks.numerics.requantize import Requantize
from quantize.proof import sum_bounds
from quantize.stated.moves import behind

Array = np.ndarray[Any, Any]

WIDTHS = (32, 64)
SAME_SCALE = 2.0**-22  # two float32 products of the same scales differ by no more
WHOLE = Requantize.preset("shift")  # a sum stored as it is


@dataclass(frozen=True, eq=False)
class Sums:
    """An integer node and what it makes: a tensor of exact sums, their limits, and the float bias that is left over.

    The tensor's scale is the real value of one; with one scale for each channel of the last axis, or one for all.
    """

    node: Node
    tensor: Tensor
    low: int
    high: int
    bias: Array | None = None

    @property
    def channels(self) -> int:
        """The channels that have their own scale or bias."""
        per_scale = len(self.tensor.format.scale) if isinstance(self.tensor.format.scale, tuple) else 1
        return max(per_scale, 1 if self.bias is None else self.bias.size)

    def reals(self, sums: Array) -> Array:
        """Whole sums [points, C] as the float32 values of the layer: one rounding, the bias before it."""
        wide = sums * np.asarray(self.tensor.format.scale, dtype=np.float64)
        return np.asarray(wide if self.bias is None else wide + self.bias, dtype=np.float32)


def layer_sums(graph: Graph, edit: Rewriter, node: Node) -> Sums | None:
    """The exact sums of a layer; None where an operand is no code of one scale."""
    site = graph.site(node)
    operands = [behind(graph, name) if name else None for name in node.inputs]
    if not is_summable(site, operands):
        return None
    x, w = operands[0], operands[1]
    assert x is not None and w is not None
    steps = np.asarray(w.format.scale, dtype=np.float64) * scalar_scale(x.format)
    bias, rest = split_bias(edit, site, operands, steps)
    if bias is not None:
        edit.set(bias)
    inputs = (x, w, *([bias] if bias is not None else []))
    output = site.output
    tensor = output.replace(name=edit.fresh(f"{output.name}.sums"), origin=None, source_name="")
    made = node.replace(inputs=tuple(t.name for t in inputs), outputs=(tensor.name,))
    return in_register(made, inputs, tensor, steps, rest)


def in_register(node: Node, inputs: tuple[Tensor, ...], tensor: Tensor, steps: Array, rest: Array | None) -> Sums:
    """The node with the first accumulator that no input can overflow; one code beyond the highest sum is kept free."""
    for bits in WIDTHS:
        axis = len(tensor.shape) - 1 if steps.ndim else None
        tensor = tensor.replace(format=Format(bits=bits, scale=steps, axis=axis))
        register = Accumulator(f"int{bits} wrap")
        node = node.replace(arithmetic=Arithmetic(requantize=WHOLE, accumulator=register))
        low, high = sum_bounds(Site(node, inputs, (tensor,)), register)
        if -(1 << (bits - 1)) <= low and high + 1 < 1 << (bits - 1):
            break
    return Sums(node, tensor, low, high, rest)


def is_summable(site: Site, operands: list[Tensor | None]) -> bool:
    """True for float layers of activations of one scale, and weights of one scale or constant ones per channel."""
    if len(operands) < 2 or operands[0] is None or operands[1] is None or site.node.clamp is not None:
        return False
    x, w = operands[0].format, operands[1].format
    fixed_bias = not site.has(2) or site.input(2).is_constant or (operands[2] is not None and operands[2].is_constant)
    scales = not isinstance(x.scale, tuple) and (operands[1].is_constant or not isinstance(w.scale, tuple))
    return fixed_bias and scales and site.output.format.is_float


def split_bias(
    edit: Rewriter, site: Site, operands: list[Tensor | None], steps: Array
) -> tuple[Tensor | None, Array | None]:
    """(the bias as codes of the sums' steps, None) or (None, the bias as floats); (None, None) without one."""
    if not site.has(2):
        return None, None
    stored = operands[2]
    if stored is not None and not np.any(stored.format.zero_point):
        given = np.asarray(stored.format.scale, dtype=np.float64)
        if np.all(np.abs(given - steps) <= SAME_SCALE * steps):
            return stored, None
    source = site.input(2) if stored is None else stored
    reals = np.asarray(source.format.dequantize(source.value), dtype=np.float32).astype(np.float64)
    codes = reals / steps
    if not np.all(codes == np.rint(codes)) or np.abs(codes).max(initial=0) >= 2**31:
        return None, reals
    format = Format(bits=32, scale=steps, axis=0 if steps.ndim else None)
    name = edit.fresh(f"{source.name}.codes")
    return Tensor(name, source.shape, format, codes.astype(np.int32), Origin(source.origin_name)), None


def pair_sums(graph: Graph, edit: Rewriter, node: Node, codes: list[Tensor]) -> Sums | None:
    """a + b or a − b of two tensors with one scale, exactly; None for anything else."""
    if node.type_name not in ("Add", "Sub") or len(codes) != 2 or codes[0].format.scale != codes[1].format.scale:
        return None
    sign = 1 if isinstance(node.block, Add) else -1
    spans = [(c.format.lo - int(c.format.zero_point), c.format.hi - int(c.format.zero_point)) for c in codes]
    ends = [a + sign * b for a in spans[0] for b in spans[1]]
    low, high = min(ends), max(ends)
    bits = max((high + 1).bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1
    output = graph.tensors[node.outputs[0]]
    format = Format(bits=bits, scale=codes[0].format.scale)
    tensor = Tensor(edit.fresh(f"{output.name}.sums"), output.shape, format, layout=output.layout)
    made = node.replace(inputs=tuple(c.name for c in codes), outputs=(tensor.name,), arithmetic=Arithmetic())
    return Sums(made, tensor, low, high)
