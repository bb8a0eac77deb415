"""SCALE-Sim topologies written from graphs: one row for each matrix product that an array computes.

A row is name, image height, image width, filter height, filter width, channels, filters, stride and a last comma, which
the tool needs. It knows no padding, so the image is as large as its windows reach, H + 2p where the stride fits; no
dilation; one stride for both axes; and takes a name with "DP" for a depthwise layer, one product a channel.
Source: SCALE-Sim 3.0.0, topology_utils.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hwblocks.errors import UnsupportedOperatorError
from hwblocks.files import write_atomically
from hwblocks.graph.control import Control
from hwblocks.graph.graph import Graph
from hwblocks.graph.nest import Nest
from hwblocks.graph.plane import PlaneConvolution, plane_of
from hwblocks.graph.site import Site

HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"


@dataclass(frozen=True)
class Topology:
    """A file written: its rows without the header, and the products that they stand for."""

    path: Path
    rows: tuple[str, ...]
    macs: int


def export_scalesim(graph: Graph, path: str | Path) -> Topology:
    """Write the layers of a graph that sum products as a SCALE-Sim topology.

    Errors: UnsupportedOperatorError names every layer with products that no row can express; nothing is written then.
    """
    rows, refused = [], []
    for node in graph.nodes:
        site = graph.site(node)
        nests = node.block.nests(*site.shapes)
        reason = unexpressed(nests, site)
        if reason:
            refused.append(f"{node.name!r} ({node.type_name}): {reason}")
        else:
            rows += [row for nest in nests for row in topology_rows(node.name, nest)]
    if refused or not rows:
        problem = "; ".join(refused) or "the graph has no layer that sums products"
        raise UnsupportedOperatorError(f"a SCALE-Sim topology of {graph.title!r} cannot be written: {problem}")
    macs = sum(nest.macs for node in graph.nodes for nest in node.block.nests(*graph.site(node).shapes))
    return Topology(write_atomically(path, "\n".join([HEADER, *rows]) + "\n"), tuple(rows), macs)


def unexpressed(nests: Sequence[Nest], site: Site) -> str:
    """Why no row can express a node, or ""."""
    if isinstance(site.node.block, Control):
        return "the products of its body run as often as data say" if nests else ""
    return next(filter(None, map(unexpressed_nest, nests)), "")


def unexpressed_nest(nest: Nest) -> str:
    """Why no row can express a nest, or ""."""
    plane = plane_of(nest)
    if plane is None:
        return "a convolution over three axes, or over several images"
    if plane.dilation != (1, 1) and (plane.filter_height, plane.filter_width) != (1, 1):
        return f"dilation {plane.dilation}"
    if stride_of(plane) is None:
        return f"strides {plane.stride} that differ"
    return ""


def stride_of(plane: PlaneConvolution) -> int | None:
    """The one stride of both axes, or of the one along which there are several windows; None where two differ."""
    moving = {stride for stride, windows in zip(plane.stride, plane.outputs, strict=True) if windows > 1}
    if len(moving) > 1:
        return None
    return moving.pop() if moving else 1


def topology_rows(name: str, nest: Nest) -> Iterator[str]:
    """The rows of a nest; one for each group, but one for all channels of a depthwise convolution."""
    plane = plane_of(nest)
    assert plane is not None
    plain = re.sub(r"[,\s]+", "_", name).replace("DP", "dp")
    sizes = (plane.height, plane.width, plane.filter_height, plane.filter_width)
    if nest.is_depthwise:
        yield _row(f"DP_{plain}", *sizes, nest.groups, plane.filters, stride_of(plane))
        return
    for index in range(nest.groups):
        one = plain if nest.groups == 1 else f"{plain}_{index}"
        yield _row(one, *sizes, plane.channels, plane.filters, stride_of(plane))


def _row(name: str, *numbers: int | None) -> str:
    return ",".join([name, *map(str, numbers)]) + ","
