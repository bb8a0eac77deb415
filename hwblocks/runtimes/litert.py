"""LiteRT's interpreter (package ai-edge-litert): every tensor it keeps, for three sets of kernels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hwblocks.errors import InputError, MissingExtraError
from hwblocks.runtimes import Array, Reference

SUFFIX = ".tflite"
RESOLVERS = {
    "litert-ref": "BUILTIN_REF",
    "litert-opt": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "xnnpack": "AUTO",
}


def reference(path: Path, kernel_set: str, graph: Any, state: str) -> Reference:
    """The interpreter as a function of inputs. With the delegate only outputs are told: it keeps no others."""
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError:
        raise MissingExtraError(
            "verify against litert needs ai-edge-litert; run `pip install ai-edge-litert`"
        ) from None
    resolver = getattr(OpResolverType, RESOLVERS[kernel_set])
    keep = kernel_set != "xnnpack"

    def fresh() -> Any:
        try:
            made = Interpreter(
                str(path),
                experimental_op_resolver_type=resolver,
                experimental_preserve_all_tensors=keep,
                num_threads=1,
            )
            made.allocate_tensors()
        except Exception as error:  # the interpreter raises several unrelated classes
            raise InputError(f"{path}: LiteRT does not take it ({error})") from None
        return made

    def run(arrays: dict[str, Array]) -> Mapping[str, Array]:
        interpreter = fresh()
        count = len(next(iter(arrays.values())))
        made: dict[str, list[Array]] = {}
        for sample in range(count):
            if state == "reset" and graph.states:
                interpreter = fresh()
            for detail, name in zip(interpreter.get_input_details(), graph.inputs, strict=True):
                interpreter.set_tensor(detail["index"], np.asarray(arrays[name][sample], order="C"))
            interpreter.invoke()
            for name, array in tensors(interpreter, graph, keep).items():
                made.setdefault(name, []).append(array)
        return {name: np.stack(parts) for name, parts in made.items() if len(parts) == count}

    return run


def tensors(interpreter: Any, graph: Any, keep: bool) -> dict[str, Array]:
    """Tensors by the names of the graph: outputs, and where they are kept those that nodes make."""
    found = {
        name: np.array(interpreter.get_tensor(detail["index"]))
        for name, detail in zip(graph.outputs, interpreter.get_output_details(), strict=True)
    }
    if not keep:
        return found
    made = {t.source_name: t for t in graph.runtime_tensors if t.source_name and t.name in graph.producer}
    for detail in interpreter.get_tensor_details():
        tensor = made.get(detail["name"])
        if tensor is None or tensor.name in found or tuple(detail["shape"]) != tensor.shape:
            continue
        try:
            found[tensor.name] = np.array(interpreter.get_tensor(detail["index"]))
        except ValueError:  # a tensor that the interpreter does not hold
            continue
    return found
