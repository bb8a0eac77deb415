"""Write hwblocks/__init__.pyi from the lazy public names and the blocks. Run: python .ci/write_stubs.py [--check]"""

import sys
from pathlib import Path

import hwblocks
from hwblocks.graph.registry import block_classes

TARGET = Path(hwblocks.__file__).with_suffix(".pyi")


def order(name: str) -> tuple[int, str]:
    """The place of a name in an import list as the linter wants it: constants, classes, functions; without case."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, name.lower()


def stub() -> str:
    """The stub's text."""
    homes = {name: module for module, names in hwblocks._HOMES.items() for name in names}
    homes |= {name: cls.__module__ for name, cls in block_classes().items() if cls.__module__.startswith("hwblocks.")}
    names = sorted(homes, key=lambda name: (homes[name], order(name)))
    lines = [f"from {homes[name]} import {name} as {name}" for name in names]
    head = '"""Public names of hwblocks; written by .ci/write_stubs.py."""\n\n'
    return head + "\n".join(lines) + "\n\n__version__: str\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.exists() and TARGET.read_text() == stub() else "hwblocks/__init__.pyi is stale")
    TARGET.write_text(stub())
