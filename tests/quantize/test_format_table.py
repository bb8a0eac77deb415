"""Format tables: exact files, edits by hand, and refusals."""

from __future__ import annotations

import json

import pytest

import quantize as qz
from hwblocks.errors import ConversionError, OutputError
from hwblocks.numerics.formats import Format
from quantize.format_table import FormatTable


@pytest.fixture
def table():
    formats = {
        "x": Format("int8", scale=0.1, zero_point=-3),
        "w": Format("int4", narrow=True, scale=(1 / 3, 2.0**-40), axis=3),
        "wz": Format("uint8", scale=(0.5, 1.0), zero_point=(1, 2), axis=0),
        "b": Format("int64", scale=1e-300),
        "one": Format("int16"),
    }
    return FormatTable("net", "int8", formats, ["a note", 'a "second"'])


def test_round_trip_is_exact(table, tmp_path):
    loaded = qz.FormatTable.load(table.save(tmp_path / "formats.json"))
    assert (loaded.model, loaded.recipe, loaded.notes) == ("net", "int8", table.notes)
    assert list(loaded) == list(table)
    assert dict(loaded) == dict(table)
    assert loaded.to_json() == table.to_json()
    assert FormatTable.from_json(FormatTable("empty", "r").to_json()).formats == {}


def test_rows_can_be_read_and_edited(table):
    data = json.loads(table.to_json())
    assert data["formats"]["x"] == {"bits": 8, "scale": 0.1, "zero_point": -3}
    data["formats"]["x"] = {"bits": 16, "scale": 1}
    assert FormatTable.from_json(json.dumps(data))["x"] == Format("int16", scale=1.0)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda d: d["formats"]["x"].update(bits=65), "- at `$.formats[...].bits`"),
        (lambda d: d["formats"]["x"].update(width=6), "unknown field `width`"),
        (lambda d: d["formats"]["x"].update(scale=0), "'x': scale 0.0"),
        (
            lambda d: d["formats"]["x"].update(scale=[0.5]),
            "'x': a format with one scale per channel needs axis=",
        ),
        (lambda d: d["formats"]["x"].update(zero_point=200), "'x': zero point 200"),
        (lambda d: d.update(hwblocks_formats=9), "version 9"),
    ],
)
def test_wrong_files_are_refused(table, edit, words):
    data = json.loads(table.to_json())
    edit(data)
    with pytest.raises(ConversionError) as error:
        FormatTable.from_json(json.dumps(data), "format table mine.json")
    assert words in error.value.message and error.value.message.startswith("format table mine.json")


def test_missing_files_and_folders(table, tmp_path):
    with pytest.raises(ConversionError, match="cannot be read"):
        FormatTable.load(tmp_path / "absent.json")
    with pytest.raises(OutputError):
        table.save(tmp_path / "missing folder" / "formats.json")
