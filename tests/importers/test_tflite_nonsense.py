"""TFLite models that are whole but make no sense, drawn at random: one error of ours each, never another exception."""

from __future__ import annotations

import os
import random
from importlib import import_module

import numpy as np
import pytest

from hwblocks.importers.from_tflite import RULES

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
damage = import_module("tflite_damage")

LARGEST = damage.LARGEST
FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
SEED = int.from_bytes(os.urandom(4)) if FUZZ else 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NaN and infinity in the arithmetic of nonsense
@pytest.mark.parametrize("name", sorted(RULES))
def test_operators_with_any_inputs(name):
    """Every rule on tensors of random number, type, rank, and options that are missing, default or extreme."""
    for number in range(200 if FUZZ else 20):
        rng = random.Random(f"{SEED} {name} {number}")
        damage.refused(random_operator(rng, name))


KINDS = ("FLOAT32", "INT8", "UINT8", "INT16", "INT32", "INT64", "BOOL", "INT4", "RESOURCE")


def random_tensor(rng, model, name, constant):
    kind = rng.choice(KINDS)
    shape = [rng.choice((1, 1, 2, 3, 4)) for _ in range(rng.randrange(6))]
    count = int(np.prod(shape)) * {"INT16": 2, "INT32": 4, "INT64": 8, "FLOAT32": 4}.get(kind, 1)
    count = (count + 1) // 2 if kind == "INT4" else count
    data = bytes(rng.choice((0, 0, 1, 2, 255)) for _ in range(count)) if constant and kind != "RESOURCE" else None
    scales = rng.choice((None, (0.1,), (0.1,) * (shape[0] if shape else 1)))
    return damage.tensor(model, name, shape, kind, data, scales, (0,) * len(scales or (0,)))


def random_operator(rng, name):
    model = damage.layer()
    custom = name.startswith("CUSTOM:")
    model.operatorCodes = [damage.code("CUSTOM" if custom else name)]
    model.operatorCodes[0].customCode = name.partition(":")[2].encode()
    count = rng.randrange(6)
    tensors = [random_tensor(rng, model, f"t{i}", rng.random() < 0.4) for i in range(count + 2)]
    table = name.title().replace("_", "") + "Options"
    op = damage.operator(
        [rng.choice((i, i, i, -1)) for i in range(count)],
        range(count, count + rng.choice((0, 1, 1, 1, 2))),
        table if hasattr(schema, f"{table}T") and rng.random() < 0.8 else None,
    )
    for key, value in vars(op.builtinOptions).items() if op.builtinOptions else ():
        if type(value) is int and not key.endswith("Index") and rng.random() < 0.4:
            setattr(op.builtinOptions, key, rng.choice((0, 1, -1, 2, 100)))
    given = [i for i in range(count) if tensors[i].buffer == 0]
    model.subgraphs = [damage.subgraph(tensors, given, list(op.outputs), [op])]
    return damage.packed(model)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_models_with_one_change():
    """Valid models of every operator with inputs dropped or taken from elsewhere, other types, shapes and options."""
    pytest.importorskip("tflite_micro")
    families = valid_families()
    for number in range(20_000 if FUZZ else 1200):
        rng = random.Random(f"{SEED} {number}")
        make = families[number % len(families)]
        made = make(np.random.default_rng([SEED, number]))
        model = damage.unpacked(made[0] if isinstance(made, tuple) else made.data)
        for _ in range(rng.choice((1, 1, 2))):
            change_something(rng, model)
        try:
            data = damage.packed(model)
        except TypeError:  # an option that the writer itself does not take
            continue
        damage.refused(data)


def valid_families():
    """The generators of the live comparisons."""
    import sys
    from pathlib import Path

    folder = str(Path(__file__).parents[1] / "dialects")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    tables = (("control_cases", "MOVES"), ("loop_cases", "LOOPS"), ("operator_cases", "FAMILIES"))
    listed = [make for module, name in tables for make in getattr(import_module(module), name).values()]
    return [make for entry in listed for make in (entry.values() if isinstance(entry, dict) else (entry,))]


def change_something(rng, model):
    graph = rng.choice(model.subgraphs)
    op = rng.choice(graph.operators)
    inputs = [int(i) for i in op.inputs]
    chosen = rng.choice(graph.tensors)
    kind = rng.randrange(9)
    if kind < 3 and inputs:
        at = rng.randrange(len(inputs))
        inputs[at : at + 1] = ([], [-1], [rng.randrange(len(graph.tensors))])[kind]
        op.inputs = inputs
    elif kind == 3:
        op.inputs = [*inputs, rng.randrange(len(graph.tensors))]
    elif kind == 4:
        chosen.type = rng.randrange(22)
    elif kind == 5:
        chosen.shape = [rng.choice((0, 1, 2, 3, 7)) for _ in range(rng.randrange(6))]
    elif kind == 6:
        op.builtinOptions, op.builtinOptionsType = None, 0
    elif kind == 7 and op.builtinOptions is not None:
        for key, value in vars(op.builtinOptions).items():
            if type(value) is int:
                setattr(op.builtinOptions, key, rng.choice((0, -1, 1, 2, 100, LARGEST)))
    elif kind == 8:
        chosen.buffer = rng.randrange(len(model.buffers))
