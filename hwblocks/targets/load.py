"""Targets and energy tables by name or path: inheritance, sources, and errors that name the key."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hwblocks.errors import TargetError
from hwblocks.targets.fpga_kinds import Dataflow, Fpga
from hwblocks.targets.kinds import AtomTarget, Roofline, Systolic, Target
from hwblocks.targets.processors import Microcontroller, NpuTile
from hwblocks.targets.schema import EnergyTable, pair_of

KINDS: dict[str, type[Target]] = {"roofline": Roofline, "systolic": Systolic, "atom": AtomTarget}
KINDS |= {"npu-tile": NpuTile, "microcontroller": Microcontroller, "fpga": Fpga, "dataflow": Dataflow}
SCHEMA = 1
RATES = {"gb_per_s", "bytes_per_cycle"}  # of a memory, in one of two units
Raw = dict[str, Any]
Kind = TypeVar("Kind")


def target_names() -> tuple[str, ...]:
    """Targets of the library."""
    return _names("library")


def energy_names() -> tuple[str, ...]:
    """Energy tables of the library."""
    return _names("energy")


def _names(folder: str) -> tuple[str, ...]:
    files = resources.files("hwblocks.targets").joinpath(folder).iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


def load_target(target: str | Path | Target) -> Target:
    """A target by name or by the path of a TOML file (docs/targets.md). Errors: TargetError with file and key."""
    if isinstance(target, Target):
        return target
    raw = read_target(str(target))
    return checked_target(raw, str(target))


def read_target(name: str) -> Raw:
    """The tables of a target, those that it inherits merged in; numbers may still be { v, source }."""
    return _with_parents(name, "", ())


def _with_parents(name: str, folder: str, children: tuple[str, ...]) -> Raw:
    raw, place = _read(name, "library", folder)
    _find_energy(raw, str(Path(place).parent))
    parent = raw.pop("inherit", None)
    if parent is None:
        return raw
    if not isinstance(parent, str):
        raise TargetError(f"{name}: `inherit` must be the name of a target or a path - at `$.inherit`")
    chain = (*children, place)
    parents_place = _place(parent, "library", str(Path(place).parent))
    if parents_place in chain:
        raise TargetError(f"{name}: inherits in a circle: {' → '.join((*map(_short, chain), _short(parents_place)))}")
    if parent not in target_names() and not Path(parents_place).is_file():
        raise TargetError(f"{name}: {parent!r} is neither a file beside it nor in the library - at `$.inherit`")
    return _merged(_sourced(_with_parents(parent, str(Path(place).parent), chain)), raw)


def _find_energy(raw: Raw, folder: str) -> None:
    """An energy table beside the target's file by its path."""
    energy = raw.get("energy")
    table = energy.get("table") if isinstance(energy, dict) else None
    if isinstance(table, str) and table not in energy_names() and Path(folder, table).is_file():
        raw["energy"] = {**raw["energy"], "table": str(Path(folder, table))}


def _sourced(raw: Raw, source: str = "") -> Raw:
    """Every number together with its source, so that it keeps it in tables that a child adds to, and lends it to none
    of the child's.
    """
    inside = str(raw.get("source", source))
    made: Raw = {}
    for key, value in raw.items():
        if key == "source":
            continue
        if isinstance(value, dict):
            made[key] = value if "source" in value and _is_number(value) else _sourced(value, inside)
        else:
            plain = not inside or isinstance(value, (bool, str, list))
            made[key] = value if plain else {"v": value, "source": inside}
    return made


def _short(place: str) -> str:
    return Path(place).stem if place.startswith("library/") else place


def _merged(parent: Raw, child: Raw) -> Raw:
    """The child's keys over the parent's, table by table; a number with a source is one value, and a rate in one unit
    takes the place of one in another.
    """
    stated = RATES & set(child)
    made = {key: value for key, value in parent.items() if not (stated and key in RATES)}
    for key, value in child.items():
        both = isinstance(value, dict) and isinstance(made.get(key), dict) and "v" not in value
        made[key] = _merged(made[key], value) if both else value
    return made


def _place(name: str, kind: str, folder: str) -> str:
    """Where a name leads to: "library/NAME", else a path (beside the file that names it)."""
    if name in _names(kind):
        return f"{kind}/{name}"
    return str(Path(folder, name)) if folder else name


def target_text(name: str) -> str:
    """The text of a target's file."""
    return _text(name, "library", _place(name, "library", ""))


def _text(name: str, kind: str, place: str) -> str:
    try:
        if place == f"{kind}/{name}":
            return resources.files("hwblocks.targets").joinpath(kind, f"{name}.toml").read_text("utf-8")
        return Path(place).read_text("utf-8")
    except OSError:
        known = _names(kind)
        close = get_close_matches(name, known, 1)
        rest = f"the library has {', '.join(known)}" if kind == "energy" else "list it with `hwblocks targets`"
        hint = f"; did you mean {close[0]!r}?" if close else f"; {rest}"
        raise TargetError(f"{name!r} is neither a file nor in the library{hint}") from None


def _read(name: str, kind: str, folder: str = "") -> tuple[Raw, str]:
    place = _place(name, kind, folder)
    try:
        return tomllib.loads(_text(name, kind, place)), place
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TargetError(f"{name}: not a TOML file: {error}") from None


def checked_target(raw: Raw, name: str) -> Target:
    """The record of a target's tables. Errors: TargetError with the path of what is wrong."""
    kind = raw.get("target", {}).get("kind") if isinstance(raw.get("target"), dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise TargetError(f"{name}: kind {kind!r} is not one of {', '.join(KINDS)} - at `$.target.kind`")
    target = _converted(_plain(raw), KINDS[kind], name)
    if target.schema != SCHEMA:
        raise TargetError(f"{name}: schema {target.schema} is not {SCHEMA} - at `$.schema`")
    for table in sorted(set(raw) & set(target.unused)):
        raise TargetError(f"{name}: a {kind} target does not use this table; leave it out - at `$.{table}`")
    _check_memory(target, name)
    _check_precision(target, name)
    for path, _, source in numbers(raw):
        if not source and path != "$.schema":
            raise TargetError(
                f'{name}: no source - at `{path}`; write {{ v = ..., source = "..." }} or `source` in its table'
            )
    return target


def _plain(raw: Raw) -> Raw:
    """The tables as the records have them: plain numbers, and no `source` of all memories together."""
    made: Raw = plain_numbers(raw)
    if isinstance(made.get("memory"), dict):
        made["memory"] = {name: level for name, level in made["memory"].items() if name != "source"}
    return made


def _check_memory(target: Target, name: str) -> None:
    unknown = sorted(set(target.memory) - set(target.levels))
    if unknown:
        known = ", ".join(target.levels)
        raise TargetError(f"{name}: a {target.target.kind} target has memories {known} - at `$.memory.{unknown[0]}`")
    missing = sorted(set(target.needed) - set(target.memory))
    if missing:
        raise TargetError(f"{name}: memory {missing[0]!r} is missing - at `$.memory.{missing[0]}`")
    for level, memory in target.memory.items():
        if memory.gb_per_s is not None and memory.bytes_per_cycle is not None:
            raise TargetError(f"{name}: give gb_per_s or bytes_per_cycle, not both - at `$.memory.{level}`")


def _check_precision(target: Target, name: str) -> None:
    for pair in target.precision.table:
        try:
            pair_of(pair)
        except ValueError:
            raise TargetError(f'{name}: {pair!r} is no pair of widths such as "8x4" - at `$.precision.table`') from None


def plain_numbers(raw: Any) -> Any:
    """The tables with every { v = 3, source = "..." } as 3."""
    if isinstance(raw, dict):
        return raw["v"] if _is_number(raw) else {key: plain_numbers(value) for key, value in raw.items()}
    return [plain_numbers(item) for item in raw] if isinstance(raw, list) else raw


def _is_number(raw: Mapping[str, Any]) -> bool:
    return "v" in raw and set(raw) <= {"v", "source"} and not isinstance(raw["v"], (dict, list))


def numbers(raw: Raw, path: str = "$", source: str = "") -> Iterator[tuple[str, float, str]]:
    """Every number of a target's tables: path, value, source (its own, else that of the nearest table around it)."""
    inside = str(raw.get("source", source))
    for key, value in raw.items():
        here = f"{path}.{key}"
        if isinstance(value, dict):
            if _is_number(value):
                yield here, float(value["v"]), str(value.get("source", inside))
            else:
                yield from numbers(value, here, inside)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield here, value, inside


def load_energy(name: str) -> EnergyTable:
    """An energy table by name or path. Errors: TargetError with file and key."""
    raw, _ = _read(name, "energy")
    table = _converted(raw, EnergyTable, name)
    for path, figure in _figures(raw):
        if not figure["low"] <= figure["v"] <= figure["high"]:
            raise TargetError(f"{name}: `low` is the least and `high` the greatest, with `v` between - at `{path}`")
    if table.priced != ((table.operations is None) != (table.board is None)):
        raise TargetError(f"{name}: an energy table states `operations`, or `board`, or neither with `priced = false`")
    if table.memory is not None and table.operations is None:
        raise TargetError(f"{name}: `memory` needs `operations` - at `$.memory`")
    return table


def _figures(raw: Raw, path: str = "$") -> Iterator[tuple[str, Raw]]:
    """Every figure with a range of an energy table."""
    for key, value in raw.items():
        for i, entry in enumerate(value if isinstance(value, list) else [value]):
            here = f"{path}.{key}[{i}]" if isinstance(value, list) else f"{path}.{key}"
            if isinstance(entry, dict):
                yield from [(here, entry)] if "low" in entry else _figures(entry, here)


def _converted(raw: Raw, kind: type[Kind], name: str) -> Kind:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        message = _with_key(str(error), raw, kind)
        raise TargetError(f"{name}: {message}{_hint(message, kind)}") from None


def _with_key(message: str, raw: Raw, kind: type) -> str:
    """A message about some entry of a table, "$.memory[...]", with the entry's key."""
    found = re.search(r"`\$\.([\w.]+)\[\.\.\.\]", message)
    if found is None:
        return message
    *outer, last = found[1].split(".")
    trial = holder = copy.deepcopy(raw)
    for part in outer:
        holder = holder[part]
    entries = holder[last]
    for key, value in entries.items():
        holder[last] = {key: value}
        try:
            msgspec.convert(trial, kind)
        except msgspec.ValidationError as error:
            if str(error) == message:
                return message.replace("[...]", f".{key}", 1)
    return message


UNITS = {"clock_hz": "clock_mhz", "clock_ghz": "clock_mhz", "clock": "clock_mhz", "mhz": "clock_mhz"}
UNITS |= {"kb": "bytes", "kib": "bytes", "mb": "bytes", "mib": "bytes", "size": "bytes", "size_kb": "bytes"}
UNITS |= {"gbps": "gb_per_s", "mb_per_s": "gb_per_s", "bandwidth": "gb_per_s", "bytes_per_s": "gb_per_s"}


def _hint(message: str, kind: type) -> str:
    """What a wrong key or unit was probably meant to be."""
    if "clock_mhz" in message:
        return "; the clock is in MHz (500, not 500e6)"
    if "gb_per_s" in message:
        return "; bandwidths are in 1e9 bytes a second"
    if "unknown field `" not in message:
        return ""
    key = message.split("unknown field `")[1].split("`")[0]
    meant = UNITS.get(key.lower())
    return f"; write `{meant}`" if meant else ""
