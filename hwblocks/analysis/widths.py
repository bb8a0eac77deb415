"""Widths: what width each accumulator of a model needs, by proof and on data, and a witness where it is too narrow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwblocks.analysis.bounds import Bounds, Extremes, node_bounds
from hwblocks.analysis.headroom import Observed, observe
from hwblocks.analysis.operands import sum_sites
from hwblocks.analysis.witness import Witness, wider_end, witness
from hwblocks.errors import InputError, SimulationError
from hwblocks.graph.block import Accumulate
from hwblocks.graph.dialect import Dialect
from hwblocks.graph.graph import Graph
from hwblocks.numerics.accumulator import Accumulator, Psum
from hwblocks.numerics.overflow import Overflow
from hwblocks.simulate.simulator import Simulator
from hwblocks.table import Column, Result, Section, Table

Progress = Callable[[int], None]

VERDICTS = {"safe": "proven safe", "overflows": "witness overflows", "not proven": "not proven"}
LOWEST_BITS, HIGHEST_BITS = 4, 64  # of an accumulator
PRESENT = Column("bits_present", "present", "bits", "d")
PROOF = (
    Column("basis", "what must fit"),
    Column("lowest"),
    Column("highest"),
    Column("bits_proven", "needed", "bits", "d"),
    PRESENT,
    Column("verdict"),
)
SEEN = (
    Column("lowest_seen", "lowest seen"),
    Column("highest_seen", "highest seen"),
    Column("bits_seen", "used", "bits", "d"),
)
UNUSED = Column("bits_unused", "never used", "bits", "d")
WORST = Column("worst_channel", "worst channel", format="d")


@dataclass(frozen=True)
class Accumulators(Result):
    """The accumulators of a model.

    bounds: the worst case of every node over all inputs. seen: per node and register what data showed.
    layers: one row for each register of each layer (a psum is a register of its own): the record, the proven lowest and
    highest value over all inputs in the register's LSBs, the smallest width that keeps them, the same on data, the
    present width, the verdict, the channel that needs most. channels: the same channel by channel.
    """

    schema = "accumulators"
    model: str = ""
    samples: int = 0
    bounds: tuple[Bounds, ...] = ()
    seen: Mapping[str, list[Observed]] = field(default_factory=dict)

    @property
    def safe(self) -> bool:
        """True when every register is proven wide enough."""
        return all(bounds.verdict == "safe" for bounds in self.bounds)

    @property
    def unsafe(self) -> tuple[str, ...]:
        """The nodes with a register that an input overflows, or that is not proven."""
        return tuple(bounds.name for bounds in self.bounds if bounds.verdict != "safe")

    def of(self, node: str) -> Bounds:
        """The bounds of a node. Errors: InputError for a name that is no sum of products."""
        for bounds in self.bounds:
            if bounds.name == node:
                return bounds
        raise InputError(f"no sum of products is named {node!r}; there are {', '.join(b.name for b in self.bounds)}")

    def witness(
        self, node: str, channel: int | None = None, end: str | None = None, register: str = "accumulator"
    ) -> Witness:
        """Codes that drive a register to its lowest or highest value (default: the channel and end that need most).

        Errors: InputError for a name that is not there, and where only limits are known.
        """
        bounds = self.of(node)
        names = [extremes.register.name for extremes in bounds.registers]
        if register not in names:
            raise InputError(f"{bounds.site.where}: has the registers {', '.join(names)}, not {register!r}")
        return witness(bounds, channel, end, names.index(register))

    def narrowest(self, overflow: str | None = None) -> dict[str, Accumulator]:
        """By node the accumulator with the smallest width that no input leaves, everything else as it is.

        overflow: of all accumulators, in place of their own; totals ("wrap") may need fewer bits than partial sums.
        Errors: SimulationError where no width of 4 to 64 bits suffices.
        """
        return {b.name: narrowest(b, None if overflow is None else Overflow(overflow)) for b in self.bounds}

    @property
    def layers(self) -> Table:
        """One row for each register of each layer."""
        rows = [_layer_row(b, e, self._seen(b, i)) for b in self.bounds for i, e in enumerate(b.registers)]
        seen = (*SEEN, UNUSED) if self.seen else ()
        return Table("over all inputs", (*self._named, *PROOF, *seen, WORST), tuple(rows), "layer")

    @property
    def channels(self) -> Table:
        """One row for each channel of each register."""
        rows = []
        for bounds in self.bounds:
            for number, extremes in enumerate(bounds.registers):
                seen = self._seen(bounds, number)
                rows += [_channel_row(bounds, extremes, seen, c) for c in range(len(extremes.lowest))]
        columns = (Column("layer"), *self._register, Column("channel", format="d"))
        return Table("by channel", (*columns, *PROOF, *((*SEEN, UNUSED) if self.seen else ())), tuple(rows), "layer")

    @property
    def _named(self) -> tuple[Column, ...]:
        return (Column("layer"), Column("accumulator"), *self._register)

    @property
    def _register(self) -> tuple[Column, ...]:
        """A column that tells registers apart, where a layer has two."""
        return (Column("register"),) if any(bounds.unit for bounds in self.bounds) else ()

    def _seen(self, bounds: Bounds, number: int) -> Observed | None:
        return self.seen[bounds.name][number] if bounds.name in self.seen else None

    def certificate(self) -> dict[str, Any]:
        """Everything that a checker needs to prove the widths again, as plain values; see docs/accumulators.md."""
        from hwblocks.analysis.certificate import certificate

        return certificate(self.model, self.bounds)

    def save_certificate(self, path: str | Path) -> Path:
        """Write the certificate as JSON, whole or not at all."""
        from hwblocks.analysis.certificate import write_certificate

        return write_certificate(path, self.certificate())

    def content(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "samples": self.samples,
            "safe": self.safe,
            "layers": [dict(row) for row in self.layers],
            "witnesses": [_overflow(bounds) for bounds in self.bounds if bounds.verdict == "overflows"],
        }

    def sections(self) -> Sequence[Section]:
        facts = [
            ("proven safe for all inputs", f"{len(self.bounds) - len(self.unsafe)} of {len(self.bounds)} layers"),
            *(("can overflow", _sentence(bounds)) for bounds in self.bounds if bounds.verdict == "overflows"),
        ]
        if self.samples:
            facts.insert(0, ("samples", f"{self.samples:,}"))
        rows = self.layers.rows
        tables = [Table("over all inputs", (*self._named, *PROOF, WORST), rows, "layer")]
        if self.seen:
            columns = (Column("layer"), *self._register, *SEEN, PRESENT, UNUSED)
            tables.append(Table("on the samples", columns, rows, "layer"))
        return (Section(f"Accumulators: {self.model}", "", tuple(facts), tuple(tables)),)


def find_accumulators(
    graph: Graph,
    samples: Any = None,
    dialect: str | Dialect | None = None,
    accumulator: Any = None,
    *,
    state: Any = "reset",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Accumulators:
    """The worst case of every accumulator of a graph, and with samples what they show.

    dialect, accumulator: as of a run. Errors: SimulationError for a graph without sums of products on stored codes.
    """
    made = Simulator(graph, dialect, accumulator, threads).graph
    bounds = tuple(node_bounds(site, name=name) for name, site in sum_sites(made))
    if not bounds:
        raise SimulationError(f"graph {graph.name!r}: has no sums of products on stored codes; {_advice(made)}")
    seen, count = ({}, 0) if samples is None else observe(made, bounds, samples, state, threads, progress)
    return Accumulators(model=graph.title, samples=count, bounds=bounds, seen=seen)


def _advice(graph: Graph) -> str:
    """What to do about a graph without any accumulator."""
    named = [(n, n.arithmetic.algorithm) for n in graph.nodes if isinstance(n.block, Accumulate) and n.arithmetic]
    inside = [f"{node.where} is summed inside algorithm {name}" for node, name in named if name]
    return inside[0] if inside else "make it an integer model first (hwblocks quantize)"


def narrowest(bounds: Bounds, overflow: Overflow | None = None) -> Accumulator:
    """The accumulator of a node with the smallest safe widths (psum included). Errors: SimulationError over 64 bits.

    The 16 bits of dot(n, sat16) are fixed; the accumulator behind them is narrowed even where they can saturate.
    """
    record = bounds.accumulator if overflow is None else bounds.accumulator.replace(overflow=overflow)
    if record.psum is not None and bounds.unit is not None:
        record = record.replace(psum=Psum(_allowed(bounds, bounds.unit.needed), record.psum.overflow))
    main = node_bounds(bounds.site, record, bounds.name).main
    unsigned = None if record.signed else main.needed_unsigned
    bits = main.needed if unsigned is None else unsigned
    return record.replace(bits=_allowed(bounds, bits), signed=unsigned is None)


def _allowed(bounds: Bounds, bits: int) -> int:
    if bits > HIGHEST_BITS:
        raise SimulationError(
            f"{bounds.site.where}: sums need {bits} bits, more than the {HIGHEST_BITS} of any accumulator; "
            "quantize its inputs to fewer bits"
        )
    return max(bits, LOWEST_BITS)


def _layer_row(bounds: Bounds, extremes: Extremes, seen: Observed | None) -> dict[str, Any]:
    low, high = extremes.span
    return {
        "layer": bounds.name,
        "block": bounds.site.node.type_name,
        "products": bounds.operands.count,
        "accumulator": str(bounds.accumulator),
        "register": extremes.register.name,
        **_widths(extremes, low, high, None if seen is None else seen.span),
        "verdict": VERDICTS[extremes.verdict],
        "exact": all(extremes.exact),
        "worst_channel": extremes.worst,
    }


def _channel_row(bounds: Bounds, extremes: Extremes, seen: Observed | None, channel: int) -> dict[str, Any]:
    low, high = extremes.lowest[channel], extremes.highest[channel]
    span = None if seen is None else (int(seen.lowest[channel]), int(seen.highest[channel]))
    outside = "overflows" if extremes.exact[channel] else "not proven"
    return {
        "layer": bounds.name,
        "register": extremes.register.name,
        "channel": channel,
        **_widths(extremes, low, high, span),
        "verdict": VERDICTS["safe" if extremes.fits(channel) else outside],
        "exact": extremes.exact[channel],
    }


def _widths(extremes: Extremes, low: int, high: int, seen: tuple[int, int] | None) -> dict[str, Any]:
    """Spans and widths; widths are those of the register's own sign where it can hold the span, else signed."""
    register = extremes.register

    def bits(span: tuple[int, int]) -> int | None:
        own = register.bits_for(*span, register.signed)
        return register.bits_for(*span) if own is None else own

    row = {
        "basis": register.basis,
        "lowest": low,
        "highest": high,
        "bits_proven": bits((low, high)),
        "bits_unsigned": register.bits_for(low, high, signed=False),
        "bits_present": register.bits,
    }
    if seen is not None:
        needed = bits(seen)
        unused = register.bits - (needed or 0)
        row |= {"lowest_seen": seen[0], "highest_seen": seen[1], "bits_seen": needed, "bits_unused": unused}
    return row


def _overflowing(bounds: Bounds) -> tuple[Extremes, Witness]:
    """The first register that overflows, and the input that shows it."""
    number = next(i for i, extremes in enumerate(bounds.registers) if extremes.verdict == "overflows")
    found = bounds.registers[number]
    return found, witness(bounds, found.worst, wider_end(found, found.worst), number)


def _overflow(bounds: Bounds) -> dict[str, Any]:
    """That witness as plain values."""
    found, made = _overflowing(bounds)
    return {
        "layer": bounds.name,
        "register": found.register.name,
        "channel": made.channel,
        "end": made.end,
        "value": made.value,
        "element": list(made.element),
        "window": [int(v) for v in made.x],
        "weights": [int(v) for v in made.w],
        "bias": made.bias,
    }


def _sentence(bounds: Bounds) -> str:
    found, made = _overflowing(bounds)
    low, high = found.register.range
    return (
        f"{bounds.site.where}: {found.register.name} of channel {made.channel} reaches {made.value:,}, "
        f"outside [{low:,}, {high:,}], at output {made.element}"
    )
