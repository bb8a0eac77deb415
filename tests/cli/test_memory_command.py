"""`hwblocks memory`: models and files of buffers, from the command line to the files it writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.plan_check import check_plan

ONNX = Path(hb.__file__).parent / "demo_data" / "digits_cnn.onnx"
SET = "id,lower,upper,size\nb1,0,3,4\nb2,3,9,4\nb3,0,9,4\nb4,9,21,4\nb5,0,21,4\n"


def rows(path):
    with open(path, encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_model(hwblocks, tmp_path):
    code, out, _ = hwblocks("memory", ONNX, "--option", "in_place", "--csv", "options.csv", "-o", "buffers.csv")
    assert code == 0
    for words in ("most alive at once", "optimal", "all three", "proof"):
        assert words in out
    assert [row["option"] for row in rows("options.csv")][:2] == ["plain", "in place"]
    made = rows("buffers.csv")
    buffers = [(r["id"], int(r["lower"]), int(r["upper"]), int(r["size"])) for r in made]
    result = json.loads(hwblocks("memory", ONNX, "--option", "in_place", "--json")[1])
    check_plan(buffers, [int(r["offset"]) for r in made], result["bytes"])
    assert result["schema"] == "hwblocks.memory/1"
    assert int(rows("options.csv")[1]["bytes"]) == result["bytes"]


def test_alignment_and_capacity_of_a_model(hwblocks):
    plain = json.loads(hwblocks("memory", ONNX, "--json")[1])
    aligned = json.loads(hwblocks("memory", ONNX, "--align", 3000, "--json")[1])
    assert aligned["bytes"] % 3000 == 0
    assert aligned["bytes"] > plain["bytes"]
    code, _, err = hwblocks("memory", ONNX, "--capacity", plain["bytes"] - 1)
    assert code == 2
    assert "alone needs" in err
    assert "1 more than the capacity" in err
    assert hwblocks("memory", ONNX, "--capacity", plain["bytes"], "-q")[:2] == (0, "")


def test_scratch_of_the_kernels(hwblocks):
    code = hb.Format("int8")
    build = GraphBuilder("net")
    x = build.input("x", (1, 6, 6, 8), code)
    w = build.constant("w", np.ones((8, 3, 3, 8)), code)
    y = build.add(hb.Conv2d(padding=1), x, w, name="conv", formats=[code])
    hb.save(build.build(build.add(hb.MaxPool2d(2, stride=2), y, name="pool")), "net.hwb")
    plain, more = (json.loads(hwblocks("memory", "net.hwb", "--json", *args)[1]) for args in ((), ("--scratch",)))
    assert "kernel_scratch" not in plain
    assert list(more["kernel_scratch"]) == ["conv"]
    assert more["kernel_scratch"]["conv"] > 0
    assert more["bytes"] == plain["bytes"] == 36 * 8 + 36 * 8


def test_a_file_of_buffers(hwblocks, tmp_path):
    Path("set.csv").write_text(SET)
    code, out, _ = hwblocks("memory", "set.csv", "--capacity", 12, "-o", "offsets.csv")
    assert code == 0
    assert "12 B of 12 B" in out
    made = rows("offsets.csv")
    assert list(made[0]) == ["id", "lower", "upper", "size", "offset"]
    check_plan(
        [(r["id"], int(r["lower"]), int(r["upper"]), int(r["size"])) for r in made],
        [int(r["offset"]) for r in made],
        12,
    )
    code, _, err = hwblocks("memory", "set.csv", "--capacity", 11)
    assert code == 2
    assert "1 more than the capacity of 11" in err


def test_files_as_spreadsheets_write_them(hwblocks, tmp_path):
    text = "\ufeffnote,id,lower,upper,size\r\n,a,-5,2,0\r\n\r\n,,,,\r\n,[/b], 0, 2, 8\r\n"
    Path("set.csv").write_bytes(text.encode())
    code, out, _ = hwblocks("memory", "set.csv", "-o", "offsets.csv")
    assert code == 0
    assert "[/b]" in out
    assert [list(row.values()) for row in rows("offsets.csv")] == [
        ["a", "-5", "2", "0", "0"],
        ["[/b]", "0", "2", "8", "0"],
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: column 'id' is missing"),
        ("id,lower,upper\na,1,2\n", "line 1: column 'size' is missing"),
        ("id,lower,upper,size\na,0,2,4\nb,0,x,4\n", "line 3: upper is 'x', an integer is needed"),
        ("id,lower,upper,size\na,0,2\n", "line 2: 3 values under 4 columns"),
        ("lower,upper,size,id\n\n0,2,4\n", "line 3: 3 values under 4 columns"),
        ("id,lower,upper,size\na,0,2,1,024\n", "line 2: 5 values under 4 columns"),
        ("id,lower,upper,size\n" + "a" * 200_000 + ",0,2,4\n", "line 2: field larger than field limit"),
        ("id,lower,upper,size\na,2,2,4\n", "line 2: buffer 'a' lives in [2, 2) with 4 bytes"),
        ("id,lower,upper,size\na,0,2,4\na,0,2,4\n", "line 3: the id 'a' is used twice"),
        ("id,lower,upper,size\na,0,2,-4\n", "with -4 bytes"),
    ],
)
def test_bad_files(hwblocks, tmp_path, text, words):
    Path("bad.csv").write_text(text)
    code, out, err = hwblocks("memory", "bad.csv", "-o", "never.csv")
    assert (code, out) == (2, "")
    assert words in err
    assert not Path("never.csv").exists()


def test_bad_arguments(hwblocks, tmp_path):
    Path("set.csv").write_text(SET)
    assert "no memory option 'fast'" in hwblocks("memory", ONNX, "--option", "fast")[2]
    assert "give a model" in hwblocks("memory", "set.csv", "--option", "in_place")[2]
    assert "give a model" in hwblocks("memory", "set.csv", "--scratch")[2]
    assert "cannot be read" in hwblocks("memory", "none.csv")[2]
    assert hwblocks("memory", "set.csv", "--capacity", 0)[0] == 2
