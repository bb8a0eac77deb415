"""Named algorithms: integer meanings that a dialect or a node chooses by name, in place of a block's own.

An algorithm is a function (site, *stored arrays) → codes, or a tuple of codes for several outputs, zero point included
and not yet limited: the executor limits them to the format and the fused clamp and counts what left the format.
Float outputs are returned as floats. An algorithm of a Pointwise block works element by element, so that its table
serves the kernels.
"""

from __future__ import annotations

import importlib
import pkgutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site

PACKAGE = "hwblocks.algorithms"
Compute = Callable[..., Any]
Kernel = Callable[[Site], Any]


@dataclass(frozen=True)
class NamedAlgorithm:
    """An algorithm with the blocks it serves and, optionally, a kernel call that equals it."""

    name: str
    blocks: frozenset[str]
    compute: Compute
    kernel: Kernel | None = None

    @property
    def summary(self) -> str:
        """The first line of its documentation."""
        return (self.compute.__doc__ or "").strip().splitlines()[0]


_algorithms: dict[tuple[str, str], NamedAlgorithm] = {}
_discovered: list[bool] = []
_discovering = threading.Lock()


def algorithm(name: str, *blocks: str, kernel: Kernel | None = None) -> Callable[[Compute], Compute]:
    """Register a function as the algorithm `name` of these blocks."""

    def registered(compute: Compute) -> Compute:
        made = NamedAlgorithm(name, frozenset(blocks), compute, kernel)
        for block in blocks:
            if (name, block) in _algorithms and _algorithms[name, block].compute.__module__ != compute.__module__:
                raise SimulationError(f"algorithm {name!r} of {block} exists already; choose another name")
            _algorithms[name, block] = made
        return compute

    return registered


def algorithms() -> dict[tuple[str, str], NamedAlgorithm]:
    """All algorithms by (name, block); the threads of a run wait until all are there."""
    if not _discovered:
        with _discovering:
            package = importlib.import_module(PACKAGE)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{PACKAGE}.{module.name}")
            _discovered.append(True)
    return _algorithms


def chosen(site: Site) -> NamedAlgorithm | None:
    """The algorithm that the site's arithmetic names, or None. Errors: SimulationError for unknown names."""
    name = site.arithmetic.algorithm
    if name is None:
        return None
    found = algorithms().get((name, site.node.type_name))
    if found is None:
        known = sorted(n for n, block in algorithms() if block == site.node.type_name)
        raise SimulationError(
            f"{site.where}: has no algorithm {name!r}; {site.node.type_name} knows {', '.join(known) or 'its own only'}"
        )
    return found


def limited(site: Site, wide: Any) -> tuple[tuple[Array, ...], int]:
    """(codes of every output in range, number of elements that left a format) of what an algorithm returned."""
    results = wide if isinstance(wide, tuple) else (wide,)
    codes, saturated = [], 0
    for position, (values, tensor) in enumerate(zip(results, site.outputs, strict=True)):
        if not tensor.format.is_quantized:
            codes.append(np.asarray(values))
            continue
        low, high = site.clamp_codes if position == 0 else (tensor.format.lo, tensor.format.hi)
        saturated += count_outside(np.asarray(values), tensor.format, site.counts if position == 0 else (True, True))
        codes.append(np.clip(values, low, high))
    return tuple(codes), saturated


def count_outside(values: Array, format: Any, counts: tuple[bool, bool]) -> int:
    """Elements below or above a format's range, on the sides that count."""
    below = int(np.count_nonzero(values < format.lo)) if counts[0] else 0
    return below + (int(np.count_nonzero(values > format.hi)) if counts[1] else 0)
