"""Random QDQ groups under ONNX Runtime's default optimisation: what it fuses, and the integers that it then computes."""

from __future__ import annotations

import os

import numpy as np
import pytest
from onnx_file import File, optimised

import hwblocks as hb
from hwblocks.runtimes.ort import default_dialect

pytest.importorskip("onnxruntime")

FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
COUNT = 2000 if FUZZ else 200
SEED = int.from_bytes(os.urandom(4)) if FUZZ else 0
SAMPLES = 3


def scale(rng, low=-6, high=-2):
    """A scale; often a power of two, so that ties are common."""
    exponent = rng.uniform(low, high)
    return np.float32(2.0 ** (round(exponent) if rng.random() < 0.6 else exponent))


def zero(rng, kind):
    limits = np.iinfo(kind)
    return np.array(rng.choice([limits.min, limits.max, rng.integers(limits.min, limits.max + 1)]), kind)


def ended(rng, file, kind, typical, low=False):
    """The group's QuantizeLinear and DequantizeLinear; `low`: at the lowest zero point."""
    point = np.array(np.iinfo(kind).min, kind) if low else zero(rng, kind)
    exponent = np.log2(typical) + rng.uniform(-1, 1)
    file.round_trip(np.float32(2.0 ** (round(exponent) if rng.random() < 0.6 else exponent)), point)


def begun(rng, shape):
    """A file whose input has gone through codes: (file, type, tensor, scale)."""
    kind, file, step = str(rng.choice(["uint8", "int8"])), File(*shape), scale(rng)
    return file, kind, file.round_trip(step, zero(rng, kind)), step


def layer(op):
    def draw(rng):
        shape = (1, 4, 7, 6) if op == "Conv" else (2, 12)
        file, kind, x, step = begun(rng, shape)
        groups = int(rng.choice([1, 1, 2, 4])) if op == "Conv" else 1
        outputs = int(rng.choice([1, 2, 5])) * groups
        w_shape = (outputs, 4 // groups, 3, 2) if op == "Conv" else (12, outputs)
        w_step = scale(rng, -9, -5)
        if op == "Conv" and rng.random() < 0.5:
            w_step = np.float32(2.0 ** rng.uniform(-9, -5, outputs))
        codes = rng.integers(-63, 64, w_shape).astype(np.int8)  # exact with every instruction set
        more = {"axis": 0} if np.ndim(w_step) else {}
        w = file.add("DequantizeLinear", inputs=[codes, w_step, np.zeros(np.shape(w_step), np.int8)], **more)
        inputs, steps = [x, w], (step * w_step).astype(np.float32)
        if op != "MatMul" and rng.random() < 0.8:
            bias = rng.integers(-900, 900, outputs).astype(np.int32)
            none = np.zeros(steps.shape, np.int32)
            inputs.append(file.add("DequantizeLinear", inputs=[bias, steps, none], axis=0))
        attributes = {}
        if op == "Conv":
            attributes = {
                "group": groups,
                "strides": rng.integers(1, 3, 2).tolist(),
                "pads": rng.integers(0, 2, 4).tolist(),
                "dilations": rng.integers(1, 3, 2).tolist(),
            }
        file.add(op, inputs=inputs, **attributes)
        relu = rng.random() < 0.3
        if relu:
            file.add("Relu")
        ended(rng, file, kind, np.median(steps) * 40, relu)
        return file, shape, step

    return draw


def pair(op):
    def draw(rng):
        shape = (2, 9)
        file, kind, a, step = begun(rng, shape)
        file.last = "x"
        file.add("Mul", np.float32(rng.uniform(-2, 2)))
        other = scale(rng)
        b = file.round_trip(other, zero(rng, kind))
        file.add(op, inputs=[a, b])
        ended(rng, file, kind, step * other * 60 if op == "Mul" else max(step, other) * 1.4)
        return file, shape, step

    return draw


def single(op, typical=lambda step: step, shape=(2, 9), **attributes):
    def draw(rng):
        file, kind, _, step = begun(rng, shape)
        given = {name: value(rng) if callable(value) else value for name, value in attributes.items()}
        file.add(op, **given)
        ended(rng, file, kind, typical(step))
        return file, shape, step

    return draw


def window(rng):
    return rng.integers(1, 4, 2).tolist()


IMAGE = (1, 3, 8, 7)
FAMILIES = {
    **{op: layer(op) for op in ("Conv", "MatMul", "Gemm")},
    **{op: pair(op) for op in ("Add", "Mul")},
    "Sigmoid": single("Sigmoid", lambda step: 1 / 256),
    "LeakyRelu": single("LeakyRelu", alpha=lambda rng: float(np.float32(rng.uniform(0.01, 0.9)))),
    "Softmax": single("Softmax", lambda step: 1 / 256, axis=-1),
    "GlobalAveragePool": single("GlobalAveragePool", shape=IMAGE),
    "AveragePool": single("AveragePool", shape=IMAGE, kernel_shape=window, strides=[1, 2]),
    "MaxPool": single("MaxPool", shape=IMAGE, kernel_shape=window),
    "Relu": single("Relu"),
    "Transpose": single("Transpose", shape=IMAGE, perm=[0, 2, 3, 1]),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_groups_equal_the_runtime(family):
    """With 7-bit weights no pair of products saturates, so that both dialects of the default optimisation agree."""
    for number in range(COUNT):
        seed = [SEED, number, *family.encode()]
        rng = np.random.default_rng(seed)
        file, shape, step = FAMILIES[family](rng)
        x = (rng.integers(-300, 300, (SAMPLES, *shape)) / 2 * step).astype(np.float32)
        wanted, graph = optimised(file.model(), x), file.graph()
        for dialect in ("ort", "ort-avx2"):
            got = next(iter(hb.run(graph, x, dialect=dialect).outputs.values()))
            np.testing.assert_array_equal(got.reshape(wanted.shape), wanted, f"{family} {dialect} seed {seed}")


def test_full_range_weights_equal_this_machine():
    """Weights of 8 bits: exact sums where the processor has VNNI instructions, saturating pairs elsewhere."""
    for number in range(COUNT):
        rng = np.random.default_rng([SEED, number])
        file = File(1, 3, 7, 6)
        step = scale(rng)
        x_name = file.round_trip(step, zero(rng, "uint8"))
        codes = rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
        w = file.add("DequantizeLinear", inputs=[codes, np.float32(0.01), np.int8(0)])
        file.add("Conv", inputs=[x_name, w])
        file.round_trip(np.float32(step * 0.9), np.uint8(128))
        x = (rng.integers(-300, 300, (SAMPLES, 1, 3, 7, 6)) / 2 * step).astype(np.float32)
        wanted = optimised(file.model(), x)
        got = next(iter(hb.run(file.graph(), x, dialect=default_dialect()).outputs.values()))
        np.testing.assert_array_equal(got.reshape(wanted.shape), wanted, f"seed {number}")
