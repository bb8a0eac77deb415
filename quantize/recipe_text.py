"""Recipes as TOML text that reads back as the same recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from hwblocks.files import write_atomically
from quantize.recipe import Recipe

TABLES = ("weights", "activations", "bias")


def recipe_text(recipe: Recipe, notes: Mapping[str, str] | None = None) -> str:
    """The TOML of a recipe; notes: a comment for overrides, by their pattern.

    >>> from quantize.recipe import load_recipe
    >>> print(recipe_text(load_recipe("int8")).splitlines()[0])
    name = "int8"
    """
    data = msgspec.to_builtins(recipe)
    overrides = data.pop("override")
    tables = {name: data.pop(name) for name in TABLES}
    parts = [_pairs(data), *(f"[{name}]\n{_pairs(table)}" for name, table in tables.items())]
    for override in overrides:
        note = (notes or {}).get(override["match"], "")
        comment = f"# {_on_one_line(note)}\n" if note else ""
        parts.append(f"[[override]]\n{comment}{_pairs({k: v for k, v in override.items() if v != {}})}")
    return "\n\n".join(parts) + "\n"


def save_recipe(recipe: Recipe, path: str | Path) -> Path:
    """Write a recipe as a TOML file, whole or not at all; `load_recipe` reads it back."""
    return write_atomically(path, recipe_text(recipe))


def _pairs(table: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} = {_value(value)}" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _key(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else _value(name)


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
