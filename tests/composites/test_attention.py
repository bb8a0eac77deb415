"""Attention in integers: a head on Python's integers, every instruction set, caches, masks, hard gates, counts, errors."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.numerics.multiplier import quantize_multiplier

E, HEADS, GROUPS, STEPS = 8, 4, 2, 5
HEAD = E // HEADS


def weights(rng, groups=GROUPS):
    inner = groups * HEAD
    return {
        "in_proj_weight": rng.normal(size=(E + 2 * inner, E)) / 2,
        "in_proj_bias": rng.normal(size=E + 2 * inner) / 2,
        "out_proj.weight": rng.normal(size=(E, E)) / 2,
        "out_proj.bias": rng.normal(size=E),
    }


def sequences(count=12, steps=STEPS, seed=3):
    return np.random.default_rng(seed).normal(size=(count, steps, E)).astype(np.float32)


def layer(**more):
    return hb.MultiheadAttention(E, HEADS, num_kv_heads=GROUPS, weights=weights(np.random.default_rng(2)), **more)


def quantized(graph, samples, recipe="int8"):
    return qz.convert(graph, qz.calibrate(graph, samples), recipe)


def one(run):
    return next(iter(run.outputs.values()))


def normal(*shape, seed=4):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class Integers:
    """The layer on Python's integers; of the graph it reads formats and the stored codes of weights and biases."""

    def __init__(self, q):
        self.tensor = {name.rpartition("/")[2]: t for name, t in q.tensors.items()}

    def limited(self, value, name):
        format = self.tensor[name].format
        return min(max(value + format.zero_point, format.lo), format.hi)

    def scaled(self, total, ratio, name):
        """A sum of products requantized: a 31-bit multiplier, one rounding half up."""
        m, e = quantize_multiplier(ratio)
        return self.limited((total * m + (1 << (30 - e))) >> (31 - e), name)

    def centred(self, codes, name):
        return [int(c) - self.tensor[name].format.zero_point for c in codes]

    def projected(self, codes, source, name):
        w, b = self.tensor[f"{name}.weight"], self.tensor[f"{name}.bias"]
        scale, step = self.tensor[source].format.scale, self.tensor[name].format.scale
        rows = []
        for x in codes:
            x = self.centred(x, source)
            totals = [sum(a * int(c) for a, c in zip(x, row)) + int(v) for row, v in zip(w.value, b.value)]
            rows.append([self.scaled(t, scale * s / step, name) for t, s in zip(totals, w.format.scale)])
        return rows

    def weighed(self, scores, seen, beta):
        """Shares of e^(beta · score) in 30 bits, each divided by their sum and rounded half to even once."""
        step, made = self.tensor["scores"].format.scale, self.tensor["weights"].format
        most = max(s for s, k in zip(scores, seen) if k)
        powers = [round(math.exp(-beta * step * (most - s)) * 2**30) if k else 0 for s, k in zip(scores, seen)]
        return [self.limited(round(Fraction(p, sum(powers)) / Fraction(made.scale)), "weights") for p in powers]

    def product(self, a, a_name, b, b_name, name):
        scales = [self.tensor[n].format.scale for n in (a_name, b_name, name)]
        total = sum(x * y for x, y in zip(self.centred(a, a_name), self.centred(b, b_name)))
        return self.scaled(total, scales[0] * scales[1] / scales[2], name)

    def run(self, x):
        q, k, v = (self.projected(x, "query", f"{part}_proj") for part in "qkv")
        made = [[0] * E for _ in x]
        for h, i in itertools.product(range(HEADS), range(len(x))):
            g = h // (HEADS // GROUPS)
            query, mine = q[i][h * HEAD : (h + 1) * HEAD], slice(g * HEAD, (g + 1) * HEAD)
            scores = [self.product(query, "q_proj", key[mine], "k_proj", "scores") for key in k]
            shares = self.weighed(scores, [j <= i for j in range(len(x))], HEAD**-0.5)
            for c in range(HEAD):
                column = [row[mine][c] for row in v]
                made[i][h * HEAD + c] = self.product(shares, "weights", column, "v_proj", "context")
        return self.projected(made, "context", "out_proj")


@pytest.mark.parametrize("recipe", ["int8", "w4a8"])
def test_a_layer_is_plain_integers(isa, recipe):
    x, graph = sequences(), layer(is_causal=True).graph((1, STEPS, E))
    q = quantized(graph, x, recipe)
    run = hb.Simulator(q, isa=isa).run(x[:3], trace=["query"])
    model = Integers(q)
    for codes, y in zip(run.trace["query"], one(run), strict=True):
        assert model.run(codes) == y.tolist()


BLOCKS = {
    "plain": (layer(), [(STEPS, E)]),
    "mean weights": (layer(need_weights=True), [(STEPS, E)]),
    "softcap and window": (layer(softcap=2.0, window=(1, 0)), [(STEPS, E)]),
    "zero key": (layer(add_zero_attn=True, is_causal=True), [(STEPS, E)]),
    "rotary": (layer(rotary=hb.RotaryEmbedding(16), is_causal=True), [(STEPS, E)]),
    "cross": (layer(), [(STEPS, E), (7, E)]),
    "hard": (layer(mode="hard", is_causal=True), [(STEPS, E)]),
    "threshold": (layer(mode="hard", threshold=0.5), [(STEPS, E)]),
    "added mask": (hb.ScaledDotProductAttention(), [(4, 3, 5), (2, 17, 5), (2, 17, 4), (3, 17)]),
    "linear": (hb.LinearAttention(), [(4, 6, 3), (2, 6, 3), (2, 6, 5)]),
    "linear, whole": (hb.LinearAttention("relu", is_causal=False), [(4, 6, 3), (2, 6, 3), (2, 6, 5)]),
    "gate": (hb.Gate(weight=normal(E, E)), [(STEPS, E), (STEPS, E)]),
    "positions": (hb.PositionalEncoding(), [(STEPS, E)]),
}
ERRORS = {("linear, whole", "int8"): 0.25}  # where ReLU leaves a query of few steps, whose relative error stays


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
def test_every_isa_equals_the_definition(compiled_isa, name, recipe):
    block, shapes = BLOCKS[name]
    graph = block.graph(*((1, *s) for s in shapes))
    x = {n: normal(6, *s, seed=i) for i, (n, s) in enumerate(zip(graph.inputs, shapes, strict=True))}
    q = quantized(graph, x, recipe)
    fast, slow = hb.Simulator(q, isa=compiled_isa), hb.Simulator(q, engine="definition")
    assert not fast.plan.unserved
    fast, slow, real = fast.run(x, trace="full"), slow.run(x, trace="full"), hb.run(graph, x)
    for tensor in slow.trace:
        np.testing.assert_array_equal(fast.trace[tensor], slow.trace[tensor], err_msg=tensor)
    if "mode" in block.attributes() and block.mode == "hard":
        return  # a decision near a tie may fall on the other side
    for tensor, array in real.outputs.items():
        assert np.abs(fast.real[tensor] - array).max() < ERRORS.get((name, recipe), 0.06) * np.abs(array).max()


def with_formats_of(graph, other, samples, recipe="int8"):
    """The graph quantized, tensors of the same name in the formats of another quantized graph."""
    formats = qz.assign(graph, qz.calibrate(graph, samples), recipe)
    for name in formats.formats:
        if name in other.tensors and other.tensors[name].format.is_quantized:
            formats.formats[name] = other.tensors[name].format
    for name, source in (("keys", "k_proj"), ("values", "v_proj")):
        for tied in (f"multiheadattention/cache_{name}", f"multiheadattention/cached_{name}"):
            formats.formats[tied] = other.tensors[f"multiheadattention/{source}"].format
    return qz.convert(graph, formats=formats, recipe=recipe)


@pytest.mark.parametrize("length", [STEPS, STEPS + 4])
@pytest.mark.parametrize("step", [1, 2])
def test_a_cache_gives_the_causal_sequence(isa, length, step):
    steps = STEPS // step * step
    x = sequences(2, steps)
    whole = layer(is_causal=True).graph((1, steps, E))
    cached = layer(is_causal=True, streaming=True, max_length=length).graph((1, step, E))
    parts = x.reshape(2, steps // step, step, E)
    wanted = one(hb.run(whole, x))
    q = quantized(whole, x)
    p = with_formats_of(cached, q, parts.reshape(-1, step, E))
    simulator = hb.Simulator(p, isa=isa)
    for n, sequence in enumerate(parts):
        np.testing.assert_array_equal(one(hb.run(cached, sequence, state="carry")).reshape(steps, E), wanted[n])
        simulator.reset()
        run = [one(simulator.run(chunk[None], state="carry")) for chunk in sequence]
        np.testing.assert_array_equal(np.reshape(run, (steps, E)), one(hb.run(q, x[n : n + 1]))[0])


def test_a_full_cache_forgets_the_oldest():
    x = sequences(1, 9)[0]
    cached = layer(is_causal=True, streaming=True, max_length=3).graph((1, 1, E))
    wanted = one(hb.run(layer(is_causal=True, window=(2, 0)).graph((1, 9, E)), x[None]))[0]
    got = one(hb.run(cached, x[:, None], state="carry"))[:, 0]
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("block", ["encoder", "linear"])
def test_streams_with_positions_and_states(block):
    if block == "linear":
        x = normal(7, 1, 2, 1, 4)
        whole, streamed = hb.LinearAttention(), hb.LinearAttention(streaming=True)
        inputs = [np.moveaxis(x[:, 0], 0, 2).reshape(1, 2, 7, 4)] * 3
        wanted = np.moveaxis(whole(*inputs), 2, 0)[:, :, :, None].transpose(0, 1, 2, 3, 4)
        graph = streamed.graph(*((1, 2, 1, 4),) * 3)
        got = one(hb.run(graph, [x[:, 0]] * 3, state="carry"))
        np.testing.assert_allclose(got[:, :, 0], wanted.reshape(7, 2, 4), rtol=1e-5, atol=1e-6)
        return
    rng = np.random.default_rng(9)
    given = {f"self_attn.{n}": a for n, a in weights(rng).items()}
    given |= {"linear1.weight": rng.normal(size=(6, E)), "linear2.weight": rng.normal(size=(E, 6))}
    more = {"num_kv_heads": GROUPS, "is_causal": True, "norm_first": True, "weights": given}
    whole = hb.TransformerEncoderLayer(E, HEADS, rotary=hb.RotaryEmbedding(8), **more)
    rotary = hb.RotaryEmbedding(8, streaming=True)
    streamed = hb.TransformerEncoderLayer(E, HEADS, rotary=rotary, streaming=True, max_length=8, **more)
    x = sequences(1, 8)[0]
    got = one(hb.run(streamed.graph((1, 1, E)), x[:, None], state="carry"))[:, 0]
    np.testing.assert_allclose(got, one(hb.run(whole.graph((1, 8, E)), x[None]))[0], rtol=1e-5, atol=1e-5)


def test_what_is_masked_is_not_seen(isa):
    """Keys that no query may see can hold anything, in floats and in integers."""
    block = hb.ScaledDotProductAttention()
    q, k, v = normal(5, 2, 3, 4), normal(5, 2, 6, 4, seed=5), normal(5, 2, 6, 4, seed=6)
    keep = np.ones((5, 1, 3, 6), bool)
    keep[:, :, :, [1, 4]] = False
    keep[2, :, 1] = False
    graph = block.graph(q[:1], k[:1], v[:1], keep[:1])
    x = dict(zip(graph.inputs, (q, k, v, keep), strict=True))
    other = {**x, "k": k.copy(), "v": v.copy()}
    for name in "kv":
        other[name][:, :, [1, 4]] = x[name][:, :, [0, 2]] * -1
    p = quantized(graph, x)
    simulator = hb.Simulator(p, isa=isa)
    assert simulator.plan.unserved == {}
    for run in (lambda given: hb.run(graph, given), simulator.run):
        first, second = run(x), run(other)
        np.testing.assert_array_equal(one(first), one(second))
        assert (next(iter(first.real.values()))[2, :, 1] == 0).all()
    np.testing.assert_array_equal(one(simulator.run(x)), one(hb.Simulator(p, engine="definition").run(x)))


def test_lengths_without_a_mask():
    x, lengths = sequences(3), np.array([[2.0], [5.0], [0.0]])
    block = layer()
    got = block(x, None, None, None, lengths)
    for n, length in enumerate(lengths[:, 0].astype(int)):
        alone = block(x[n : n + 1], x[n : n + 1, :length]) if length else None
        wanted = block.weights["out_proj.bias"] if alone is None else alone[0]
        np.testing.assert_allclose(got[n], np.broadcast_to(wanted, got[n].shape), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("threshold", [None, 0.3])
def test_open_gates_are_counted(threshold):
    block = hb.ScaledDotProductAttention(is_causal=True, mode="hard", threshold=threshold)
    shapes = (4, 2, 5, 3)
    q, k, v = (normal(*shapes, seed=i) for i in range(3))
    graph = block.graph(q[:1], k[:1], v[:1])
    scores = np.einsum("nhid,nhjd->nhij", q, k) / math.sqrt(3)
    seen = np.tril(np.ones((5, 5), bool))
    wanted = 4 * 2 * 5 if threshold is None else int((seen & (scores >= threshold)).sum())
    events = hb.run(graph, [q, k, v]).events
    assert {n: e.active for n, e in events.items() if e.active} == {"scaleddotproductattention/gates": wanted}
    p = quantized(graph, [q, k, v])
    run = hb.run(p, [q, k, v], trace="full")
    gates = run.trace.real("scaleddotproductattention/gates")
    assert run.events["scaleddotproductattention/gates"].active == int((gates > 0).sum())
    if threshold is None:
        assert (gates.sum(axis=-1) > 0).all()


def test_work_is_exact():
    p = hb.profile(layer(is_causal=True, streaming=True, max_length=16).graph((1, 2, E)))
    inner = GROUPS * HEAD
    assert p.macs == 2 * E * (2 * E + 2 * inner) + 2 * HEADS * 2 * 16 * HEAD
    rows = {row["layer"].rpartition("/")[2]: row for row in p.layers}
    assert rows["cached_keys"]["writes"] == rows["cached_values"]["writes"] == 2 * inner
    assert rows["cached_keys"]["memory_bytes"] == 4 * 2 * inner


def test_a_quantized_cache_is_saved(tmp_path):
    x = sequences(1, 6)[0][:, None]
    q = quantized(layer(is_causal=True, streaming=True, max_length=4).graph((1, 1, E)), x)
    hb.save(q, tmp_path / "q.hwb")
    again = hb.load(str(tmp_path / "q.hwb"))
    np.testing.assert_array_equal(one(hb.run(again, x, state="carry")), one(hb.run(q, x, state="carry")))


BAD = [
    (lambda: layer(streaming=True), "max_length"),
    (lambda: hb.MultiheadAttention(7, 2), "multiple of num_heads"),
    (lambda: hb.MultiheadAttention(E, HEADS)(sequences(1)), "q_proj_weight"),
    (lambda: layer(streaming=True, max_length=2).graph((1, 3, E)), "max_length=2"),
    (lambda: layer(streaming=True, max_length=9)(sequences(1), None, None, np.ones((3, 3))), "takes no mask"),
    (lambda: layer(mode="firm")(sequences(1)), "'firm'"),
    (lambda: layer(threshold=1.0)(sequences(1)), 'needs mode="hard"'),
    (lambda: layer(scale=0.0)(sequences(1)), "must be positive"),
    (lambda: hb.ScaledDotProductAttention()(*(np.ones((1, h, 2, 2)) for h in (3, 2, 2))), "3 query heads"),
    (lambda: hb.LinearAttention("sine"), "'sine'"),
    (lambda: hb.LinearAttention(is_causal=False, streaming=True), "is_causal"),
    (lambda: hb.Gate()(np.ones((1, 2)), np.ones((1, 2))), "weight"),
    (lambda: hb.Residual(hb.ReLU(), mode="gate"), "gate_weight"),
    (lambda: hb.Bottleneck()(np.ones((1, 2, 2, 1))), "conv1.weight"),
    (lambda: hb.TransformerEncoderLayer(E, activation="sine"), "'sine'"),
]


@pytest.mark.parametrize(("make", "words"), BAD, ids=range(len(BAD)))
def test_errors(make, words):
    with pytest.raises(hb.HwblocksError) as error:
        make()
    assert words in error.value.message
