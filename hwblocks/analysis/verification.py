"""Verification: the simulator against a runtime or a recorded dump, tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.errors import InputError
from hwblocks.graph.graph import Graph
from hwblocks.graph.tensor import Tensor
from hwblocks.simulate.inputs import read_samples
from hwblocks.simulate.simulator import Run, Simulator
from hwblocks.table import Column, Result, Section, Table

Array = np.ndarray[Any, Any]
Reference = Callable[[dict[str, Array]], Mapping[str, Array]]
Progress = Callable[[int], None]

COLUMNS = (
    Column("tensor", "tensor"),
    Column("block", "block"),
    Column("format", "format"),
    Column("elements", "elements"),
    Column("differing", "differing"),
    Column("largest", "largest difference", format="g"),
    Column("equal", "equal"),
)
FLOAT_TOLERANCE = 1e-4  # of the tensor's largest magnitude; integers must be equal


@dataclass(frozen=True)
class Verification(Result):
    """Our tensors against another's.

    tensors: one row per tensor that both have, in execution order. first: what differs first (None: nothing does), as
    (tensor, index, our value, the other's). Float tensors count as equal within 1e-4 of their largest magnitude.
    """

    schema = "verification"
    model: str = ""
    against: str = ""
    dialect: str = ""
    samples: int = 0
    tensors: Table = Table("", (), ())
    first: tuple[str, tuple[int, ...], Any, Any] | None = None
    unknown: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """True when everything that was compared is equal."""
        return self.first is None

    def content(self) -> dict[str, Any]:
        first = None
        if self.first is not None:
            name, index, ours, theirs = self.first
            first = {"tensor": name, "index": list(index), "ours": ours, "theirs": theirs}
        return {
            "model": self.model,
            "against": self.against,
            "dialect": self.dialect,
            "samples": self.samples,
            "equal": self.equal,
            "first": first,
            "unknown": list(self.unknown),
            "tensors": [dict(row) for row in self.tensors],
        }

    def sections(self) -> Sequence[Section]:
        facts = [
            ("samples", f"{self.samples:,}"),
            ("dialect", self.dialect),
            ("tensors compared", str(len(self.tensors))),
            ("equal", "yes" if self.equal else "no"),
        ]
        if self.first is not None:
            name, index, ours, theirs = self.first
            facts.append(("first difference", f"{name}{list(index)}: hwblocks {ours}, {self.against} {theirs}"))
        if self.unknown:
            facts.append(("not in the model", ", ".join(self.unknown[:8])))
        return (Section(f"hwblocks against {self.against}: {self.model}", "", tuple(facts), (self.tensors,)),)


def verify_graph(
    graph: Graph,
    x: Any,
    reference: Reference | Mapping[str, Array],
    against: str,
    *,
    dialect: str | None = None,
    state: str = "reset",
    progress: Progress | None = None,
) -> Verification:
    """Compare a run with what a reference gives for the same samples, by tensor name (here or in the file).

    reference: a function from inputs {name: [N, *shape]} to tensors {name: [N, *shape]}, or such tensors.
    """
    samples = read_samples(graph, x)
    theirs = reference if isinstance(reference, Mapping) else reference(samples.arrays)
    simulator = Simulator(graph, dialect)
    run = simulator.run(samples.arrays, trace="full", state=state, progress=progress)
    named = names_of(simulator.unfolded)
    unknown = tuple(name for name in theirs if name not in named)
    if len(unknown) == len(theirs):
        given, own = ", ".join(list(theirs)[:4]), ", ".join(list(named)[:8])
        raise InputError(f"none of the tensors {given} is one of the model's; it has {own}")
    rows, first = compare_tensors(simulator.unfolded, run, {named[n]: a for n, a in theirs.items() if n in named})
    return Verification(
        model=graph.name,
        against=against,
        dialect=dialect or graph.dialect or "the nodes' own arithmetic",
        samples=samples.count,
        tensors=Table("tensors", COLUMNS, rows),
        first=first,
        unknown=unknown,
    )


def names_of(graph: Graph) -> dict[str, str]:
    """Our tensor name by every name that a tensor which depends on the inputs has: its own, and the file's."""
    named: dict[str, str] = {}
    tensors = [tensor for tensor in graph.runtime_tensors if not graph.is_fixed(tensor.name)]
    for tensor in tensors:
        if tensor.source_name:
            named.setdefault(tensor.source_name, tensor.name)
    named.update({tensor.name: tensor.name for tensor in tensors})
    return named


def compare_tensors(
    graph: Graph, run: Run, theirs: Mapping[str, Array]
) -> tuple[tuple[dict[str, Any], ...], tuple[str, tuple[int, ...], Any, Any] | None]:
    """Rows in execution order, and the first difference."""
    rows: list[dict[str, Any]] = []
    first = None
    for tensor in graph.runtime_tensors:
        if tensor.name not in theirs or tensor.name not in run.trace:
            continue
        ours = run.trace[tensor.name]
        other, differs = nearest(tensor, ours, theirs[tensor.name])
        maker = graph.producer.get(tensor.name)
        rows.append(
            {
                "tensor": tensor.name,
                "block": maker.type_name if maker else "input",
                "format": tensor.format.name,
                "elements": ours.size,
                "differing": int(np.count_nonzero(differs)),
                "largest": float(np.abs(ours.astype(np.float64) - other.astype(np.float64)).max(initial=0.0)),
                "equal": not differs.any(),
            }
        )
        if first is None and differs.any():
            index = tuple(int(i) for i in np.argwhere(differs)[0])
            first = (tensor.name, index, ours[index].item(), other[index].item())
    return tuple(rows), first


def nearest(tensor: Tensor, ours: Array, other: Array) -> tuple[Array, Array]:
    """(the other's array in our shape, mask of differing elements), in the order of axes that differs least.

    A file may have channels first where we have them last, and its shape alone does not always tell.
    """
    found = [(array, unequal(ours, array)) for array in arrangements(tensor, ours, np.asarray(other))]
    return min(found, key=lambda pair: int(np.count_nonzero(pair[1])))


def arrangements(tensor: Tensor, ours: Array, other: Array) -> list[Array]:
    """The other's array in our shape: as it is, and with channels moved last; samples with or without axis 1.

    Errors: InputError for other sizes, and for floats where we have codes.
    """
    if other.size != ours.size:
        raise InputError(f"tensor {tensor.name!r}: the other's shape {other.shape} does not fit ours {ours.shape}")
    if ours.dtype.kind in "iu" and other.dtype.kind not in "iub":
        raise InputError(f"tensor {tensor.name!r}: the other's values are {other.dtype}, ours are codes {ours.dtype}")
    full = other.reshape(ours.shape[0], 1, *other.shape[1:]) if other.ndim == ours.ndim - 1 else other
    made = []
    if tensor.layout[-1:] == "C" and full.ndim == ours.ndim > 3:
        moved = np.moveaxis(full, 2, -1)
        made += [moved] if moved.shape == ours.shape else []
    channels_first = bool(made) and full.shape != ours.shape
    return made if channels_first else [other.reshape(ours.shape), *made]


def unequal(ours: Array, other: Array) -> Array:
    """Mask of differing elements."""
    if ours.dtype.kind in "iub":
        return np.asarray(ours.astype(np.int64) != other.astype(np.int64))
    limit = FLOAT_TOLERANCE * float(np.abs(other).max(initial=0.0))
    return np.asarray(~(np.abs(ours - other) <= limit))
