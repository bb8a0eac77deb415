"""LSTM in integers: 8-bit weights, 16-bit cell, 8-bit activations; 16-bit ones in TFLite-Micro.

Sources: LiteRT `lstm_eval.cc` and `unidirectional_sequence_lstm.cc`, TFLite-Micro `lstm_eval.h`; restated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.recurrent_calls import constant_but, gate_part
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.numerics import gemmlowp, interpolation
from hwblocks.numerics.formats import Format
from hwblocks.numerics.kernels.recurrent import GateStep, LstmCall
from hwblocks.numerics.multiplier import quantize_multiplier
from hwblocks.numerics.requantize import Requantize

DOUBLE_ROUND = Requantize.preset("double_round")
Q16 = Requantize.preset("q16")
GATE_SCALE = 2.0**-12
GATE_ORDER = "fico"  # of the kernel's sums
EVERY_CODE = np.arange(-32768, 32768)
NO_CLIP, LARGEST_SHIFT = 32768, 62
SIXTEEN_BITS, THIRTY_TWO_BITS = Format("int16", scale=1.0), Format("int32", scale=1.0)
Arrays = dict[str, Array]


@dataclass(frozen=True, eq=False)
class Cell:
    """An LSTM site: its block, and the formats of its inputs by name."""

    site: Site
    block: Any
    formats: dict[str, Format]

    @classmethod
    def of(cls, site: Site) -> Cell:
        """The cell of a site."""
        block: Any = site.node.block
        return cls(site, block, dict(zip(block.present, (t.format for t in site.present), strict=True)))

    def scale(self, name: str) -> float:
        """The scale of an input."""
        return scalar_scale(self.formats[name])

    @property
    def cell_power(self) -> int:
        """log2 of the cell's scale."""
        return round(math.log2(self.scale("c")))

    def product(self, v: Arrays, weight: str, operand: str, values: Array) -> Array:
        """values · weightᵀ minus the part of the operand's zero point."""
        w = v[weight].astype(np.int64)
        zero = scalar_zero_point(self.formats[operand])
        return np.asarray(values.astype(np.int64) @ w.T - zero * w.sum(axis=1))


def ratio32(a: float, b: float, c: float) -> float:
    """a · b / c in float32, left to right."""
    return float(np.float32(a) * np.float32(b) / np.float32(c))


def sixteen(v: Array) -> Array:
    """Limited to 16 bits."""
    return gemmlowp.saturate(v, 16)


def run_cell(site: Site, inputs: tuple[Array | None, ...], step: Any) -> tuple[Array, Array, Array]:
    """(y, h, c) of all time steps by a function (cell, values, x, h, c) → (h, c)."""
    cell = Cell.of(site)
    v: Arrays = dict(zip(cell.block.present, (a for a in inputs if a is not None), strict=True))
    h, c = v["h"].astype(np.int64), v["c"].astype(np.int64)
    outputs = []
    for x in cell.block.steps(v["x"]):
        h, c = step(cell, v, x, h, c)
        outputs.append(h)
    return cell.block.joined(outputs, v["x"]), h, c


def cell_bound(cell: Cell) -> int:
    """The bound of cell_clip as a code; 32768 where there is none."""
    if cell.block.cell_clip <= 0:
        return NO_CLIP
    return int(min(max(cell.block.cell_clip / cell.scale("c"), -32768), 32767))


def clipped(cell: Cell, c: Array) -> Array:
    """The cell limited by cell_clip."""
    bound = cell_bound(cell)
    return np.clip(c, -bound, bound)


def gate_step(ratio: float) -> GateStep:
    """A product times a ratio, in two roundings."""
    m, shift = DOUBLE_ROUND.multiplier(ratio)
    return GateStep(multiplier=m, shift=shift)


def lstm_call(site: Site, product_ratio: Any, hidden: float, second: Format, **steps: Any) -> LstmCall | str:
    """The call of plain gates. product_ratio: of two scales and that of a gate; second: of the recurrent parts."""
    cell = Cell.of(site)
    block, tensors = cell.block, dict(zip(cell.block.present, site.present, strict=True))
    if block.coupled or block.peephole or block.projection or block.layer_norm:
        return "coupled gates, peepholes, layer norm or a projection"
    if reason := constant_but(site, {"x", "h", "c"}, block.present):
        return reason
    widths = {name: (tensors[name].format.bits, tensors[name].format.signed) for name in ("h", "c")}
    x = tensors["x"]
    if widths != {"h": (8, True), "c": (16, True)} or x.format.bits > 8 or tensors["h"].shape[0] != 1:
        return "several samples in one, or codes of other widths"
    made = {part: [tensors[f"{part}_{g}"].value for g in GATE_ORDER] for part in ("w", "r", "b")}
    ratios = {
        part: [product_ratio(cell.scale(f"{part}_{g}"), cell.scale(name), GATE_SCALE) for g in GATE_ORDER]
        for part, name in (("w", "x"), ("r", "h"))
    }
    fed = gate_part(x.format, made["w"], made["b"], ratios["w"], SIXTEEN_BITS)
    back = gate_part(tensors["h"].format, made["r"], None, ratios["r"], second)
    return LstmCall(
        x_dtype=x.format.dtype.name,
        x_zero=scalar_zero_point(x.format),
        h_zero=scalar_zero_point(cell.formats["h"]),
        steps=x.elements // x.shape[-1],
        fed=fed,
        back=replace(back, out_dtype="int32"),
        clip=cell_bound(cell),
        hidden=gate_step(hidden),
        **steps,
    )


def desktop_call(site: Site) -> Any:
    """Shifts of the cell's parts, which wrap; gemmlowp's functions by tables of every code."""
    cell = Cell.of(site)
    power = cell.cell_power
    if not 0 <= 30 + power <= LARGEST_SHIFT or not 0 <= 15 + power < 15:
        return f"a cell of scale 2**{power}"
    if cell.block.hidden_zero != scalar_zero_point(cell.formats["h"]):
        return "hidden values whose zero point is not that of h"
    scale = cell.block.hidden_scale or cell.scale("h")
    return lstm_call(
        site,
        ratio32,
        hidden_ratio(scale),
        THIRTY_TWO_BITS,
        kept=GateStep(multiplier=0, shift=15),
        added=GateStep(multiplier=0, shift=30 + power),
        sigmoid=gemmlowp.logistic(EVERY_CODE, 3, 16),
        tanh=gemmlowp.tanh(EVERY_CODE, 3, 16),
        cell_tanh=gemmlowp.tanh(EVERY_CODE, 15 + power, 16),
    )


def hidden_ratio(scale: float) -> float:
    """Of the product of two Q0.15 numbers to codes of a scale."""
    return ratio32(2.0**-15, 1.0, scale) * 2.0**-15


@algorithm("integer_gates", "SequenceLSTM", kernel=desktop_call)
def desktop_lstm(site: Site, *inputs: Array | None) -> tuple[Array, Array, Array]:
    """Gates in 16 bits, gemmlowp's 16-bit logistic and tanh; coupled gates, peepholes, layer norm and projection."""
    return run_cell(site, inputs, desktop_step)


def desktop_gate(cell: Cell, v: Arrays, gate: str, x: Array, h: Array, c: Array) -> Array:
    """The gate's pre-activation in 16 bits."""
    block = cell.block
    unit = block.gate_scales["ifco".index(gate)] if block.layer_norm else GATE_SCALE
    total = cell.product(v, f"w_{gate}", "x", x)
    if not block.layer_norm:
        total = total + v[f"b_{gate}"]
    made = sixteen(DOUBLE_ROUND.multiply(gemmlowp.wrap(total), ratio32(cell.scale(f"w_{gate}"), cell.scale("x"), unit)))
    again = cell.product(v, f"r_{gate}", "h", h)
    made = sixteen(made + DOUBLE_ROUND.multiply(again, ratio32(cell.scale(f"r_{gate}"), cell.scale("h"), unit)))
    if block.peephole and gate != "c":
        peeped = v[f"p_{gate}"].astype(np.int64) * c
        made = sixteen(made + DOUBLE_ROUND.multiply(peeped, ratio32(cell.scale("c"), cell.scale(f"p_{gate}"), unit)))
    return normalised(cell, v, gate, made) if block.layer_norm else made


def normalised(cell: Cell, v: Arrays, gate: str, rows: Array) -> Array:
    """Layer norm over the units of every row, in 16 bits."""
    scale = cell.scale(f"n_{gate}")
    smallest = max(1, int(np.float32(10000) * np.float32(scale)))
    m, e = quantize_multiplier(scale)
    made = [_norm_row(row, v[f"n_{gate}"], v[f"b_{gate}"], smallest) for row in rows]
    return sixteen(DOUBLE_ROUND.multiply_fixed(np.array(made), m, -(e + 12)))


def _norm_row(row: Array, weights: Array, bias: Array, smallest: int) -> Array:
    units = len(row)
    mean = int(1024 * int(row.sum()) / units)
    variance = int((row * row).sum()) * int((1 << 20) / units) - mean * mean
    spread = int(variance / (1 << 20))
    m, e = gemmlowp.inverse_root(spread if spread >= 1 else smallest)
    scaled = DOUBLE_ROUND.multiply_fixed(1024 * row - mean, m, -e)
    total = gemmlowp.wrap(scaled * weights.astype(np.int64) + bias.astype(np.int64))
    return gemmlowp.truncate_divide(np.where(total > 0, total + 512, total - 512), 1024)


def desktop_step(cell: Cell, v: Arrays, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    """One time step: input gate, forget gate, candidate, cell, output gate, hidden."""
    block, power = cell.block, cell.cell_power

    def gate(name: str, held: Array) -> Array:
        return gemmlowp.logistic(desktop_gate(cell, v, name, x, h, held), 3, 16)

    enter = None if block.coupled else gate("i", c)
    forget = gate("f", c)
    candidate = gemmlowp.tanh(desktop_gate(cell, v, "c", x, h, c), 3, 16)
    enter = 32767 - forget if enter is None else enter
    kept = gemmlowp.wrap(gemmlowp.shift_away(forget * c, 15), 16)
    added = gemmlowp.wrap(gemmlowp.shift_away(enter * candidate, 30 + power), 16)
    c = clipped(cell, sixteen(kept + added))
    output = gate("o", c)
    bent = gemmlowp.tanh(c, 15 + power, 16)
    scale = block.hidden_scale or cell.scale("h")
    hidden = DOUBLE_ROUND.multiply(output * bent, hidden_ratio(scale))
    return projected(cell, v, hidden), c


def projected(cell: Cell, v: Arrays, hidden: Array) -> Array:
    """The hidden values as 8-bit codes, or their projection."""
    block, zero = cell.block, cell.block.hidden_zero
    if not block.projection:
        return gemmlowp.saturate(hidden + zero, 8)
    codes = gemmlowp.saturate(hidden - zero, 8)
    w = v["w_proj"].astype(np.int64)
    total = codes @ w.T + zero * w.sum(axis=1)
    if block.projection_bias:
        total = total + v["b_proj"]
    ratio = ratio32(cell.scale("w_proj"), block.hidden_scale, cell.scale("h"))
    made = gemmlowp.saturate(DOUBLE_ROUND.multiply(total, ratio) + scalar_zero_point(cell.formats["h"]), 8)
    if block.proj_clip > 0:
        bound = int(min(max(block.proj_clip / cell.scale("h"), -128), 127))
        made = np.clip(made, -bound, bound)
    return made


def cell_steps(cell: Cell) -> tuple[int, int]:
    """(multiplier, shift) that bring the cell's codes to the steps of the sigmoid table."""
    power = 15 + cell.cell_power - 3
    return 3 << max(power, 0), max(-power, 0)


def micro_call(site: Site) -> Any:
    """Two roundings of the cell's parts, each limited; interpolated functions by tables of every code."""
    cell = Cell.of(site)
    kept, added = gate_step(2.0**-15), gate_step(2.0**-30 / cell.scale("c"))
    if not added.multiplier:
        return "a cell of so large a scale that nothing is added"
    return lstm_call(
        site,
        ratio64,
        2.0**-30 / cell.scale("h"),
        SIXTEEN_BITS,
        kept=kept,
        added=added,
        sigmoid=interpolation.table_logistic(EVERY_CODE, 3, 0),
        tanh=interpolation.table_tanh(EVERY_CODE, 3, 0),
        cell_tanh=interpolation.table_tanh(EVERY_CODE, *cell_steps(cell)),
    )


@algorithm("table_gates", "SequenceLSTM", kernel=micro_call)
def micro_lstm(site: Site, *inputs: Array | None) -> tuple[Array, Array, Array]:
    """Both products of a gate to 16 bits each, then added; interpolated sigmoid tables."""
    return run_cell(site, inputs, micro_step)


def micro_gate(cell: Cell, v: Arrays, gate: str, x: Array, h: Array) -> Array:
    """The gate's pre-activation in 16 bits; sums of 16-bit activations take the 15-bit multiplier."""
    wide = cell.formats["x"].bits == 16
    step = Q16 if wide else DOUBLE_ROUND
    fed = cell.product(v, f"w_{gate}", "x", x) + v[f"b_{gate}"]
    back = cell.product(v, f"r_{gate}", "h", h)
    fed = fed if wide else gemmlowp.wrap(fed)
    first = sixteen(step.multiply(fed, ratio64(cell.scale("x"), cell.scale(f"w_{gate}"), GATE_SCALE)))
    second = sixteen(step.multiply(back, ratio64(cell.scale("h"), cell.scale(f"r_{gate}"), GATE_SCALE)))
    return sixteen(first + second)


def ratio64(a: float, b: float, c: float) -> float:
    """a · b / c in float64."""
    return a * b / c


def micro_step(cell: Cell, v: Arrays, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    """One time step: forget gate, input gate, candidate, cell, output gate, hidden."""
    forget, enter = (interpolation.table_logistic(micro_gate(cell, v, g, x, h), 3, 0) for g in "fi")
    candidate = interpolation.table_tanh(micro_gate(cell, v, "c", x, h), 3, 0)
    scale = cell.scale("c")
    kept = sixteen(DOUBLE_ROUND.multiply(forget * c, 2.0**-15))
    added = sixteen(DOUBLE_ROUND.multiply(enter * candidate, 2.0**-30 / scale))
    c = clipped(cell, sixteen(kept + added))
    output = interpolation.table_logistic(micro_gate(cell, v, "o", x, h), 3, 0)
    bent = interpolation.table_tanh(c, *cell_steps(cell))
    hidden = DOUBLE_ROUND.multiply(bent * output, 2.0**-30 / cell.scale("h"))
    h_format = cell.formats["h"]
    return gemmlowp.saturate(hidden + scalar_zero_point(h_format), h_format.bits), c
