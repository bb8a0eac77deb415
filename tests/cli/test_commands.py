"""The command line from end to end: exit codes, clear messages, whole files or none."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

import hwblocks as hb
from hwblocks import cli
from hwblocks.cli.demo_data import demo_samples
from hwblocks.exporters.to_vectors import from_hex

ONNX = Path(hb.__file__).parent / "demo_data" / "digits_cnn.onnx"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    samples = demo_samples()
    np.savez(folder / "cal.npz", image=samples["calibration"][:50])
    np.savez(folder / "test.npz", image=samples["images"][:100], labels=samples["labels"][:100])
    assert (
        cli.run(["quantize", str(ONNX), "--samples", str(folder / "cal.npz"), "-o", str(folder / "q.hwb"), "-q"]) == 0
    )
    return folder


def test_main_job(hwblocks, files):
    code, out, _ = hwblocks(
        "compare", ONNX, files / "q.hwb", "--samples", files / "test.npz", "--labels", files / "test.npz", "--json"
    )
    result = json.loads(out)
    assert code == 0
    assert result["schema"] == "hwblocks.comparison/1"
    assert result["integer"]["top1"] > 0.9
    code, out, _ = hwblocks("cost", files / "q.hwb", "--json")
    assert json.loads(out)["profile"]["macs"] == 64 * 9 * 16 + 16 * 9 * 16 + 16 * 16 * 32 + 128 * 10
    assert hwblocks("profile", ONNX)[0] == 0
    assert "content hash" in hwblocks("info", files / "q.hwb")[1]


def test_files_are_the_same_bytes_each_time(hwblocks, files, tmp_path):
    hwblocks("quantize", ONNX, "--samples", files / "cal.npz", "-o", tmp_path / "again.hwb")
    assert (tmp_path / "again.hwb").read_bytes() == (files / "q.hwb").read_bytes()


@pytest.mark.parametrize("kind", ["npy", "hex"])
def test_dumped_vectors_reload_and_equal_the_run(hwblocks, files, tmp_path, kind):
    args = (
        "--inputs",
        files / "test.npz",
        "--range",
        "0:3",
        "--outputs",
        "o.npz",
        "--dump",
        "v",
        "--dump-format",
        kind,
    )
    assert hwblocks("run", files / "q.hwb", *args)[0] == 0
    manifest = json.loads((tmp_path / "v" / "manifest.json").read_text())
    run = hb.run(files / "q.hwb", np.load(files / "test.npz")["image"][:3], trace="full")
    roles = {entry["role"] for entry in manifest["arrays"]}
    assert roles == {"constant", "input", "accumulator", "multiplier", "shift", "output"}
    seen = 0
    for entry in manifest["arrays"]:
        path = tmp_path / "v" / entry["file"]
        if kind == "npy":
            array = np.load(path)
        else:
            format = hb.Format.from_dict(entry["format"])
            array = from_hex(path.read_text(), format.bits, format.signed).reshape(entry["shape"])
        assert list(array.shape) == entry["shape"]
        if entry["role"] in ("input", "output"):
            traced = run.trace[entry["tensor"]]
            np.testing.assert_array_equal(array.ravel(), traced.ravel())
            seen += 1
    assert seen == 2 * len(hb.load(files / "q.hwb").nodes)
    np.testing.assert_array_equal(np.load("o.npz")["probabilities"], run.outputs["probabilities"])


@pytest.mark.parametrize(("node", "at"), [("conv1", "3,4,5"), ("conv1", "0,0,15"), ("depthwise", "1,2,7"), ("pointwise", "3,0,31"), ("fc", "7"), ("softmax", "2"), ("pool1", "1,1,1")])  # fmt: skip
def test_explanations_end_at_the_stored_code(hwblocks, files, node, at):
    code, out, _ = hwblocks(
        "explain", files / "q.hwb", node, "--inputs", files / "test.npz", "--sample", 4, "--at", at, "--json"
    )
    result = json.loads(out)
    run = hb.run(files / "q.hwb", np.load(files / "test.npz")["image"][4:5], trace="full")
    name = hb.load(files / "q.hwb").node(node).outputs[0]
    index = tuple(int(i) for i in at.split(","))
    assert code == 0
    assert result["explained_code"] == result["stored_code"] == run.trace[name][0][index]
    if result["products"]:
        total = sum(row["product"] for row in result["products"])
        assert all(row["product"] == row["x"] * row["w"] for row in result["products"])
        assert result["products"][-1]["sum"] == total


def test_words_are_explained(hwblocks):
    assert "FormatError" in hwblocks("explain", "HWB101")[1]
    assert "torch.nn.Conv2d" in hwblocks("explain", "Conv2d")[1]
    assert "10 fraction bits" in hwblocks("explain", "ap_fixed<16,6>")[1]
    assert hwblocks("explain", "nonsense")[0] == 2


def test_selftest_and_demo(hwblocks, tmp_path):
    code, out, _ = hwblocks("selftest", "--json")
    assert (code, json.loads(out)["failed"]) == (0, 0)
    code, out, _ = hwblocks("demo", "--json")
    recipes = json.loads(out)["recipes"]
    assert code == 0
    assert set(recipes) == {"int8", "w4a8", "fixed16"}
    page = (tmp_path / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert len(page.encode()) < 6_000_000


def test_a_failed_check_is_1(hwblocks, files):
    args = (
        ONNX,
        files / "q.hwb",
        "--samples",
        files / "test.npz",
        "--labels",
        files / "test.npz",
        "-q",
        "--fail-below",
    )
    assert hwblocks("compare", *args, "top1=0.5")[0] == 0
    code, _, err = hwblocks("compare", *args, "top1=1.0")
    assert code == 1
    assert "top1" in err


def bad_files(folder: Path) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    whole = ONNX.read_bytes()
    (folder / "short.onnx").write_bytes(whole[: len(whole) // 2])
    (folder / "random.onnx").write_bytes(rng.bytes(500))
    (folder / "random.hwb").write_bytes(rng.bytes(500))
    with zipfile.ZipFile(folder / "hollow.hwb", "w") as archive:
        archive.writestr("graph.json", "{}")
        archive.writestr("arrays.npz", "")
    (folder / "empty.onnx").write_bytes(b"")
    return {p.stem + p.suffix: p for p in folder.iterdir()}


def test_broken_models(hwblocks, tmp_path):
    for name, path in bad_files(tmp_path).items():
        code, _, err = hwblocks("profile", path)
        assert code == 2, name
        assert err.startswith("error: "), name
        assert len(err.strip().splitlines()) == 1, (name, err)
    assert hwblocks("profile", "missing.onnx")[0] == 2
    assert hwblocks("profile", "model.tflite")[0] == 2


SHAPES = {"shape": np.zeros((4, 3, 8, 8)), "nan": np.full((4, 1, 8, 8), np.nan), "empty": np.zeros((0, 1, 8, 8)), "text": np.array(["a"])}  # fmt: skip


@pytest.mark.parametrize("kind", SHAPES)
def test_bad_samples(hwblocks, tmp_path, kind):
    np.savez(tmp_path / "bad.npz", image=SHAPES[kind])
    code, _, err = hwblocks("quantize", ONNX, "--samples", "bad.npz", "-o", "q.hwb")
    assert code == 2
    assert "image" in err or "sample" in err
    assert not (tmp_path / "q.hwb").exists()


def test_codes_of_the_wrong_kind(hwblocks, files, tmp_path):
    np.savez(tmp_path / "u8.npz", image=np.zeros((2, 1, 8, 8), np.uint8))
    code, _, err = hwblocks("run", files / "q.hwb", "--inputs", "u8.npz")
    assert code == 2
    assert "uint8 codes" in err


def test_constant_samples_still_convert(hwblocks, tmp_path):
    np.savez(tmp_path / "flat.npz", image=np.zeros((4, 1, 8, 8), np.float32))
    assert hwblocks("quantize", ONNX, "--samples", "flat.npz", "-o", "q.hwb")[0] == 0


@pytest.mark.parametrize(
    ("change", "words"), [("bits = 8", "bits = 0"), ("bits = 8", "bits = 65"), ("bits = 8", "bitz = 8")]
)
def test_bad_recipes(hwblocks, files, tmp_path, change, words):
    import quantize

    text = (Path(quantize.__file__).parent / "recipes" / "int8.toml").read_text()
    assert change in text
    (tmp_path / "mine.toml").write_text(text.replace(change, words, 1))
    code, _, err = hwblocks("quantize", ONNX, "--samples", files / "cal.npz", "--recipe", "mine.toml", "-o", "q.hwb")
    assert code == 2
    assert "$" in err
    assert not (tmp_path / "q.hwb").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("quantize", ONNX, "--samples", "x.npz", "-o", "missing/q.hwb"),
        ("run", ONNX, "--inputs", "x.npz", "--outputs", "missing/o.npz"),
        ("demo", "--report", "missing/r.html"),
        ("cost", ONNX, "--target", "no-such-target"),
        ("nonsense",),
        ("run", ONNX),
        ("explain", ONNX, "conv1"),
    ],
)
def test_bad_arguments_are_2_with_one_message(hwblocks, arguments):
    code, _, err = hwblocks(*arguments)
    assert code == 2
    assert err.strip()


def test_interrupted_runs_leave_nothing(tmp_path):
    samples = np.zeros((200_000, 1, 8, 8), np.float32)
    np.save(tmp_path / "many.npy", samples)
    command = [sys.executable, "-m", "hwblocks", "quantize", str(ONNX), "--samples", "many.npy", "-o", "q.hwb"]
    environment = {**os.environ, "PYTHONPATH": str(Path(hb.__file__).parents[1])}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["many.npy"]


def test_a_model_that_states_its_formats_needs_no_samples(hwblocks, shared, tmp_path):
    model, out = shared / "models" / "onnx" / "qonnx_TFC_1W2A.onnx", tmp_path / "tfc.hwb"
    code, printed, _ = hwblocks("quantize", model, "-o", out, "--json")
    assert code == 0
    assert json.loads(printed[printed.index("{") :])["metadata"]["recipe"] == "stated"
    code, _, err = hwblocks("quantize", model, "-o", out, "--samples", "x.npz")
    assert (code, "leave out --samples" in err) == (2, True)
    code, _, err = hwblocks("quantize", ONNX, "-o", out)
    assert (code, "give calibration samples" in err) == (2, True)


def test_accumulators(hwblocks, files, tmp_path):
    """Widths, a certificate, and a recipe whose model is proven safe with every register as narrow as it can be."""
    options = ("--samples", files / "test.npz", "--out", "c.json", "--recipe", "narrow.toml", "--overflow", "saturate")
    code, out, _ = hwblocks("accumulators", files / "q.hwb", *options, "--json")
    result = json.loads(out)
    assert (code, result["schema"], result["safe"]) == (0, "hwblocks.accumulators/1", True)
    assert [row["layer"] for row in result["layers"]] == ["conv1", "depthwise", "pointwise", "fc"]
    assert all(row["bits_seen"] <= row["bits_proven"] < row["bits_present"] == 32 for row in result["layers"])
    assert json.loads((tmp_path / "c.json").read_text())["schema"] == "hwblocks.accumulator-certificate/1"
    made = ("quantize", ONNX, "--samples", files / "cal.npz", "--recipe", "narrow.toml", "-o", "n.hwb")
    assert "accumulators: safe" in hwblocks(*made)[1]
    code, out, _ = hwblocks("accumulators", "n.hwb", "--json", "--fail-unsafe")
    rows = json.loads(out)["layers"]
    assert (code, {row["bits_present"] - row["bits_proven"] for row in rows}) == (0, {0})
    code, out, _ = hwblocks("accumulators", "n.hwb", "--channels")
    assert (code, out.count("proven safe")) == (0, 16 + 16 + 32 + 10)
    assert hwblocks("accumulators", "n.hwb", "-q") == (0, "", "")


def test_accumulators_that_overflow_are_1_where_asked(hwblocks, files):
    narrow = (files / "q.hwb", "--accumulator", "int14 saturate dot(4) psum=20:wrap")
    code, out, _ = hwblocks("accumulators", *narrow)
    assert code == 0
    assert "psum" in out and "outside [-8,192, 8,191], at output" in out
    assert hwblocks("accumulators", *narrow, "--fail-unsafe")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((ONNX,), "no sums of products on stored codes"),
        (("missing.hwb",), "missing.hwb"),
        (("q.hwb", "--samples", "bad.npz"), "has shape"),
        (("q.hwb", "--samples", "none.npz"), "none.npz"),
        (("q.hwb", "--accumulator", "int99 wrap"), "4 to 64"),
        (("q.hwb", "--out", "missing/c.json"), "does not exist"),
        (("q.hwb", "--recipe", "r.toml", "--overflow", "bend"), "bend"),
        (("q.hwb", "--recipe", "r.toml", "--from", "no-such-recipe"), "no-such-recipe"),
        (("q.hwb", "--overflow", "wrap"), "--recipe"),
        (("mine.hwb", "--recipe", "r.toml"), "--from"),
    ],
)
def test_bad_requests_for_accumulators(hwblocks, files, tmp_path, arguments, words):
    (tmp_path / "q.hwb").write_bytes((files / "q.hwb").read_bytes())
    hb.save(hb.load(files / "q.hwb").replace(metadata={"recipe": "mine"}), tmp_path / "mine.hwb")
    np.savez(tmp_path / "bad.npz", image=np.zeros((4, 3, 8, 8)))
    code, _, err = hwblocks("accumulators", *arguments)
    assert (code, len(err.strip().splitlines())) == (2, 1)
    assert words in err
    assert not (tmp_path / "r.toml").exists()
