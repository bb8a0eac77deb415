"""Each layer imports only layers below it; read from the sources, imports inside functions included."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = (
    ("hwblocks.errors",),
    ("hwblocks._core", "hwblocks.files"),
    ("hwblocks.table",),
    ("hwblocks.charts",),
    ("hwblocks.numerics",),
    ("hwblocks.graph",),
    ("hwblocks.blocks", "hwblocks.algorithms"),
    ("hwblocks.composites", "hwblocks.dialects"),
    ("hwblocks.simulate", "hwblocks.targets"),
    ("hwblocks.analysis", "hwblocks.costs", "hwblocks.importers", "hwblocks.exporters", "hwblocks.runtimes"),
    ("hwblocks.reports",),
    ("hwblocks.api",),
    ("quantize",),
    ("hwblocks.cli",),
    ("hwblocks.__main__",),
)
STRING_IMPORTS = {
    "hwblocks/graph/algorithm.py": "algorithms are found in their package",
    "hwblocks/dialects/__init__.py": "dialects are imported when they are named",
    "hwblocks/runtimes/__init__.py": "runtimes are imported when they are named",
    "hwblocks/graph/registry.py": "blocks and entry points are found by name",
    "hwblocks/__init__.py": "public names are imported when they are first used",
    "hwblocks/cli/group.py": "commands are imported when they are called",
    "quantize/__init__.py": "public names are imported when they are first used",
    "quantize/observers/__init__.py": "observers are found by name",
}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "base"}
SOURCES = sorted([*ROOT.glob("hwblocks/**/*.py"), *ROOT.glob("quantize/**/*.py")])


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> tuple[int, str] | None:
    for level, packages in enumerate(LAYERS):
        for package in packages:
            if module == package or module.startswith(package + "."):
                return level, package
    return None


def imported(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in found if name.split(".")[0] in ("hwblocks", "quantize")]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downwards(path):
    own = layer_of(module_name(path))
    if own is None:
        assert path.parent.name == "hwblocks"  # the package itself, whose imports are lazy
        return
    for name in imported(path):
        other = layer_of(name)
        if other is None or other == own:
            continue
        assert other[0] < own[0], f"{own[1]} (layer {own[0]}) imports {name} (layer {other[0]})"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_imports_by_string(path):
    name = str(path.relative_to(ROOT))
    uses = re.search(r"\bimport_module\(|__import__\(", path.read_text(encoding="utf-8"))
    assert not uses or name in STRING_IMPORTS


def test_the_binding_imports_nothing_of_the_package():
    for name in ("_core.pyx", "_core_planning.pxi"):
        text = (ROOT / "hwblocks" / name).read_text(encoding="utf-8")
        assert not re.findall(r"^\s*(?:from|import)\s+(?:hwblocks|quantize)", text, re.MULTILINE)


def test_blocks_are_leaves():
    for path in (ROOT / "hwblocks" / "blocks").glob("*.py"):
        assert not [name for name in imported(path) if name.startswith("hwblocks.blocks.")], path.name


def test_file_names_say_what_they_hold():
    for path in SOURCES:
        assert path.stem not in FORBIDDEN_NAMES
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 450, path


def test_no_submodule_hides_a_public_name():
    import hwblocks
    import quantize

    for package, names in ((hwblocks, hwblocks.__dir__()), (quantize, quantize.__dir__())):
        folder = Path(package.__file__).parent
        modules = {p.stem for p in folder.glob("*.py")} | {p.parent.name for p in folder.glob("*/__init__.py")}
        public = {n for n in names if not n.startswith("_")}
        hidden = {m for m in modules & public if not hasattr(getattr(package, m), "__path__") and m != "errors"}
        assert not {m for m in hidden if getattr(getattr(package, m), "__name__", "").rsplit(".", 1)[-1] != m}
