"""LiteRT's interpreter (package ai-edge-litert): every tensor of the main subgraph, for three sets of kernels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hwblocks.errors import InputError, MissingExtraError
from hwblocks.runtimes import Array, Reference
from hwblocks.runtimes.tflite_outputs import with_all_outputs

SUFFIX = ".tflite"
RESOLVERS = {
    "litert-ref": "BUILTIN_REF",
    "litert-opt": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "xnnpack": "AUTO",
}


def reference(path: Path, kernel_set: str, graph: Any, state: str) -> Reference:
    """The interpreter as a function of inputs to tensors by their names in the file."""
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError:
        raise MissingExtraError(
            "verify against litert needs ai-edge-litert; run `pip install ai-edge-litert`"
        ) from None
    resolver = getattr(OpResolverType, RESOLVERS[kernel_set])
    data, names = with_all_outputs(path.read_bytes())

    def fresh() -> Any:
        try:
            made = Interpreter(model_content=data, experimental_op_resolver_type=resolver, num_threads=1)
            made.allocate_tensors()
        except Exception as error:  # the interpreter raises several unrelated classes
            raise InputError(f"{path}: LiteRT does not take it ({error})") from None
        return made

    def run(arrays: dict[str, Array]) -> Mapping[str, Array]:
        interpreter = fresh()
        count = len(next(iter(arrays.values())))
        made: dict[str, list[Array]] = {name: [] for name in names}
        for sample in range(count):
            if state == "reset" and graph.states:
                interpreter = fresh()
            for detail, name in zip(interpreter.get_input_details(), graph.inputs, strict=True):
                interpreter.set_tensor(detail["index"], np.asarray(arrays[name][sample], order="C"))
            interpreter.invoke()
            for detail, name in zip(interpreter.get_output_details(), names, strict=True):
                made[name].append(np.array(interpreter.get_tensor(detail["index"])))
        return {name: np.stack(parts) for name, parts in made.items()}

    return run
