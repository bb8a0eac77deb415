"""Integer variants of non-linearities: each against loops on Python's integers, and every kernel against it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from curve_oracles import FUNCTIONS, ORACLES, cast, steps

import hwblocks as hb
from hwblocks.errors import ShapeError, SimulationError
from hwblocks.graph.algorithm import variants
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.registry import block_classes
from hwblocks.numerics import pwl
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.formats import Format

POSITIVE = ("Log", "Sqrt", "Rsqrt")
CASES = [
    *((name, "interpolated(16)") for name in FUNCTIONS),
    ("GELU", "interpolated(64, 0)"),
    ("Sigmoid", "plan"),
    ("Tanh", "plan"),
    *((name, "cordic(12)") for name in ("Exp", "Sigmoid", "Tanh", "SiLU", "ELU", "Log", "Sin", "Cos")),
    ("Exp", "cordic(20, 32)"),
    ("Tanh", "cordic(1, 8)"),
    *((name, f"newton({n})") for name in ("Reciprocal", "Rsqrt", "Sqrt") for n in (0, 1, 2)),
    *((name, "ibert") for name in ("Exp", "Erf", "GELU", "Sqrt")),
]


def formats(name, bits, fixed):
    """Input and output: powers of two, or any scale with zero points."""
    lowest = -(1 << (bits - 1))
    positive = name in POSITIVE
    if fixed:
        return Format(f"ap_{'u' if positive else ''}fixed<{bits},4>"), Format(f"ap_fixed<{bits},4>")
    zero = lowest if positive else lowest // 8
    return (
        Format(f"int{bits}", scale=13.7 / 2**bits, zero_point=zero),
        Format(f"int{bits}", scale=11.3 / 2**bits, zero_point=-3),
    )


def graph(block, x, y, shape, arithmetic=None):
    build = GraphBuilder("g")
    made = build.add(block, build.input("x", (1, *shape), x), name="n", formats=[y], arithmetic=arithmetic)
    return build.build(made)


def run(graph, codes, isa):
    """The codes by the definition, which the kernels must equal."""
    exact = hb.Simulator(graph, engine="definition").run(codes).outputs["n"]
    fast = hb.Simulator(graph, isa=isa)
    assert fast.plan.unserved == {}
    np.testing.assert_array_equal(fast.run(codes).outputs["n"], exact)
    return exact


def of(name, variant):
    return replace(block_classes()[name](), variant=variant)


def parameters(variant):
    name, _, rest = variant.rstrip(")").partition("(")
    return name, [int(p) for p in rest.split(",") if p]


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("name", "variant"), CASES)
def test_variants_are_their_loops(isa, name, variant, bits, fixed):
    x, y = formats(name, bits, fixed)
    codes = np.arange(x.lo, x.hi + 1, 1 if bits == 8 else 331).astype(x.dtype)
    got = run(graph(of(name, variant), x, y, codes.shape), codes[None], isa)[0]
    kind, values = parameters(variant)
    wanted = [ORACLES[kind](name, int(code), x, y, *values) for code in codes]
    assert got.tolist() == wanted


@pytest.mark.parametrize(("name", "variant"), [c for c in CASES if c[0] in ("Sigmoid", "GELU", "Sqrt", "Exp", "Cos")])
def test_wide_inputs_run_the_definition(name, variant):
    x, y = formats(name, 24, True)
    codes = np.linspace(x.lo, x.hi, 99).round().astype(x.dtype)
    made = graph(of(name, variant), x, y, codes.shape)
    got = hb.run(made, codes[None]).outputs["n"][0]
    kind, values = parameters(variant)
    assert got.tolist() == [ORACLES[kind](name, int(code), x, y, *values) for code in codes]
    assert hb.Simulator(made).plan.unserved == {"n": "tables serve inputs of at most 16 bits"}


@pytest.mark.parametrize("shape", ["free", "shift"])
@pytest.mark.parametrize("name", ["Sigmoid", "GELU", "Exp", "Reciprocal", "Softplus", "LeakyReLU"])
@pytest.mark.parametrize("bits", [8, 16, 24])
def test_segments_are_within_their_bound(name, bits, shape):
    from hwblocks.algorithms.piecewise import segments_of

    x, y = formats(name, bits, False)
    codes = np.arange(x.lo, x.hi + 1, 1 if bits == 8 else 2 ** (bits - 8) - 5).astype(x.dtype)
    made = graph(of(name, f"pwl(6, {shape})"), x, y, codes.shape)
    segments = segments_of(made.site(made.nodes[0]), 6, shape)
    assert len(segments.slopes) <= 6
    assert shape == "free" or all(abs(s).bit_count() <= 1 for s in segments.slopes.tolist())
    got = hb.run(made, codes[None]).outputs["n"][0]
    for code, result in zip(codes.tolist(), got.tolist(), strict=True):
        v = code - x.zero_point
        i = sum(start <= v for start in segments.starts.tolist())
        line = Fraction(int(segments.slopes[i]) * v + int(segments.offsets[i])) / 2**segments.fraction
        assert result == min(max(round(line) + y.zero_point, y.lo), y.hi)
        if bits <= 16:
            assert abs(line - Fraction(steps(name, x.scale * v, y))) <= segments.error + 1e-6


def test_segments_are_the_best_there_are():
    rng = np.random.default_rng(5)
    for _ in range(25):
        v = np.sort(rng.choice(60, 14, replace=False)).astype(np.float64)
        f = rng.normal(size=14).cumsum()

        def best(i, j):  # a best line is parallel to one through two of its points
            pairs = [(p, q) for p in range(i, j) for q in range(p + 1, j)]
            return min((pwl.spread(v[i:j], f[i:j], (f[q] - f[p]) / (v[q] - v[p])) for p, q in pairs), default=0.0)  # noqa: B023

        errors = {(i, j): best(i, j) for i in range(14) for j in range(i + 1, 15)}
        assert all(abs(pwl.best_line(v[i:j], f[i:j])[1] - e) < 1e-9 for (i, j), e in errors.items())
        least = {(0, 1): 0.0} | {(j, 1): errors[0, j] for j in range(1, 15)}
        for n in (2, 3):
            for j in range(1, 15):
                splits = [max(least[i, n - 1], errors[i, j]) for i in range(1, j)]
                least[j, n] = min([least[j, n - 1], *splits])
            starts = pwl.equal_error(v, f, n, pwl.best_line)
            found = max(errors[a, b] for a, b in zip(starts, [*starts[1:], 14], strict=True))
            assert len(starts) <= n
            assert found <= least[14, n] * (1 + 1e-4) + 1e-9


@pytest.mark.parametrize("mode", ["wrap", "saturate_to_zero"])
@pytest.mark.parametrize("rounding", ["floor", "half_up"])
@pytest.mark.parametrize("variant", ["interpolated(8)", "pwl(3)", "cordic(10)"])
def test_the_cast_is_the_nodes(isa, variant, rounding, mode):
    x, narrow, wide = Format("ap_fixed<8,4>"), Format("ap_fixed<8,4>"), Format("ap_fixed<24,20>")
    codes = np.arange(-128, 128).astype(np.int8)
    arithmetic = Arithmetic(rounding=hb.Rounding(rounding), overflow=hb.Overflow(mode))
    made = [
        run(graph(hb.Exp(variant=variant), x, y, codes.shape, arithmetic), codes[None], isa)[0].astype(int)
        for y in (narrow, wide)
    ]
    fits = (made[1] + 128) % 256 - 128 if mode == "wrap" else np.where(np.abs(made[1] + 0.5) > 128, 0, made[1])
    np.testing.assert_array_equal(made[0], fits)


BAD = [
    ("pwl(0)", "a whole number from 1 to 256"),
    ("pwl(4, steep)", "'free' or 'shift'"),
    ("pwl", "needs n"),
    ("interpolated(12)", "a power of two"),
    ("cordic(8, 24, 3)", "takes no '3'"),
    ("newton(2)", "is not known; use table"),
    ("pwl(4", "is not a name with parameters"),
    ("float_table", "is not known"),
]


@pytest.mark.parametrize(("variant", "words"), BAD)
def test_unknown_variants_are_refused(variant, words):
    with pytest.raises(ShapeError, match=".*") as error:
        hb.Sigmoid(variant=variant).shape((2, 3))
    assert words in error.value.message
    assert "(2, 3)" in error.value.message


REFUSED = [
    ("Sqrt", "newton(2)", "ap_fixed<8,4>", "ap_fixed<8,4>", "reaches below 0"),
    ("Sqrt", "pwl(4)", "ap_fixed<8,4>", "ap_fixed<8,4>", "not a number at code -128"),
    ("Reciprocal", "interpolated(512)", "ap_fixed<16,4>", "ap_fixed<8,4,AP_TRN,AP_WRAP>", "does not saturate"),
    ("Exp", "ibert", "ap_fixed<8,8>", "ap_fixed<8,4>", "ln 2"),
    ("Erf", "ibert", "ap_fixed<8,9>", "ap_fixed<8,4>", "not below 1"),
    ("Exp", "cordic(8, 40)", "ap_fixed<8,4>", "ap_fixed<24,24>", "40 fraction bits"),
    ("Sigmoid", "interpolated(512)", "ap_fixed<8,4>", "ap_fixed<8,1>", "8-bit codes have no 512 steps"),
    ("Sigmoid", "plan", "ap_fixed<40,4>", "ap_fixed<8,1>", "at most 32"),
    ("Sigmoid", "table", "ap_fixed<24,4>", "ap_fixed<8,1>", "at most 16"),
]


@pytest.mark.parametrize(("name", "variant", "x", "y", "words"), REFUSED)
def test_formats_that_do_not_fit_are_refused(name, variant, x, y, words):
    x, to = Format(x), hb.Cast(y) if "WRAP" in y else hb.Cast(Format(y))
    arithmetic = Arithmetic(overflow=to.overflow)
    with pytest.raises(SimulationError) as error:
        hb.run(graph(of(name, variant), x, to.format, (2,), arithmetic), np.zeros((1, 2), x.dtype))
    assert words in error.value.message


def test_clamps_have_one_meaning_and_all_others_have_variants():
    for name, cls in block_classes().items():
        if issubclass(cls, hb.Pointwise) and cls.__module__.startswith("hwblocks."):
            try:
                block = cls()
            except TypeError:  # attributes without defaults
                continue
            found = set(variants(block))
            assert found == set() if block.clamp is not None else {"interpolated", "pwl"} <= found, name


def test_variants_travel_with_graphs(tmp_path):
    x, y = formats("Sigmoid", 8, True)
    made = graph(hb.Sigmoid(variant="pwl(4)"), x, y, (3,))
    again = hb.load(hb.save(made, tmp_path / "m.hwb"))
    assert again.nodes[0].block == hb.Sigmoid(variant="pwl(4)")
    assert hb.Sigmoid().attributes() == {}
    assert (repr(hb.Sigmoid()), repr(hb.Softmax())) == ("Sigmoid()", "Softmax(dim=-1, beta=1.0)")
    assert repr(hb.LeakyReLU(0.3, variant="pwl(2)")) == "LeakyReLU(negative_slope=0.3, variant='pwl(2)')"
    work = again.nodes[0].block.work((5, 3))
    assert (work.muls, work.adds, work.compares, work.lookups) == (15, 15, 45, 15)
    profile = hb.profile(again)
    assert (profile.table_bytes, profile.layers["muls"]) == (3 * 1 + 4 * (2 + 3), [3])


def test_dialects_and_nodes_come_before_the_block():
    x, y = formats("Sigmoid", 8, True)
    codes = np.arange(-128, 128).astype(np.int8)
    made = graph(hb.Sigmoid(variant="pwl(2)"), x, y, codes.shape, Arithmetic(algorithm="plan"))
    got = hb.run(made, codes[None]).outputs["n"][0]
    assert got.tolist() == [ORACLES["plan"]("Sigmoid", int(c), x, y) for c in codes]
    assert cast(Fraction(1, 2), y) == got[128]
    x, y = Format("int8", scale=0.05), Format("int8", scale=2.0**-8, zero_point=-128)
    named, plain = (graph(b, x, y, codes.shape) for b in (hb.Sigmoid(variant="plan"), hb.Sigmoid()))
    for dialect in ("tflm", "xnnpack"):
        assert (
            hb.run(named, codes[None], dialect).outputs["n"].tolist()
            == hb.run(plain, codes[None], dialect).outputs["n"].tolist()
        )
