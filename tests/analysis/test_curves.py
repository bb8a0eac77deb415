"""Errors of variants, by hand; the command that lists them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import hwblocks as hb
from hwblocks import cli
from hwblocks.errors import InputError, ShapeError
from hwblocks.exporters.to_vectors import dump_vectors
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.formats import Format

X, Y = "ap_fixed<8,4>", "ap_ufixed<8,0>"


def test_errors_by_hand():
    c = hb.curve_error(hb.Sigmoid(variant="plan"), X, Y)
    errors = []
    for code in range(-128, 128):
        v = code / 16
        size = abs(v)
        lines = [(5, 0, 1), (2.375, 1 / 32, 27 / 32), (1, 1 / 8, 5 / 8), (0, 1 / 4, 1 / 2)]
        slope, offset = next((a, b) for start, a, b in lines if size >= start)
        y = slope * size + offset
        y = min(round((y if v >= 0 else 1 - y) * 256), 255) / 256
        errors.append((abs(y - min(1 / (1 + math.exp(-v)), 255 / 256)), v))
    assert (c.max_error, c.worst_at) == (pytest.approx(max(errors)[0], abs=1e-15), max(errors, key=lambda e: e[0])[1])
    assert c.mean_error == pytest.approx(math.fsum(e for e, _ in errors) / 256, abs=1e-15)
    assert c.max_error_lsb == c.max_error * 256
    assert (c.points, c.table_bytes, c.work) == (256, 0, hb.Work(adds=3, shifts=1, compares=3))


@pytest.mark.parametrize("name", ["Sigmoid", "Tanh", "GELU", "Exp", "Sin", "Softplus"])
def test_tables_are_half_a_step_off_at_most(name):
    c = hb.curve_error(getattr(hb, name)(), "ap_fixed<16,4>", "ap_fixed<12,6>")
    assert c.max_error_lsb <= 0.5
    assert (c.max_from_rounded_lsb, c.table_bytes, c.work.lookups) == (0, 1 << 17, 1)


def test_what_costs_more_is_nearer():
    found = {row["variant"]: row for row in hb.curve_errors(hb.Tanh(), "ap_fixed<16,4>", "ap_fixed<16,1>").table}
    for better, worse in (("pwl(8)", "pwl(4)"), ("pwl(16)", "pwl(8)"), ("pwl(8)", "pwl(8, shift)")):
        assert found[better]["max_error"] < found[worse]["max_error"]
    assert found["cordic(16)"]["max_error"] < found["cordic(8)"]["max_error"] < found["plan"]["max_error"]


def test_fits_state_their_error():
    for row in hb.curve_errors(hb.GELU(), "ap_fixed<12,4>", "ap_fixed<12,4>").table:
        assert (row["fit_error_lsb"] is None) == (not row["variant"].startswith("pwl"))
        assert row["fit_error_lsb"] is None or row["max_error_lsb"] <= row["fit_error_lsb"] + 0.5


def test_constants_are_those_that_compute():
    c = hb.curve_error(hb.Tanh(variant="pwl(5)"), X, "ap_fixed<8,1>").constants
    got = []
    for v in range(-128, 128):
        i = sum(start <= v for start in c["starts"])
        got.append(min(max(round((c["slopes"][i] * v + c["offsets"][i]) / 2 ** c["fraction"][0]), -128), 127))
    build = GraphBuilder("g")
    block = hb.Tanh(variant="pwl(5)")
    graph = build.build(build.add(block, build.input("x", (1, 256), Format(X)), formats=[Format("ap_fixed<8,1>")]))
    assert hb.run(graph, np.arange(-128, 128).astype(np.int8)[None]).outputs["tanh"].tolist() == [got]
    assert hb.curve_error(hb.Exp(variant="cordic(6)"), X, X).constants["shifts"] == (1, 2, 3, 4, 4, 5)
    assert len(hb.curve_error(hb.Sqrt(variant="newton(1)"), "ap_ufixed<8,4>", X).constants["seeds"]) == 24
    assert len(hb.curve_error(hb.Tanh(), X, X).constants["table"]) == 256


def test_dumps_hold_the_constants(tmp_path):
    build = GraphBuilder("g")
    x = build.input("x", (1, 4), Format(X))
    y = build.add(hb.Sigmoid(variant="pwl(4)"), x, name="s", formats=[Format(Y)])
    y = build.add(hb.Softmax(variant="base2"), y, name="soft", formats=[Format(Y)])
    graph = build.build(y)
    run = hb.run(graph, np.array([[-128, -3, 5, 127]], np.int8), trace="full")
    folder = dump_vectors(graph, run, tmp_path / "vectors")
    c = hb.curve_error(hb.Sigmoid(variant="pwl(4)"), X, Y).constants
    for name in ("starts", "slopes", "offsets", "fraction"):
        assert tuple(np.load(folder / "nodes" / "000_s" / f"{name}.npy").tolist()) == c[name]
    assert np.load(folder / "nodes" / "001_soft" / "reciprocals.npy").tolist() == [128, 102, 85, 73, 64]


def test_published_errors_are_met():
    """PLAN's 1.89 % (Amin et al. 1997) and the 0.018 of I-BERT's GELU (Kim et al. 2021, table 1), in wide formats."""
    c = hb.curve_error(hb.Sigmoid(variant="plan"), "ap_fixed<16,5>", "ap_ufixed<24,1>")
    assert round(c.max_error, 4) == 0.0189
    c = hb.curve_error(hb.GELU(variant="ibert"), "ap_fixed<16,4>", "ap_fixed<24,4>")
    assert round(c.max_error, 3) == 0.018


def test_variants_that_do_not_serve_are_named():
    found = hb.curve_errors(hb.GELU(), "ap_fixed<24,4>", "ap_fixed<16,4>")
    assert [text for text, _ in found.refused] == ["table"]
    assert found.to_dict()["points"] == (1 << 16) + 1
    with pytest.raises(InputError, match="no function of one element"):
        hb.curve_error(hb.Softmax(), X, Y)
    with pytest.raises(InputError, match="not a number at code -128"):
        hb.curve_errors(hb.Sqrt(), X, Y, ["ibert", "newton(1)"])
    with pytest.raises(ShapeError, match="not known"):
        hb.curve_error(hb.GELU(variant="plan"), X, Y)


def test_the_command(capsys):
    assert (
        cli.run(
            ["curves", "leakyrelu", "--input", X, "--output", "ap_fixed<8,4>", "--json", "--set", "negative_slope=0.5"]
        )
        == 0
    )
    rows = json.loads(capsys.readouterr().out)["variants"]
    assert {row["variant"]: row["max_error_lsb"] for row in rows}["pwl(4)"] == 0.5
    assert cli.run(["curves", "sigmoid", "--input", X, "--output", Y, "--variant", "pwl(4)", "--variant", "plan"]) == 0
    out = capsys.readouterr().out
    assert "Sigmoid from ap_fixed<8,4> to ap_ufixed<8,0>, 256 inputs" in out
    for bad in (
        ["sigmoid", "--variant", "newton(2)"],
        ["conv2d"],
        ["nothing"],
        ["elu", "--set", "beta=1"],
        ["elu", "--set", "x"],
    ):
        assert cli.run(["curves", *bad, "--input", X, "--output", Y]) == 2
        assert "Traceback" not in capsys.readouterr().err


def test_codes_outside_a_narrow_format_are_never_asked_for():
    x = Format("int8", scale=0.05, narrow=True)
    for variant in ("interpolated(16)", "pwl(4)", "plan"):
        assert hb.curve_error(hb.Sigmoid(variant=variant), x, Y).points == 255
    assert np.isfinite(hb.curve_error(hb.Reciprocal(variant="newton(1)"), x, Y).max_error)
