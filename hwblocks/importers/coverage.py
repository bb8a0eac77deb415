"""Coverage: the foreign operators that importers serve and the blocks that each may become, read from the rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import CodeType, FunctionType, ModuleType
from typing import Any

from hwblocks.graph.block import Block
from hwblocks.graph.registry import block_classes
from hwblocks.table import Column, Result, Section, Table

EVALUATED = "(none: settled at import)"
COLUMNS = (Column("operator"), Column("blocks"))
SEARCHED = ("hwblocks.importers.", "hwblocks.composites.")  # modules whose functions are read


@dataclass(frozen=True)
class Coverage(Result):
    """operators: by file format, the names of the blocks that an operator may become."""

    schema = "coverage"
    operators: Mapping[str, Mapping[str, tuple[str, ...]]] | None = None

    def content(self) -> dict[str, Any]:
        return {"operators": self.operators or {}}

    def sections(self) -> Sequence[Section]:
        return tuple(
            Section(f"{name}: {len(served)} operators", tables=(Table(name, COLUMNS, tuple(rows(served))),))
            for name, served in (self.operators or {}).items()
        )


def rows(served: Mapping[str, tuple[str, ...]]) -> Iterator[dict[str, str]]:
    """One row for each operator."""
    for operator, blocks in sorted(served.items()):
        yield {"operator": operator, "blocks": ", ".join(blocks) or EVALUATED}


def coverage() -> Coverage:
    """The operators of all importers. It is read from the rules' own code, so that it cannot differ from them."""
    from hwblocks.importers import from_onnx, from_tflite

    onnx = {name: blocks_of(rule.build) for name, rule in from_onnx.RULES.items()}
    tflite = {name: blocks_of(build) for name, build in from_tflite.RULES.items()}
    return Coverage(operators={"ONNX": onnx, "TFLite": tflite})


def blocks_of(rule: Any) -> tuple[str, ...]:
    """The blocks that a rule's code names, itself or in the functions of the importers that it calls."""
    known = set(block_classes().values())
    return tuple(sorted({cls.__name__ for cls in _named(rule, set()) if cls in known}))


def _named(value: Any, seen: set[int]) -> Iterator[type[Block]]:
    """Block classes that a value is, holds or uses."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, type) and issubclass(value, Block):
        yield value
    elif isinstance(value, Block):
        yield type(value)
    elif isinstance(value, (dict, tuple, list)):  # a table of classes by rank, say
        for part in value.values() if isinstance(value, dict) else value:
            yield from _named(part, seen)
    elif isinstance(value, partial):
        for part in (value.func, *value.args, *value.keywords.values()):
            yield from _named(part, seen)
    elif isinstance(value, FunctionType) and value.__module__.startswith(SEARCHED):
        for part in _used(value):
            yield from _named(part, seen)


def _used(function: FunctionType) -> Iterator[Any]:
    """What a function's code refers to: globals, attributes of modules of blocks, and what it closes over."""
    names = set(_names(function.__code__))
    found = [function.__globals__[name] for name in names if name in function.__globals__]
    yield from found
    for module in found:
        if isinstance(module, ModuleType) and module.__name__.startswith(("hwblocks.blocks", "hwblocks.composites")):
            yield from (vars(module)[name] for name in names if name in vars(module))
    for cell in function.__closure__ or ():
        yield cell.cell_contents
    yield from function.__defaults__ or ()


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
