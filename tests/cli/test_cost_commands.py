"""hwblocks cost and hwblocks targets: the same numbers as the library, files, and clear errors."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import hwblocks as hb
from hwblocks.cli.demo_data import demo_samples

ONNX = Path(hb.__file__).parent / "demo_data" / "digits_cnn.onnx"


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    path = tmp_path_factory.mktemp("samples") / "test.npz"
    data = demo_samples()
    np.savez(path, image=data["images"][:60], labels=data["labels"][:60])
    return path


def test_recipes_and_targets_side_by_side(hwblocks, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('inherit = "ideal-64mac"\n[target]\nname = "own"\nclock_mhz = { v = 250, source = "ours" }\n')
    code, out, _ = hwblocks("cost", ONNX, "-t", "ideal-64mac", "-t", own, "-r", "int8", "-r", "w4a8", "--json")
    rows = json.loads(out)["comparison"]
    assert code == 0
    assert [(row["model"], row["target"]) for row in rows] == [
        (recipe, target) for target in ("ideal-64mac", "own") for recipe in ("int8", "w4a8")
    ]
    assert rows[2]["latency_us"] == 2 * rows[0]["latency_us"]
    assert "top1" not in rows[0]


def test_accuracy_beside_cost(hwblocks, samples):
    code, out, _ = hwblocks(
        "cost", ONNX, "-r", "int8", "-r", "w4a8", "--samples", samples, "--labels", samples, "--json"
    )
    rows = json.loads(out)["comparison"]
    assert code == 0
    assert all(90 < row["top1"] <= 100 and row["sqnr_db"] > 15 for row in rows)


def test_the_walk_of_the_quickstart(hwblocks, tmp_path):
    """Every command of docs/quickstart.md, section 5, in order."""
    page = (Path(hb.__path__[0]).parent / "docs" / "quickstart.md").read_text()
    section = page.split("## 5. On a target of your own")[1].split("\n## ")[0]
    (tmp_path / "mine.toml").write_text(section.split("```toml\n")[1].split("```")[0])
    commands = [line.split("#")[0].split()[1:] for line in section.splitlines() if line.startswith("    hwblocks ")]
    assert len(commands) == 6
    for command in commands:
        moved = [
            f"demo/{word}" if word.split(".")[0] in ("digits", "calibration", "test") else word for word in command
        ]
        assert hwblocks(*moved)[0] == 0, command
    assert "mine" in (tmp_path / "page.html").read_text()


def test_tables_as_csv(hwblocks, tmp_path):
    path = tmp_path / "layers.csv"
    code, _, _ = hwblocks("cost", ONNX, "-r", "int8", "--csv", path, "-q")
    rows = list(csv.DictReader(path.open()))
    assert code == 0
    assert sum(int(row["macs"]) for row in rows) == 20992
    assert {"main_cycles", "energy_mac", "macs_per_byte"} <= set(rows[0])  # details too


def test_targets_are_listed_and_shown(hwblocks):
    code, out, _ = hwblocks("targets", "--json")
    assert code == 0
    assert "ideal-64mac" in [row["target"] for row in json.loads(out)["targets"]]
    shown = json.loads(hwblocks("targets", "show", "ideal-64mac", "--json")[1])
    assert {row["key"]: row["value"] for row in shown["numbers"]}["compute.macs_per_cycle"] == 64
    assert all(row["source"] for row in shown["numbers"])


def test_a_target_starts_from_the_text_of_another(hwblocks, tmp_path):
    text = hwblocks("targets", "show", "ideal-64mac", "--toml")[1]
    (tmp_path / "mine.toml").write_text(text.replace("clock_mhz = 500", "clock_mhz = 5"))
    slow = json.loads(hwblocks("cost", ONNX, "-t", "mine.toml", "--json")[1])
    assert slow["clock_mhz"] == 5


def symbolic(path):
    """relu of x [N, T, 8]."""
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", ["N", "T", 8]), ("y", None)))
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


@pytest.mark.parametrize("command", ["profile", "cost", "memory"])
def test_unknown_sizes_are_asked_for_and_taken(hwblocks, tmp_path, command):
    symbolic(tmp_path / "m.onnx")
    code, _, err = hwblocks(command, "m.onnx")
    assert (code, "axis 1 (T) has no size" in err, "--shape x=N,H,..." in err) == (2, True, True)
    code, out, _ = hwblocks(command, "m.onnx", "--shape", "x=1,5,8", "--json")
    assert code == 0
    assert json.loads(out)
    for wrong in ("x=1,five,8", "1,5,8", "x=1,0,8", "x=1,5"):
        assert hwblocks(command, "m.onnx", "--shape", wrong)[0] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("cost", ONNX, "-t", "ideal64"), "did you mean"),
        (("cost", ONNX, "-t", "ideal-64mac", "-t", "ideal-64mac"), "given twice"),
        (("cost", ONNX, "-r", "int9"), "int9"),
        (("cost", ONNX, "-r", "int8", "-r", "int8"), "recipe 'int8' is given twice"),
        (("cost", ONNX, "--energy", "nothing"), "horowitz-45nm"),
        (("cost", ONNX, "--csv", "missing/x.csv"), "missing"),
        (("cost", "missing.onnx"), "missing.onnx"),
        (("targets", "show", "missing"), "neither a file"),
        (("targets", "list"), "No such command"),
    ],
)
def test_wrong_calls_are_one_clear_error(hwblocks, arguments, words):
    code, _, err = hwblocks(*arguments)
    assert code == 2
    assert words in err


def test_a_model_with_formats_of_its_own_is_quantized_first(hwblocks, shared, tmp_path):
    model = shared / "models" / "onnx" / "mnist_conv_qdq_u8s8.onnx"
    code, _, err = hwblocks("cost", model, "-r", "int8")
    assert (code, "`hwblocks quantize MODEL -o Q.hwb`" in err) == (2, True)
    code, _, err = hwblocks("cost", model, "-t", "ethos-u55-128")
    assert (code, "`hwblocks quantize` it" in err) == (2, True)
    assert hwblocks("quantize", model, "-o", "q.hwb")[0] == 0
    assert hwblocks("cost", "q.hwb", "-t", "ethos-u55-128")[0] == 0
