"""Variants chosen by a recipe: node by node, recorded in the integer graph, refused where they do not fit."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from curve_oracles import plan

import hwblocks as hb
import quantize as qz
from hwblocks.errors import ConversionError, RecipeError
from quantize.recipe import parse_recipe

SAMPLES = np.random.default_rng(2).normal(size=(40, 6)) * 2


def recipe(*overrides, name="int8"):
    data = msgspec.to_builtins(qz.load_recipe(name))
    return parse_recipe({**data, "name": "mine", "override": [dict(o) for o in overrides]})


def network():
    build = hb.GraphBuilder("net")
    x = build.input("x", (1, 6))
    y = build.add(hb.Linear(weight=np.eye(6)), x, name="fc")
    a = build.add(hb.Sigmoid(), y, name="act.sigmoid")
    b = build.add(hb.GELU(variant="ibert"), y, name="act.gelu")
    c = build.add(hb.Add(), a, b, name="sum")
    return build.build(build.add(hb.Softmax(), c, name="soft"), build.add(hb.ReLU(), c, name="relu"))


def converted(net, *overrides, name="int8"):
    return qz.convert(net, qz.calibrate(net, SAMPLES), recipe(*overrides, name=name))


def test_an_override_names_the_variant_of_its_nodes():
    q = converted(network(), {"match": "act.sigmoid", "variant": "plan"}, {"match": "soft", "variant": "base2(8)"})
    stated = {n.name: (getattr(n.block, "variant", None), n.arithmetic.algorithm) for n in q.nodes}
    assert stated["act.sigmoid"] == ("plan", "plan")
    assert stated["act.gelu"] == ("ibert", "ibert")
    assert stated["soft"] == ("base2(8)", "base2(8)")
    assert stated["relu"] == ("table", None)
    run = hb.run(q, SAMPLES, trace="full")
    x, y = q.tensors["fc"].format, q.tensors["act.sigmoid"].format
    wanted = [[plan("Sigmoid", int(c), x, y) for c in row] for row in run.trace["fc"]]
    assert run.trace["act.sigmoid"].tolist() == wanted
    assert hb.profile(q).table_bytes == 20  # of base2's quarters


def test_the_last_override_counts_and_may_go_back_to_the_table():
    q = converted(network(), {"match": "act*", "variant": "pwl(4)"}, {"match": "act.gelu", "variant": "table"})
    assert [q.node(n).arithmetic.algorithm for n in ("act.sigmoid", "act.gelu")] == ["pwl(4)", None]
    assert "Sigmoid 'act.sigmoid': pwl(4) is within" in q.metadata["notes"]


def test_variants_keep_wide_functions_in_integers():
    build = hb.GraphBuilder("wide")
    x = build.input("x", (1, 6))
    net = build.build(build.add(hb.Tanh(), build.add(hb.Linear(weight=np.eye(6)), x, name="fc"), name="tanh"))
    wide = {"match": "fc", "activations": {"bits": 20}}
    plain = converted(net, wide, name="fixed16")
    assert plain.tensors["tanh"].format.is_float
    q = converted(net, wide, {"match": "tanh", "variant": "cordic(20)"}, name="fixed16")
    assert q.tensors["tanh"].format.is_quantized
    assert np.abs(hb.run(q, SAMPLES).real["tanh"] - np.tanh(SAMPLES)).max() < 1e-3


def test_log_softmax_converts():
    net = hb.Sequential(hb.LogSoftmax(), input_shape=(6,)).graph()
    q = qz.convert(net, qz.calibrate(net, SAMPLES))
    close = hb.run(q, SAMPLES).real["logsoftmax0"] - hb.run(net, SAMPLES).real["logsoftmax0"]
    assert np.abs(close).max() < 0.1
    t = converted(net, {"match": "*", "variant": "gemmlowp"})
    assert t.tensors["logsoftmax0"].format == hb.Format("int8", scale=0.0625, zero_point=127)
    hb.run(t, SAMPLES)


REFUSED = [
    ({"match": "act*", "variant": "plan"}, "GELU: variant 'plan' is not known"),
    ({"match": "fc", "variant": "plan"}, "matches no node that has variants"),
    ({"match": "relu", "variant": "pwl(2)"}, "matches no node"),
    ({"match": "soft", "variant": "pwl(2)"}, "Softmax: variant 'pwl(2)' is not known"),
]


@pytest.mark.parametrize(("override", "words"), REFUSED)
def test_what_does_not_fit_is_refused(override, words):
    with pytest.raises(RecipeError) as error:
        converted(network(), override)
    assert words in error.value.message


def test_texts_that_are_no_variant_are_refused_when_read():
    with pytest.raises(RecipeError, match=r"override\[0\].variant"):
        recipe({"match": "*", "variant": "pwl(2"})


def test_models_that_state_their_formats_take_no_variants():
    build = hb.GraphBuilder("stated")
    x = build.input("x", (1, 3), hb.Format("int8", scale=0.1))
    net = build.build(build.add(hb.Sigmoid(variant="plan"), x, name="s", formats=[hb.Format("int8", scale=0.01)]))
    with pytest.raises(ConversionError, match="need a float graph"):
        qz.convert(net)
