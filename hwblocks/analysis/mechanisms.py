"""Mechanisms: the single ways in which two arithmetics of one node differ, and how to swap each alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from hwblocks.graph.block import Pointwise
from hwblocks.graph.control import Control
from hwblocks.graph.node import Node
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.requantize import Requantize

Swap = Callable[[Arithmetic, Arithmetic], Arithmetic]

NARROW = ("q16", "fixed")  # schemes whose multipliers are short


def swapped_nodes(mine: Node, theirs: Node) -> Iterator[tuple[str, str, Node]]:
    """For each mechanism in which two nodes differ its name, its detail, and my node with that one alone swapped.

    Of a control block the mechanisms of the nodes in its bodies.
    """
    if not isinstance(mine.block, Control) or not isinstance(theirs.block, Control):
        ours, others = mine.arithmetic or Arithmetic(), theirs.arithmetic or Arithmetic()
        for mechanism in mechanisms(mine, ours, others):
            yield mechanism.name, mechanism.detail, mine.replace(arithmetic=mechanism.swap(ours, others))
        return
    for part, body in mine.block.bodies.items():
        for inner in body.nodes:
            other = theirs.block.bodies[part].producer.get(inner.outputs[0])
            if other is None or other.type_name != inner.type_name or other.inputs != inner.inputs:
                continue
            for name, detail, changed in swapped_nodes(inner, other):
                nodes = tuple(changed if node is inner else node for node in body.nodes)
                swapped = mine.block.with_body(part, body.replace(nodes=nodes))
                yield f"{name} in {part}/{inner.name}", detail, mine.replace(block=swapped)


@dataclass(frozen=True)
class Mechanism:
    """One way in which two arithmetics differ: its name, what it is in either, and how to swap it alone."""

    name: str
    detail: str
    swap: Swap


def mechanisms(node: Node, ours: Arithmetic, theirs: Arithmetic) -> Iterator[Mechanism]:
    """The mechanisms in which two arithmetics of a node differ."""
    yield from requantizations(ours, theirs)
    if ours.accumulator != theirs.accumulator:
        saturates = any("sat" in str(r.accumulator) for r in (ours, theirs))
        title = "pair saturation" if saturates else "accumulator"
        detail = f"{ours.accumulator} → {theirs.accumulator}"
        yield Mechanism(title, detail, lambda x, y: x.replace(accumulator=y.accumulator))
    if (ours.algorithm, ours.table) != (theirs.algorithm, theirs.table):
        curve = isinstance(node.block, Pointwise) or node.type_name in ("Softmax", "SequenceLSTM")
        yield Mechanism("activation table" if curve else "algorithm", algorithms(ours, theirs), swap_algorithm)
    if ours.edge != theirs.edge:
        yield Mechanism("edge rule", f"{ours.edge} → {theirs.edge}", lambda x, y: x.replace(edge=y.edge))


def requantizations(ours: Arithmetic, theirs: Arithmetic) -> Iterator[Mechanism]:
    """The mechanisms of two requantizations."""
    a, b = ours.requantize or Requantize(), theirs.requantize or Requantize()
    detail = f"{ours.requantize or 'none'} → {theirs.requantize or 'none'}"
    if theirs.requantize is None:
        return
    if ours.requantize is None:
        yield Mechanism("rounding step", detail, swap_requantization)
        return
    if steps(ours) != steps(theirs):
        narrow = a.scheme in NARROW or b.scheme in NARROW
        yield Mechanism("multiplier width" if narrow else "rounding step", detail, swap_steps)
    for name, fields in (
        ("scale precision", ("scale_precision", "scale_order")),
        ("zero point inside the rounding", ("zero_point", "fma")),
    ):
        if any(getattr(a, f) != getattr(b, f) for f in fields):
            yield Mechanism(name, detail, swap_fields(fields))


def algorithms(ours: Arithmetic, theirs: Arithmetic) -> str:
    """The named algorithms of both sides, with the precision of their tables."""
    named = (f"{r.algorithm or 'the block itself'} {r.table or ''}".strip() for r in (ours, theirs))
    return " → ".join(named)


def swap_algorithm(ours: Arithmetic, theirs: Arithmetic) -> Arithmetic:
    """The other's algorithm with the constants it needs."""
    return ours.replace(
        algorithm=theirs.algorithm, table=theirs.table, requantize=theirs.requantize, lanes=theirs.lanes
    )


def swap_requantization(ours: Arithmetic, theirs: Arithmetic) -> Arithmetic:
    """The other's whole requantization."""
    return ours.replace(requantize=theirs.requantize, tail=theirs.tail, lanes=theirs.lanes)


def steps(arithmetic: Arithmetic) -> tuple[Any, ...]:
    """What makes the rounding steps of a requantization."""
    r = arithmetic.requantize or Requantize()
    return r.scheme, r.multiplier_bits, r.rounding, r.first_rounding, arithmetic.tail, arithmetic.lanes


def swap_steps(ours: Arithmetic, theirs: Arithmetic) -> Arithmetic:
    """The other's rounding steps, with one's own scale precision and place of the zero point."""
    a, b = ours.requantize or Requantize(), theirs.requantize or Requantize()
    kept = {name: getattr(a, name) for name in ("scale_precision", "scale_order", "zero_point", "fma")}
    return ours.replace(requantize=replace(b, **kept), tail=theirs.tail, lanes=theirs.lanes)


def swap_fields(fields: tuple[str, ...]) -> Swap:
    """A swap of some fields of the requantization."""

    def swap(ours: Arithmetic, theirs: Arithmetic) -> Arithmetic:
        a, b = ours.requantize or Requantize(), theirs.requantize or Requantize()
        return ours.replace(requantize=replace(a, **{name: getattr(b, name) for name in fields}))

    return swap
