"""Random models of loops, branches, comparisons, conversions and moves steered by data equal the installed runtimes."""

from __future__ import annotations

import os
from importlib import import_module

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.cli import run
from hwblocks.errors import DialectError
from hwblocks.importers.from_tflite import import_tflite
from hwblocks.importers.tflite_file import read_tflite

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite_micro")
models = import_module("control_models")
FAMILIES = {**import_module("control_cases").MOVES, **import_module("loop_cases").LOOPS}

FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
COUNT = 2000 if FUZZ else 200
SEED = int.from_bytes(os.urandom(4)) if FUZZ else 0
LITERT = ("litert-ref", "litert-opt", "xnnpack")
DIALECTS = ("tflm", *LITERT)

# Share of the cases that a runtime takes, where it is not nearly all: it lacks the operator or a type of it.
TAKEN = {
    **dict.fromkeys(((family, name) for family in ("circular_buffer", "buffer_in_body") for name in LITERT), 0),
    ("loop_with_memory", "tflm"): 0,
    **dict.fromkeys(((name, "tflm") for name in ("conv_3d", "ranged", "scatter_nd", "topk")), 0),
    **dict.fromkeys(((name, "tflm") for name in ("cast", "comparison", "curves", "run_time_slice")), 0.5),
    **dict.fromkeys(((name, "tflm") for name in ("cumsum", "gather", "gather_nd", "select", "strided_slice")), 0.15),
    ("divided", "tflm"): 0.1,
    ("fill", "tflm"): 0.7,
    ("rounded", "litert-ref"): 0.2,
    ("space_to_batch", "tflm"): 0.4,
}
ENDS_THE_PROCESS = {("loop_with_memory", "tflm")}  # a segmentation fault: state tensors in a subgraph
# Floats that depend on the order of sums or on the C library's functions: within this part of the largest.
NEAR = {"conv_3d": 1e-5, "curves": 1e-6, "loop_with_memory": 1e-5}


def micro_defect(model):
    """TFLite-Micro pads SPACE_TO_BATCH_ND with memory that nothing sets, and ignores two masks of STRIDED_SLICE."""
    main = model.subgraphs[0]
    op = main.operators[0]
    if op.name == "SPACE_TO_BATCH_ND":
        return bool(main.tensors[op.inputs[2]].value.any())
    return op.name == "STRIDED_SLICE" and bool(op.options["ellipsis_mask"] | op.options["new_axis_mask"])


@pytest.mark.parametrize("family", FAMILIES)
def test_models_equal_the_runtimes(family):
    taken = dict.fromkeys(DIALECTS, 0)
    for number in range(COUNT):
        seed = [SEED, number, *family.encode()]
        data, samples = FAMILIES[family](np.random.default_rng(seed))
        model = read_tflite(data, family)
        graph = import_tflite(model, family)
        given = [np.stack(arrays) for arrays in zip(*samples, strict=True)]
        for dialect in DIALECTS:
            if (family, dialect) in ENDS_THE_PROCESS:
                continue
            try:
                wanted = models.run(data, samples, dialect)
            except models.RefusedError:
                continue
            taken[dialect] += 1
            if dialect == "tflm" and micro_defect(model):
                if any(t.format.is_quantized for t in graph.tensors.values()):
                    with pytest.raises(DialectError):
                        hb.run(graph, given, dialect=dialect)
                continue
            outputs = hb.run(graph, given, dialect=dialect, state="carry").outputs.values()
            for position, got in enumerate(outputs):
                for sample, row in enumerate(wanted):
                    same(family, got[sample], row[position], f"{family} {dialect} seed {seed}")
    for dialect, count in taken.items():
        assert count >= COUNT * TAKEN.get((family, dialect), 0.95), (family, dialect, count)


def same(family, got, wanted, where):
    """Every number and its type; floats of some families nearly."""
    assert got.dtype == wanted.dtype, where
    assert got.size == wanted.size, where
    near = NEAR.get(family, 0) * float(np.abs(wanted).max(initial=1))
    if near:
        assert np.abs(got.reshape(wanted.shape) - wanted).max(initial=0) <= near, where
        return
    np.testing.assert_array_equal(got.reshape(wanted.shape), wanted, where)


@pytest.mark.parametrize("runtime", ["litert", "litert-ref", "tflm"])
def test_verify_takes_loops(tmp_path, runtime):
    data, samples = FAMILIES["loop_with_variable"](np.random.default_rng(4))
    (tmp_path / "m.tflite").write_bytes(data)
    names = hb.load(tmp_path / "m.tflite").inputs
    np.savez(tmp_path / "x.npz", **{n: np.stack(a) for n, a in zip(names, zip(*samples, strict=True), strict=True)})
    command = ["verify", str(tmp_path / "m.tflite"), "--inputs", str(tmp_path / "x.npz"), "--against", runtime]
    assert run([*command, "--state", "carry", "--quiet"]) == 0
