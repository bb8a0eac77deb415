"""ONNX Runtime (package onnxruntime): every tensor of a model, with or without graph optimisation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hwblocks.errors import InputError, MissingExtraError
from hwblocks.runtimes import Array, Reference

SUFFIX = ".onnx"
NEWEST_IR = 11


def default_dialect() -> str:
    """The dialect of the default optimisation on this machine: exact sums where it has VNNI instructions."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        flags = ""
    return "ort" if "vnni" in flags else "ort-avx2"


def reference(path: Path, kernel_set: str, graph: Any, state: str) -> Reference:
    """The runtime as a function of inputs. Optimised, it tells outputs only: others may be fused away."""
    try:
        import onnx
        import onnxruntime
    except ImportError:
        raise MissingExtraError("verify against ort needs onnxruntime; run `pip install onnxruntime`") from None
    model = onnx.load(str(path))
    model.ir_version = min(model.ir_version, NEWEST_IR)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if kernel_set == "noopt":
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        outputs = {o.name for o in model.graph.output}
        made = dict.fromkeys(o for node in model.graph.node for o in node.output if o and o not in outputs)
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    except Exception as error:  # the runtime raises several unrelated classes
        raise InputError(f"{path}: ONNX Runtime does not take it ({error})") from None
    names = [o.name for o in session.get_outputs()]

    def run(arrays: dict[str, Array]) -> Mapping[str, Array]:
        count = len(next(iter(arrays.values())))
        parts: dict[str, list[Array]] = {name: [] for name in names}
        for sample in range(count):
            results = session.run(names, {name: arrays[name][sample] for name in graph.inputs})
            for name, result in zip(names, results, strict=True):
                parts[name].append(np.asarray(result))
        return {name: np.stack(found) for name, found in parts.items() if len({f.shape for f in found}) == 1}

    return run
