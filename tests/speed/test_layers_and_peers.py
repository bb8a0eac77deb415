"""What is timed: loops of the machine's limit, layers and families of our kernels, and peers, on small shapes."""

from __future__ import annotations

import importlib
import pkgutil
from itertools import product as pairs

import layer_sections
import limits
import litert_peers
import numpy as np
import ort_peers
import pytest
from families import FAMILIES, program
from layers import Data, Layer, Ours, depthwise, product
from rounds import Pace

import hwblocks.numerics.kernels
from hwblocks.numerics import kernels

SMALL = {
    "product": product(7, 18, 33),
    "row": product(1, 33, 20),
    "1×1": Layer(5, 6, 8, 19),
    "3×3": Layer(6, 5, 4, 17, 3),
    "3×3 stride 2": Layer(8, 7, 3, 8, 3, 2),
    "depthwise": depthwise(6, 7, 17),
    "depthwise stride 2": depthwise(8, 8, 16, 2),
}


@pytest.mark.parametrize(("isa", "products"), [("avx2", 12 * 16), ("avx512", 12 * 64)])
def test_limits_count_their_products(isa, products):
    if isa in kernels.isa_names():
        call, macs = limits.limit(isa)
        assert macs == call() == products * limits.ROUNDS


def test_what_has_no_limit_says_why(monkeypatch):
    with pytest.raises(limits.NoLimitError, match="no register-only loop for ref"):
        limits.limit("ref")
    limits.library.cache_clear()
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(limits.NoLimitError, match="cannot be compiled"):
        limits.limit("avx2")
    limits.library.cache_clear()


def sums_of(data):
    """Σ over taps in int64, tap by tap, padding of zeros."""
    one, (top, left, bottom, right) = data.layer, data.layer.pads
    x = np.pad(data.x.astype(np.int64), ((0, 0), (top, bottom), (left, right), (0, 0)))
    (height, width), step = one.out, one.stride
    total = np.zeros((data.samples, height, width, one.outputs), np.int64)
    for i, j in pairs(range(one.kernel), repeat=2):
        window = x[:, i : i + step * height : step, j : j + step * width : step]
        w = data.weights[:, i, j].astype(np.int64)
        total += window * w[:, 0] if one.groups > 1 else window @ w.T
    return total


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", SMALL)
def test_layers_equal_sums_tap_by_tap(compiled_isa, name, threads):
    data = Data(SMALL[name], samples=3)
    sums, ours = sums_of(data), Ours(data, compiled_isa, None, threads)
    ours.run(1)
    np.testing.assert_array_equal(ours.y, sums)
    assert ours.macs == 3 * sums[0].size * data.layer.taps
    cast = Ours(data, compiled_isa, threads=threads)
    cast.run(2)
    codes, _ = data.epilogue("single_round").apply(sums + data.bias)
    np.testing.assert_array_equal(cast.y, codes)


@pytest.mark.parametrize("name", SMALL)
def test_peers_compute_the_same_layers(compiled_isa, name):
    data = Data(SMALL[name], samples=2)
    setting = layer_sections.Setting(compiled_isa, Pace(1, 0.0))
    layer_sections.litert_candidate(data, setting, 1)  # raises where integers differ
    layer_sections.check_ort(data, {"s8s8": ort_peers.peer(data, "s8s8")}, compiled_isa)
    real = ort_peers.peer(data, "f32")
    real.run()
    wanted = sums_of(data) if data.layer.is_product else (sums_of(data) + data.bias).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(real.y.reshape(wanted.shape), wanted)  # sums below 2²⁴ are exact in float32


def test_unequal_peers_are_told():
    with pytest.raises(layer_sections.UnequalError, match="x: 1 of 2 results differ"):
        layer_sections.same(np.array([1, 2]), np.array([1, 3]), "x")
    layer_sections.same(np.array([1.0, 1e6]), np.array([1.5, 1e6]), "x")


def test_runtimes_refuse_by_an_error():
    content = litert_peers.layer_model(Data(SMALL["product"]))
    assert litert_peers.LiteRT(content, batch=5).inputs[0]["shape"][0] == 5
    with pytest.raises(litert_peers.RefusedError):
        litert_peers.LiteRT(b"nothing at all")
    with pytest.raises(litert_peers.RefusedError):
        litert_peers.Micro(b"nothing at all")


@pytest.mark.parametrize("name", FAMILIES)
def test_families_run(compiled_isa, name):
    program(FAMILIES[name](), compiled_isa)(1)


def test_every_kernel_family_has_a_benchmark():
    package = hwblocks.numerics.kernels
    modules = [importlib.import_module(m.name) for m in pkgutil.iter_modules(package.__path__, package.__name__ + ".")]
    calls = {n for m in modules for n, c in vars(m).items() if n.endswith("Call") and c.__module__ == m.__name__}
    calls -= {"EdgeCall"}  # what the two edges share
    made = [make() for make in FAMILIES.values()]
    timed = {type(getattr(m, "call", m)).__name__ for m in made} | {"ConvCall"}  # layers.py
    assert calls == timed
