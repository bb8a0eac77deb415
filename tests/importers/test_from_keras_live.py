"""hb.from_keras against Keras itself, where it is installed: every layer, every setting, models of many layers."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
pytest.importorskip(keras.backend.backend())

import keras_models  # noqa: E402

import hwblocks as hb  # noqa: E402
from hwblocks.errors import GraphError, InputError, UnsupportedOperatorError  # noqa: E402

L = keras.layers


def drawn(model, count=3, seed=1):
    """Random inputs: normal numbers, or row numbers of a table."""
    rng = np.random.default_rng(seed)
    shapes = [(count, *t.shape[1:]) for t in model.inputs]
    return [of_kind(rng, shape, str(t.dtype)) for shape, t in zip(shapes, model.inputs)]


def of_kind(rng, shape, dtype):
    if dtype == "bool":
        made = rng.random(shape) < 0.7
        made[..., 0] = True  # every query sees a key
        return made
    return rng.integers(0, 9, shape).astype(np.int32) if "int" in dtype else rng.normal(size=shape).astype(np.float32)


def answers(model, xs):
    made = model(xs if len(xs) > 1 else xs[0], training=False)
    return [np.asarray(keras.ops.convert_to_numpy(v)) for v in keras.tree.flatten(made)]


def imported(model):
    """The graph; skipped where it needs a block that does not exist yet."""
    try:
        return hb.from_keras(model)
    except UnsupportedOperatorError as error:
        if "needs the block" in str(error):
            pytest.skip(str(error).splitlines()[1].strip())
        raise


@pytest.mark.parametrize("name", keras_models.MODELS)
def test_outputs(name):
    model = keras_models.randomized(keras_models.MODELS[name]())
    xs = drawn(model)
    got = list(hb.run(imported(model), xs).outputs.values())
    wanted = answers(model, xs)
    assert [g.shape for g in got] == [w.shape for w in wanted]
    for one, want in zip(got, wanted):
        np.testing.assert_allclose(one, want, rtol=1e-5, atol=1e-5)


def test_names_shapes_and_shared_layers():
    graph = hb.from_keras(keras_models.nested())
    assert graph.inputs == ("a", "b")
    assert [graph.tensors[n].shape for n in graph.outputs] == [(1, 6), (1, 3), (1, 6)]  # Keras sorts a dict
    assert graph.metadata["shared_layers"] == "shared" and graph.batched
    assert sum(n.name.startswith("inner/") for n in graph.nodes) == 3


def test_stateful_layers_stream():
    layer = L.LSTM(3, stateful=True)
    model = keras_models.randomized(keras.Sequential([keras.Input(batch_shape=(1, 4, 2)), layer]))
    graph = hb.from_keras(model)
    assert len(graph.states) == 2
    x = np.random.default_rng(2).normal(size=(3, 4, 2)).astype(np.float32)
    layer.reset_states()
    wanted = np.concatenate([answers(model, [row[None]])[0] for row in x])
    got = hb.Simulator(graph).run(x, state="carry").outputs[graph.outputs[0]]
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_everything_missing_is_listed_at_once():
    x = keras.Input((6, 4), name="x")
    y = L.Lambda(lambda v: v, name="mine")(L.Masking(name="mask")(x))
    y = L.Dense(3, activation=keras.ops.sin, name="wave")(y)
    y = L.TimeDistributed(L.Lambda(lambda v: v, name="deep"))(y)
    with pytest.raises(UnsupportedOperatorError) as caught:
        hb.from_keras(keras.Model(x, y))
    text = str(caught.value)
    assert "Lambda × 2" in text and "mine" in text and "deep" in text
    assert "Masking × 1: mask" in text and "Dense (activation 'sin') × 1: wave" in text


REFUSED = [
    (lambda: L.Embedding(5, 2, mask_zero=True), (4,), "int32", "mask_zero"),
    (lambda: L.LSTM(3, stateful=True, go_backwards=True), (4, 2), "float32", "stateful"),
    (lambda: L.UpSampling2D(2, interpolation="bicubic"), (4, 4, 2), "float32", "bicubic"),
    (lambda: L.AdditiveAttention(), None, "float32", "AdditiveAttention"),
    (lambda: L.Softmax(axis=(1, 2)), (4, 2), "float32", "several axes"),
]


@pytest.mark.parametrize(("make", "shape", "dtype", "text"), REFUSED)
def test_refused(make, shape, dtype, text):
    x = keras.Input(shape or (4, 6), batch_size=1, dtype=dtype)
    model = keras.Model(x, make()(x) if shape else make()([x, x]))
    with pytest.raises(UnsupportedOperatorError, match=text):
        hb.from_keras(model)


def test_calls_that_ask_for_something_else():
    x, mask, wide = keras.Input((4, 2)), keras.Input((4,), dtype="bool"), keras.Input((4, 2), dtype="bool")
    for inputs, y, text in (
        (x, L.Dropout(0.5, name="drop")(x, training=True), "Dropout 'drop': is called with training=True"),
        ([x, mask], L.LSTM(3, name="cells")(x, mask=mask), "LSTM 'cells': is called with a mask"),
        ([x, wide], L.Softmax(1, name="soft")(x, wide), "Softmax 'soft': takes one tensor, 2 are given"),
    ):
        with pytest.raises(GraphError, match=text):
            hb.from_keras(keras.Model(inputs, y))


def test_subclassed_and_unbuilt_models():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(GraphError, match="functional model"):
        hb.from_keras(Own())
    with pytest.raises(GraphError, match="not built"):
        hb.from_keras(keras.Sequential([L.Dense(2)]))
    with pytest.raises(InputError, match=r"takes a keras.Model"):
        hb.from_keras(3)


def test_open_axes_need_shapes():
    x = keras.Input((None, 3), name="x")
    model = keras_models.randomized(keras.Model(x, L.GRU(4)(x)))
    with pytest.raises(InputError, match=r"axis 1 has no size; pass shapes=\{'x'"):
        hb.from_keras(model)
    graph = hb.from_keras(model, {"x": (1, 5, 3)})
    data = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(next(iter(hb.run(graph, data).outputs.values())), answers(model, [data])[0], atol=1e-5)
    with pytest.raises(InputError, match="names 'y'"):
        hb.from_keras(model, {"y": (1, 5, 3)})


def test_imported_model_quantizes():
    import quantize as qz

    model = keras_models.randomized(keras_models.cnn())
    graph = hb.from_keras(model)
    x = np.random.default_rng(0).uniform(0, 1, (16, 28, 28, 1)).astype(np.float32)
    integer = qz.convert(graph, qz.calibrate(graph, x), recipe="int8")
    assert integer.is_integer and not hb.Simulator(integer).plan.unserved
    (got,) = hb.run(integer, x).real.values()
    assert np.abs(got - answers(model, [x])[0]).max() < 0.1
