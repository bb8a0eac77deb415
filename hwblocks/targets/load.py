"""Targets and energy tables by name or path."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TypeVar

import msgspec

from hwblocks.errors import RecipeError, TargetError
from hwblocks.targets.schema import EnergyTable, Target

Kind = TypeVar("Kind", Target, EnergyTable)
KINDS = ("roofline",)


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
    """A target by name or path. Errors: TargetError for unknown names, RecipeError with the path of a wrong field."""
    if isinstance(target, Target):
        return target
    loaded = _load(str(target), "library", Target)
    if loaded.target.kind not in KINDS:
        raise RecipeError(
            f"{target}: kind {loaded.target.kind!r} is not one of {', '.join(KINDS)} - at `$.target.kind`"
        )
    if loaded.memory.traffic != "once":
        raise RecipeError(f"{target}: traffic {loaded.memory.traffic!r} is not 'once' - at `$.memory.traffic`")
    return loaded


@lru_cache(maxsize=16)
def load_energy(name: str) -> EnergyTable:
    """An energy table by name or path."""
    return _load(name, "energy", EnergyTable)


def _load(name: str, folder: str, kind: type[Kind]) -> Kind:
    known = _names(folder)
    if name in known:
        data = resources.files("hwblocks.targets").joinpath(folder, f"{name}.toml").read_bytes()
    else:
        try:
            data = Path(name).read_bytes()
        except OSError:
            raise TargetError(f"{name!r} is neither a file nor one of {', '.join(known)}") from None
    try:
        return msgspec.toml.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{name}: {error}") from None
