"""Few ONNX operators of very many elements, on scales full of ties, against ONNX Runtime without fusion."""

from __future__ import annotations

import os
from importlib import import_module

import numpy as np
import pytest
from onnx_operator_cases import MICROSOFT, codes, kinds, one, windows, zero

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
live = import_module("test_onnx_operators_live")

FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
COUNT = 300 if FUZZ else 30
SEED = int.from_bytes(os.urandom(4)) if FUZZ else 0


def beside(rng, value):
    """A float32, sometimes the one below or above it."""
    v = np.float32(value)
    return np.float32(rng.choice([v, v, v, np.nextafter(v, np.float32(0)), np.nextafter(v, np.float32(np.inf))]))


def tied(rng, low=-8, high=0):
    """A power of two, or a scale beside one; or any scale."""
    exact = 2.0 ** int(rng.integers(low, high + 1))
    return beside(rng, exact) if rng.random() < 0.7 else np.float32(2.0 ** rng.uniform(low, high))


def related(rng, reference):
    """A scale in a dyadic ratio to another, or beside it; or any near it."""
    ratio = rng.choice([1.0, 0.5, 2.0, 0.75, 1.5, 0.625, 4.0])
    return beside(rng, reference * ratio) if rng.random() < 0.7 else np.float32(reference * 2.0 ** rng.uniform(-2, 2))


def pair(name):
    """Every pair of codes, in one shape, against one value, or rows against a row."""

    def draw(rng):
        kind = str(rng.choice(["uint8", "int8"]))
        every = np.arange(256).astype(kind) if kind == "uint8" else np.arange(-128, 128).astype(kind)
        a, b = np.repeat(every, 256), np.tile(rng.permutation(every), 256)
        tail = int(rng.integers(0, 40))
        layout = int(rng.integers(4))
        if layout == 0:
            a, b = a[: a.size - tail], b[: b.size - tail]
        if layout == 1:
            a, b = a.reshape(256, 256), rng.permutation(every)
        if layout == 2:
            b = every[tail : tail + 1]
        if layout == 3:
            a = every[tail : tail + 1]
        constants = {"as": tied(rng), "az": zero(rng, kind)}
        constants |= {"bs": related(rng, constants["as"]), "bz": zero(rng, kind)}
        unit = constants["as"] * constants["bs"] * 64 if name == "QLinearMul" else max(constants["as"], constants["bs"])
        far = 2.0 ** -int(rng.integers(4, 16)) if rng.random() < 0.15 else 1.0
        constants |= {"ys": np.float32(related(rng, unit) * far), "yz": zero(rng, kind)}
        inputs, order = {"a": a, "b": b}, ["a", "as", "az", "b", "bs", "bz", "ys", "yz"]
        return one((name, order), inputs, constants, None, MICROSOFT), inputs

    return draw


def single(name, attributes, shapes=((256,),), ys=None):
    """Every code, or tensors of many."""

    def draw(rng):
        kind = str(rng.choice(["uint8", "int8"]))
        shape = shapes[int(rng.integers(len(shapes)))]
        x = codes(rng, kind, shape)
        if shape == (256,):
            x = np.arange(256).astype(np.uint8).view(kind)
        xs = tied(rng, -8, -1)
        constants = {"xs": xs, "xz": zero(rng, kind), "ys": related(rng, xs), "yz": zero(rng, kind)}
        if ys:
            constants |= {"ys": np.float32(rng.choice(ys)), "yz": np.array(np.iinfo(kind).min, kind)}
        return one((name, ["x", *constants]), {"x": x}, constants, attributes(rng), MICROSOFT), {"x": x}

    return draw


def matmul(rng):
    """Sums of up to 20 000 products, 1 to 70 columns."""
    a_kind, b_kind, reach = kinds(rng)
    k, n = int(rng.choice([1, 5, 64, 333, 2048, 20000])), int(rng.integers(1, 71))
    a = codes(rng, a_kind, (min(300, 600000 // k), k))
    constants = {"as": tied(rng), "az": zero(rng, a_kind), "b": codes(rng, b_kind, (k, n), reach), "bs": tied(rng)}
    constants["bz"] = zero(rng, b_kind) if reach is None else np.array(0, b_kind)
    typical = 2.0 ** np.round(np.log2(100 * np.sqrt(k)))
    constants |= {"ys": related(rng, constants["as"] * constants["bs"] * typical), "yz": zero(rng, a_kind)}
    return one(("QLinearMatMul", ["a", *constants]), {"a": a}, constants), {"a": a}


def convolution(rng):
    """An image of up to 70 channels, 1 to 70 filters."""
    x_kind, w_kind, reach = kinds(rng)
    inner, outputs, size = int(rng.integers(1, 71)), int(rng.integers(1, 71)), int(rng.choice([1, 3]))
    x, w = codes(rng, x_kind, (1, inner, 20, 20)), codes(rng, w_kind, (outputs, inner, size, size), reach)
    first = tied(rng, -9, -4)
    w_scale = np.array([related(rng, first) for _ in range(outputs)], np.float32)
    constants = {"xs": tied(rng), "xz": zero(rng, x_kind), "w": w, "ws": w_scale, "wz": np.zeros(outputs, w_kind)}
    if w_kind == "uint8":
        constants["wz"] = np.full(outputs, zero(rng, w_kind))
    typical = 2.0 ** np.round(np.log2(100 * np.sqrt(inner * size * size)))
    constants |= {"ys": related(rng, constants["xs"] * first * typical), "yz": zero(rng, x_kind)}
    constants["b"] = rng.integers(-5000, 5000, outputs).astype(np.int32)
    return one(("QLinearConv", ["x", *constants]), {"x": x}, constants, {"pads": [1, 1, 0, 0]}), {"x": x}


def quantize(rng):
    """Ties, the floats beside them, and far ones."""
    kind = str(rng.choice(["uint8", "int8", "uint16", "int16"]))
    s, z, limits = tied(rng), zero(rng, kind), np.iinfo(kind)
    x = ((rng.integers(2 * limits.min - 9, 2 * limits.max + 9, 300000) / 2 - float(z)) * s).astype(np.float32)
    side = rng.integers(0, 3, x.shape)
    x = np.where(side == 1, np.nextafter(x, np.float32(np.inf)), x)
    x = np.where(side == 2, np.nextafter(x, np.float32(-np.inf)), x)
    x[::97] *= np.float32(2.0 ** rng.uniform(0, 30))
    return one(("QuantizeLinear", ["x", "s", "z"]), {"x": x}, {"s": s, "z": z}, {"axis": 0}, opset=21), {"x": x}


def dynamic_quantize(rng):
    x = rng.integers(-255, 256, 300000).astype(np.float32) / np.float32(2) * tied(rng, -6, 6)
    x = x[x >= 0] if rng.random() < 0.3 else x + np.float32(rng.choice([0, 0, 1, -3]))
    return one(("DynamicQuantizeLinear", ["x"]), {"x": x}, {}, outputs=3), {"x": x}


def leaky(rng):
    return {"alpha": float(np.float32(rng.choice([0.5, 0.25, 0.1, 0.01, rng.uniform(0, 1)])))}


def nothing(rng):
    return {}


IMAGES = ((1, 7, 20, 20), (1, 70, 13, 13), (2, 33, 5, 9))
FAMILIES = {
    "QLinearAdd": pair("QLinearAdd"),
    "QLinearMul": pair("QLinearMul"),
    "QLinearSigmoid": single("QLinearSigmoid", nothing),
    "QLinearLeakyRelu": single("QLinearLeakyRelu", leaky),
    "QLinearSoftmax": single(
        "QLinearSoftmax",
        lambda rng: {"axis": -1, "opset": 13},
        ((3000, 37), (100, 1001), (30, 4096)),
        (1 / 256, 1 / 255),
    ),
    "QLinearGlobalAveragePool": single("QLinearGlobalAveragePool", lambda rng: {"channels_last": 0}, IMAGES),
    "QLinearAveragePool": single("QLinearAveragePool", windows, IMAGES),
    "QLinearMatMul": matmul,
    "QLinearConv": convolution,
    "QuantizeLinear": quantize,
    "DynamicQuantizeLinear": dynamic_quantize,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_dense_data_equal_the_runtime(family):
    for number in range(COUNT):
        seed = [SEED, number, *family.encode()]
        model, inputs = FAMILIES[family](np.random.default_rng(seed))
        live.check(model, inputs, seed)
