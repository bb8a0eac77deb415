"""hwblocks report: one page, the same numbers in every form, one clear error for what it cannot show."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

import hwblocks as hb
from hwblocks import cli
from hwblocks.cli.demo_data import demo_samples

ONNX = Path(hb.__file__).parent / "demo_data" / "digits_cnn.onnx"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    samples = demo_samples()
    np.savez(folder / "test.npz", image=samples["images"][:40], labels=samples["labels"][:40])
    made = ["quantize", str(ONNX), "--samples", str(folder / "test.npz"), "-o", str(folder / "q.hwb"), "-q"]
    assert cli.run(made) == 0
    return folder


def asked(files, *more):
    return ("report", ONNX, files / "q.hwb", "--samples", files / "test.npz", "--labels", files / "test.npz", *more)


def test_one_command_for_the_whole_page(hwblocks, files, tmp_path):
    code, out, err = hwblocks(*asked(files, "--markdown", "r.md", "--tables", "tables", "--sample", 3))
    assert (code, err) == (0, "")
    assert out.rstrip().endswith("report: report.html")
    for word in ("Float against integer", "Use of the formats", "Memory over time", "Roofline", "pool1_out, channel 0"):
        assert word in out
    page = (tmp_path / "report.html").read_text()
    titles = re.findall(r"<h3>(.*?)</h3>", page)
    for title in ("SQNR", "Use of the formats", "Activations", "Weights", "Activation maps", "Memory over time",
                  "Cycles by layer", "Roofline", "Energy by layer", "Layer by layer"):  # fmt: skip
        assert title in titles
    assert "sample 3: dw_out" in page
    assert (tmp_path / "r.md").read_text().startswith("## Float against integer: digits_cnn, int8")
    names = {p.name for p in (tmp_path / "tables").iterdir()}
    assert {
        "comparison_layer_by_layer.csv",
        "inspection_use_of_the_formats.csv",
        "profile_memory_over_time.csv",
    } <= names
    rows = list(csv.DictReader((tmp_path / "tables" / "profile_memory_over_time.csv").open()))
    assert [row["size"] for row in rows if row["name"] == "relu1_out"] == ["1024"]


def test_maps_are_printed_only_when_samples_are_asked_for(hwblocks, files):
    assert "pool1_out, channel 0" not in hwblocks(*asked(files))[1]


def test_json_holds_results_and_chart_data(hwblocks, files, tmp_path):
    code, out, _ = hwblocks(*asked(files, "--json", "-o", "page.html", "--layers", "conv1"))
    made = json.loads(out)
    assert code == 0
    assert (made["schema"], made["report"]) == ("hwblocks.report/1", "page.html")
    assert list(made["results"]) == ["comparison", "inspection", "profile", "cost on ideal-64mac"]
    assert [row["layer"] for row in made["results"]["inspection"]["layers"]] == ["conv1"]
    memory = next(c for c in made["results"]["profile"]["charts"] if c["kind"] == "Gantt")
    assert memory["size"] == made["results"]["profile"]["peak_activation_bytes"]
    assert (tmp_path / "page.html").exists()


def test_two_targets_are_held_against_each_other(hwblocks, files, tmp_path):
    import hwblocks.targets as targets

    text = (Path(targets.__file__).parent / "library" / "ideal-64mac.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace("ideal-64mac", "mine"))
    code, out, _ = hwblocks(*asked(files, "--target", "ideal-64mac", "--target", "mine.toml", "--json"))
    made = json.loads(out)["results"]
    assert code == 0
    assert next(iter(made)) == "targets"
    assert [row["target"] for row in made["targets"]["comparison"]] == ["ideal-64mac", "mine"]


def test_quiet_prints_nothing(hwblocks, files, tmp_path):
    assert hwblocks(*asked(files, "-q", "--charts", "file"))[:2] == (0, "")
    assert {p.name for p in tmp_path.iterdir()} >= {"report.html", "plotly.min.js"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("-o", "missing/r.html"), "the folder 'missing' does not exist"),
        (("--markdown", "missing/r.md"), "the folder 'missing' does not exist"),
        (("--layers", "conv9*"), "layers 'conv9*': no layer of 'digits_cnn' fits"),
        (("--sample", 40), "sample 40: there are 40 samples; choose from 0 to 39"),
        (("--charts", "some"), "charts 'some': use inline, file, none"),
        (("--target", "nothing"), "'nothing' is neither a file nor"),
        (("--range", "5:3"), "--range 5:3"),
    ],
)
def test_bad_requests_write_nothing(hwblocks, files, tmp_path, more, words):
    code, out, err = hwblocks(*asked(files, *more))
    assert (code, out) == (2, "")
    assert words in err
    assert list(tmp_path.iterdir()) == []
