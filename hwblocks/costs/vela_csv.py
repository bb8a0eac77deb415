"""Beside Vela: the estimates of Arm's Vela compiler, read from its CSV files, next to a cost of the same TFLite model.

Vela writes `NAME_per-layer.csv` (--verbose-performance) and `NAME_summary_SYSTEM.csv`; both of its cores, with their
own headings, are read. Its passes (a softmax is thirty) are summed into the operator they came from and lined up with
our layers by operator, in order. Its counts follow its rewritten graph and stand in columns of their own.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from hwblocks.costs.result import Cost
from hwblocks.errors import InputError
from hwblocks.table import Column, Result, Section, Table

Cells = Mapping[str, str]
OPERATOR = ("Original Operator", "TFLite_operator")
SHORT = {"average_pool": "avgpool", "max_pool": "maxpool"}
COLUMNS = (
    Column("layer", "layer"),
    Column("operator", "Vela's operator"),
    Column("cycles", "cycles"),
    Column("vela_cycles", "Vela", "cycles", ",.0f"),
    Column("error", "ours / Vela - 1", "", "+.1%"),
    Column("bound", "bound"),
    Column("macs", "MACs"),
    Column("vela_macs", "Vela's MACs", "", ",.0f", detail=True),
    Column("vela_npu", "Vela NPU", "cycles", ",.0f", detail=True),
    Column("vela_sram", "Vela SRAM", "cycles", ",.0f", detail=True),
    Column("vela_dram", "Vela DRAM", "cycles", ",.0f", detail=True),
    Column("vela_flash", "Vela flash", "cycles", ",.0f", detail=True),
)


@dataclass(frozen=True)
class BesideVela(Result):
    """Cycles of a model and Vela's for it. facts: what the file says of its run. layers: empty for a summary."""

    schema = "vela"
    model: str = ""
    target: str = ""
    cycles: int = 0
    vela_cycles: float = 0.0
    facts: tuple[tuple[str, str], ...] = ()
    layers: Table = Table("", (), ())

    @property
    def error(self) -> float:
        """cycles / Vela's cycles - 1."""
        return self.cycles / self.vela_cycles - 1 if self.vela_cycles else math.inf

    def content(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "target": self.target,
            "cycles": self.cycles,
            "vela_cycles": self.vela_cycles,
            "error": self.error,
            "vela": dict(self.facts),
            "layers": [dict(row) for row in self.layers],
        }

    def sections(self) -> Sequence[Section]:
        facts = (
            ("cycles", f"{self.cycles:,}"),
            ("Vela's cycles", f"{self.vela_cycles:,.0f}"),
            ("ours / Vela - 1", f"{self.error:+.1%}"),
            *self.facts,
        )
        tables = (self.layers,) if len(self.layers) else ()
        text = "Both are estimates; docs/estimates.md says how they differ."
        return (Section(f"{self.model} on {self.target}, beside Vela", text, facts, tables),)


def beside_vela(cost: Cost, path: str | Path) -> BesideVela:
    """A cost next to a per-layer or summary CSV of Vela. Errors: InputError where the file is neither."""
    rows = _rows(path)
    if "cycles_total" in rows[0]:
        return _summary(cost, rows[0])
    operator = next((name for name in OPERATOR if name in rows[0]), None)
    if operator is None or "Op Cycles" not in rows[0]:
        raise InputError(
            f"{str(path)!r} is neither a per-layer nor a summary CSV of Vela: it has no column `cycles_total`, and not "
            "both of `Op Cycles` and `Original Operator` (or `TFLite_operator`)"
        )
    found = _operators(rows, operator)
    table = Table("Cycles by layer, beside Vela", COLUMNS, tuple(_aligned(cost, found)))
    total = sum(row["vela_cycles"] for row in found)
    cpu = sum(1 for row in rows if row.get("Target", "NPU").strip() != "NPU")
    facts = (("operators that Vela leaves to the processor", f"{cpu} (0 cycles there)"),) if cpu else ()
    return BesideVela(cost.model, cost.target, cost.cycles, total, facts, table)


def _rows(path: str | Path) -> list[Cells]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} cannot be read as a CSV file of Vela: {error}") from None
    rows: list[Cells] = [
        {(key or "").strip(): (value or "").strip() for key, value in row.items() if isinstance(value, str | None)}
        for row in csv.DictReader(io.StringIO(text))
    ]
    if not rows:
        raise InputError(f"{str(path)!r} has no rows; Vela writes one for each operator, or one for the model")
    return rows


def _number(row: Cells, *names: str) -> float:
    """The first of some columns that a row has, as a number. Errors: InputError for another text."""
    for name in names:
        if name in row:
            try:
                return float(row[name])
            except ValueError:
                raise InputError(f"Vela's column {name!r} holds {row[name]!r}, which is no number") from None
    return 0.0


def _summary(cost: Cost, row: Cells) -> BesideVela:
    known = ("accelerator_configuration", "system_config", "memory_mode")
    compiled = row.get(known[0], "").lower().replace("_", "-")
    if compiled and cost.target.startswith("ethos-") and compiled != cost.target:
        raise InputError(f"Vela compiled for {compiled!r}, the cost is of {cost.target!r}; take the same accelerator")
    facts = [(f"Vela's {name.replace('_', ' ')}", row[name]) for name in known if row.get(name)]
    for part in ("npu", "sram_access", "dram_access", "off_chip_flash_access"):
        if value := _number(row, f"cycles_{part}"):
            facts.append((f"Vela's cycles {part.replace('_', ' ')}", f"{value:,.0f}"))
    facts.append(("MACs, and Vela's", f"{cost.profile.macs:,}, {_number(row, 'nn_macs'):,.0f}"))
    return BesideVela(cost.model, cost.target, cost.cycles, _number(row, "cycles_total"), tuple(facts))


def _operators(rows: Sequence[Cells], operator: str) -> list[dict[str, Any]]:
    """Vela's passes by the operator they came from. A run of passes of one kind of operator begins anew where the first
    pass of the run comes again."""
    made: list[dict[str, Any]] = []
    first = ""
    for row in rows:
        name, inner = row[operator], row.get("NNG Operator", "")
        if not made or made[-1]["operator"] != name or inner == first:
            first = inner
            made.append(dict.fromkeys((c.key for c in COLUMNS if c.key.startswith("vela_")), 0.0) | {"operator": name})
        figures = {
            "vela_cycles": ("Op Cycles",),
            "vela_macs": ("MAC Count",),
            "vela_npu": ("NPU",),
            "vela_sram": ("SRAM AC",),
            "vela_dram": ("DRAM AC",),
            "vela_flash": ("OffFlash AC",),
        }
        for key, names in figures.items():
            made[-1][key] += _number(row, *names)
    return made


def _aligned(cost: Cost, found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Our layers and Vela's operators side by side; what has no partner stands alone, so totals stay whole."""
    rows = list(cost.layers)
    ours, theirs = [_key(row["layer"], row["block"]) for row in rows], [_plain(r["operator"]) for r in found]
    made = []
    for tag, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag == "equal":
            made += [_pair(own, vela) for own, vela in zip(rows[a:b], found[c:d], strict=True)]
        else:
            made += [_pair(row, None) for row in rows[a:b]] + [_pair(None, row) for row in found[c:d]]
    return made


def _pair(own: Mapping[str, Any] | None, vela: Mapping[str, Any] | None) -> dict[str, Any]:
    made: dict[str, Any] = dict(vela or {})
    if own:
        made |= {key: own[key] for key in ("layer", "cycles", "bound", "macs")}
    if own and vela and vela["vela_cycles"]:
        made["error"] = own["cycles"] / vela["vela_cycles"] - 1
    return made


def _key(layer: str, block: str) -> str:
    """The operator of a layer of a TFLite model, which names its layers "conv_2d.0"; else its block."""
    return _plain(layer.rsplit(".", 1)[0] if "." in layer else block)


def _plain(name: str) -> str:
    """ "CONV_2D", "Conv2D" and "conv_2d" as "conv"."""
    made = name.lower().removesuffix("_2d").removesuffix("2d")
    return SHORT.get(made, made).replace("_", "")
