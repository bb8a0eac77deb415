"""Target files: every rule of the schema, inheritance, sources, and one clear error for each mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hwblocks as hb
from hwblocks.errors import TargetError
from hwblocks.targets.load import (
    checked_target,
    energy_names,
    load_energy,
    load_target,
    numbers,
    read_target,
    target_names,
)

GOOD = """
schema = 1
[target]
name = "mine"
kind = "roofline"
clock_mhz = 100
source = "a"
[compute]
macs_per_cycle = { v = 4, source = "b" }
[vector]
ops_per_cycle = 2
source = "c"
[memory]
source = "d"
[memory.main]
bytes = 4096
gb_per_s = 0.8
"""


def written(tmp_path, text, name="t.toml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_file_of_ones_own(tmp_path):
    target = load_target(written(tmp_path, GOOD))
    assert (target.name, target.compute.macs_per_cycle, target.memory["main"].per_cycle(100)) == ("mine", 4, 8.0)
    assert target.precision.rate(8, 8) == 1.0


@pytest.mark.parametrize("name", target_names())
def test_every_target_of_the_library_loads_and_every_number_has_a_source(name):
    target = load_target(name)
    assert target.name == name
    load_energy(target.energy.table)
    assert all(source for path, _, source in numbers(read_target(name)) if path != "$.schema")


@pytest.mark.parametrize("name", energy_names())
def test_every_energy_table_has_ordered_ranges(name):
    table = load_energy(name)
    assert table.name == name
    if not table.priced:
        assert table.board is None and table.operations is None
        return
    memory = table.memory.sram if table.memory else ()
    figures = [table.board] if table.board else [table.operations.mul_8x8, table.operations.add_8, *memory]
    assert all(f.low <= f.v <= f.high and f.source for f in figures)


def test_numbers_know_their_sources(tmp_path):
    found = {path: source for path, _, source in numbers(read_target(str(written(tmp_path, GOOD))))}
    assert found["$.compute.macs_per_cycle"] == "b"
    assert found["$.memory.main.bytes"] == "d"  # of the table around it
    assert found["$.target.clock_mhz"] == "a"


def test_children_change_what_they_state(tmp_path):
    written(tmp_path, GOOD, "parent.toml")
    child = written(
        tmp_path,
        'inherit = "parent.toml"\n[target]\nname = "child"\n[memory.main]\nbytes = { v = 64, source = "f" }\n[compute]\nmacs_per_cycle = { v = 9, source = "e" }',
        "child.toml",
    )
    target = load_target(child)
    assert (target.name, target.target.clock_mhz, target.memory["main"].bytes) == ("child", 100, 64)
    assert (target.compute.macs_per_cycle, target.memory["main"].gb_per_s) == (9, 0.8)
    found = {path: source for path, _, source in numbers(read_target(str(child)))}
    assert found["$.compute.macs_per_cycle"] == "e"


def test_inherited_numbers_keep_their_sources(tmp_path):
    written(tmp_path, GOOD, "parent.toml")
    text = 'inherit = "parent.toml"\n[target]\nname = "child"\n[memory.main]\nsource = "z"\ngb_per_s = 2'
    found = {path: source for path, _, source in numbers(read_target(str(written(tmp_path, text, "child.toml"))))}
    assert found["$.memory.main.gb_per_s"] == "z"
    assert found["$.memory.main.bytes"] == "d"
    assert found["$.target.clock_mhz"] == "a"


def test_a_parents_source_does_not_speak_for_a_childs_number(tmp_path):
    text = "inherit = 'ideal-64mac'\n[target]\nname = 'mine'\n[compute]\nmacs_per_cycle = 3"
    with pytest.raises(TargetError, match=r"no source - at `\$\.compute\.macs_per_cycle`"):
        load_target(written(tmp_path, text))


def test_children_of_the_library(tmp_path):
    child = written(
        tmp_path, 'inherit = "ideal-64mac"\n[target]\nname = "fast"\nclock_mhz = { v = 1000, source = "wish" }'
    )
    assert (load_target(child).target.clock_mhz, load_target(child).compute.macs_per_cycle) == (1000, 64)


def test_a_rate_in_another_unit_replaces_the_parents(tmp_path):
    written(tmp_path, GOOD, "parent.toml")
    text = 'inherit = "parent.toml"\n[target]\nname = "child"\n[memory.main]\nsource = "u"\nbytes_per_cycle = 3'
    memory = load_target(written(tmp_path, text, "child.toml")).memory["main"]
    assert (memory.bytes_per_cycle, memory.gb_per_s, memory.bytes) == (3, None, 4096)


def test_files_of_the_documentation_load(tmp_path):
    pages = sorted((Path(hb.__path__[0]).parent / "docs").glob("*.md"))
    blocks = [text for page in pages for text in re.findall(r"```toml\n(.*?)```", page.read_text(), re.S)]
    targets = [text for text in blocks if "[target]" in text]
    assert targets
    for text in targets:
        assert load_target(written(tmp_path, text)).name


def test_circles_are_named(tmp_path):
    written(tmp_path, 'inherit = "b.toml"\n' + GOOD, "a.toml")
    b = written(tmp_path, 'inherit = "a.toml"\n' + GOOD, "b.toml")
    with pytest.raises(TargetError, match=r"in a circle: .*b\.toml → .*a\.toml → .*b\.toml"):
        load_target(b)


BAD = [
    ("clock_mhz = 100", "", r"missing required field `clock_mhz` - at `\$\.target`"),
    ("clock_mhz = 100", "clock_mhz = -100", r"at `\$\.target\.clock_mhz`"),
    ("clock_mhz = 100", "clock_mhz = 100e6", r"in MHz"),
    ("clock_mhz = 100", "clock_hz = 100e6", r"unknown field `clock_hz`.*write `clock_mhz`"),
    ("clock_mhz = 100", 'clock_mhz = "100 MHz"', r"Expected `float`, got `str` - at `\$\.target\.clock_mhz`"),
    ("v = 4", "v = 0", r"at `\$\.compute\.macs_per_cycle`"),
    ("macs_per_cycle", "macs", r"unknown field `macs`|missing required field"),
    ("bytes = 4096", "bytes = 4096.5", r"at `\$\.memory\.main\.bytes`"),
    ("bytes = 4096", "kb = 4", r"unknown field `kb`.*write `bytes`"),
    ("bytes = 4096", "bytes = -1", r"at `\$\.memory\.main\.bytes`"),
    (
        "schema = 1",
        'schema = 1\n[precision]\nsource = "x"\n[precision.table]\n"8x4" = -2',
        r"\$\.precision\.table\.8x4",
    ),
    ("gb_per_s = 0.8", "gb_per_s = 8e8", r"1e9 bytes a second"),
    ("gb_per_s = 0.8", "gb_per_s = 0.8\nbytes_per_cycle = 8", r"not both - at `\$\.memory\.main`"),
    ("[memory.main]", "[memory.mian]", r"has memories main, activations, weights - at `\$\.memory\.mian`"),
    ('kind = "roofline"', 'kind = "rooftop"', r"kind 'rooftop' is not one of roofline"),
    ("[vector]", "[vektor]", r"unknown field `vektor`|missing required field `vector`"),
    ('source = "d"', "", r"no source - at `\$\.memory\.main\.bytes`"),
    ("schema = 1", "schema = 2", r"schema 2 is not 1"),
    ("schema = 1", "schema = 1\ninherit = 3", r"at `\$\.inherit`"),
    ("schema = 1", "schema = = 1", r"not a TOML file"),
    (
        "schema = 1",
        'schema = 1\n[precision]\nsource = "x"\n[precision.table]\n"8-4" = 2',
        r"'8-4' is no pair of widths",
    ),
]


@pytest.mark.parametrize(("old", "new", "words"), BAD)
def test_mistakes_name_file_and_key(tmp_path, old, new, words):
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(TargetError, match=words) as error:
        load_target(path)
    assert "t.toml" in error.value.message


def test_unknown_names_suggest():
    with pytest.raises(TargetError, match="did you mean 'ideal-64mac'"):
        load_target("ideal64mac")


def test_a_memory_too_small_names_the_layer(tmp_path):
    path = written(tmp_path, GOOD.replace("bytes = 4096", "bytes = 100"))
    net = hb.Sequential(hb.Linear(weight=[[1.0] * 80] * 50), input_shape=(80,))
    with pytest.raises(
        TargetError, match=r"'linear0' needs 520 bytes of activations, but memory 'main' .* has 100: 420 bytes too many"
    ):
        hb.cost(net, path)


PAIRS = [((8, 8), 1.0), ((8, 4), 2.0), ((4, 4), 2.0), ((2, 2), 2.0), ((16, 8), 0.5), ((12, 8), 0.5), ((16, 16), 0.25)]


@pytest.mark.parametrize(("widths", "rate"), [*PAIRS, ((24, 8), 0.0625), ((40, 8), 1 / 5)])
def test_widths_take_the_next_wider_pair(widths, rate):
    assert load_target("ideal-64mac").precision.rate(*widths) == rate


@pytest.mark.parametrize(
    ("parent", "table"),
    [("finn-zcu104", "vector"), ("zcu104-dsp48e2", "precision"), ("ethos-u55-128", "vector")],
)
def test_a_table_that_the_kind_does_not_use_is_refused(tmp_path, parent, table):
    text = {
        "vector": "ops_per_cycle = 2\nsource = 'x'",
        "precision": "[precision.table]\n'8x4' = {v = 2, source = 'x'}",
    }
    path = written(tmp_path, f"inherit = '{parent}'\n[{table}]\n{text[table]}\n")
    with pytest.raises(TargetError, match=rf"does not use this table; leave it out - at `\$\.{table}`"):
        load_target(path)


def test_an_array_on_an_fpga_needs_a_unit_for_what_is_no_product(tmp_path):
    raw = read_target("zcu104-dsp48e2")
    del raw["vector"]
    with pytest.raises(TargetError, match="missing required field `vector`"):
        checked_target(raw, "mine")


@pytest.mark.parametrize("text", ["inf", "nan", "1e300", "-1", "0"])
def test_numbers_are_finite_and_of_a_likely_size(tmp_path, text):
    for key in ("[compute]\nmacs_per_cycle", "[memory.main]\nbytes_per_cycle"):
        path = written(tmp_path, f"inherit = 'ideal-64mac'\n{key} = {{ v = {text}, source = 'x' }}\n")
        with pytest.raises(
            TargetError, match=r"Expected `float.*at `\$\.(compute\.macs|memory\.main\.bytes)_per_cycle`"
        ):
            load_target(path)


def test_a_port_holds_a_sign_and_a_bit(tmp_path):
    path = written(tmp_path, "inherit = 'finn-zcu104'\n[dsp.modes.multiply]\nwide_bits = { v = 1, source = 'x' }\n")
    with pytest.raises(TargetError, match=r"Expected `int` >= 2 - at `\$\.dsp\.modes"):
        load_target(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[target]\nkind = ['roofline']", r"kind \['roofline'\] is not one of"),
        ("inherit = 'ideal-64mac'\n[memory]\nmain = { v = {} }", r"unknown field `v` - at `\$\.memory\.main`"),
        ("inherit = 'missing.toml'", r"'missing.toml' is neither a file beside it.*`\$\.inherit`"),
        ("inherit = 'ideal-64mac'\n[precision.table]\n'0x8' = { v = 1, source = 'x' }", "'0x8' is no pair"),
    ],
)
def test_odd_values_are_one_clear_error(tmp_path, text, words):
    with pytest.raises(TargetError, match=words):
        load_target(written(tmp_path, text))


def test_an_energy_table_lies_beside_the_target(tmp_path):
    table = Path(hb.__path__[0], "targets", "energy", "horowitz-45nm.toml").read_text()
    path = written(tmp_path, table.replace('name = "horowitz-45nm"', 'name = "mine"'), "mine.toml")
    text = "inherit = 'ideal-64mac'\n[target]\nname = 'own'\n[energy]\ntable = 'mine.toml'"
    target = load_target(written(tmp_path, text))
    assert (target.energy.table, load_energy(target.energy.table).name) == (str(path), "mine")


def test_an_energy_table_is_read_again_when_it_has_changed(tmp_path):
    table = Path(hb.__path__[0], "targets", "energy", "horowitz-45nm.toml").read_text()
    path = written(tmp_path, table, "mine.toml")
    assert load_energy(str(path)).operations.mul_8x8.v == 0.2
    written(tmp_path, table.replace("mul_8x8 = { v = 0.2,", "mul_8x8 = { v = 0.3,"), "mine.toml")
    assert load_energy(str(path)).operations.mul_8x8.v == 0.3
