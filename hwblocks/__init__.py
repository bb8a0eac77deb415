"""Bit-exact, fast, fixed-point simulator of neural-network building blocks.

The public names are imported when they are first used, so that `import hwblocks` costs little more than nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES: dict[str, tuple[str, ...]] = {
    "hwblocks.api": (
        "load",
        "run",
        "Simulator",
        "compare",
        "diff",
        "accumulators",
        "profile",
        "memory",
        "cost",
        "compare_costs",
        "export_onnx",
        "inspect",
    ),
    "hwblocks.graph.io": ("save",),
    "hwblocks.importers.from_keras": ("from_keras",),
    "hwblocks.importers.from_torch": ("from_torch",),
    "hwblocks.graph.builder": ("GraphBuilder", "Sequential"),
    "hwblocks.graph.graph": ("Graph",),
    "hwblocks.graph.dialect": ("Dialect",),
    "hwblocks.graph.tensor": ("Tensor",),
    "hwblocks.graph.node": ("Node",),
    "hwblocks.graph.block": ("Block", "Accumulate", "Move", "Pointwise", "Algorithm"),
    "hwblocks.graph.control": ("Control",),
    "hwblocks.graph.composite": ("Composite",),
    "hwblocks.graph.quant_rule": ("Preference",),
    "hwblocks.graph.work": ("Work",),
    "hwblocks.graph.memory": ("plan_memory", "MemoryPlan"),
    "hwblocks.graph.plan_check": ("check_plan",),
    "hwblocks.numerics.formats": ("Format",),
    "hwblocks.numerics.cast": ("Cast",),
    "hwblocks.numerics.rounding": ("Rounding",),
    "hwblocks.numerics.overflow": ("Overflow",),
    "hwblocks.numerics.requantize": ("Requantize",),
    "hwblocks.numerics.accumulator": ("Accumulator",),
    "hwblocks.numerics.user_mac": ("mac",),
    "hwblocks.analysis.curves": ("curve_error", "curve_errors"),
    "hwblocks.reports": ("report",),
    "hwblocks.table": ("save_tables",),
    "hwblocks.errors": ("HwblocksError",),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    if name in _MODULE_OF:
        value = getattr(import_module(_MODULE_OF[name]), name)
    else:
        value = _block(name)
    globals()[name] = value
    return value


def _block(name: str) -> Any:
    if not name[:1].isupper():
        raise AttributeError(f"module 'hwblocks' has no attribute {name!r}")
    from hwblocks.errors import UnknownBlockError
    from hwblocks.graph.registry import block_class

    try:
        return block_class(name)
    except UnknownBlockError as error:
        raise AttributeError(f"module 'hwblocks' has no attribute {name!r}: {error.message}") from None


def __dir__() -> list[str]:
    from hwblocks.graph.registry import block_classes

    return sorted({*globals(), *_MODULE_OF, *block_classes()})
