"""Energy tables: their figures are those of the cited sources, ratios follow the rules, and no report mixes two."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

import hwblocks as hb
from hwblocks.costs.comparison import compare_costs
from hwblocks.costs.energy import mac_energy, sram_bit
from hwblocks.errors import TargetError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.targets.load import energy_names, load_energy, load_target
from hwblocks.targets.schema import EnergyChoice

ARITHMETIC = [n for n in energy_names() if load_energy(n).operations is not None]


def dense(activation_bits=8, weight_bits=8, accumulator=32):
    build = GraphBuilder("net")
    a, w = hb.Format(f"int{activation_bits}"), hb.Format(f"int{weight_bits}")
    x, weight = build.input("x", (1, 16), a), build.constant("w", np.zeros((4, 16)), w)
    arithmetic = Arithmetic(accumulator=hb.Accumulator(bits=accumulator))
    return build.build(build.add(hb.Linear(), x, weight, formats=[a], arithmetic=arithmetic))


# ISSCC 2014 (Horowitz), as in three public copies: stillwater universal generic_45nm.hpp, PMC8934428 table 3, and others
HOROWITZ = {"add": {8: 0.03, 16: 0.05, 32: 0.1}, "mul": {8: 0.2, 32: 3.1}, "sram": {8192: 10, 32768: 20, 1 << 20: 100}}
# ISCA 2021 (Jouppi et al.), table 2
JOUPPI = {"add": {8: 0.007, 32: 0.03}, "mul": {8: 0.07, 32: 1.48}, "sram": {8192: 7.5, 32768: 8.5, 1 << 20: 14}}


@pytest.mark.parametrize(("name", "cited"), [("horowitz-45nm", HOROWITZ), ("jouppi-7nm", JOUPPI)])
def test_figures_of_the_papers(name, cited):
    table = load_energy(name)
    assert (table.operations.mul_8x8.v, table.operations.add_8.v) == (cited["mul"][8], cited["add"][8])
    assert {q.bytes: q.v * 64 for q in table.memory.sram} == cited["sram"]
    for bits, add in cited["add"].items():  # the rule over widths stays in the range that the table states
        assert table.operations.add_8.low * bits / 8 <= add <= table.operations.add_8.high * bits / 8
    for bits, mul in cited["mul"].items():
        assert table.operations.mul_8x8.low * bits**2 / 64 <= mul <= table.operations.mul_8x8.high * bits**2 / 64


def test_dram_of_the_papers():
    horowitz, jouppi = load_energy("horowitz-45nm").memory.dram, load_energy("jouppi-7nm").memory.dram
    assert (horowitz.low * 64, horowitz.high * 64) == (1300, 2600)
    assert (jouppi.low * 64, jouppi.high * 64) == (250, 1300)


def test_figures_of_aladdin():
    made = load_energy("aladdin-40nm")  # hwcomponents-library @1a2df3ef: 12.68 pJ, 0.21 pJ at 32 bits
    assert made.operations.mul_8x8.v * 32 * 32 / 64 == pytest.approx(12.68, rel=1e-12)
    assert made.operations.add_8.v * 32 / 8 == pytest.approx(0.21, rel=1e-12)
    assert made.memory is None


def test_eyeriss_is_in_units_of_a_16_bit_mac():
    table = load_energy("eyeriss-normalised")
    assert mac_energy(table.operations, 16, 16, 16).v == pytest.approx(1.0, rel=1e-12)
    assert 16 * sram_bit(table.memory.sram, 110592).v == 6
    assert (16 * table.memory.registers.v, 16 * table.memory.dram.v) == (1, 200)
    k = hb.cost(dense(16, 16, 16), energy="eyeriss-normalised")
    assert (k.energy_unit, k.energy_pj) == ("MAC16", None)
    assert k.energy["mac"].v == pytest.approx(64, rel=1e-12)


@pytest.mark.parametrize("name", ARITHMETIC)
def test_ratios_between_widths(name):
    table = load_energy(name).operations

    def mac(a, w, accumulator):
        return hb.cost(dense(a, w, accumulator), energy=name).energy["mac"].v / 64

    def product(a, w):
        return mac(a, w, 32) - table.add_8.v * 4

    assert product(16, 16) / product(8, 8) == pytest.approx(4)
    assert product(8, 8) / product(8, 4) == pytest.approx(2)
    assert product(8, 8) / product(4, 4) == pytest.approx(4)
    assert mac(8, 8, 32) - mac(8, 8, 16) == pytest.approx(table.add_8.v * 2)


@pytest.mark.parametrize("name", ARITHMETIC)
def test_ranges_hold_the_value(name):
    k = hb.cost(dense(), energy=name)
    for part in k.energy.values():
        assert part.low <= part.v <= part.high
    assert k.energy_total.low < k.energy_total.v


def test_memory_ratios_of_the_sources():
    """A 32-bit word from DRAM costs hundreds of 8 KB SRAM words at 7 nm too: the gap grows."""
    for name, least, most in (("horowitz-45nm", 130, 260), ("jouppi-7nm", 33, 174)):
        memory = load_energy(name).memory
        small = memory.sram[0].v
        assert least == pytest.approx(memory.dram.low / small, rel=0.02)
        assert most == pytest.approx(memory.dram.high / small, rel=0.02)


def test_arithmetic_alone_prices_no_memory():
    k = hb.cost(dense(), energy="aladdin-40nm")
    assert set(k.energy) == {"mac", "other"}
    assert "Arithmetic only" in k.energy_note
    assert hb.cost(dense(), energy="horowitz-45nm").energy["mac"].v < k.energy["mac"].v


def test_a_cost_is_priced_by_one_table():
    graph = dense()
    totals = {name: hb.cost(graph, energy=name) for name in ARITHMETIC}
    assert {name: k.energy_table for name, k in totals.items()} == {name: name for name in ARITHMETIC}
    assert len({k.energy_total.v for k in totals.values()}) == len(ARITHMETIC)


def test_comparisons_do_not_relate_two_tables():
    targets = [load_target("ideal-64mac"), load_target("gemmini-16x16")]
    assert all(row["energy_ratio"] is not None for row in compare_costs({"net": dense()}, targets).table)
    changed = msgspec.structs.replace(targets[0], energy=EnergyChoice(table="jouppi-7nm"))
    first, second = compare_costs({"net": dense()}, [changed, targets[1]]).table
    assert (first["energy_ratio"], second["energy_ratio"]) == (1, None)
    assert "energy jouppi-7nm" in first and "energy jouppi-7nm" not in second


SRAM = '{ bytes = 8192, v = 1, low = 1, high = 1, source = "s" }'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "t"\nsource = "s"\n', "states `operations`, or `board`, or neither"),
        (
            f'name = "t"\nsource = "s"\n[memory]\nsram = [{SRAM}]\n[board]\nv = 1\nlow = 1\nhigh = 1\nsource = "s"',
            "needs `op",
        ),
        ('name = "t"\nsource = "s"\n[memory]\nsram = []\n', "length >= 1"),
        ('name = "t"\nsource = "s"\n[board]\nv = 1\nlow = 2\nhigh = 3\nsource = "s"', r"between - at `\$\.board`"),
        (
            f'name = "t"\nsource = "s"\n[memory]\nsram = [{SRAM.replace("low = 1", "low = 2")}]',
            r"at `\$\.memory\.sram\[0\]`",
        ),
        ('name = "t"\nsource = "s"\nunits = "pJ"\n', "unknown field `units`"),
        ('name = "t"\nsource = "s"\n[operations]\nmul_8x8 = { v = -1.0, low = 1, high = 1, source = "" }', "mul_8x8"),
    ],
)
def test_bad_tables(tmp_path, text, words):
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(TargetError, match=words):
        load_energy(str(tmp_path / "t.toml"))
