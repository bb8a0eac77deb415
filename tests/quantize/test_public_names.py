"""The public names: lazy, complete, and never hidden by a module of the same name."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import quantize as qz


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, quantize; print([m for m in ('numpy', 'msgspec', 'hwblocks') if m in sys.modules])"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]"


def test_names():
    assert qz.__all__ == [
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
    assert all(callable(getattr(qz, name)) for name in qz.__all__)
    assert set(qz.__all__) <= set(dir(qz))
    assert not set(qz.__all__) & {module.name for module in pkgutil.iter_modules(qz.__path__)}
    with pytest.raises(AttributeError, match="no attribute 'convrt'; public names: FormatTable"):
        qz.convrt  # noqa: B018
