"""Narrowing: a recipe whose accumulators are the narrowest that no input can overflow."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import structs

from hwblocks.analysis.bounds import Bounds, node_bounds
from hwblocks.analysis.widths import Accumulators, narrowest
from hwblocks.files import write_atomically
from hwblocks.numerics.overflow import Overflow
from quantize.recipe import Override, Recipe, load_recipe
from quantize.recipe_text import recipe_text


def narrowed(found: Accumulators, recipe: Recipe | str | Path, overflow: str | None = None) -> Recipe:
    """A recipe with the cheapest safe accumulator of every layer, stated by the layers' names.

    found: of the model that the recipe made. overflow: of all accumulators, in place of their own. A register that
    wraps plainly is as wide as its totals need, every other one as its partial sums in the stated order need, which
    may be more. Formats and weights do not depend on accumulators, so that a model converted anew with the recipe has
    every accumulator proven safe (save the 16 bits of dot(n, sat16), which are fixed).
    Errors: SimulationError where 64 bits do not suffice.

    >>> import numpy as np, hwblocks as hb, quantize as qz
    >>> net = hb.Sequential(hb.Linear(weight=np.array([[0.5, -1.0]])), input_shape=(2,)).graph()
    >>> ranges = qz.calibrate(net, np.array([[1.0, 0.25], [-1.0, 0.5]]))
    >>> made = narrowed(hb.accumulators(qz.convert(net, ranges)), "int8", overflow="saturate")
    >>> made.accumulator_of("linear0")
    Accumulator('int16 saturate')
    """
    chosen = load_recipe(recipe)
    mode = None if overflow is None else Overflow(overflow)
    made = tuple(_override(bounds, mode) for bounds in found.bounds)
    return structs.replace(
        chosen,
        name=f"{chosen.name}-narrow",
        description="; ".join(part for part in (chosen.description, NARROW) if part),
        override=(*chosen.override, *made),
    )


NARROW = "narrowest accumulators that no input overflows (totals where sums wrap, else partial sums)"


def _override(bounds: Bounds, overflow: Overflow | None) -> Override:
    return Override(match=exactly(bounds.name), accumulator=str(narrowest(bounds, overflow)))


def exactly(name: str) -> str:
    """The pattern that matches one name only."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def save_narrowed(
    path: str | Path, found: Accumulators, recipe: Recipe | str | Path, overflow: str | None = None
) -> Recipe:
    """Write `narrowed` as a TOML file, each layer with what was proven of it; returns the recipe."""
    made = narrowed(found, recipe, overflow)
    notes = {exactly(bounds.name): _note(bounds, made) for bounds in found.bounds}
    write_atomically(path, recipe_text(made, notes))
    return made


def _note(bounds: Bounds, recipe: Recipe) -> str:
    proven = node_bounds(bounds.site, recipe.accumulator_of(bounds.name), bounds.name)
    parts = []
    for extremes in proven.registers:
        low, high = extremes.span
        parts.append(f"{extremes.register.name}: {extremes.register.basis} {low} to {high} need {extremes.needed} bits")
    return ", ".join(parts)
