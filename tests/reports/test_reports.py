"""Tables in every form, and pages that need no other file."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import InputError, OutputError
from hwblocks.files import write_atomically
from hwblocks.table import Column, Section, Table, plain

TABLE = Table(
    "sizes",
    (Column("name"), Column("bytes", unit="B", bar=True), Column("share", format=".1f")),
    ({"name": "a|b", "bytes": 1200, "share": 0.25}, {"name": "<c>", "bytes": 300, "share": math.inf}),
)


def test_forms_of_a_table():
    assert TABLE["bytes"] == [1200, 300]
    assert next(iter(csv.DictReader(io.StringIO(TABLE.to_csv())))) == {"name": "a|b", "bytes": "1200", "share": "0.25"}
    assert "| a\\|b | 1,200 | 0.2 |" in TABLE.to_markdown()
    assert json.loads(TABLE.to_json())["rows"][1]["share"] == "inf"
    assert "&lt;c&gt;" in TABLE._repr_html_()
    assert plain({"a": np.int64(3), "b": (np.float32(0.5), math.nan)}) == {"a": 3, "b": [0.5, "nan"]}


def test_a_page_escapes_and_links_nothing(tmp_path):
    from hwblocks.reports.page import render

    page = render("title <x>", [Section("part", "text & more", (("label", "value"),), (TABLE,))])
    assert "title &lt;x&gt;" in page
    assert "&lt;c&gt;" in page
    assert "--part: 25.0%" in page
    for word in ("http", "src=", "href=", "<script"):
        assert word not in page


def test_reports_are_whole_or_not_there(tmp_path):
    profile = hb.profile(hb.Sequential(hb.ReLU(), input_shape=(3,)))
    assert hb.report(tmp_path / "r.html", profile).read_text().startswith("<!doctype html>")
    with pytest.raises(OutputError, match="does not exist"):
        hb.report(tmp_path / "missing" / "r.html", profile)
    with pytest.raises(InputError):
        hb.report(tmp_path / "r.html")
    with pytest.raises(OutputError, match="is a folder"):
        write_atomically(tmp_path, "x")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
