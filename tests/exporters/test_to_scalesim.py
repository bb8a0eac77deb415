"""SCALE-Sim topologies: rows by hand, products of whole models, and what is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from costs.scalesim_rows import topology

import hwblocks as hb
from hwblocks.costs.machines.systolic import Array, cycles
from hwblocks.errors import OutputError, UnsupportedOperatorError
from hwblocks.exporters.to_scalesim import HEADER, export_scalesim
from hwblocks.graph.builder import GraphBuilder


def built(shape, block, weight, name="conv"):
    build = GraphBuilder("net")
    x = build.input("x", shape, hb.Format("int8"))
    w = build.constant("w", np.ones(weight), hb.Format("int8"))
    return build.build(build.add(block, x, w, name=name, formats=[hb.Format("int8")]))


ROWS = (
    # 10 + 2 rows, of which windows two apart reach 11
    ((1, 10, 8, 3), hb.Conv2d(stride=2, padding=1), (5, 3, 3, 3), ["conv,11,9,3,3,3,5,2,"]),
    ((1, 9, 9, 4), hb.Conv2d(padding=1), (6, 3, 3, 4), ["conv,11,11,3,3,4,6,1,"]),
    ((1, 9, 9, 4), hb.Conv2d(groups=2), (6, 3, 3, 2), ["conv_0,9,9,3,3,2,3,1,", "conv_1,9,9,3,3,2,3,1,"]),
    ((1, 9, 9, 4), hb.Conv2d(groups=4), (1, 3, 3, 8), ["DP_conv,9,9,3,3,4,2,1,"]),
    ((1, 12, 6), hb.Conv1d(stride=3), (4, 2, 6), ["conv,11,1,2,1,6,4,3,"]),
    ((1, 7, 20), hb.Linear(), (9, 20), ["conv,7,1,1,1,20,9,1,"]),
    ((1, 5, 7, 4), hb.Conv2d(stride=(2, 3)), (2, 5, 3, 4), ["conv,5,6,5,3,4,2,3,"]),  # one window down
    ((1, 3, 4, 2), hb.ConvTranspose2d(stride=2), (5, 2, 2, 2), ["conv,12,1,1,1,2,20,1,"]),
)


@pytest.mark.parametrize(("shape", "block", "weight", "rows"), ROWS)
def test_rows_by_hand(shape, block, weight, rows, tmp_path):
    graph = built(shape, block, weight)
    made = export_scalesim(graph, tmp_path / "t.csv")
    assert list(made.rows) == rows
    assert (tmp_path / "t.csv").read_text().splitlines() == [HEADER, *rows]
    layers = topology(tmp_path / "t.csv")
    assert made.macs == sum(layer.gemm.macs for _, layer in layers) == hb.profile(graph).macs


def test_names_that_the_tool_would_misread(tmp_path):
    graph = built((1, 7, 20), hb.Linear(), (9, 20), name="DPE, dense 1")
    assert export_scalesim(graph, tmp_path / "t.csv").rows == ("dpE_dense_1,7,1,1,1,20,9,1,",)


def test_products_of_activations_are_rows_of_their_own(tmp_path):
    build = GraphBuilder("net")
    a = build.input("a", (1, 2, 5, 4), hb.Format("int8"))
    b = build.input("b", (1, 2, 4, 3), hb.Format("int8"))
    graph = build.build(build.add(hb.MatMul(), a, b, name="qk", formats=[hb.Format("int8")]))
    made = export_scalesim(graph, tmp_path / "t.csv")
    assert made.rows == ("qk_0,5,1,1,1,4,3,1,", "qk_1,5,1,1,1,4,3,1,")


@pytest.mark.parametrize(
    ("shape", "block", "weight", "words"),
    [
        ((1, 9, 9, 4), hb.Conv2d(dilation=2), (6, 3, 3, 4), r"'conv' \(Conv2d\): dilation \(2, 2\)"),
        ((1, 9, 9, 4), hb.Conv2d(stride=(2, 1)), (6, 3, 3, 4), r"'conv' \(Conv2d\): strides \(2, 1\) that differ"),
        ((1, 5, 9, 9, 4), hb.Conv3d(), (6, 3, 3, 3, 4), r"'conv' \(Conv3d\): a convolution over three axes"),
    ],
)
def test_layers_that_no_row_expresses_are_refused_by_name(shape, block, weight, words, tmp_path):
    with pytest.raises(UnsupportedOperatorError, match=words):
        export_scalesim(built(shape, block, weight), tmp_path / "t.csv")
    assert not list(tmp_path.iterdir())


def test_graphs_without_products_and_files_without_folders(tmp_path):
    build = GraphBuilder("net")
    graph = build.build(build.add(hb.ReLU(), build.input("x", (1, 4), hb.Format("int8"))))
    with pytest.raises(UnsupportedOperatorError, match="no layer that sums products"):
        export_scalesim(graph, tmp_path / "t.csv")
    with pytest.raises(OutputError, match="does not exist"):
        export_scalesim(built((1, 7, 20), hb.Linear(), (9, 20)), tmp_path / "no" / "t.csv")


MODELS = {  # MACs, and cycles that SCALE-Sim 3.0.0 reports for the file written, on 16 x 16 and 8, 16, 8 kB, os and ws
    "mlperf_kws_dscnn_int8": (2_656_768, 94_238, 56_960),
    "mlperf_resnet8_int8": (12_501_632, 59_006, 63_140),
}


@pytest.mark.parametrize("name", MODELS)
def test_whole_models_keep_their_products(name, shared, tmp_path):
    graph = hb.load(shared / "models" / "tflite" / f"{name}.tflite")
    made, layers = export_scalesim(graph, tmp_path / "t.csv"), topology(tmp_path / "t.csv")
    macs, *counted = MODELS[name]
    assert made.macs == sum(layer.gemm.macs for _, layer in layers) == macs
    for dataflow, wanted in zip(("os", "ws"), counted):
        assert sum(cycles(layer.gemm, Array(16, 16, dataflow)) for _, layer in layers) == wanted


def test_steps_of_a_fused_recurrence_are_rows(shared, tmp_path):
    graph = hb.load(shared / "models" / "tflite" / "tflm_mnist_lstm_int8.tflite")
    made = export_scalesim(graph, tmp_path / "t.csv")
    assert made.macs == hb.profile(graph).macs
    recurrent = [row for row in made.rows if ",20,80,1," in row and row.split(",")[1] == "1"]
    assert len(recurrent) == 28  # one product with the state a step


def test_a_scan_is_refused_by_name(tmp_path):
    build = GraphBuilder("net")
    weights = {"weight_ih_l0": np.ones((16, 3)), "weight_hh_l0": np.ones((16, 4))}
    weights |= {"bias_ih_l0": np.zeros(16), "bias_hh_l0": np.zeros(16)}
    y, _, _ = hb.LSTM(3, 4, weights=weights)(build.input("x", (1, 5, 3)))
    with pytest.raises(UnsupportedOperatorError, match="cannot be written: '.*steps' .*products of its body"):
        export_scalesim(build.build(y), tmp_path / "t.csv")
