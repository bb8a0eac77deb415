"""Observers: how a range is chosen from a tensor's sketch. One file each, found by its name.

A file states `Parameters` (a msgspec Struct with defaults) and `observe(sketch, parameters) -> (lo, hi)`.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import msgspec

from quantize.sketches import Sketch


def observer_names() -> tuple[str, ...]:
    """The observers there are: the files of this folder."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def observer_parameters(spec: dict[str, Any]) -> Any:
    """The checked parameters of {"name": ..., parameters}.

    Errors: msgspec.ValidationError that ends with the path of the field.
    """
    chosen = dict(spec)
    name = chosen.pop("name", None)
    if name not in observer_names():
        raise msgspec.ValidationError(f"{name!r} is no observer; use {', '.join(observer_names())} - at `$.name`")
    return msgspec.convert(chosen, parameters_type(name))


def parameters_type(name: str) -> type[msgspec.Struct] | None:
    """The Parameters of an observer, None where there is no observer of that name."""
    return _module(name).Parameters if name in observer_names() else None


def observe(sketch: Sketch, spec: dict[str, Any]) -> tuple[float, float]:
    """The range (lo, hi) that an observer chooses for a tensor.

    >>> import numpy as np
    >>> observe(Sketch.of(np.array([-1.0, 2.5, 0.5])), {"name": "minmax"})
    (-1.0, 2.5)
    """
    lo, hi = _module(str(spec["name"])).observe(sketch, observer_parameters(spec))
    return float(lo), float(hi)


def _module(name: str) -> Any:
    return import_module(f"{__name__}.{name}")
