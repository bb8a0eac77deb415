"""Named algorithms: integer meanings that a dialect or a node chooses by name, in place of a block's own.

An algorithm is a function (site, *stored arrays) → codes, or a tuple of codes for several outputs, zero point included
and not yet limited: the executor limits them to the format and the fused clamp and counts what left the format.
Float outputs are returned as floats. An algorithm of a Pointwise block works element by element, so that its table
serves the kernels. One with an `offer` can be chosen by the block itself (graph/variant.py).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np

from hwblocks.errors import FormatError, SimulationError
from hwblocks.graph.block import Block, Pointwise
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site
from hwblocks.graph.variant import EVERY, TABLE, Offer, split_call
from hwblocks.graph.work import Work

PACKAGE = "hwblocks.algorithms"
Compute = Callable[..., Any]
Kernel = Callable[[Site], Any]


@dataclass(frozen=True)
class NamedAlgorithm:
    """An algorithm with the blocks it serves and, optionally, a kernel call that equals it.

    offer: that of a variant, which blocks choose by themselves; arguments: the values of its parameters.
    """

    name: str
    blocks: frozenset[str]
    compute: Compute
    kernel: Kernel | None = None
    offer: Offer | None = None
    arguments: tuple[Any, ...] = ()

    def bound(self, text: str, texts: tuple[str, ...]) -> NamedAlgorithm:
        """The algorithm with its parameters filled in. Errors: FormatError."""
        if self.offer is None:
            return self
        values, compute = self.offer.read(texts, self.name), self.compute

        def filled(site: Site, *arrays: Any) -> Any:
            return compute(site, *arrays, *values)

        filled.__doc__ = compute.__doc__
        return replace(self, name=text, compute=filled, arguments=values)

    @property
    def work(self) -> Work:
        """Operations of one element of a variant."""
        return self.offer.work(*self.arguments) if self.offer else Work()

    def table_bytes(self, site: Site) -> int:
        """Bytes of a variant's tables and coefficients."""
        return self.offer.table_bytes(site, *self.arguments) if self.offer else 0

    def constants(self, site: Site) -> dict[str, Array]:
        """A variant's tables and coefficients by name, as int64."""
        made = self.offer.constants(site, *self.arguments) if self.offer else {}
        return {name: np.atleast_1d(np.asarray(value, np.int64)) for name, value in made.items()}

    def fit_error(self, site: Site) -> float | None:
        """The largest error of a variant's fit in output steps before rounding, None where nothing is fitted."""
        return self.offer.fit_error(site, *self.arguments) if self.offer else None

    @property
    def summary(self) -> str:
        """The first line of its documentation."""
        return (self.compute.__doc__ or "").strip().splitlines()[0]


_algorithms: dict[tuple[str, str], NamedAlgorithm] = {}
_discovered: list[bool] = []
_discovery = Lock()  # worker threads may ask first; none may see a part of the algorithms


def algorithm(
    name: str, *blocks: str, kernel: Kernel | None = None, offer: Offer | None = None
) -> Callable[[Compute], Compute]:
    """Register a function as the algorithm `name` of these blocks; with an offer it is a variant of them."""

    def registered(compute: Compute) -> Compute:
        made = NamedAlgorithm(name, frozenset(blocks), compute, kernel, offer)
        for block in blocks:
            if (name, block) in _algorithms and _algorithms[name, block].compute.__module__ != compute.__module__:
                raise SimulationError(f"algorithm {name!r} of {block} exists already; choose another name")
            _algorithms[name, block] = made
        return compute

    return registered


def algorithms() -> dict[tuple[str, str], NamedAlgorithm]:
    """All algorithms by (name, block)."""
    with _discovery:
        if not _discovered:
            package = importlib.import_module(PACKAGE)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{PACKAGE}.{module.name}")
            _discovered.append(True)
    return _algorithms


def chosen(site: Site) -> NamedAlgorithm | None:
    """The algorithm that the site's arithmetic names, else the variant of its block; None for the block's own meaning.

    Errors: SimulationError for unknown names.
    """
    block = site.node.block
    name = site.arithmetic.algorithm or variant_of(block)
    if name is None:
        return None
    try:
        found = named(block, name)
    except FormatError as error:
        raise SimulationError(f"{site.where}: {error.message}") from None
    if found is None:
        known = sorted(n for n, of in algorithms() if of == site.node.type_name)
        raise SimulationError(
            f"{site.where}: has no algorithm {name!r}; {site.node.type_name} knows {', '.join(known) or 'its own only'}"
        )
    if found.offer is not None and (reason := found.offer.check(site, *found.arguments)):
        raise SimulationError(f"{site.where}: {name} does not serve its formats: {reason}")
    return found


def table_bytes(site: Site) -> int:
    """Bytes of the tables and coefficients of an integer site; 0 for algorithms that state none."""
    if not site.is_integer:
        return 0
    found = chosen(site)
    return site.node.block.table_bytes(site) if found is None else found.table_bytes(site)


def site_work(site: Site) -> Work:
    """Operations of one sample: of the variant chosen where there is one, else those that the block states."""
    found = chosen(site) if site.is_integer else None
    if found is None or found.offer is None:
        return site.node.block.work(*site.shapes)
    return found.work * site.output.elements


def variant_of(block: Block) -> str | None:
    """The variant that a block states; None for its own meaning."""
    own = block.own_variant
    stated = None if own is None else block.variant  # type: ignore[attr-defined]
    return None if stated == own else stated


def named(block: Block, text: str) -> NamedAlgorithm | None:
    """The algorithm of a text such as "gemmlowp" or "pwl(8)" for a block, or None. Errors: FormatError."""
    name, texts = split_call(text)
    found = algorithms().get((name, type(block).__name__))
    if found is None and isinstance(block, Pointwise) and block.clamp is None:
        found = algorithms().get((name, EVERY))
    return None if found is None else found.bound(text, texts)


def variants(block: Block) -> dict[str, NamedAlgorithm]:
    """The variants that a block may choose beside its own meaning, by name."""
    general = isinstance(block, Pointwise) and block.clamp is None
    names = (type(block).__name__, EVERY) if general else (type(block).__name__,)
    return {n: a for of in names for (n, other), a in algorithms().items() if other == of and a.offer is not None}


def variant_problem(block: Block) -> str:
    """What is wrong with the variant that a block states, or ""."""
    text = variant_of(block)
    if text is None:
        return ""
    try:
        found = named(block, text)
    except FormatError as error:
        return f"variant {text!r}: {error.message}"
    if found is not None and found.offer is not None:
        return ""
    known = [block.own_variant or TABLE, *(a.offer.usage(n) for n, a in variants(block).items() if a.offer)]
    return f"variant {text!r} is not known; use {', '.join(known)}"


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
