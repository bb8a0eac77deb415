"""Whole TFLite models and the seanet16 operators: every integer equals what the runtimes gave (recorded)."""

from __future__ import annotations

import json
import os
import pickle
import tomllib
from pathlib import Path

import numpy as np
import pytest

import hwblocks as hb

SHARED = Path(os.environ.get("HWBLOCKS_SHARED", Path(__file__).parents[2].parent / "shared"))
INDEX = SHARED / "models" / "index.json"
SETS = {"tflm": "tflm", "litert-ref": "litert_ref", "litert-opt": "litert_opt", "xnnpack": "litert_xnn"}
EXCEPTIONS = tomllib.loads(Path(__file__).with_name("cannot_be_equal.toml").read_text(encoding="utf-8"))
HYBRID = ("dtln_model_1_dynrange", "mlperf_kws_dscnn_dynrange")  # held against litert_ref alone
FLOAT_TOLERANCE, HYBRID_TOLERANCE = 1e-4, 1e-3  # of the largest magnitude

index = json.loads(INDEX.read_text(encoding="utf-8")) if INDEX.is_file() else {"models": [], "seanet16": {"cases": []}}
models = [m for m in index["models"] if m["format"] == "tflite"]


def ran(model, dialect):
    """True when the kernel set ran the model."""
    told = model["kernel_sets"].get(SETS[dialect], "failed to run")
    return told != "failed to run" and not (model["name"] in HYBRID and dialect != "litert-ref")


def recorded(model, dialect):
    """Inputs, and the outputs of the kernel set: its own where they are stored, else those of the base."""
    data = np.load(SHARED / "models" / model["data"])
    names = [k for k in data.files if k.startswith(f"{SETS[dialect]}_out")]
    names = sorted(names or [k for k in data.files if k.startswith(f"{model['base']}_out")])
    return [data[k] for k in sorted(k for k in data.files if k.startswith("in"))], [data[k] for k in names]


def test_the_reference_models_are_read(shared):
    assert models
    assert index["seanet16"]["cases"]


CASES = [(m, d, "fast") for m in models for d in SETS if ran(m, d)]
CASES += [(m, d, "definition") for m, d, _ in CASES if m["bytes"] < 100_000]  # a few samples, the exact Python meaning


@pytest.mark.parametrize(
    ("model", "dialect", "engine"), [pytest.param(*c, id=f"{c[0]['name']}-{c[1]}-{c[2]}") for c in CASES]
)
def test_models_equal_the_recorded_outputs(model, dialect, engine):
    inputs, outputs = recorded(model, dialect)
    if engine == "definition":
        inputs, outputs = [a[:4] for a in inputs], [a[:4] for a in outputs]
    graph = hb.load(SHARED / "models" / model["model"])
    state = "carry" if "one sequence" in model["state"] else "reset"
    made = hb.Simulator(graph, dialect, engine=engine).run(inputs, state=state).outputs
    for got, wanted in zip(made.values(), outputs, strict=True):
        assert got.dtype == wanted.dtype
        got = got.reshape(wanted.shape)
        if wanted.dtype.kind in "iu":
            np.testing.assert_array_equal(got, wanted)
        else:
            tolerance = HYBRID_TOLERANCE if model["name"] in HYBRID else FLOAT_TOLERANCE
            assert np.abs(got - wanted).max() <= tolerance * np.abs(wanted).max()


@pytest.mark.parametrize("dialect", SETS)
@pytest.mark.parametrize("case", index["seanet16"]["cases"], ids=lambda c: c["name"])
def test_seanet_operators_equal_their_goldens(case, dialect):
    data = np.load(SHARED / "models" / case["data"])
    inputs = [data[k][None] for k in sorted(k for k in data.files if k.startswith("in"))]
    made = hb.run(hb.load(SHARED / "models" / case["model"]), inputs, dialect=dialect).outputs
    got = next(iter(made.values())).reshape(data["golden"].shape)
    equal = np.array_equal(got, data["golden"])
    assert equal != (dialect in EXCEPTIONS["seanet16"].get(case["name"], {}))


@pytest.mark.parametrize("name", ["mlperf_kws_dscnn_int8", "mww_v2_alexa"])
def test_a_loaded_model_computes_as_tflm(shared, name):
    graph = hb.load(shared / "models" / "tflite" / f"{name}.tflite")
    assert graph.dialect == "tflm"
    x = np.zeros((2, *graph.tensors[graph.inputs[0]].shape), np.int8)
    plain, named = hb.run(graph, x).outputs, hb.run(graph, x, dialect="tflm").outputs
    for a, b in zip(plain.values(), named.values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_state_is_carried_reset_or_given(shared):
    graph = hb.load(shared / "models" / "tflite" / "mww_v2_alexa.tflite")
    x = np.random.default_rng(3).integers(-128, 128, (6, 1, 3, 40)).astype(np.int8)
    whole = hb.Simulator(graph).run(x)
    parts = hb.Simulator(graph)
    first = parts.run(x[:2])
    second = parts.run(x[2:])
    given = hb.Simulator(graph).run(x[2:], state=first.state)
    (name,) = whole.outputs
    np.testing.assert_array_equal(np.concatenate([first.outputs[name], second.outputs[name]]), whole.outputs[name])
    np.testing.assert_array_equal(given.outputs[name], second.outputs[name])
    anew = hb.run(graph, x, state="reset").outputs[name]
    parts.reset()
    np.testing.assert_array_equal(parts.run(x[:1]).outputs[name][0], anew[0])
    again = pickle.loads(pickle.dumps(graph))
    np.testing.assert_array_equal(hb.Simulator(again).run(x).outputs[name], whole.outputs[name])
