"""Systolic targets on graphs: SCALE-Sim's columns equal its reports, widths and passes by hand, TPU v1's bound."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from costs.scalesim_rows import RUNS, reported

import hwblocks as hb
from hwblocks.errors import TargetError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.targets.load import load_target

INT8 = hb.Format("int8")


def target(tmp_path, parent, **tables):
    """A child of a target of the library: tables of numbers by dotted name."""
    lines = [f'inherit = "{parent}"', '[target]\nname = "child"']
    for name, values in tables.items():
        pairs = [
            f"{k} = {v!r}" if isinstance(v, str) else f'{k} = {{ v = {v}, source = "test" }}' for k, v in values.items()
        ]
        lines += [f"[{name.replace('__', '.')}]", *pairs]
    path = tmp_path / "child.toml"
    path.write_text("\n".join(lines).replace("'", '"'))
    return load_target(path)


def conv_graph(layers):
    """One Conv2d with an input of its own for each (name, Convolution, groups)."""
    build = GraphBuilder("layers")
    made = []
    for i, (name, layer, groups) in enumerate(layers):
        x = build.input(f"x{i}", (1, layer.height, layer.width, layer.channels * groups), INT8)
        reach = zip(layer.outputs, layer.stride, (layer.filter_height, layer.filter_width), (layer.height, layer.width))
        outside = [(0, max((count - 1) * step + k - n, 0)) for count, step, k, n in reach]  # SCALE-Sim rounds up
        taps = (layer.filter_height, layer.filter_width)
        shape = (1, *taps, layer.filters * groups) if groups > 1 else (layer.filters, *taps, layer.channels)
        w = build.constant(f"w{i}", np.ones(shape, np.int8), INT8)
        made.append(
            build.add(
                hb.Conv2d(stride=layer.stride, padding=outside, groups=groups), x, w, name=f"{i}{name}", formats=[INT8]
            )
        )
    return build.build(*made)


@pytest.mark.parametrize("run", RUNS)
def test_columns_equal_scalesim_reports(shared, tmp_path, run):
    rows = reported(shared / "reference" / "scalesim", run)
    layers = [list(group) for _, group in groupby(rows, key=lambda row: row.name)]
    graph = conv_graph([(group[0].name, group[0].layer, len(group)) for group in layers])
    array, (ifmap, filters, _) = rows[0].array, rows[0].buffers
    chosen = target(
        tmp_path,
        "scalesim-32x32-os",
        array={"rows": array.rows, "cols": array.columns, "dataflow": array.dataflow},
        memory__ifmap={"bytes": 1024 * ifmap},
        memory__filter={"bytes": 1024 * filters},
    )
    for group, row, node in zip(layers, hb.cost(graph, chosen).layers, graph.nodes, strict=True):
        assert row["scalesim_cycles"] == row["array_cycles"] == sum(r.cycles for r in group)
        assert row["sram_ifmap_reads"] == sum(r.sram[0] for r in group)
        assert row["sram_filter_reads"] == sum(r.sram[1] for r in group)
        if not any(after for _, after in node.block.padding):  # what lies outside the image is never fetched there
            assert row["dram_ifmap_reads"] == sum(r.dram[0] for r in group)
        assert row["dram_filter_reads"] == sum(r.dram[1] for r in group)
        assert row["scalesim_sram_ofmap_writes"] == sum(r.sram[2] for r in group)
        found = (row["scalesim_overall_util"], 100 * row["mapping"], row["scalesim_compute_util"])
        assert found == pytest.approx([float(text) for text in group[0].utilisations], rel=1e-12)


def linear(rows, depth, columns, weight_bits=8):
    build = GraphBuilder("dense")
    x = build.input("x", (1, rows, depth), INT8)
    w = build.constant("w", np.ones((columns, depth), np.int8), hb.Format(f"int{weight_bits}"))
    return build.build(build.add(hb.Linear(), x, w, name="dense", formats=[INT8]))


def test_widths_shorten_the_summed_axis(tmp_path):
    chosen = target(tmp_path, "scalesim-32x32-os", precision__table={"8x4": 2})
    for bits, depth in ((8, 100), (4, 50)):
        (row,) = hb.cost(linear(40, 100, 33, bits), chosen).layers
        assert row["array_cycles"] == 2 * 2 * (depth + 62)  # 2 × 2 folds
        assert row["scalesim_cycles"] == 2 * 2 * (100 + 62)
        assert row["filter_bytes"] == 100 * 33 * 2 * bits // 8


def test_packed_groups_lie_side_by_side(tmp_path):
    build = GraphBuilder("depthwise")
    x = build.input("x", (1, 5, 5, 8), INT8)
    w = build.constant("w", np.ones((1, 3, 3, 8), np.int8), INT8)
    graph = build.build(build.add(hb.Conv2d(groups=8), x, w, formats=[INT8]))
    sizes = {"rows": 27, "cols": 16, "dataflow": "ws"}
    serial = hb.cost(graph, target(tmp_path, "scalesim-32x32-os", array=sizes)).layers.rows[0]
    packed = hb.cost(graph, target(tmp_path, "scalesim-32x32-os", array=sizes, count={"groups": "packed"})).layers.rows[
        0
    ]
    one = 9 + 2 * 27 + 16 - 2
    assert serial["array_cycles"] == 8 * one
    assert packed["array_cycles"] == 3 * one  # three groups of nine rows beside each other
    assert packed["mapping"] == pytest.approx(8 / 3 * 9 / (27 * 16))
    assert packed["ifmap_bytes"] == serial["ifmap_bytes"]


def test_partial_sums_have_the_accumulators_width(tmp_path):
    graph = linear(10, 64, 20)  # two folds over K on 32 rows
    dram = hb.cost(graph, "scalesim-32x32-ws").layers.rows[0]
    kept = hb.cost(graph, target(tmp_path, "scalesim-32x32-ws", array={"psum": "accumulator"})).layers.rows[0]
    out, partial = 10 * 20, 10 * 20 * 8  # 64-bit sums without a record
    assert kept["dram_bytes"] == 10 * 64 + 64 * 20 + out
    assert dram["dram_bytes"] == kept["dram_bytes"] + 2 * partial
    assert dram["ofmap_bytes"] == kept["ofmap_bytes"] == out + 2 * partial


def test_the_tensor_processing_unit_is_bound_by_its_weights():
    """200 operations a weight byte at 30 GiB/s: the roofline of MLP0 in Jouppi et al. 2017 is near 12.9 TOPS."""
    cost = hb.cost(linear(100, 2048, 2048), "tpu-v1-like")  # each weight in 100 products, 200 operations
    (row,) = cost.layers
    assert row["bound"] == "dram"
    assert row["dram_bytes"] == 2048 * 2048
    tera = 2 * row["macs"] / row["time_us"] / 1e6
    assert tera == pytest.approx(200 * 30 * 2**30 / 1e12, rel=1e-3)
    assert hb.cost(linear(4000, 2048, 2048), "tpu-v1-like").layers.rows[0]["bound"] == "array"


def test_what_replay_cannot_walk_is_named():
    build = GraphBuilder("volume")
    x = build.input("x", (1, 5, 5, 5, 2), INT8)
    w = build.constant("w", np.ones((4, 3, 3, 3, 2), np.int8), INT8)
    graph = build.build(build.add(hb.Conv3d(), x, w, name="wide", formats=[INT8]))
    with pytest.raises(TargetError, match="wide.*one or two axes.*use traffic 'tiled'"):
        hb.cost(graph, "scalesim-32x32-os")
    assert hb.cost(graph, "gemmini-16x16").cycles > 0


def test_padding_is_not_fetched():
    build = GraphBuilder("padded")
    x = build.input("x", (1, 8, 8, 4), INT8)
    w = build.constant("w", np.ones((4, 3, 3, 4), np.int8), INT8)
    graph = build.build(build.add(hb.Conv2d(padding=1), x, w, formats=[INT8]))
    assert hb.cost(graph, "gemmini-16x16").layers.rows[0]["dram_ifmap_reads"] == 8 * 8 * 4
    assert hb.cost(graph, "scalesim-32x32-os").layers.rows[0]["dram_ifmap_reads"] == 10 * 10 * 4


def test_weights_of_a_loop_are_fetched_again_where_they_do_not_fit(tmp_path):
    """Five steps of an LSTM whose body holds 64 × 16 recurrent weights and 64 biases of float32."""
    names = {"weight_ih_l0": (64, 8), "weight_hh_l0": (64, 16), "bias_ih_l0": (64,), "bias_hh_l0": (64,)}
    build = GraphBuilder("net")
    weights = {name: np.ones(shape) for name, shape in names.items()}
    y, _, _ = hb.LSTM(8, 16, weights=weights)(build.input("x", (1, 5, 8)))
    graph = build.build(y)
    body = [row["layer"] for row in hb.profile(graph).layers if "/steps/" in row["layer"] and row["weight_bytes"]]
    assert body
    small = target(tmp_path, "gemmini-16x16", memory__filter={"bytes": 1000})
    once, again = ({r["layer"]: r["dram_bytes"] for r in hb.cost(graph, t).layers} for t in ("gemmini-16x16", small))
    changed = {name: again[name] - once[name] for name in once if again[name] != once[name]}
    assert set(changed) <= set(body)
    assert sum(changed.values()) >= 4 * 64 * 16 * 4  # four more passes
