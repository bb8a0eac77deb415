"""Grids: every quantizer of a file as a pair of Quantize and Dequantize with the format that it states."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from hwblocks.blocks.edges import Dequantize, Quantize
from hwblocks.blocks.quantizers import MODES, Quant
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter, only_consumer, without_dead_nodes
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Origin, Tensor, constant
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format
from hwblocks.numerics.overflow import code_range
from hwblocks.simulate.execute import run_node

Array = np.ndarray[Any, Any]

BIPOLAR = {"bits": 2, "narrow": True}  # codes −1 and +1; 0 is never made
WIDEST = 32


def on_grids(graph: Graph) -> Graph:
    """The graph with all quantizers as Quantize and Dequantize; constants that they make become codes."""
    graph = folded_floats(narrowed(graph))
    edit = Rewriter(graph)
    for node in graph.nodes:
        format = grid_of(graph.site(node)) if node.type_name in QUANTIZERS and node.clamp is None else None
        if format is not None:
            edit.replace(node, *pair(edit, node, format))
    return folded_floats(without_dead_nodes(edit.build()))


def pair(edit: Rewriter, node: Node, format: Format) -> list[Node]:
    """The nodes in a quantizer's place: codes of a constant, or a Quantize, then the Dequantize of its output."""
    (output,) = node.outputs
    real = edit.graph.tensors[output]
    codes = edit.fresh(f"{output}.codes")
    back = Node(f"{node.name}.dequantize", Dequantize(), (codes,), (output,), arithmetic=Arithmetic())
    site = edit.graph.site(node)
    if all(t.is_constant for t in site.present):
        (values,), _ = run_node(site, [None if t is None else t.value for t in site.inputs])
        stored = EdgeRule().codes(values, format)[0]
        edit.set(constant(codes, stored, format, origin=Origin(output), layout=real.layout))
        return [back]
    edit.set(real.replace(name=codes, format=format, origin=Origin(output)))
    rule = edge_of(site, format)
    if rule is not None:
        return [quantize(node.name, node.inputs[0], codes, rule), back]
    values_name = edit.fresh(f"{output}.values")
    edit.set(real.replace(name=values_name))
    kept = node.replace(name=f"{node.name}.values", outputs=(values_name,))
    return [kept, quantize(node.name, values_name, codes, EdgeRule()), back]


def quantize(name: str, source: str, codes: str, rule: EdgeRule) -> Node:
    """A Quantize node by an edge rule."""
    made = Arithmetic() if rule == EdgeRule() else Arithmetic(edge=rule)
    return Node(name, Quantize(), (source,), (codes,), arithmetic=made)


def edge_of(site: Site, format: Format) -> EdgeRule | None:
    """The edge rule that a quantizer equals, or None: it must run as it is before its values are stored."""
    block = site.node.block
    if not isinstance(block, Quant) or (number(site.input(3)) == 1 and block.signed):
        return None
    inside = "inside" if np.any(format.zero_point) else "after"
    return EdgeRule(rounding=MODES[block.rounding_mode.upper()], zero_point=inside)


def narrowed(graph: Graph) -> Graph:
    """QuantizeLinear → Clip of codes (QCDQ) as one Quantize into the narrower format."""
    edit = Rewriter(graph)
    for node in graph.nodes:
        clip = only_consumer(graph, node.outputs[0]) if node.type_name == "Quantize" else None
        if clip is None or clip.type_name != "Clip":
            continue
        format = graph.tensors[clip.outputs[0]].format
        inner = clipped_format(graph.site(clip))
        if inner is None or format != graph.tensors[node.outputs[0]].format:
            continue
        edit.replace(clip)
        edit.replace(node, node.replace(outputs=clip.outputs))
        edit.set(graph.tensors[clip.outputs[0]].replace(format=inner))
    return edit.build()


def clipped_format(clip: Site) -> Format | None:
    """The format whose codes are those that a Clip lets through, or None."""
    block: Any = clip.node.block
    format = clip.output.format
    ends = format.code_of(block.min), format.code_of(block.max)
    for bits in range(1, format.bits + 1):
        for narrow in (False, True) if bits > 1 else (False,):
            low, high = code_range(bits, format.signed)
            zeros = np.ravel(format.zero_point)
            if code_range(bits, format.signed, narrow) == ends and low <= zeros.min() and zeros.max() <= high:
                return format.replace(bits=bits, narrow=narrow)
    return None


def folded_floats(graph: Graph) -> Graph:
    """The graph with every node of constants computed, Dequantize and quantizers apart."""
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        inputs = tuple(tensors[name] if name else None for name in node.inputs)
        fixed = bool(inputs) and all(t is None or t.is_constant for t in inputs)
        if not fixed or node.type_name in QUANTIZERS or node.type_name == "Dequantize":
            nodes.append(node)
            continue
        site = Site(node, inputs, tuple(tensors[name] for name in node.outputs))
        made, _ = run_node(site, [None if t is None else t.value for t in inputs])
        for name, array in zip(node.outputs, made, strict=True):
            array.setflags(write=False)
            tensors[name] = tensors[name].replace(value=array)
    return without_dead_nodes(graph.replace(tensors=tensors, nodes=tuple(nodes)))


def grid_of(site: Site) -> Format | None:
    """The format whose values a quantizer makes, or None where its scale or width is no constant or no format."""
    if not all(t.is_constant for t in site.present[1:]):
        return None
    return QUANTIZERS[site.node.type_name](site)


def number(tensor: Tensor) -> float | None:
    """The one value of a constant, or None."""
    values = np.unique(np.asarray(tensor.value, dtype=np.float64))
    return float(values[0]) if values.size == 1 else None


def stated_format(site: Site, scale: Tensor, zero: float, bits: float, **more: Any) -> Format | None:
    """A format of a scale that broadcasts along one axis; None where the numbers are no format."""
    if zero != int(zero) or bits != int(bits) or not 1 <= bits <= WIDEST:
        return None
    values = np.asarray(scale.value, dtype=np.float32).astype(np.float64)
    rank = len(site.input(0).shape)
    axes = [i - values.ndim + rank for i, length in enumerate(values.shape) if length > 1]
    if len(axes) > 1 or not np.all(values > 0) or (more.get("narrow") and bits < 2):
        return None
    axis = axes[0] if axes else None
    steps: Any = float(values.ravel()[0]) if axis is None else tuple(values.ravel().tolist())
    signed = more.get("signed", True)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if not low <= zero <= high:
        return None
    return Format(bits=int(bits), scale=steps, zero_point=int(zero), axis=axis, **more)


def quant_grid(site: Site) -> Format | None:
    """QONNX Quant: its bits, sign and narrowness; one signed bit has the codes −1 and +1."""
    block: Any = site.node.block
    zero, bits = number(site.input(2)), number(site.input(3))
    if zero is None or bits is None:
        return None
    if bits == 1 and block.signed:
        return stated_format(site, site.input(1), zero, **BIPOLAR) if zero == 0 else None
    return stated_format(site, site.input(1), zero, bits, signed=block.signed, narrow=block.narrow)


def bipolar_grid(site: Site) -> Format | None:
    """QONNX BipolarQuant: codes −1 and +1."""
    return stated_format(site, site.input(1), 0, **BIPOLAR)


def trunc_grid(site: Site) -> Format | None:
    """QONNX Trunc. Version 1 does not say whether its codes are signed: one bit more holds both."""
    block: Any = site.node.block
    zero = number(site.input(2))
    if zero is None:
        return None
    if block.version == 1:
        bits, in_bits = number(site.input(4)), number(site.input(3))
        return None if bits is None or in_bits is None else stated_format(site, site.input(1), zero, bits + 1)
    bits, step, scale = number(site.input(5)), number(site.input(4)), number(site.input(1))
    if bits is None or step is None or scale is None:
        return None
    kept = zero / float(2.0 ** np.rint(np.log2(np.float32(step) / np.float32(scale))))
    return stated_format(site, site.input(4), kept, bits, signed=block.signed, narrow=block.narrow)


def threshold_grid(site: Site) -> Format | None:
    """MultiThreshold: out_scale · count + out_bias, on the coarsest grid that holds them all from zero point 0."""
    block: Any = site.node.block
    step, start = Fraction(float(np.float32(block.out_scale))), Fraction(float(np.float32(block.out_bias)))
    if step <= 0:
        return None
    for part in (1, 2):
        scale = step / part
        if (start / scale).denominator == 1:
            return covering(int(start / scale), part * site.input(1).shape[1], float(scale))
    return None


def covering(first: int, span: int, scale: float) -> Format | None:
    """The narrowest format with the codes from `first` to `first + span`."""
    signed = first < 0
    for bits in range(1, WIDEST + 1):
        format = Format(bits=bits, signed=signed, scale=scale)
        if format.lo <= first and first + span <= format.hi:
            return format
    return None


QUANTIZERS: dict[str, Callable[[Site], Format | None]] = {
    "BipolarQuant": bipolar_grid,
    "FloatQuant": lambda site: None,
    "MultiThreshold": threshold_grid,
    "Quant": quant_grid,
    "Trunc": trunc_grid,
}
