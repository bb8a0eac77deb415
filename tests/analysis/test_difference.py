"""Differences between dialects: counts, first layers and causes, on models of our own that retell public reports."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.dialects import litert_ref, tflm
from hwblocks.errors import DialectError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.dialect import Dialect
from hwblocks.numerics.formats import Format

RNG = np.random.default_rng(21)


def int8(scale, zero=0):
    return Format("int8", scale=float(np.float32(scale)), zero_point=zero)


def layer(build, x, outputs, y_format, kind=hb.Linear, weight_scale=0.01, name="dense"):
    """A layer of int8 weights with a bias."""
    inner = x.shape[-1]
    shape = (outputs, inner) if kind is hb.Linear else (outputs, 3, 3, inner)
    w = build.constant(f"{name}.w", RNG.integers(-127, 128, shape), int8(weight_scale))
    bias_scale = float(x.tensor.format.scale) * weight_scale
    b = build.constant(f"{name}.b", RNG.integers(-2000, 2000, outputs), Format("int32", scale=bias_scale))
    return build.add(kind(), x, w, b, name=name, outputs=(f"{name}.out",), formats=(y_format,))


def codes(graph, count=40):
    return codes_of(graph.tensors[graph.inputs[0]], count)


def codes_of(tensor, count):
    return RNG.integers(tensor.format.lo, tensor.format.hi + 1, (count, *tensor.shape)).astype(tensor.format.dtype)


def test_lite_against_micro_by_one_in_a_fully_connected_layer():
    """tflite-micro issue 3252 and its kin: desktop reference and micro differ by one code after a dense layer."""
    build = GraphBuilder("dense")
    x = build.input("x", (1, 64), int8(0.05, 3))
    hidden = layer(build, x, 128, int8(0.31, -10), name="first")
    y = layer(build, hidden, 64, int8(2.7, 5), name="second")
    graph = build.build(y)
    found = hb.diff(graph, codes(graph, 400), "litert-ref", "tflm")
    assert found.first_layer == "first.out"
    first, second = found.layer("first.out"), found.layer("second.out")
    assert first["largest"] == 1
    assert first["fresh"] == first["differing"] > 0
    assert first["cause"].startswith("rounding step (100 %")
    assert second["propagated"] > 0
    assert not found.equal


def test_one_rounding_flag_cannot_serve_products_and_dense_layers():
    """CMSIS-NN issue 214: against the desktop reference a dense layer needs one rounding, a product needs two."""
    build = GraphBuilder("mul_and_dense")
    x = build.input("x", (1, 96), int8(0.04))
    gain = build.constant("gain", RNG.integers(-127, 128, (1, 96)), int8(0.02))
    scaled = build.add(hb.Mul(), x, gain, name="mul", outputs=("mul.out",), formats=(int8(0.09),))
    graph = build.build(layer(build, scaled, 64, int8(0.13), name="dense"))
    x = codes(graph, 300)

    def rounding(name, mode):
        """Every product and layer rounded in one way, as the compile-time flag does."""
        rules = {
            "Mul": litert_ref.fixed(mode, algorithm="scaled_product"),
            "Linear": lambda site: litert_ref.sums(site, mode),
        }
        return Dialect(name, "CMSIS-NN", "one flag", "one rounding for all", tflm.DIALECT, rules)

    double = hb.diff(graph, x, "litert-ref", rounding("double", "double_round"))
    assert double.first_layer == "dense.out"
    assert double.layer("dense.out")["cause"].startswith("rounding step (100 %")
    single = hb.diff(graph, x, "litert-ref", rounding("single", "single_round scale_precision=float32"))
    assert single.first_layer == "mul.out"
    assert single.layer("mul.out")["cause"].startswith("rounding step (100 %")


def test_fused_groups_round_ties_elsewhere():
    """onnxruntime issue 32132: a QDQ addition that the optimiser fuses differs by one step, on ties."""
    uint8 = Format("uint8", scale=0.5, zero_point=128)
    build = GraphBuilder("qdq_add")
    reals = []
    for name in ("a", "b"):
        x = build.input(name, (1, 64))
        stored = build.add(hb.Quantize(), x, name=f"q{name}", outputs=(f"{name}.codes",), formats=(uint8,))
        reals.append(build.add(hb.Dequantize(), stored, name=f"d{name}", formats=(Format("float32"),)))
    total = build.add(hb.Add(), *reals, name="add")
    target = Format("uint8", scale=1.0, zero_point=127)
    y = build.add(hb.Quantize(), total, name="qy", outputs=("y",), formats=(target,))
    graph = build.build(y)
    x = {n: RNG.uniform(-60, 60, (30, 1, 64)).astype(np.float32) for n in ("a", "b")}
    found = hb.diff(graph, x, "ort-noopt", "ort")
    assert found.first_layer == "y"
    assert found.layer("y")["cause"].startswith("fusion")
    assert found.layer("y")["largest"] == 1
    assert "qy" in found.fused


@pytest.mark.parametrize(
    ("first", "second", "block", "cause"),
    [
        ("tflm", "litert-ref", hb.Mul(), "scale precision"),
        ("tflm", "xnnpack", hb.LeakyReLU(0.3), "multiplier width"),
        ("litert-ref", "litert-opt", hb.Sigmoid(), "activation table"),
        ("ort", "ort-avx2", hb.Linear(), "pair saturation"),
    ],
)
def test_causes_by_mechanism(first, second, block, cause):
    build = GraphBuilder("one")
    if isinstance(block, hb.Linear):
        x = build.input("x", (1, 64), Format("uint8", scale=0.05))
        y = layer(build, x, 32, Format("uint8", scale=3.0, zero_point=128), name="y", weight_scale=0.02)
    elif isinstance(block, hb.Mul):
        wide = Format("int16", scale=float(np.float32(0.00013)))
        x, z = (build.input(n, (1, 4096), wide) for n in ("x", "z"))
        y = build.add(block, x, z, name="y", formats=(Format("int16", scale=float(np.float32(0.00021))),))
    else:
        wide = Format("int16", scale=2.0**-12)
        format, target = (
            (wide, Format("int16", scale=2.0**-15)) if cause == "activation table" else (int8(0.05), int8(0.04))
        )
        y = build.add(block, build.input("x", (1, 4096), format), name="y", formats=(target,))
    graph = build.build(y)
    inputs = {n: codes_of(graph.tensors[n], 30) for n in graph.inputs}
    found = hb.diff(graph, inputs, first, second)
    (output,) = graph.outputs
    assert found.layer(output)["cause"].startswith(cause)
    assert found.layer(output)["fresh"] > 0


def test_equal_dialects_and_bad_names():
    build = GraphBuilder("same")
    graph = build.build(layer(build, build.input("x", (1, 8), int8(0.1)), 4, int8(0.2)))
    same = hb.diff(graph, codes(graph), "tflm", "tflm")
    assert same.equal
    assert same.first_layer is None
    assert same.to_dict()["schema"] == "hwblocks.difference/1"
    with pytest.raises(DialectError, match="there are tflm"):
        hb.diff(graph, codes(graph), "tflm", "tensorrt")
    gelu = GraphBuilder("gelu")
    y = gelu.add(hb.GELU(), gelu.input("x", (1, 8), int8(0.1)), formats=(int8(0.2),))
    with pytest.raises(DialectError, match="GELU 'gelu': GELU is not among its kernels"):
        hb.run(gelu.build(y), np.zeros((1, 1, 8), np.int8), dialect="tflm")
