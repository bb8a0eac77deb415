"""SCALE-Sim topologies written from graphs: one row for each matrix product that an array computes.

A row is name, image height, image width, filter height, filter width, channels, filters, stride and a last comma, which
the tool needs. It knows no padding, so the image is as large as its windows reach, H + 2p where the stride fits; no
dilation; one stride for both axes; and takes a name with "DP" for a depthwise layer, one product a channel.
Source: SCALE-Sim 3.0.0, topology_utils.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hwblocks.errors import UnsupportedOperatorError
from hwblocks.files import write_atomically
from hwblocks.graph.algorithm import site_work
from hwblocks.graph.block import Accumulate
from hwblocks.graph.control import Control
from hwblocks.graph.graph import Graph
from hwblocks.graph.products import PlaneConvolution, Product
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
    rows, refused, macs = [], [], 0
    for node in graph.nodes:
        site = graph.site(node)
        count, product = products_of(graph, site)
        reason = unexpressed(count, product, site)
        if reason:
            refused.append(f"{node.name!r} ({node.type_name}): {reason}")
        elif product is not None:
            macs += product.macs
            rows += list(topology_rows(node.name, product))
    if refused or not rows:
        problem = "; ".join(refused) or "the graph has no layer that sums products"
        raise UnsupportedOperatorError(f"a SCALE-Sim topology of {graph.title!r} cannot be written: {problem}")
    return Topology(write_atomically(path, "\n".join([HEADER, *rows]) + "\n"), tuple(rows), macs)


def products_of(graph: Graph, site: Site) -> tuple[int, Product | None]:
    """MACs of a node, bodies of control blocks included, and the products that make them where it states any."""
    block = site.node.block
    if isinstance(block, Control):
        inner = [products_of(body, body.site(node))[0] for body in block.bodies.values() for node in body.nodes]
        return sum(inner), None
    count = site_work(site).macs
    return count, block.products(*site.shapes[:2]) if count and isinstance(block, Accumulate) else None


def unexpressed(macs: int, product: Product | None, site: Site) -> str:
    """Why no row can express a node, or ""."""
    if isinstance(site.node.block, Control):
        return "the products of its body run as often as data say" if macs else ""
    if product is None:
        return f"{macs:,} MACs that are no convolution and no matrix product" if macs else ""
    if product.plane is None:
        return "a convolution over three axes"
    if product.plane.dilation != (1, 1) and (product.plane.filter_height, product.plane.filter_width) != (1, 1):
        return f"dilation {product.plane.dilation}"
    if stride_of(product.plane) is None:
        return f"strides {product.plane.stride} that differ"
    return ""


def stride_of(plane: PlaneConvolution) -> int | None:
    """The one stride of both axes, or of the one along which there are several windows; None where two differ."""
    moving = {stride for stride, windows in zip(plane.stride, plane.outputs, strict=True) if windows > 1}
    if len(moving) > 1:
        return None
    return moving.pop() if moving else 1


def topology_rows(name: str, product: Product) -> Iterator[str]:
    """The rows of one layer; of equal products one each, but one for all channels of a depthwise layer."""
    plane = product.plane
    assert plane is not None
    plain = re.sub(r"[,\s]+", "_", name).replace("DP", "dp")
    sizes = (plane.height, plane.width, plane.filter_height, plane.filter_width)
    if product.depthwise:
        yield _row(f"DP_{plain}", *sizes, product.count, plane.filters, stride_of(plane))
        return
    for index in range(product.count):
        one = plain if product.count == 1 else f"{plain}_{index}"
        yield _row(one, *sizes, plane.channels, plane.filters, stride_of(plane))


def _row(name: str, *numbers: int | None) -> str:
    return ",".join([name, *map(str, numbers)]) + ","
