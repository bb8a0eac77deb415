"""hwblocks export: an ONNX file, what may differ, what does; whole files or none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import hwblocks as hb
from hwblocks import cli
from hwblocks.cli.demo_data import demo_samples

ONNX = Path(hb.__file__).parent / "demo_data" / "digits_cnn.onnx"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    samples = demo_samples()
    np.savez(folder / "cal.npz", image=samples["calibration"][:50])
    np.savez(folder / "test.npz", image=samples["images"][:60])
    arguments = ["quantize", ONNX, "--samples", folder / "cal.npz", "-o", folder / "q.hwb", "-q"]
    assert cli.run([str(a) for a in arguments]) == 0
    return folder


@pytest.mark.parametrize("style", ["qdq", "qoperator"])
def test_integer_model(hwblocks, files, style):
    more = ("--style", style, "--samples", files / "test.npz", "--dialect", "ort-noopt", "--json")
    code, out, err = hwblocks("export", files / "q.hwb", "-o", "q.onnx", "--onnx", *more)
    made = json.loads(out)
    assert code == 0 and not err and made["schema"] == "hwblocks.export/1"
    (names,) = (n for reason, n in made["notes"].items() if reason.startswith("requantize"))
    assert names == ["conv1", "depthwise", "pointwise", "fc"]
    assert len(made["tensors"]) >= 8 and all(row["max_difference"] <= 1 for row in made["tensors"])
    if style == "qoperator":
        assert not any(row["different"] for row in made["tensors"])
    onnx.checker.check_model(onnx.load("q.onnx"))


def test_text_and_float_model(hwblocks, files):
    code, out, _ = hwblocks("export", files / "q.hwb", "-o", "q.onnx", "--onnx")
    assert code == 0 and "why integers may differ" in out and "4-bit" not in out
    code, out, _ = hwblocks("export", ONNX, "-o", "f.onnx", "--onnx", "--samples", files / "test.npz")
    assert code == 0 and out.splitlines()[-1].endswith("tensors compared with ONNX Runtime, optimisation off: 0 differ")


def test_bad_input_writes_nothing(hwblocks, files, tmp_path):
    code, _, err = hwblocks("export", files / "q.hwb", "-o", "q.onnx")
    assert code == 2 and "--onnx" in err
    code, _, err = hwblocks("export", files / "q.hwb", "-o", "no/q.onnx", "--onnx")
    assert code == 2 and "does not exist" in err
    code, _, err = hwblocks("export", "missing.hwb", "-o", "q.onnx", "--onnx")
    assert code == 2 and err.startswith("error:")
    weights = {"weight_ih_l0": np.eye(2), "weight_hh_l0": np.eye(2)}
    hb.save(hb.RNN(2, 2, streaming=True, weights=weights).graph((1, 3, 2)), "s.hwb")
    code, _, err = hwblocks("export", "s.hwb", "-o", "s.onnx", "--onnx")
    assert code == 2 and "state kept between samples" in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.hwb"]


def test_a_topology(hwblocks, files, tmp_path):
    code, out, err = hwblocks("export", files / "q.hwb", "--scalesim", "-o", "t.csv")
    assert code == 0 and not err and "rows, " in out
    assert (tmp_path / "t.csv").read_text().startswith("Layer name, ")
    code, out, _ = hwblocks("export", files / "q.hwb", "--scalesim", "-o", "t.csv", "--json")
    assert code == 0 and json.loads(out)["macs"] == hb.profile(files / "q.hwb").macs
    code, _, err = hwblocks("export", files / "q.hwb", "--scalesim", "-o", "u.csv", "--dialect", "tflm")
    assert code == 2 and "--dialect: for --onnx only" in err
    code, _, err = hwblocks("export", files / "q.hwb", "-o", "u.csv")
    assert code == 2 and "--onnx or --scalesim" in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.csv"]
