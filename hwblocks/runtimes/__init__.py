"""Runtimes: installed interpreters of other makers, as references for `verify`; each is optional."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from hwblocks.errors import InputError

Array = Any
Reference = Callable[[dict[str, Array]], Mapping[str, Array]]

# By the name that `--against` takes: module, kernel set, and the dialect that equals it ("": the module tells).
RUNTIMES = {
    "tflm": ("tflm", "tflm", "tflm"),
    "litert": ("litert", "xnnpack", "xnnpack"),
    "litert-ref": ("litert", "litert-ref", "litert-ref"),
    "litert-opt": ("litert", "litert-opt", "litert-opt"),
    "xnnpack": ("litert", "xnnpack", "xnnpack"),
    "ort": ("ort", "default", ""),
    "ort-noopt": ("ort", "noopt", "ort-noopt"),
}


def reference(name: str, model: str | Path, graph: Any, state: str) -> tuple[Reference, str]:
    """A runtime on a model file as a function of inputs, and the dialect that equals it.

    Errors: InputError for unknown names and for files the runtime does not read; MissingExtraError when it is not
    installed.
    """
    if name not in RUNTIMES:
        raise InputError(f"--against {name}: use one of {', '.join(RUNTIMES)}, or a .npz file of tensors")
    module_name, kernel_set, dialect = RUNTIMES[name]
    module = import_module(f"hwblocks.runtimes.{module_name}")
    path = Path(model)
    if path.suffix != module.SUFFIX:
        raise InputError(f"{path}: {name} runs {module.SUFFIX} files")
    made: Reference = module.reference(path, kernel_set, graph, state)
    return made, dialect or module.default_dialect()
