"""Quantizer of hwblocks: turns a float graph and calibration data into an integer graph.

The public names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantize.assignment import assign as assign
    from quantize.calibration import calibrate as calibrate
    from quantize.conversion import convert as convert
    from quantize.format_table import FormatTable as FormatTable
    from quantize.narrowing import narrowed as narrowed
    from quantize.range_table import RangeTable as RangeTable
    from quantize.recipe import Recipe as Recipe
    from quantize.recipe import load_recipe as load_recipe
    from quantize.recipe_text import save_recipe as save_recipe
    from quantize.stated import states_formats as states_formats

_MODULE_OF = {
    "FormatTable": "quantize.format_table",
    "RangeTable": "quantize.range_table",
    "Recipe": "quantize.recipe",
    "assign": "quantize.assignment",
    "calibrate": "quantize.calibration",
    "convert": "quantize.conversion",
    "load_recipe": "quantize.recipe",
    "narrowed": "quantize.narrowing",
    "save_recipe": "quantize.recipe_text",
    "states_formats": "quantize.stated",
}
__all__ = [
    "FormatTable",
    "RangeTable",
    "Recipe",
    "assign",
    "calibrate",
    "convert",
    "load_recipe",
    "narrowed",
    "save_recipe",
    "states_formats",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'quantize' has no attribute {name!r}; public names: {', '.join(__all__)}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
