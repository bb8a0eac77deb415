"""hb.accumulators: rows, headroom on data against plain loops and runs, narrowest records, real models."""

from __future__ import annotations

import numpy as np
import pytest
from certificate_checker import check
from plain_registers import Registers
from test_certificate import RECORDS, arithmetic, network

import hwblocks as hb
from hwblocks.errors import InputError, SimulationError
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.formats import Format

RAW = Format(kind="raw", bits=32)


def dense(record, weights, bias, x=None):
    build = hb.GraphBuilder("dense")
    given = build.input("x", (1, len(weights[0])), x or Format("int4", zero_point=2))
    w = build.constant("w", np.array(weights), Format("int8"))
    b = build.constant("b", np.array(bias), Format("int32"))
    return build.build(
        build.add(hb.Linear(), given, w, b, name="fc", formats=[Format("int16")], arithmetic=arithmetic(record))
    )


def test_a_row_by_hand():
    """x − 2 in [−10, 5]; channel 0: 3x − 5y + 10 in [−45, 75]; channel 1: x + y − 7 in [−27, 3]."""
    found = hb.accumulators(dense("int8 wrap", [[3, -5], [1, 1]], [10, -7]))
    (row,) = found.layers
    assert row == {
        "layer": "fc", "block": "Linear", "products": 2, "accumulator": "int8 wrap", "register": "accumulator",
        "basis": "totals", "lowest": -45, "highest": 75, "bits_proven": 8, "bits_unsigned": None, "bits_present": 8,
        "verdict": "proven safe", "exact": True, "worst_channel": 0,
    }  # fmt: skip
    assert [(r["lowest"], r["highest"], r["bits_proven"]) for r in found.channels] == [(-45, 75, 8), (-27, 3, 6)]
    assert found.safe and found.unsafe == ()


def test_a_register_that_is_too_narrow_names_its_witness():
    found = hb.accumulators(dense("int8 wrap", [[3, -5], [1, 1]], [10, -7]), accumulator="int7 saturate")
    assert (found.safe, found.unsafe) == (False, ("fc",))
    (told,) = found.to_dict()["witnesses"]
    # 3·5 + 5·10 + 10 = 75 > 63 with x = 7 and y = −8
    assert told == {"layer": "fc", "register": "accumulator", "channel": 0, "end": "highest", "value": 75, "element": [0, 0],
                    "window": [7, -8], "weights": [3, -5], "bias": 10}  # fmt: skip
    assert "channel 0 reaches 75, outside [-64, 63], at output (0, 0)" in found.to_markdown()
    run = hb.run(
        dense("int7 trap", [[3, -5], [1, 1]], [10, -7]), found.witness("fc").inputs[0], accumulator="int8 trap"
    )
    assert run.outputs["fc"][0, 0] == 75
    with pytest.raises(SimulationError, match="element 0"):
        hb.run(dense("int7 trap", [[3, -5], [1, 1]], [10, -7]), found.witness("fc").inputs[0], trace="steps")


@pytest.mark.parametrize("record", RECORDS)
def test_observed_values_are_those_of_plain_loops(record):
    accumulator = Accumulator(record)
    rng = np.random.default_rng(8)
    weights, bias = rng.integers(-90, 90, (3, 11)), rng.integers(-500, 500, 3)
    x = rng.integers(-8, 8, (70, 11)).astype(np.int8)
    found = hb.accumulators(dense(record, weights, bias), x)
    fields = {
        "overflow": str(accumulator.overflow), "order": accumulator.order.name, "n": accumulator.order.n, "bias": accumulator.bias,
        "psum_overflow": str(accumulator.psum.overflow) if accumulator.psum else ("saturate" if accumulator.order.sat16 else None),
        "drop": accumulator.drop, "rounding": accumulator.drop_rounding.value,
    }  # fmt: skip
    correct = accumulator.zero_point == "correct"
    unit_bits = accumulator.psum.bits if accumulator.psum else 16
    assert found.samples == 70
    for channel in range(3):
        seen = []
        for codes in x.tolist():
            made = Registers(fields, None, unit_bits)
            products = [(c if correct else c - 2) * int(w) for c, w in zip(codes, weights[channel])]
            made.run(products, int(bias[channel]), -2 * int(weights[channel].sum()) if correct else None)
            seen += made.main[-1:] if accumulator.overflow.is_plain_wrap else made.main
        row = next(r for r in found.channels if r["channel"] == channel and r["register"] == "accumulator")
        assert (row["lowest_seen"], row["highest_seen"]) == (min(seen), max(seen))
        assert row["lowest"] <= row["lowest_seen"] and row["highest_seen"] <= row["highest"]
        assert row["bits_unused"] == row["bits_present"] - row["bits_seen"]


@pytest.mark.parametrize("record", RECORDS)
def test_nothing_observed_exceeds_what_is_proven(record):
    graph = network(record)
    x = np.random.default_rng(2).integers(0, 16, (40, 1, 4, 3, 2)).astype(np.uint8)
    for row in hb.accumulators(graph, x).channels:
        assert row["lowest"] <= row["lowest_seen"] <= row["highest_seen"] <= row["highest"]


def test_totals_observed_are_those_of_a_run():
    graph = network("int32 wrap")
    x = np.random.default_rng(4).integers(0, 16, (50, 4, 3, 2)).astype(np.uint8)
    found, run = hb.accumulators(graph, x, threads=2), hb.run(graph, x, trace="ranges")
    for row in found.layers:
        events = run.events[row["layer"]]
        assert (row["lowest_seen"], row["highest_seen"]) == (events.lowest, events.highest)


@pytest.mark.parametrize("record", [r for r in RECORDS if "sat16" not in r])
def test_narrowest_records_are_safe_and_one_bit_less_is_not(record):
    graph = network(record)
    chosen = hb.accumulators(graph).narrowest()
    found = hb.accumulators(graph, accumulator=chosen)
    assert found.safe
    for name, accumulator in chosen.items():
        if accumulator.bits > 4:
            less = hb.accumulators(graph, accumulator={**chosen, name: accumulator.replace(bits=accumulator.bits - 1)})
            assert less.unsafe == (name,)
        if accumulator.psum and accumulator.psum.bits > 4:
            psum = type(accumulator.psum)(accumulator.psum.bits - 1, accumulator.psum.overflow)
            assert name in hb.accumulators(graph, accumulator={**chosen, name: accumulator.replace(psum=psum)}).unsafe


def test_totals_need_no_more_bits_than_partial_sums():
    graph = network("int32 wrap")
    found = hb.accumulators(graph)
    wrap, saturate = found.narrowest(), found.narrowest("saturate")
    assert all(wrap[name].bits <= saturate[name].bits for name in wrap)
    # x − 2 in [−2, 253]: totals −128 … 127 take 8 bits, the product before the bias is added takes 9
    late = hb.accumulators(dense("int32 wrap", [[1]], [-126], Format("uint8", zero_point=2)))
    assert [late.narrowest(mode)["fc"].bits for mode in (None, "saturate")] == [8, 9]


def test_unsigned_registers():
    graph = dense("uint8 saturate", [[3, 4]], [5], Format("uint4"))
    assert hb.accumulators(graph).narrowest()["fc"] == Accumulator("uint7 saturate")  # 45 + 60 + 5 = 110
    negative = dense("uint8 saturate", [[3, -4]], [5], Format("uint4"))
    assert hb.accumulators(negative).narrowest()["fc"] == Accumulator("int7 saturate")  # −60 … 45 + 5


def test_sums_that_no_accumulator_holds():
    build = hb.GraphBuilder("wide")
    x = build.input("x", (1, 2), Format("int40"))
    w = build.constant("w", np.array([[1 << 40, 5]]), Format("int64"))
    graph = build.build(
        build.add(hb.Linear(), x, w, name="fc", formats=[Format("int8")], arithmetic=arithmetic("int64 wrap"))
    )
    found = hb.accumulators(graph)
    assert found.layers["bits_proven"] == [81]
    with pytest.raises(SimulationError, match="need 81 bits"):
        found.narrowest()


def test_names_win_over_patterns():
    build = hb.GraphBuilder("names")
    x = build.input("x", (1, 2), Format("int4"))
    w = build.constant("w", np.array([[1, 5], [1, 1]]), Format("int8"))
    for name in ("fc[1]", "fc1"):
        x = build.add(hb.Linear(), x, w, name=name, formats=[Format("int4")], arithmetic=arithmetic("int32 wrap"))
    found = hb.accumulators(build.build(x), accumulator={"fc[1]": "int5 wrap"})
    assert found.layers["bits_present"] == [5, 32]


def test_layers_in_the_body_of_a_loop():
    """Proven by their names in events; data is only shown for layers outside."""
    build = hb.GraphBuilder("body")
    i, x = build.input("i", (), RAW), build.input("x", (1, 2), Format("int4"))
    j = build.add(hb.Add(), i, build.constant("one", np.int32(1), RAW), name="count", formats=[RAW])
    w = build.constant("w", np.array([[3, -5], [1, 1]]), Format("int8"))
    y = build.add(hb.Linear(), x, w, name="fc", formats=[Format("int4")], arithmetic=arithmetic("int7 saturate"))
    body = build.build(j, y)
    build = hb.GraphBuilder("cond")
    i, _ = build.input("i", (), RAW), build.input("x", (1, 2), Format("int4"))
    more = build.add(hb.Less(), i, build.constant("n", np.int32(3), RAW), formats=[Format("bool")])
    loop = hb.While(build.build(more), body)
    build = hb.GraphBuilder("model")
    i, x = build.input("i", (), RAW), build.input("x", (1, 2), Format("int4"))
    build.add(loop, i, x, name="loop", outputs=["j", "y"], formats=[RAW, Format("int4")])
    samples = {"i": np.zeros(4, np.int32), "x": np.ones((4, 1, 2), np.int8)}
    found = hb.accumulators(build.build("j", "y"), samples)
    (row,) = found.layers
    # 3x − 5y: −24 − 35 to 21 + 40
    assert (row["layer"], row["lowest"], row["highest"], row["bits_proven"]) == ("loop/body/fc", -59, 61, 7)
    assert "lowest_seen" not in row and found.samples == 4
    assert found.narrowest()["loop/body/fc"] == Accumulator("int7 saturate")
    assert check(found.certificate()) == 6


def test_hybrid_layers_have_no_record(shared):
    with pytest.raises(SimulationError, match="is summed inside algorithm"):
        hb.accumulators(shared / "models" / "tflite" / "mlperf_kws_dscnn_dynrange.tflite")


def test_bad_questions():
    with pytest.raises(SimulationError, match="no sums of products on stored codes"):
        hb.accumulators(hb.Sequential(hb.ReLU(), input_shape=(3,)))
    graph = dense("int32 wrap", [[1, 2]], [0])
    with pytest.raises(InputError, match="has shape"):
        hb.accumulators(graph, np.zeros((3, 5), np.int8))
    found = hb.accumulators(graph)
    with pytest.raises(InputError, match="no sum of products is named 'conv'; there are fc"):
        found.witness("conv")
    with pytest.raises(InputError, match="has the registers accumulator, not 'psum'"):
        found.witness("fc", register="psum")


@pytest.mark.parametrize("name", ["mlperf_kws_dscnn_int8", "mlperf_resnet8_int8", "te_lenet_300_100_int8", "litert_static_w8_a16_quantized_q_einsum"])  # fmt: skip
@pytest.mark.parametrize("record", [None, "int24 saturate dot(4) axes=chw"])
def test_real_models(shared, name, record):
    path = shared / "models" / "tflite" / f"{name}.tflite"
    data = np.load(path.with_suffix(".npz"))
    inputs = [data[k][:3] for k in sorted(k for k in data.files if k.startswith("in"))]
    found = hb.accumulators(path, inputs, accumulator=record)
    assert found.layers.rows
    for row in found.channels:
        assert row["lowest"] <= row["lowest_seen"] <= row["highest_seen"] <= row["highest"]
    if name != "te_lenet_300_100_int8":  # 266,000 weights take the checker a few seconds
        assert check(found.certificate()) == 3 * len(found.channels)


@pytest.mark.parametrize("name", ["mlperf_kws_dscnn_int8", "mlperf_resnet8_int8"])
def test_witnesses_of_real_models_replay(shared, name):
    """A register one bit narrower than proven leaves its range on the witness, and only then."""
    from hwblocks.graph.site import Site
    from hwblocks.simulate.execute import run_node

    found = hb.accumulators(shared / "models" / "tflite" / f"{name}.tflite", accumulator="int32 saturate")
    for bounds in found.bounds:
        given, node = found.witness(bounds.name), bounds.site.node
        steps = []
        for bits in (bounds.main.needed, bounds.main.needed - 1):
            record = bounds.accumulator.replace(bits=bits)
            changed = node.replace(arithmetic=node.arithmetic.replace(accumulator=record))
            site = Site(changed, bounds.site.inputs, bounds.site.outputs)
            steps.append(run_node(site, list(given.inputs), follow=True)[1].steps)
        assert steps[0] == 0 < steps[1]


def test_pair_saturation_of_a_dialect(shared):
    model = shared / "models" / "onnx" / "mnist_conv_qdq_u8s8.onnx"
    rows = hb.accumulators(model, dialect="ort-avx2").layers.rows
    units = [row for row in rows if row["register"] == "dot unit"]
    assert units
    assert {row["accumulator"] for row in units} == {"int32 wrap dot(2, sat16) zp=correct"}
    assert all(row["bits_present"] == 16 for row in units)
