"""Products of published networks, built as graphs, against counts that other tools and plain loops give."""

from __future__ import annotations

import csv

import mac_networks as networks
import pytest

import hwblocks as hb

# macs: torch 2.13.0 FlopCounterMode / 2 on torchvision 0.28.0 (recurrent layers and fused attention, which it counts as
# 0, by hand); macs_valid: products whose tap lies on the input. Batch 1.
PUBLISHED = {
    "resnet18": (1_814_073_344, 1_680_390_912),
    "resnet50": (4_089_184_256, 3_948_251_904),
    "mobilenet_v2": (300_774_272, 299_676_304),
    "alexnet": (714_188_480, 657_918_720),
    "vgg16": (15_470_264_320, 14_969_824_000),
    "lstm": (245_760, 245_760),
    "gru": (184_320, 184_320),
    "attention_fused": (294_912, 294_912),
    "attention_matmuls": (294_912, 294_912),
}
ROWS = {"lstm": "lstm_in32_hidden64", "gru": "gru_in32_hidden64", "attention_matmuls": "attention_e64_h4_matmuls"}
ROWS["attention_fused"] = "multihead_attention_e64_h4_fused"
# mlcommons/tiny, commit 1afd2c9820f7: shapes of benchmark/training/*/trained_models, counted layer by layer
TINY = {
    "anomaly_detection": 264_192,
    "image_classification": 12_501_632,
    "keyword_spotting": 2_656_768,
    "visual_wake_words": 7_489_664,
    "streaming_wakeword": 826_368,
}
# torchvision 0.28.0, weights' metadata num_params; running means and variances of normalizations do not count there
PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "mobilenet_v2": 3_504_872,
    "alexnet": 61_100_840,
    "vgg16": 138_357_544,
}


def built(name):
    return getattr(networks, name)()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks(name):
    p = hb.profile(built(name))
    assert (p.macs, p.macs_valid) == PUBLISHED[name]
    assert dict(p.by_widths) == {"32x32→32": p.macs}


@pytest.mark.parametrize("name", PUBLISHED)
def test_golden_numbers_are_those_of_the_reference_file(name, shared):
    rows = {row["network"]: row for row in csv.DictReader((shared / "reference/macs/mac_reference.csv").open())}
    row = rows[ROWS.get(name, name)]
    assert (int(row["macs"]), int(row["macs_valid"])) == PUBLISHED[name]
    assert set(rows) == {ROWS.get(n, n) for n in PUBLISHED}


def on_the_input(size, outputs, kernel, stride, before):
    """Pairs of a window and a tap along one axis whose tap lies on the input, one by one."""
    return sum(0 <= o * stride + k - before < size for o in range(outputs) for k in range(kernel))


def counted(graph):
    """(products, products on the input) of convolutions and dense layers, by loops along each axis."""
    total = valid = 0
    for node in graph.nodes:
        if node.type_name == "Linear":
            products = graph.site(node).shapes[0][-1] * graph.site(node).output.shape[-1]
            total, valid = total + products, valid + products
        if node.type_name == "Conv2d":
            (x, w, *_), y, block = graph.site(node).shapes, graph.site(node).output.shape, node.block
            step = block.stride if isinstance(block.stride, tuple) else (block.stride,) * 2
            pads = block.padding if isinstance(block.padding, tuple) else ((block.padding,) * 2,) * 2
            taps = [on_the_input(x[a], y[a], w[a], step[a - 1], pads[a - 1][0]) for a in (1, 2)]
            per_tap = x[3] // block.groups * y[3]
            total += y[1] * y[2] * w[1] * w[2] * per_tap
            valid += taps[0] * taps[1] * per_tap
    return total, valid


@pytest.mark.parametrize("name", TINY)
def test_mlperf_tiny(name):
    graph = built(name)
    p = hb.profile(graph)
    assert p.macs == TINY[name]
    assert (p.macs, p.macs_valid) == counted(graph)


@pytest.mark.parametrize(("name", "file"), [("keyword_spotting", "kws_dscnn"), ("image_classification", "resnet8")])
def test_graphs_and_files_of_mlperf_tiny_count_the_same(name, file, shared):
    p, f = hb.profile(built(name)), hb.profile(hb.load(shared / f"models/tflite/mlperf_{file}_int8.tflite"))
    assert (f.macs, f.macs_valid) == (p.macs, p.macs_valid)
    assert dict(f.by_widths) == {"8x8→32": p.macs}


@pytest.mark.parametrize("name", PARAMETERS)
def test_networks_have_the_published_parameters(name):
    graph = built(name)
    norms = sum(graph.site(node).shapes[1][0] for node in graph.nodes if node.type_name == "BatchNorm")
    assert sum(tensor.elements for tensor in graph.constants) - 2 * norms == PARAMETERS[name]
