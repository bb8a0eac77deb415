"""TFLite-Micro's interpreter (package tflite-micro): the outputs of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hwblocks.errors import InputError, MissingExtraError
from hwblocks.runtimes import Array, Reference

SUFFIX = ".tflite"
ARENA = 16 << 20  # bytes


def reference(path: Path, kernel_set: str, graph: Any, state: str) -> Reference:
    """The interpreter as a function of inputs; it tells outputs only."""
    try:
        from tflite_micro import runtime
    except ImportError:
        raise MissingExtraError("verify against tflm needs tflite-micro; run `pip install tflite-micro`") from None
    data = path.read_bytes()

    def fresh() -> Any:
        try:
            return runtime.Interpreter.from_bytes(data, arena_size=ARENA)
        except Exception as error:  # the interpreter raises several unrelated classes
            raise InputError(f"{path}: TFLite-Micro does not take it ({error})") from None

    def run(arrays: dict[str, Array]) -> Mapping[str, Array]:
        count = len(next(iter(arrays.values())))
        made: dict[str, list[Array]] = {name: [] for name in graph.outputs}
        interpreter = fresh()
        for sample in range(count):
            if state == "reset" and graph.states:
                interpreter = fresh()
            for position, name in enumerate(graph.inputs):
                interpreter.set_input(np.asarray(arrays[name][sample], order="C"), position)
            interpreter.invoke()
            for position, name in enumerate(graph.outputs):
                made[name].append(np.array(interpreter.get_output(position)))
        return {name: np.stack(parts) for name, parts in made.items()}

    return run
