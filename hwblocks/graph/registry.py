"""The registry of blocks: every Block subclass by name, found on the first miss."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from hwblocks.errors import GraphError, UnknownBlockError

if TYPE_CHECKING:
    from hwblocks.graph.block import Block

BLOCK_PACKAGES = ("hwblocks.blocks", "hwblocks.composites")
ENTRY_POINTS = "hwblocks.blocks"

_classes: dict[str, type[Block]] = {}
_discovered: list[bool] = []


def register(block: type[Block]) -> None:
    """Add a block class. The same module may redefine its block (notebooks); another module may not."""
    known = _classes.get(block.__name__)
    if known is not None and known.__module__ != block.__module__:
        raise GraphError(
            f"block {block.__name__!r} of {block.__module__} exists in {known.__module__}; choose another name"
        )
    _classes[block.__name__] = block


def block_class(name: str) -> type[Block]:
    """The block class of a name; the block packages are imported on the first miss."""
    if name not in _classes:
        discover()
    if name not in _classes:
        raise UnknownBlockError(f"no block is named {name!r}; `hwblocks blocks` lists all")
    return _classes[name]


def block_classes() -> dict[str, type[Block]]:
    """All block classes by name, sorted."""
    discover()
    return dict(sorted(_classes.items()))


def discover() -> None:
    """Import every module of the block packages and of the entry points, once."""
    if _discovered:
        return
    _discovered.append(True)
    for package_name in BLOCK_PACKAGES:
        package = importlib.import_module(package_name)
        for module in pkgutil.iter_modules(package.__path__):
            if f"{package_name}.{module.name}" not in sys.modules:
                importlib.import_module(f"{package_name}.{module.name}")
    for entry in entry_points(group=ENTRY_POINTS):
        entry.load()
