"""RangeTable: one sketch per run-time tensor of a float graph, saved as JSON that can be edited by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct

from hwblocks.errors import CalibrationError
from hwblocks.files import write_atomically
from hwblocks.graph.graph import Graph
from quantize.sketches import FINEST, HALF_BINS, Histogram, Sketch

VERSION = 1
Count = Annotated[int, Meta(ge=0)]


class HistogramRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """Bins of width 2**exponent; bin `first` + i holds counts[i] values (bin 0 begins at 0)."""

    exponent: Annotated[int, Meta(ge=FINEST, le=1024)]
    first: Annotated[int, Meta(ge=-HALF_BINS, le=HALF_BINS - 1)]
    counts: list[Count]


class Row(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={
        "lo": "min",
        "hi": "max",
        "average_lo": "average_min",
        "average_hi": "average_max",
        "total": "sum",
        "squares": "sum_of_squares",
        "channel_lo": "channel_min",
        "channel_hi": "channel_max",
    },
):
    """A sketch as it stands in a file."""

    samples: Count
    elements: Count
    lo: float
    hi: float
    average_lo: float
    average_hi: float
    total: float
    squares: float
    channel_lo: list[float]
    channel_hi: list[float]
    histogram: HistogramRecord


class File(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    hwblocks_ranges: int
    model: str
    rows: dict[str, Row]


@dataclass(eq=False)
class RangeTable(Mapping[str, Sketch]):
    """Sketches by tensor name, as made by `calibrate`; the inputs and all node outputs have a row.

    It can be saved, edited (change "min" and "max") and loaded; floats come back exactly.
    """

    model: str
    sketches: dict[str, Sketch] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Sketch:
        return self.sketches[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sketches)

    def __len__(self) -> int:
        return len(self.sketches)

    def __repr__(self) -> str:
        samples = max((s.samples for s in self.sketches.values()), default=0)
        return f"<RangeTable of {self.model!r}: {len(self)} tensors, {samples} samples>"

    def check(self, graph: Graph) -> None:
        """Refuse a graph that the table does not fit: a tensor without a row, or with other channels."""
        for tensor in graph.traced.values():
            if tensor.name not in self.sketches:
                raise CalibrationError(
                    f"tensor {tensor.name!r} of graph {graph.name!r} has no row in the range table of "
                    f"{self.model!r}; calibrate this graph"
                )
            seen, wanted = len(self[tensor.name].channel_lo), tensor.shape[-1] if tensor.shape else 1
            if seen != wanted:
                raise CalibrationError(
                    f"tensor {tensor.name!r}: the range table of {self.model!r} holds {seen} channels, "
                    f"the graph {wanted}; calibrate this graph"
                )

    def to_json(self) -> str:
        """The file's text: one line per entry of a row."""
        rows = [f"  {json.dumps(name)}: {{\n{_row_text(sketch)}\n  }}" for name, sketch in self.sketches.items()]
        head = f'{{\n "hwblocks_ranges": {VERSION},\n "model": {json.dumps(self.model)},\n "rows": {{\n'
        return head + ",\n".join(rows) + "\n }\n}\n"

    def save(self, path: str | Path) -> Path:
        """Write the table as JSON; nothing is left behind when writing fails."""
        write_atomically(Path(path), self.to_json())
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> RangeTable:
        """Read a table. Errors: CalibrationError that ends with the path of the field."""
        try:
            text = Path(path).read_bytes()
        except OSError as error:
            raise CalibrationError(f"range table {path}: cannot be read ({error.strerror}); check the path") from None
        return cls.from_json(text, f"range table {path}")

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "range table") -> RangeTable:
        """The table of a file's text. Errors: CalibrationError that ends with the path of the field."""
        try:
            file = msgspec.json.decode(text, type=File)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CalibrationError(f"{where}: {error}") from None
        if file.hwblocks_ranges != VERSION:
            raise CalibrationError(f"{where}: version {file.hwblocks_ranges}, this package reads {VERSION}")
        return cls(file.model, {name: _sketch(row, f"{where}: row {name!r}") for name, row in file.rows.items()})


def _row_text(sketch: Sketch) -> str:
    record = msgspec.to_builtins(_row(sketch))
    return ",\n".join(f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items())


def _row(sketch: Sketch) -> Row:
    filled = np.flatnonzero(sketch.histogram.counts)
    first, last = (int(filled[0]), int(filled[-1])) if filled.size else (HALF_BINS, HALF_BINS - 1)
    return Row(
        sketch.samples,
        sketch.elements,
        sketch.lo,
        sketch.hi,
        sketch.average_lo,
        sketch.average_hi,
        sketch.total,
        sketch.squares,
        sketch.channel_lo.tolist(),
        sketch.channel_hi.tolist(),
        HistogramRecord(
            sketch.histogram.exponent, first - HALF_BINS, sketch.histogram.counts[first : last + 1].tolist()
        ),
    )


def _sketch(row: Row, where: str) -> Sketch:
    if row.lo > row.hi or row.average_lo > row.average_hi:
        raise CalibrationError(f"{where}: min {row.lo} is above max {row.hi} (or their averages); correct the row")
    if len(row.channel_lo) != len(row.channel_hi):
        raise CalibrationError(
            f"{where}: channel_min has {len(row.channel_lo)} values, channel_max {len(row.channel_hi)}"
        )
    return Sketch(
        row.samples,
        row.elements,
        row.lo,
        row.hi,
        np.array(row.channel_lo, dtype=np.float64),
        np.array(row.channel_hi, dtype=np.float64),
        row.total,
        row.squares,
        row.average_lo,
        row.average_hi,
        _histogram(row.histogram, where),
    )


def _histogram(record: HistogramRecord, where: str) -> Histogram:
    start = record.first + HALF_BINS
    if start + len(record.counts) > 2 * HALF_BINS:
        raise CalibrationError(f"{where}: the histogram goes beyond bin {HALF_BINS - 1}; correct first and counts")
    counts: Any = np.zeros(2 * HALF_BINS, dtype=np.int64)
    counts[start : start + len(record.counts)] = record.counts
    return Histogram(record.exponent, counts)
