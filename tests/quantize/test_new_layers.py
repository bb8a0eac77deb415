"""Pooling, resizing, normalization and linear forms from float to integer: close to float, saved and loaded alike."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.graph.builder import GraphBuilder

RNG = np.random.default_rng(61)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


IMAGE, VOLUME, ROW = (1, 6, 5, 4), (1, 4, 4, 4, 2), (1, 3, 8)

LAYERS = [
    (hb.Conv3d(padding=1), VOLUME, (floats(3, 3, 3, 3, 2), floats(3))),
    (hb.ConvTranspose1d(stride=2), ROW, (floats(5, 3, 8), floats(5))),
    (hb.CausalConv1d(dilation=2), ROW, (floats(5, 2, 8),)),
    (hb.MaxPool3d(2), VOLUME, ()),
    (hb.AvgPool3d(2), VOLUME, ()),
    (hb.AvgPool2d(2, 1, dilation=2), IMAGE, ()),
    (hb.GlobalMaxPool(), IMAGE, ()),
    (hb.LpPool2d(2), IMAGE, ()),
    (hb.GlobalLpPool(3), IMAGE, ()),
    (hb.AdaptiveAvgPool2d((4, 2)), IMAGE, ()),
    (hb.AdaptiveMaxPool2d((4, None)), IMAGE, ()),
    (hb.Resize((9, 3)), IMAGE, ()),
    (hb.Resize((9, 3), mode="cubic"), IMAGE, ()),
    (hb.Resize((4, 4), (), None, "tf_crop_and_resize", ((0.2, 1.2), (0.0, 1.0)), 0.5), IMAGE, ()),
    (hb.NearestResize((9, 3)), IMAGE, ()),
    (hb.LayerNorm(), ROW, (floats(8), floats(8))),
    (hb.LayerNorm(2, variant="ibert"), ROW, ()),
    (hb.RMSNorm(variant="newton(3)"), ROW, (floats(8),)),
    (hb.GroupNorm(2), IMAGE, (floats(4), floats(4))),
    (hb.InstanceNorm(variant="newton"), IMAGE, (floats(4), floats(4))),
    (hb.MeanVarianceNorm((1, 2)), IMAGE, ()),
    (hb.LpNorm(1), ROW, ()),
    (hb.LpNorm(variant="ibert"), ROW, ()),
    (hb.LocalResponseNorm(3, 0.5), IMAGE, ()),
    (hb.ReduceL1((1,)), ROW, ()),
    (hb.ReduceL2((2,), False), ROW, ()),
    (hb.ReduceSumSquare((1, 2)), ROW, ()),
    (hb.ReduceLogSumExp(), ROW, ()),
    (hb.Hardmax(), ROW, ()),
    (hb.Einsum("btc,co->bot"), ROW, (floats(8, 5),)),
    (hb.Unfold((2, 2), 2), IMAGE, ()),
    (hb.Fold((2, 2), output_size=(2, 4)), ROW, ()),
]


def graph(block, shape, weights):
    build = GraphBuilder("g")
    names = [build.input("x", shape), *(build.constant(f"w{i}", w) for i, w in enumerate(weights))]
    return build.build(build.add(block, *names, name="n"))


@pytest.mark.parametrize(("block", "shape", "weights"), LAYERS, ids=lambda v: type(v).__name__ if v is not None else "")
@pytest.mark.parametrize("recipe", ["int8", "fixed16"])
def test_layers_quantize(tmp_path, block, shape, weights, recipe):
    g = graph(block, shape, weights)
    x = floats(24, *shape[1:])
    q = qz.convert(g, qz.calibrate(g, x), recipe=recipe)
    assert q.site(q.node("n")).is_integer
    run = hb.run(q, x)
    step = float(q.tensors["n"].format.scale)
    error = np.abs(run.real["n"] - hb.run(g, x).outputs["n"])
    if not isinstance(block, hb.Hardmax):  # codes tie where floats do not
        assert np.percentile(error, 99) < (8 if recipe == "int8" else 64) * step
    hb.save(q, tmp_path / "q.hwb")
    np.testing.assert_array_equal(hb.run(hb.load(tmp_path / "q.hwb"), x).outputs["n"], run.outputs["n"])
    assert hb.profile(q).to_dict()
    assert hb.run(q, x[:1]).outputs["n"].tolist() == run.outputs["n"][:1].tolist()


def test_bilinear_quantizes():
    build = GraphBuilder("g")
    names = [build.input("a", (1, 6)), build.input("b", (1, 4)), build.constant("w", floats(5, 6, 4))]
    g = build.build(build.add(hb.Bilinear(), *names, build.constant("c", floats(5)), name="n"))
    x = {"a": floats(30, 6), "b": floats(30, 4)}
    q = qz.convert(g, qz.calibrate(g, x), recipe="int8")
    assert q.site(q.node("n")).is_integer
    error = np.abs(hb.run(q, x).real["n"] - hb.run(g, x).outputs["n"]).max()
    assert error < 4 * float(q.tensors["n"].format.scale)


def test_pooling_with_places_and_embeddings_stay_float_between_integers():
    build = GraphBuilder("g")
    x = build.input("x", (1, 6, 4))
    value = build.add(hb.Conv1d(), x, build.constant("w", floats(4, 1, 4)), name="conv")
    places = hb.Format(kind="raw", bits=64)
    top = build.add(hb.MaxPoolWithIndices((2,)), value, name="pool", formats=[value.tensor.format, places])
    back = build.add(hb.MaxUnpool((2,)), top, "pool.1", name="unpool")
    g = build.build(build.add(hb.Conv1d(), back, build.constant("v", floats(3, 1, 4)), name="n"))
    data = floats(20, 6, 4)
    q = qz.convert(g, qz.calibrate(g, data), recipe="int8")
    integer = {node.name for node in q.nodes if q.site(node).is_integer}
    assert {"conv", "n"} <= integer
    error = np.abs(hb.run(q, data).real["n"] - hb.run(g, data).outputs["n"])
    assert np.percentile(error, 95) < 8 * float(q.tensors["n"].format.scale)
