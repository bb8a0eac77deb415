"""Pricing: cycles, bytes, time and energy of one sample on a target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hwblocks.costs.area import full_adder_cells, mul8_equivalents
from hwblocks.costs.energy import Range, layer_energy, total
from hwblocks.costs.estimate import Estimate
from hwblocks.costs.footprint import constant_bytes
from hwblocks.costs.machine import Machine
from hwblocks.costs.machines.choice import machine
from hwblocks.costs.ops import Layer, layers
from hwblocks.costs.profile import Profile
from hwblocks.costs.profiling import profile_layers
from hwblocks.costs.result import Cost, cost_columns
from hwblocks.errors import TargetError
from hwblocks.graph.graph import Graph
from hwblocks.table import Table
from hwblocks.targets.kinds import Target
from hwblocks.targets.load import load_energy
from hwblocks.targets.processors import Microcontroller
from hwblocks.targets.schema import EnergyTable


@dataclass(frozen=True)
class Priced:
    """A layer with its estimate, its cycles by unit, which of them decides, and its energy by component."""

    layer: Layer
    estimate: Estimate
    units: dict[str, int]
    cycles: int
    bound: str
    energy: dict[str, Range] | None


@dataclass(frozen=True)
class Counted:
    """What of a graph every target prices: its title, the layers that are not free, and its profile."""

    title: str
    layers: tuple[Layer, ...]
    profile: Profile


def count_graph(graph: Graph) -> Counted:
    """Layers and profile of a graph, counted once for any number of targets."""
    every = layers(graph)
    return Counted(graph.title, tuple(layer for layer in every if not layer.free), profile_layers(graph, every))


def price_graph(graph: Graph, target: Target, energy: str | None = None) -> Cost:
    """The cost of one sample; `energy` names another table than the target's.

    Errors: TargetError where a layer or the model does not fit, or the table does not price a memory.
    """
    return price(count_graph(graph), target, energy)


def price(counted: Counted, target: Target, energy: str | None = None) -> Cost:
    """The cost of one sample of a graph that is counted already; see price_graph."""
    runs, table = machine(target), energy_table(target, energy)
    check_memories(runs, counted.profile, counted.layers)
    runs.prepare(counted.layers)
    priced = [_priced(layer, runs, table) for layer in counted.layers]
    return _summed(counted, runs, table, priced)


def energy_table(target: Target, name: str | None) -> EnergyTable:
    """The table of a name, or the target's own. Errors: TargetError for a board's on what is none."""
    table = load_energy(name or target.energy.table)
    if table.board is not None and not isinstance(target, Microcontroller):
        raise TargetError(
            f"energy table {table.name!r} is of a whole microcontroller board: it does not price {target.name}, "
            f"a {target.target.kind} target; choose another table"
        )
    return table


def check_memories(runs: Machine[Any], profile: Profile, counted: Sequence[Layer]) -> None:
    """Errors: TargetError names the layer at which a memory is too small, and the bytes that are missing."""
    activations, weights = runs.homes()
    target = runs.target
    peak, constants = profile.peak_bytes, constant_bytes(counted)[0]
    needs = [
        (activations, peak, f"{profile.peak_node!r} needs {peak:,} bytes of activations"),
        (weights, constants, f"the model has {constants:,} bytes of constants"),
    ]
    if activations == weights:
        both = f"{needs[0][2]}, and {needs[1][2]}: {peak + constants:,} together"
        needs.append((weights, peak + constants, both))
    for home, needed, what in needs:
        size = target.memory[home].bytes if home else None
        if size is not None and needed > size:
            raise TargetError(
                f"{what}, but memory {home!r} of {target.name} has {size:,}: {needed - size:,} bytes too many"
            )


def _priced(layer: Layer, runs: Machine[Any], table: EnergyTable) -> Priced:
    estimate, target = runs.estimate(layer), runs.target
    units = {"array": whole(estimate.array, layer.times), "vector": whole(estimate.vector, layer.times)}
    for name, moved in estimate.moved.items():
        rate = target.memory[name].per_cycle(target.target.clock_mhz)
        if rate is not None:
            units[name] = whole(moved.total / rate, layer.times)
    longest = max(units, key=lambda name: units[name])
    taken = sum(units.values()) if estimate.serial else units[longest]
    cycles = taken + math.ceil(estimate.fixed)
    bound = longest if taken else ("fixed" if cycles else "")
    return Priced(layer, estimate, units, cycles, bound, layer_energy(layer, estimate.moved, target.memory, table))


def whole(cycles: float, times: int) -> int:
    """Cycles of so many passes, each of which takes whole ones.

    >>> whole(0.5, 1), whole(10.5, 20)
    (1, 20)
    """
    return math.ceil(cycles / times) * times


def _summed(counted: Counted, runs: Machine[Any], table: EnergyTable, priced: Sequence[Priced]) -> Cost:
    target, levels = runs.target, tuple(runs.target.memory)
    components = tuple(dict.fromkeys(name for p in priced for name in p.energy or {}))
    rows = tuple(_row(p, runs, components) for p in priced)
    span = runs.span([p.cycles for p in priced])
    clock = target.target.clock_mhz
    busy = sum(_least(p, runs) for p in priced)
    return Cost(
        model=counted.title,
        target=target.name,
        kind=target.target.kind,
        clock_mhz=clock,
        note=target.target.note,
        energy_table=table.name,
        energy_unit=table.unit,
        energy_note=table.note,
        cycles=span.latency,
        interval_cycles=span.interval,
        latency_us=span.latency / clock,
        inferences_per_second=clock * 1e6 / span.interval if span.interval else 0.0,
        utilisation=busy / span.interval if span.interval else 0.0,
        peak_macs_per_cycle=runs.peak(8, 8),
        bytes_per_cycle={n: r for n, m in target.memory.items() if (r := m.per_cycle(clock)) is not None},
        energy=_total_energy(priced, components),
        moved={n: sum(p.estimate.moved[n].total for p in priced if n in p.estimate.moved) for n in levels},
        resources=dict(runs.totals()),
        profile=counted.profile,
        layers=Table(
            f"Cost by layer on {target.name}",
            cost_columns(rows, levels, components, table.unit, runs.columns),
            rows,
            "layer",
        ),
    )


def _least(priced: Priced, runs: Machine[Any]) -> float:
    """Cycles of the products that a layer makes on the multipliers, with all of them busy."""
    layer, made = priced.layer, priced.estimate.products
    products = sum(nest.macs for nest in layer.products) * layer.times if made is None else made
    return products / runs.peak(layer.activation_bits, layer.weight_bits) if products else 0.0


def _total_energy(priced: Sequence[Priced], components: Sequence[str]) -> dict[str, Range] | None:
    if any(p.energy is None for p in priced):
        return None
    if list(components) == ["board"] and not any(p.layer.work.macs for p in priced):
        return None  # a board's energy is known by the product alone
    return {c: total(p.energy.get(c, Range()) for p in priced if p.energy) for c in components}


def _row(priced: Priced, runs: Machine[Any], components: Sequence[str]) -> dict[str, Any]:
    layer, estimate, cycles = priced.layer, priced.estimate, priced.cycles
    moved = sum(m.total for m in estimate.moved.values())
    energy = priced.energy
    return {
        "layer": layer.node.name,
        "block": layer.node.type_name,
        "group": layer.group,
        "composite": layer.composite,
        "output": "×".join(map(str, layer.site.output.shape[1:])) or "1",
        "widths": layer.widths,
        "macs": layer.work.macs,
        **{f"{name}_cycles": count for name, count in priced.units.items()},
        "fixed_cycles": math.ceil(estimate.fixed),
        "cycles": cycles,
        "bound": priced.bound,
        "time_us": cycles / runs.target.target.clock_mhz,
        "utilisation": _least(priced, runs) / cycles if cycles and layer.products else None,
        "mapping": estimate.mapping,
        **_area(layer),
        **{f"{name}_bytes": m.total for name, m in estimate.moved.items()},
        "macs_per_byte": layer.work.macs / moved if moved and layer.work.macs else None,
        "macs_per_cycle": layer.work.macs / cycles if cycles and layer.work.macs else None,
        **{f"energy_{c}": energy[c].v for c in components if energy and c in energy},
        **dict(zip(("energy", "energy_low", "energy_high"), _sum(energy), strict=True)),
        **estimate.figures,
    }


def _area(layer: Layer) -> dict[str, float]:
    """Of one multiplier of the layer's widths, and with the adder of its accumulator in full-adder cells."""
    if not layer.work.macs or layer.is_float:
        return {}
    a, w = layer.activation_bits, layer.weight_bits
    return {"area_mul8_eq": mul8_equivalents(a, w), "area_full_adders": full_adder_cells(a, w, layer.accumulator_bits)}


def _sum(energy: dict[str, Range] | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if energy is None else total(energy.values())
