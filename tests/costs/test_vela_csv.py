"""Vela's CSV files beside a cost: both of its cores, per layer and summary, and files that are neither."""

from __future__ import annotations

import pytest
from tiny_networks import NETWORKS

import hwblocks as hb
from hwblocks.cli import run
from hwblocks.costs.vela_csv import beside_vela
from hwblocks.errors import InputError

PER_LAYER = """Original Operator,NNG Operator,Target,Op Cycles,NPU,SRAM AC,DRAM AC,OffFlash AC,MAC Count,Name
Conv2D,Conv2D,NPU,1000,900,10,0,1000,320000,a
Conv2D,Relu,NPU,0,0,0,0,0,0,a
AvgPool,AvgPool,NPU,500,500,1,0,0,8000,b
FullyConnected,FullyConnected,NPU,100,90,1,0,100,768,c
Softmax,MaxPool,NPU,30,30,1,0,0,12,d
Softmax,Sub,NPU,20,20,1,0,0,0,e
Logistic,Passthrough,CPU,0,0,0,0,0,0,f
"""
LEGACY = """TFLite_operator,NNG Operator,SRAM Usage,Peak%,Op Cycles,Network%,NPU,SRAM AC,MAC Count,Util%,Name
CONV_2D             ,Conv2DBias     ,  12,  3,  24.5,  1,  24.5,  10,  320000,  1, a
CONV_2D             ,Conv2DBias     ,  12,  3,  10.0,  1,  10.0,  10,  320000,  1, a
"""


def written(tmp_path, text):
    path = tmp_path / "vela.csv"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def cost():
    return hb.cost(NETWORKS["kws"](), target="ethos-u55-128")


def test_passes_are_summed_into_operators(tmp_path, cost):
    found = beside_vela(cost, written(tmp_path, PER_LAYER))
    theirs = [row for row in found.layers if "operator" in row]
    assert [(r["operator"], r["vela_cycles"], r["vela_macs"]) for r in theirs] == [
        ("Conv2D", 1000, 320000),
        ("AvgPool", 500, 8000),
        ("FullyConnected", 100, 768),
        ("Softmax", 50, 12),
        ("Logistic", 0, 0),
    ]
    assert found.vela_cycles == 1650
    assert found.error == cost.cycles / 1650 - 1
    assert "1 (0 cycles there)" in found.to_markdown()


def test_no_cycles_are_lost(tmp_path, cost):
    """Layers without a partner stand alone: both columns add up to the totals."""
    found = beside_vela(cost, written(tmp_path, PER_LAYER))
    assert sum(row.get("cycles", 0) for row in found.layers) == cost.cycles
    assert sum(row.get("vela_cycles", 0) for row in found.layers) == found.vela_cycles


def test_the_older_core(tmp_path, cost):
    found = beside_vela(cost, written(tmp_path, LEGACY))
    assert [r["vela_cycles"] for r in found.layers if "operator" in r] == [24.5, 10.0]


@pytest.mark.parametrize("model", ["kws", "resnet8"])
@pytest.mark.parametrize("folder", ["u55-128_default", "u55-128_legacy", "u55-256_default", "u65-512_default"])
def test_recorded_files_line_up_layer_by_layer(shared, model, folder):
    file, name = {
        "kws": ("mlperf_kws_dscnn_int8", "kws_ref_model"),
        "resnet8": ("mlperf_resnet8_int8", "pretrainedResnet_quant"),
    }[model]
    target = f"ethos-{folder.split('_')[0]}"
    priced = hb.cost(shared / "models" / "tflite" / f"{file}.tflite", target=target)
    place = shared / "reference" / "vela" / folder
    layers = beside_vela(priced, place / f"{name}_per-layer.csv")
    summary = beside_vela(priced, next(place.glob(f"{name}_summary_*.csv")))
    assert all("layer" in row and "operator" in row for row in layers.layers)
    assert len(layers.layers) == len(priced.layers)
    assert layers.vela_cycles == summary.vela_cycles
    assert dict(summary.facts)["Vela's accelerator configuration"] == f"Ethos_{folder.split('_')[0].upper()}".replace(
        "-", "_"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("a,b\n1,2\n", "neither a per-layer nor a summary CSV"),
        ("Original Operator,Op Cycles\nConv2D,many\n", "'Op Cycles' holds 'many'"),
        ("accelerator_configuration,cycles_total\nEthos_U55_256,5\n", "compiled for 'ethos-u55-256'"),
    ],
)
def test_wrong_files(tmp_path, cost, text, message):
    with pytest.raises(InputError, match=message):
        beside_vela(cost, written(tmp_path, text))


def test_an_absent_file(tmp_path, cost):
    with pytest.raises(InputError, match="cannot be read"):
        beside_vela(cost, tmp_path / "absent.csv")


def test_the_command(tmp_path, capsys):
    hb.save(NETWORKS["kws"](), tmp_path / "kws.hwb")
    csv = written(tmp_path, PER_LAYER)
    arguments = ["cost", str(tmp_path / "kws.hwb"), "--compare-vela", str(csv), "-t", "ethos-u55-128"]
    assert run(arguments) == 0
    assert "Vela's cycles" in capsys.readouterr().out
    assert run([*arguments, "-t", "ethos-u55-64"]) == 2
    assert "one target and one model" in capsys.readouterr().err
