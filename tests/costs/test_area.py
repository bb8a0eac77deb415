"""Area proxies against an array multiplier that is built cell by cell."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.costs.area import full_adder_cells, mul8_equivalents
from hwblocks.graph.builder import GraphBuilder


class Cells:
    """Full adders, counted as they are used."""

    def __init__(self):
        self.used = set()

    def add(self, place, x, y, carry):
        self.used.add(place)
        total = x + y + carry
        return total & 1, total >> 1


def array_product(a, b, a_bits, b_bits, cells):
    """a · b of unsigned numbers: row after row adds a partial product, one place further left."""
    partial = [[(a >> i & 1) & (b >> j & 1) for i in range(a_bits)] for j in range(b_bits)]
    row, result = [*partial[0], 0], []
    for j in range(1, b_bits):
        result.append(row[0])
        carry, made = 0, []
        for i in range(a_bits):
            bit, carry = cells.add((i, j), row[i + 1], partial[j][i], carry)
            made.append(bit)
        row = [*made, carry]
    return sum(bit << place for place, bit in enumerate([*result, *row]))


@pytest.mark.parametrize(("a_bits", "b_bits"), list(itertools.product(range(1, 6), range(1, 6))))
def test_cells_of_an_array_multiplier(a_bits, b_bits):
    cells = Cells()
    for a, b in itertools.product(range(1 << a_bits), range(1 << b_bits)):
        assert array_product(a, b, a_bits, b_bits, cells) == a * b
    assert full_adder_cells(a_bits, b_bits) == len(cells.used)
    assert full_adder_cells(a_bits, b_bits, 32) == len(cells.used) + 32


@pytest.mark.parametrize(("bits", "area"), [((8, 8), 1.0), ((8, 4), 0.5), ((4, 4), 0.25), ((16, 16), 4.0)])
def test_a_column_of_costs(bits, area):
    build = GraphBuilder("net")
    a, w = (hb.Format(f"int{b}") for b in bits)
    x, weight = build.input("x", (1, 5), a), build.constant("w", np.zeros((3, 5)), w)
    y = build.add(hb.Linear(), x, weight, formats=[a])
    dense, relu = hb.cost(build.build(build.add(hb.ReLU(), y))).layers
    assert dense["area_mul8_eq"] == mul8_equivalents(*bits) == area
    assert "area_mul8_eq" not in relu
