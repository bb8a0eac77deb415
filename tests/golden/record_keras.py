"""Records what Keras gives for models with random weights, with the graphs that hb.from_keras makes of them. Run once,
with Keras 3.15.1 and JAX installed:

KERAS_BACKEND=jax python tests/golden/record_keras.py    # writes keras_models.npz beside this file

The file holds for each model k: "k.graph" (the .hwb file's bytes), inputs "k.x0", … and outputs "k.y0", … in the
model's order; "about" names version and command.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import keras
import numpy as np

import hwblocks as hb
from hwblocks.errors import UnsupportedOperatorError
from hwblocks.graph.io import to_bytes

sys.path.insert(0, str(Path(__file__).parents[1] / "importers"))
import keras_models

FURTHER = re.compile(r"_[1-9]$|^activation_|_(mul|ave|sum)_|3d|^merge_m")  # settings that the live tests alone see


def drawn(model):
    rng = np.random.default_rng(1)
    return [of_kind(rng, (3, *t.shape[1:]), str(t.dtype)) for t in model.inputs]


def of_kind(rng, shape, dtype):
    if dtype == "bool":
        made = rng.random(shape) < 0.7
        made[..., 0] = True
        return made
    return rng.integers(0, 9, shape).astype(np.int32) if "int" in dtype else rng.normal(size=shape).astype(np.float32)


def record():
    kept = {"about": np.array(f"keras {keras.__version__} on {keras.backend.backend()}; record_keras.py")}
    for name, make in keras_models.MODELS.items():
        model = keras_models.randomized(make())
        if FURTHER.search(name):
            continue
        try:
            graph = hb.from_keras(model)
        except UnsupportedOperatorError as error:
            print(f"{name}: {error}")  # noqa: T201
            continue
        xs = drawn(model)
        made = keras.tree.flatten(model(xs if len(xs) > 1 else xs[0], training=False))
        kept[f"{name}.graph"] = np.frombuffer(to_bytes(graph), np.uint8)
        kept |= {f"{name}.x{i}": x for i, x in enumerate(xs)}
        kept |= {f"{name}.y{i}": np.asarray(keras.ops.convert_to_numpy(y)) for i, y in enumerate(made)}
    np.savez_compressed(Path(__file__).with_name("keras_models.npz"), **kept)


if __name__ == "__main__":
    record()
