"""Range tables: exact files, edits by hand, and refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.errors import CalibrationError, OutputError
from quantize.range_table import RangeTable
from quantize.sketches import Sketch


@pytest.fixture
def table():
    data = np.random.default_rng(5).normal(size=(7, 4)).astype(np.float32)
    first, zeros = Sketch(), Sketch()
    first.add(data)
    zeros.add(np.zeros((7, 2)))
    return RangeTable("net", {"x": first, "dead/relu": zeros})


def test_round_trip_is_exact(table, tmp_path):
    path = table.save(tmp_path / "ranges.json")
    loaded = qz.RangeTable.load(path)
    assert loaded.model == "net" and list(loaded) == list(table)
    assert loaded.to_json() == table.to_json()
    for name, sketch in table.items():
        for field in ("samples", "elements", "lo", "hi", "total", "squares", "average_lo", "average_hi"):
            assert getattr(loaded[name], field) == getattr(sketch, field)
        assert np.array_equal(loaded[name].channel_hi, sketch.channel_hi)
        assert loaded[name].histogram.exponent == sketch.histogram.exponent
        assert np.array_equal(loaded[name].histogram.counts, sketch.histogram.counts)


def test_rows_can_be_read_and_edited(table):
    data = json.loads(table.to_json())
    row = data["rows"]["x"]
    assert row["min"] == table["x"].lo and row["max"] == table["x"].hi
    row["max"] = 6
    assert RangeTable.from_json(json.dumps(data))["x"].hi == 6.0


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda d: d["rows"]["x"].update(maximum=1), "unknown field `maximum` - at `$.rows[...]`"),
        (lambda d: d["rows"]["x"].update(max="six"), "Expected `float`, got `str` - at `$.rows[...].max`"),
        (lambda d: d["rows"]["x"].update(max=-100.0), "row 'x': min"),
        (lambda d: d["rows"]["x"].update(channel_min=[1.0]), "channel_min has 1 values"),
        (lambda d: d["rows"]["x"]["histogram"].update(first=1000), "beyond bin 1023"),
        (lambda d: d["rows"]["x"]["histogram"].update(counts=[-1]), ">= 0"),
        (lambda d: d["rows"]["x"].pop("samples"), "missing required field `samples`"),
        (lambda d: d.update(hwblocks_ranges=2), "version 2"),
    ],
)
def test_wrong_files_are_refused(table, edit, words):
    data = json.loads(table.to_json())
    edit(data)
    with pytest.raises(CalibrationError) as error:
        RangeTable.from_json(json.dumps(data), "range table mine.json")
    assert words in error.value.message and error.value.message.startswith("range table mine.json")


def test_broken_and_missing_files(table, tmp_path):
    with pytest.raises(CalibrationError, match="cannot be read"):
        RangeTable.load(tmp_path / "absent.json")
    for text in ("", "{", "\x00\xff", table.to_json()[:-30]):
        (tmp_path / "broken.json").write_text(text, encoding="latin-1")
        with pytest.raises(CalibrationError, match=r"broken\.json"):
            RangeTable.load(tmp_path / "broken.json")
    with pytest.raises(OutputError):
        table.save(tmp_path / "missing folder" / "ranges.json")


def test_rows_of_another_model_are_refused():
    net = hb.Sequential(hb.Linear(weight=np.ones((3, 2))), input_shape=(2,)).graph()
    other = hb.Sequential(hb.Linear(weight=np.ones((4, 2))), input_shape=(2,)).graph()
    table = qz.calibrate(net, np.ones((1, 2)))
    table.check(net)
    with pytest.raises(
        CalibrationError, match="'linear0': the range table of 'sequential' holds 3 channels, the graph 4"
    ):
        table.check(other)
    del table.sketches["linear0"]
    with pytest.raises(CalibrationError, match="tensor 'linear0' of graph 'sequential' has no row"):
        table.check(net)
