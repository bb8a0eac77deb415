"""Functions that a file spells out in small steps, recognised by what they compute.

Exporters write GELU, softmax and layer normalization as a dozen sums, products and roots, whose intermediate results no
8-bit format can hold. A part of the graph with one run-time input and one output is evaluated on random numbers; where
a block gives the same, the block takes its place. No pattern of nodes is looked for, so that every spelling is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.blocks.activation import HardSwish, Sigmoid
from hwblocks.blocks.exponential import GELU, SiLU, Softplus
from hwblocks.blocks.feature_norm import InstanceNorm, LayerNorm, RMSNorm
from hwblocks.blocks.softmax import LogSoftmax, Softmax
from hwblocks.errors import HwblocksError
from hwblocks.graph.block import Accumulate, Block
from hwblocks.graph.control import evaluated
from hwblocks.graph.graph import Graph, used_tensors
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter
from quantize.passes.following import FLOAT64

Array = np.ndarray[Any, Any]
Function = Callable[[Array], Array]

ENDS = frozenset({"Add", "Sub", "Mul", "Div"})  # nodes that a spelled-out function may end with
FEWEST, MOST = 2, 40  # nodes of a part
LARGEST = 1 << 18  # elements of its input
NEAR = 2e-5  # of the largest output: float32 constants, float64 steps
CURVES: tuple[Block, ...] = (GELU(), GELU("tanh"), SiLU(), HardSwish(), Softplus(), Sigmoid())
SPREADS = ((1.0, 0.0), (3.0, 0.5), (0.3, -1.0), (2.0, 2.0))  # scale and offset of the random numbers


@dataclass(frozen=True, eq=False)
class Part:
    """Nodes between one run-time tensor x and one tensor y that alone leaves them."""

    graph: Graph
    nodes: tuple[Node, ...]
    x: str
    y: str

    @property
    def function(self) -> Function:
        """What the part computes, in float64."""
        tensors = used_tensors(self.graph.tensors, self.nodes, (self.x, self.y))
        whole = Graph("part", tensors, self.nodes, (self.x,), (self.y,))
        return lambda array: evaluated(whole, [array])[0]

    @property
    def scalars(self) -> list[float]:
        """The constants of one element that may be an epsilon, and 0."""
        names = {name for node in self.nodes for name in node.inputs if name}
        values = [
            t.value for t in map(self.graph.tensors.__getitem__, names) if t.value is not None and t.elements == 1
        ]
        return sorted({0.0, *(float(v.ravel()[0]) for v in values if 0 < v.ravel()[0] < 0.1)}, reverse=True)


@dataclass(frozen=True, eq=False)
class Found:
    """The block that a part is, and its constant parameters."""

    block: Block
    parameters: tuple[Array, ...] = ()


def apply(graph: Graph) -> Graph:
    """Every part that is a known function becomes its block, under the name of the part's last node."""
    edit, taken = Rewriter(graph), set[str]()
    for node in reversed(graph.nodes):
        if node.type_name not in ENDS or node.name in taken:
            continue
        found = [f for f in map(recognised, parts(graph, node)) if f is not None]
        if found:
            _put(edit, node, *found[-1])  # the largest: a softmax of x − max is one of x too
            taken |= {n.name for n in found[-1][0].nodes}
    return edit.build() if taken else graph


def _put(edit: Rewriter, end: Node, part: Part, made: Found) -> None:
    for node in part.nodes:
        edit.remove(node)
    given = zip(("weight", "bias"), made.parameters, strict=False)
    names = [edit.constant(f"{part.y}.{kind}", array, format=FLOAT64) for kind, array in given]
    edit.replace(end, Node(end.name, made.block, (part.x, *names), (part.y,), source_name=end.source_name))


def parts(graph: Graph, end: Node) -> Iterator[Part]:
    """Parts that end with a node, from small to large."""
    place = {name: i for i, node in enumerate(graph.nodes) for name in node.outputs}
    inside: dict[str, Node] = {end.name: end}
    while len(inside) <= MOST:
        read = {n for node in inside.values() for n in node.inputs if n and not graph.tensors[n].is_constant}
        entries = read - {name for node in inside.values() for name in node.outputs}
        if len(entries) == 1 and len(inside) >= FEWEST:
            (entry,) = entries
            yield Part(graph, tuple(n for n in graph.nodes if n.name in inside), entry, end.outputs[0])
        following = [graph.producer[n] for n in sorted(entries, key=lambda n: -place.get(n, -1)) if n in graph.producer]
        node = next((n for n in following if _belongs(graph, n, inside)), None)
        if node is None:
            return
        inside[node.name] = node


def _belongs(graph: Graph, node: Node, inside: dict[str, Node]) -> bool:
    """True for a node without sums of products whose outputs only the part reads."""
    if isinstance(node.block, Accumulate) or not node.block.folds or node.preference is not None:
        return False
    if any(name in graph.sinks for name in node.outputs):
        return False
    return all(reader.name in inside for name in node.outputs for reader in graph.consumers[name])


def recognised(part: Part) -> tuple[Part, Found] | None:
    """The part with the block that gives the same, None where no known one does."""
    x, y = part.graph.tensors[part.x], part.graph.tensors[part.y]
    if x.shape != y.shape or not x.shape or x.elements > LARGEST or not (x.format.is_float and y.format.is_float):
        return None
    random, function = np.random.default_rng(0), part.function
    given = [random.normal(offset, scale, x.shape) for scale, offset in SPREADS]
    try:
        with np.errstate(all="ignore"):
            wanted = [function(array) for array in given]
    except (HwblocksError, ValueError, TypeError):
        return None
    if any(w.shape != x.shape or not np.isfinite(w).all() for w in wanted):
        return None
    found = _curve(given, wanted) or _share(given, wanted) or _norm(part, given, wanted)
    return None if found is None else (part, found)


def _curve(given: Sequence[Array], wanted: Sequence[Array]) -> Found | None:
    return next((Found(block) for block in CURVES if _alike(block, given, wanted)), None)


def _share(given: Sequence[Array], wanted: Sequence[Array]) -> Found | None:
    if given[0].shape[-1] < 2:
        return None
    return next((Found(block) for block in (Softmax(), LogSoftmax()) if _alike(block, given, wanted)), None)


def _alike(block: Block, given: Sequence[Array], wanted: Sequence[Array]) -> bool:
    return all(_near(block(x), y) for x, y in zip(given, wanted, strict=True))


def _near(made: Array, wanted: Array) -> bool:
    return bool(np.abs(made - wanted).max() <= NEAR * max(np.abs(wanted).max(), 1e-30))


def _norm(part: Part, given: Sequence[Array], wanted: Sequence[Array]) -> Found | None:
    """A normalization of the last axis, or of the one before it for each channel, with a gain and an offset."""
    for kind, axis in ((LayerNorm, -1), (RMSNorm, -1), (InstanceNorm, -2)):
        if given[0].shape[-1] < 2 or given[0].ndim < 1 - axis or (axis == -2 and given[0].ndim != 3):
            continue
        for eps in part.scalars:
            block: Block = kind(eps=eps)
            plain, made = (_rows(arrays, axis) for arrays in ([np.asarray(block(x)) for x in given], wanted))
            gain, offset = _line(plain, made)
            if _near(plain * gain + offset, made):
                shape = (-1,) if axis == -1 else (-1, 1)
                return Found(block, (gain.reshape(shape), offset.reshape(shape)))
    return None


def _rows(arrays: Sequence[Array], axis: int) -> Array:
    """All elements as rows along one axis."""
    return np.concatenate([np.moveaxis(a, axis, -1).reshape(-1, a.shape[axis]) for a in arrays])


def _line(x: Array, y: Array) -> tuple[Array, Array]:
    """The gain and offset of each column that bring x nearest to y."""
    centre = x - x.mean(axis=0)
    gain = (centre * (y - y.mean(axis=0))).sum(axis=0) / np.maximum((centre * centre).sum(axis=0), 1e-30)
    return gain, y.mean(axis=0) - gain * x.mean(axis=0)
