"""Recurrent layers in integers: against an independent model of one cell, on every instruction set, streaming."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import msgspec
import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.analysis.explanation import explain_element
from hwblocks.exporters.to_vectors import dump_vectors
from quantize.recipe import load_recipe, parse_recipe

VARIANTS = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
    ("GRU", {}),
    ("GRU", {"reset_after": False}),
    ("LSTM", {}),
    ("LSTM", {"peephole": True, "cell_clip": 0.5}),
    ("LSTM", {"coupled": True}),
    ("LSTM", {"proj_size": 3}),
    ("LSTM", {"bidirectional": True}),
]


def equal(got, wanted):
    for name, array in wanted.outputs.items():
        np.testing.assert_array_equal(got.outputs[name], array)


@pytest.mark.parametrize(("kind", "attributes"), VARIANTS)
def test_every_isa_equals_the_definition(compiled_isa, quantized, kind, attributes):
    _, q, x = quantized(kind, hidden=17, **attributes)
    definition = hb.Simulator(q, engine="definition").run(x[:3])
    fast = hb.Simulator(q, isa=compiled_isa)
    assert not fast.plan.unserved
    equal(fast.run(x[:3]), definition)
    traced = fast.run(x[:3], trace="full")
    slow = hb.Simulator(q, engine="definition").run(x[:3], trace="full")
    assert list(traced.trace) == list(slow.trace) == list(q.traced)
    for name in traced.trace:
        np.testing.assert_array_equal(traced.trace[name], slow.trace[name], err_msg=name)


@pytest.mark.parametrize("threads", [1, 2])
def test_samples_do_not_meet(quantized, threads):
    _, q, x = quantized("LSTM", samples=9)
    whole = hb.Simulator(q, threads=threads).run(x)
    alone = [hb.run(q, x[n : n + 1]) for n in range(9)]
    for name, array in whole.outputs.items():
        np.testing.assert_array_equal(array, np.concatenate([a.outputs[name] for a in alone]))


def half_even(value):
    return round(Fraction(value))


def cast(value, format):
    return min(max(half_even(Fraction(value) / Fraction(format.scale)) + format.zero_point, format.lo), format.hi)


def half_up(value):
    return math.floor(Fraction(value) + Fraction(1, 2))


def real(code, format):
    return Fraction(format.scale) * (int(code) - format.zero_point)


class OneCell:
    """An LSTM cell on Python's integers and fractions, reading nothing of the graph but formats, weights and biases."""

    def __init__(self, q):
        self.format = {name.rpartition("/")[2]: t.format for name, t in q.traced.items()}
        constants = {t.name: t for t in q.constants}
        scan = next(n.block for n in q.nodes if n.type_name == "Scan")
        constants |= {t.name: t for t in scan.body.constants}
        self.constant = {name.rpartition("/")[2]: t for name, t in constants.items()}

    def product(self, codes, x, weight, bias, out):
        """Σ (x − zero)·w + b, requantized with a 31-bit multiplier, one rounding half up."""
        w, made = self.constant[weight], []
        for unit, row in enumerate(w.value):
            total = sum((int(c) - x.zero_point) * int(v) for c, v in zip(codes, row, strict=True))
            total += int(self.constant[bias].value[unit]) if bias in self.constant else 0
            mantissa, exponent = math.frexp(x.scale * w.format.scale[unit] / out.scale)
            multiplier = half_up(Fraction(mantissa) * 2**31)
            code = half_up(Fraction(total * multiplier) * Fraction(2) ** (exponent - 31)) + out.zero_point
            made.append(min(max(code, out.lo), out.hi))
        return made

    def curve(self, function, codes, x, y):
        return [cast(function(float(real(c, x))), y) for c in codes]

    def pairs(self, function, a, af, b, bf, y):
        return [cast(function(real(p, af), real(q, bf)), y) for p, q in zip(a, b, strict=True)]

    def step(self, x, h, c):
        f = self.format
        fed = self.product(x, f["x"], "inputs.weight", "inputs.bias", f["inputs"])
        hidden = self.product(h, f["h"], "hidden.weight", "", f["hidden"])
        total = self.pairs(lambda a, b: a + b, fed, f["inputs"], hidden, f["hidden"], f["sum"])
        units = len(total) // 4
        i, g_f, g, o = (total[k * units : (k + 1) * units] for k in range(4))
        gate = {
            "input": self.curve(lambda v: 1 / (1 + math.exp(-v)), i, f["sum"], f["input"]),
            "forget": self.curve(lambda v: 1 / (1 + math.exp(-v)), g_f, f["sum"], f["forget"]),
            "candidate": self.curve(math.tanh, g, f["sum"], f["candidate"]),
            "output": self.curve(lambda v: 1 / (1 + math.exp(-v)), o, f["sum"], f["output"]),
        }
        kept = self.pairs(lambda a, b: a * b, gate["forget"], f["forget"], c, f["c"], f["kept"])
        entered = self.pairs(
            lambda a, b: a * b, gate["input"], f["input"], gate["candidate"], f["candidate"], f["entered"]
        )
        cell = self.pairs(lambda a, b: a + b, kept, f["kept"], entered, f["entered"], f["cell"])
        curve = self.curve(math.tanh, cell, f["cell"], f["cell_curve"])
        return self.pairs(lambda a, b: a * b, gate["output"], f["output"], curve, f["cell_curve"], f["state"]), cell


def test_a_cell_equals_python_integers(isa, quantized):
    _, q, x = quantized("LSTM", steps=5, inner=4, hidden=6, samples=6)
    codes = hb.run(q, x, trace=["x"])
    model, (wanted,) = OneCell(q), codes.outputs.values()
    for sample in range(len(x)):
        h = [model.format["h"].code_of(0.0)] * 6
        c = [model.format["c"].code_of(0.0)] * 6
        for t in range(5):
            h, c = model.step(codes.trace["x"][sample, t], h, c)
            assert wanted[sample, t].tolist() == h


def test_formats_inside_a_cell(quantized):
    _, q, _ = quantized("LSTM")
    inside = {name.rpartition("/")[2]: t.format for name, t in q.traced.items() if "/body/" in name}
    assert {inside[n] for n in ("fed", "hidden", "sum")} == {hb.Format("ap_fixed<16,4>")}
    assert {inside[n] for n in ("input", "forget", "output")} == {hb.Format("ap_fixed<16,1>")}
    assert inside["c"] == inside["cell"]
    assert (inside["c"].bits, inside["c"].zero_point) == (16, 0)
    assert inside["h"] == inside["state"]
    assert inside["h"].bits == 8


def test_a_recipe_overrides_a_preference(recurrent):
    graph, x = recurrent("LSTM")
    recipe = msgspec.to_builtins(load_recipe("int8"))
    recipe["override"] = [{"match": "*/body/sum", "activations": {"bits": 12, "scale": "power_of_two"}}]
    q = qz.convert(graph, qz.calibrate(graph, x), parse_recipe(recipe))
    assert q.traced["lstm/l0/steps/body/sum"].format.bits == 12


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_streaming_in_chunks_equals_the_whole_sequence(quantized, kind):
    rng = np.random.default_rng(5)
    graph, q, _ = quantized(kind, steps=3, streaming=True)
    long = rng.normal(size=(8, 3, 5)).astype(np.float32)  # 24 steps of one sequence in chunks of 3
    runner = hb.Simulator(q)
    parts = np.concatenate([runner.run(long[n : n + 1]).outputs[q.outputs[0]] for n in range(8)])
    runner.reset()
    at_once = runner.run(long).outputs[q.outputs[0]]
    np.testing.assert_array_equal(parts, at_once)
    assert len(graph.states) == (2 if kind == "LSTM" else 1)
    fresh = hb.run(q, long, state="reset").outputs[q.outputs[0]]
    np.testing.assert_array_equal(fresh[0], at_once[0])
    assert (fresh[1] != at_once[1]).any()
    floats = hb.Simulator(graph).run(long).real[graph.outputs[0]]
    assert np.abs(hb.Simulator(q).run(long).real[q.outputs[0]] - floats).max() < 0.1


def test_work_of_all_steps_is_counted(recurrent):
    graph, _ = recurrent("LSTM", steps=6, inner=5, hidden=7)
    profile = hb.profile(graph)
    assert profile.macs == 6 * 4 * 7 * (5 + 7)
    rows = {row["layer"].rpartition("/")[2]: row for row in profile.layers}
    assert rows["sum"]["adds"] == 6 * 4 * 7
    assert rows["kept"]["muls"] == rows["entered"]["muls"] == 6 * 7
    assert hb.LSTM(5, 7, weights=graph_weights(5, 7)).work((1, 6, 5)).macs == profile.macs


def graph_weights(inner, hidden):
    count = 4 * hidden
    return {"weight_ih_l0": np.zeros((count, inner)), "weight_hh_l0": np.zeros((count, hidden))}


def test_ranges_and_comparison_see_every_step(quantized):
    graph, q, x = quantized("GRU")
    table = qz.calibrate(graph, x)
    assert set(table) == set(graph.traced)
    kept = hb.run(graph, x, trace=["gru/l0/steps/body/state"]).trace["gru/l0/steps/body/state"]
    assert (table["gru/l0/steps/body/state"].lo, table["gru/l0/steps/body/state"].hi) == (kept.min(), kept.max())
    rows = {row["tensor"]: row for row in hb.compare(graph, q, x).layers}
    assert rows["gru/l0/steps/body/state"]["sqnr_db"] > 30
    assert rows["gru/l0/steps/body/state"]["block"] == "Add"


def test_a_quantized_scan_is_saved_and_read(tmp_path, quantized):
    _, q, x = quantized("LSTM", streaming=True)
    hb.save(q, tmp_path / "q.hwb")
    equal(hb.run(hb.load(tmp_path / "q.hwb"), x), hb.run(q, x))


def test_bad_use_is_explained():
    with pytest.raises(hb.HwblocksError, match=r"weights\['weight_ih_l0'\] is missing"):
        hb.RNN(2, 3)(np.zeros((1, 4, 2)))
    with pytest.raises(hb.HwblocksError, match="streaming"):
        hb.GRU(2, 3, bidirectional=True, streaming=True)
    with pytest.raises(hb.HwblocksError, match="nonlinearity"):
        hb.RNN(2, 3, nonlinearity="sine")


def test_golden_vectors_hold_every_pass(tmp_path, quantized):
    _, q, x = quantized("LSTM", steps=3, samples=2)
    run = hb.Simulator(q).run(x, trace="full")
    folder = dump_vectors(q, run, tmp_path / "vectors")
    entries = json.loads((folder / "manifest.json").read_text())["arrays"]
    sums = next(e for e in entries if e["role"] == "accumulator" and e["node"].endswith("/body/hidden"))
    assert sums["shape"] == [6, 28]
    state = next(e for e in entries if e["role"] == "output" and e["tensor"].endswith("/body/state"))
    wanted = run.trace[state["tensor"]].reshape(6, 7)
    np.testing.assert_array_equal(np.load(folder / state["file"]), wanted)
    assert {e["node"] for e in entries if e["role"] == "table"} >= {"lstm/l0/steps/body/input"}


def test_a_composite_folds_into_one_row(quantized):
    _, q, _ = quantized("LSTM", steps=6, inner=5, hidden=7)
    whole, folded = hb.profile(q), hb.profile(q).folded()
    assert [row["layer"] for row in folded.layers] == ["lstm"]
    (row,) = folded.layers
    assert (row["block"], row["macs"]) == ("LSTM", whole.macs)
    assert all(row[key] == sum(whole.layers[key]) for key in ("muls", "adds", "lookups", "requants", "weight_bytes"))


def test_explanations_reach_every_step(quantized):
    _, q, x = quantized("LSTM", steps=4, samples=3)
    run = hb.Simulator(q).run(x, trace="full")
    for name, at in (("hidden", (2, 5)), ("cell", (3, 1)), ("forget", (0, 6))):
        path = f"lstm/l0/steps/body/{name}"
        made = explain_element(q, run, path, 1, at)
        assert made.agrees
        assert made.stored == run.trace[path][1][at]
        assert f"step {at[0]}" in made.where
    with pytest.raises(hb.HwblocksError, match="one of 4 steps"):
        explain_element(q, run, "lstm/l0/steps/body/hidden", 1, (4, 0))


def test_headroom_is_seen_inside_scans(quantized):
    _, q, x = quantized("GRU", steps=4, samples=5)
    result = hb.accumulators(q, x)
    seen = {row["layer"]: row for row in result.sections()[0].tables[1]}["gru/l0/steps/body/hidden"]
    counted = hb.run(q, x, trace="ranges").events["gru/l0/steps/body/hidden"]
    assert (seen["lowest_seen"], seen["highest_seen"]) == (counted.lowest, counted.highest)


def test_every_step_takes_whole_cycles(quantized):
    _, q, _ = quantized("LSTM", steps=6, inner=5, hidden=7)
    rows = [row for row in hb.cost(q, target="zcu104-dsp48e2").layers if "/steps/" in row["layer"]]
    assert rows
    assert all(row["cycles"] % 6 == 0 and row["cycles"] >= 6 for row in rows)


def test_moved_bytes_count_every_step(quantized):
    _, q, _ = quantized("LSTM", steps=6, inner=5, hidden=7)
    rows = {row["layer"].rpartition("/")[2]: row for row in hb.cost(q, target="ideal-64mac").layers}
    assert rows["forget"]["main_bytes"] == 6 * 2 * 7 * 2
