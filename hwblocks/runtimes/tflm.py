"""TFLite-Micro's interpreter (package tflite-micro): every tensor that the main subgraph's operators make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hwblocks.errors import InputError, MissingExtraError
from hwblocks.runtimes import Array, Reference
from hwblocks.runtimes.tflite_outputs import with_all_outputs

SUFFIX = ".tflite"
ARENA = 32 << 20  # bytes; every tensor is an output, so none shares its memory


def reference(path: Path, kernel_set: str, graph: Any, state: str) -> Reference:
    """The interpreter as a function of inputs to tensors by their names in the file."""
    try:
        from tflite_micro import runtime
    except ImportError:
        raise MissingExtraError("verify against tflm needs tflite-micro; run `pip install tflite-micro`") from None
    data, names = with_all_outputs(path.read_bytes())
    arena = ARENA + 2 * sum(tensor.stored_bytes for tensor in graph.runtime_tensors)

    def fresh() -> Any:
        try:
            return runtime.Interpreter.from_bytes(data, arena_size=arena)
        except Exception as error:  # the interpreter raises several unrelated classes
            raise InputError(f"{path}: TFLite-Micro does not take it ({error})") from None

    def run(arrays: dict[str, Array]) -> Mapping[str, Array]:
        count = len(next(iter(arrays.values())))
        made: dict[str, list[Array]] = {name: [] for name in names}
        interpreter = fresh()
        for sample in range(count):
            if state == "reset" and graph.states:
                interpreter = fresh()
            for position, name in enumerate(graph.inputs):
                interpreter.set_input(np.asarray(arrays[name][sample], order="C"), position)
            interpreter.invoke()
            for position, name in enumerate(names):
                made[name].append(np.array(interpreter.get_output(position)))
        return {name: np.stack(parts) for name, parts in made.items()}

    return run
