"""Explanation: the arithmetic of one output element in integers, step by step, ending at the stored code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from hwblocks.blocks.scan import Scan
from hwblocks.errors import InputError, SimulationError
from hwblocks.graph.algorithm import chosen
from hwblocks.graph.block import Accumulate, Pointwise
from hwblocks.graph.graph import Graph
from hwblocks.graph.site import Site, accumulate_epilogue, tail_start
from hwblocks.numerics.requantize import Epilogue
from hwblocks.simulate.execute import accumulators, lower, run_node
from hwblocks.simulate.simulator import Run
from hwblocks.table import Column, Result, Section, Table

Array = np.ndarray[Any, Any]

PRODUCT_COLUMNS = (
    Column("k"),
    Column("tap"),
    Column("x", "x − zx"),
    Column("w", "w − zw"),
    Column("product"),
    Column("sum"),
)


@dataclass(frozen=True)
class Explanation(Result):
    """One output element: where it is, the steps as (label, value), the products, and the two codes."""

    schema = "explanation"
    where: str = ""
    steps: tuple[tuple[str, str], ...] = ()
    products: Table | None = None
    explained: int = 0
    stored: int = 0

    @property
    def agrees(self) -> bool:
        """True when the steps end at the stored code."""
        return self.explained == self.stored

    def content(self) -> dict[str, Any]:
        return {
            "where": self.where,
            "steps": [list(step) for step in self.steps],
            "products": [dict(row) for row in self.products] if self.products else [],
            "explained_code": self.explained,
            "stored_code": self.stored,
            "agrees": self.agrees,
        }

    def sections(self) -> Sequence[Section]:
        end = ("stored by the run", f"{self.stored} ({'equal' if self.agrees else 'DIFFERENT'})")
        tables = (self.products,) if self.products else ()
        return (Section(self.where, "", (*self.steps, end), tables),)


def explain_element(graph: Graph, run: Run, node: str, sample: int, at: Sequence[int]) -> Explanation:
    """The element `at` (indices of the node's output without its sample axis, or with a leading 0) of one sample.

    A node inside a scan is named by its path ("scan0/body/add"); the first index is then the step.
    The run must hold every tensor (trace="full"). Errors: InputError for an index outside the output,
    SimulationError for a node that does not compute on codes.
    """
    seen = _placed(graph, run, node, sample, at)
    site = seen.site
    if not site.is_integer:
        raise SimulationError(f"{site.where}: computes in float; only nodes on stored codes can be explained")
    index = _index(site, seen.at)
    arrays = [seen.array(t) for t in site.inputs]
    stored = int(seen.array(site.output)[index])
    step = "" if seen.step is None else f", step {seen.step}"
    where = f"{site.where}, sample {sample}{step}, output {tuple(index[1:])}"
    if isinstance(site.node.block, Accumulate) and chosen(site) is None:
        return _explain_sum(site, arrays, index, stored, where)
    if isinstance(site.node.block, Pointwise) and chosen(site) is None:
        return _explain_table(site, arrays, index, stored, where)
    return _explain_other(site, arrays, index, stored, where)


def _index(site: Site, at: Sequence[int]) -> tuple[int, ...]:
    shape = site.output.shape
    index = tuple(int(i) for i in at)
    if len(index) == len(shape) - 1:
        index = (0, *index)
    if len(index) != len(shape) or any(not 0 <= i < s for i, s in zip(index, shape, strict=True)):
        raise InputError(
            f"{site.where}: element {tuple(at)} is outside the output {shape}; give {len(shape) - 1} indices"
        )
    return index


@dataclass(frozen=True, eq=False)
class _Place:
    """A node with the arrays of one sample, and of one step where it is inside a scan."""

    run: Run
    site: Site
    sample: int
    at: tuple[int, ...]
    inside: str = ""
    axis: int = 0
    step: int | None = None

    def array(self, tensor: Any) -> Any:
        """A tensor's array; None for an absent one."""
        if tensor is None or tensor.is_constant:
            return None if tensor is None else tensor.value
        traced = self.run.trace[self.inside + tensor.name]
        if not 0 <= self.sample < traced.shape[0]:
            raise InputError(f"sample {self.sample} is not one of the {traced.shape[0]} samples run")
        one = traced[self.sample]
        if self.step is not None:
            whole = self.run.trace.graph.traced[self.inside + tensor.name].shape
            one = one.reshape(whole).take(self.step, axis=self.axis)
        return one.reshape(tensor.shape)


def _placed(graph: Graph, run: Run, node: str, sample: int, at: Sequence[int]) -> _Place:
    """The node of a name or of a path into a scan."""
    for outer in graph.nodes:
        inside = f"{outer.name}/body/"
        if not isinstance(outer.block, Scan) or not node.startswith(inside):
            continue
        body, steps = outer.block.body, outer.block.steps(graph.site(outer).shapes)
        site = body.site(body.node(node.removeprefix(inside)))
        if not at or not 0 <= at[0] < steps:
            raise InputError(
                f"{site.where}: step {at[0] if at else 'missing'}; the first index is one of {steps} steps"
            )
        return _Place(run, site, sample, tuple(at[1:]), inside, outer.block.axis, at[0])
    return _Place(run, graph.site(graph.node(node)), sample, tuple(at))


def _explain_sum(site: Site, arrays: list[Any], index: tuple[int, ...], stored: int, where: str) -> Explanation:
    contraction = lower(site, arrays)
    numbers = _numbers(contraction, index)
    row, column, channel = numbers
    rows = contraction.rows.reshape(-1, contraction.rows.shape[-1])
    x, w = rows[row], _column(contraction, column)
    products = [int(a) * int(b) for a, b in zip(x, w, strict=True)]
    bias = int(arrays[2].ravel()[channel]) if len(arrays) > 2 and arrays[2] is not None else 0
    total, _ = accumulators(site, contraction, arrays[2] if len(arrays) > 2 else None)
    held = int(total[index])
    e = _epilogue(site, channel, int(total.shape[-1]))
    code, cast_steps = _cast_steps(e, held, channel, int(total.shape[-1]))
    accumulator = site.arithmetic.mac or site.arithmetic.accumulator
    steps = (
        ("input format", repr(site.input(0).format)),
        ("products", f"{len(products)}, exact sum {sum(products)}"),
        ("bias", f"{bias} → {sum(products) + bias}"),
        ("accumulator", f"{accumulator or 'exact'} holds {held}"),
        *cast_steps,
    )
    return Explanation(where, steps, _product_table(contraction.k_shape, x, w, products), code, stored)


def _epilogue(site: Site, channel: int, channels: int) -> Epilogue:
    """The requantization of one channel: the last ones may have a record of their own."""
    late = tail_start(site, channels) <= channel < channels
    return accumulate_epilogue(
        site, site.input(0).format, site.input(1).format, channels, site.arithmetic.tail if late else None
    )


def _numbers(contraction: Any, index: tuple[int, ...]) -> tuple[int, int, int]:
    """(row number over all leading axes, column number over groups and channels, output channel) of an element."""
    lead = contraction.rows.shape[:-1]
    width = contraction.columns.shape[-1]
    rows = np.arange(int(np.prod(lead, dtype=np.int64))).reshape(*lead, 1)
    groups = contraction.groups
    columns = np.arange(groups * width).reshape(groups, 1, width)
    shape = np.broadcast_shapes(rows.shape, columns.shape)
    row = contraction.fold(np.ascontiguousarray(np.broadcast_to(rows, shape)))[index]
    column = contraction.fold(np.ascontiguousarray(np.broadcast_to(columns, shape)))[index]
    return int(row), int(column), index[-1]


def _column(contraction: Any, number: int) -> Array:
    """The weights that meet one output element [K]."""
    width = contraction.columns.shape[-1]
    if contraction.columns.ndim > 3 and int(np.prod(contraction.columns.shape[:-3])) > 1:
        raise SimulationError("a product of two run-time tensors with leading axes is not explained element by element")
    return np.asarray(
        contraction.columns.reshape(-1, *contraction.columns.shape[-2:])[number // width][:, number % width]
    )


def _product_table(k_shape: tuple[int, ...], x: Array, w: Array, products: list[int]) -> Table:
    running, rows = 0, []
    for k, product in enumerate(products):
        running += product
        tap = ", ".join(str(int(i)) for i in np.unravel_index(k, k_shape))
        rows.append({"k": k, "tap": tap, "x": int(x[k]), "w": int(w[k]), "product": product, "sum": running})
    return Table("Products in the order of K", PRODUCT_COLUMNS, tuple(rows))


def _cast_steps(e: Epilogue, held: int, channel: int, channels: int) -> tuple[int, tuple[tuple[str, str], ...]]:
    """The code of one accumulator, and how it came about."""
    accumulator = np.full(channels, held, dtype=np.int64)
    scaled = int(np.asarray(e.scaled(accumulator))[channel])
    code = int(e.apply(accumulator)[0][channel])
    ratio = Fraction(int(e.numerator[channel]), int(e.denominator[channel]))
    exact = float(held * ratio)
    if e.scheme in ("float32", "float64", "exact"):
        factor = ("scale ratio", f"{float(ratio):.9g} ({e.scheme})")
    else:
        factor = (
            "multiplier and shift",
            f"{int(e.multiplier[channel])}, right by {int(e.shift[channel])} ({e.scheme})",
        )
    added = 0 if e.zero_inside else e.zero_point
    return code, (
        factor,
        ("scaled", f"{held} becomes {scaled} ({e.rounding.value}; the exact value is {exact:.6f})"),
        ("zero point", f"{scaled} + {added} = {scaled + added}"),
        ("range", f"[{e.lo}, {e.hi}], overflow {e.overflow}; clamp [{e.clamp_lo}, {e.clamp_hi}]"),
        ("output code", str(code)),
    )


def _explain_table(site: Site, arrays: list[Any], index: tuple[int, ...], stored: int, where: str) -> Explanation:
    x = int(arrays[0][index])
    code = int(run_node(site, arrays)[0][0][index])
    real = float(site.input(0).format.dequantize(np.array(x)))
    block = site.node.block
    assert isinstance(block, Pointwise)
    value = float(block.function(np.array(real)))
    steps = (
        ("input code", f"{x} stands for {real:.9g}"),
        ("function", f"{site.node.type_name}({real:.9g}) = {value:.9g}"),
        ("output format", repr(site.output.format)),
        ("output code", f"{code} stands for {float(site.output.format.dequantize(np.array(code))):.9g}"),
    )
    return Explanation(where, steps, None, code, stored)


def _explain_other(site: Site, arrays: list[Any], index: tuple[int, ...], stored: int, where: str) -> Explanation:
    code = int(run_node(site, arrays)[0][0][index])
    steps: list[tuple[str, str]] = []
    for tensor, array in zip(site.inputs, arrays, strict=True):
        if tensor is not None and array is not None and array.shape == site.output.shape:
            x = int(array[index])
            steps.append((f"input {tensor.name}", f"{x} stands for {float(tensor.format.dequantize(np.array(x))):.9g}"))
    named = chosen(site)
    meaning = (type(site.node.block).__doc__ or "").strip().splitlines()[0]
    steps.append(("algorithm", meaning if named is None else f"{named.name}: {named.summary}"))
    steps.append(("output format", repr(site.output.format)))
    steps.append(("output code", f"{code} stands for {float(site.output.format.dequantize(np.array(code))):.9g}"))
    return Explanation(where, tuple(steps), None, code, stored)
