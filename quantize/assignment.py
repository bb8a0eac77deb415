"""Assignment: a number format for every tensor, from the recipe, the blocks' rules and calibrated ranges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec

from hwblocks.errors import ConversionError, RecipeError
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.quant_rule import Preference
from hwblocks.numerics.formats import Format
from quantize.domain import Domain, check_float, find_domain
from quantize.format_table import FormatTable
from quantize.groups import tied_groups
from quantize.models import Model, as_graph
from quantize.observers import observe
from quantize.passes import prepare
from quantize.range_table import RangeTable
from quantize.recipe import Recipe, TensorRule, load_recipe
from quantize.scales import fixed_format, is_zero_range, range_format
from quantize.scans import opened
from quantize.weights import assign_biases, assign_weights

Range = tuple[float, float]


def assign(model: Model, ranges: RangeTable, recipe: Recipe | str | Path = "int8") -> FormatTable:
    """The formats of the integer graph that `convert` makes of a float model.

    Activations that nodes only move share one format, whose range is the union of theirs. Outputs of a known
    range (softmax, sigmoid) take the scale that spans it; where such an output meets others, it is rescaled,
    which a note records. The bias has scale(x) · scale(w); where it would not fit, the scale of that
    channel's weights is widened.

    Errors: CalibrationError when a tensor has no row; ConversionError when demands on tensors that share a
    format contradict each other; RecipeError for an override that matches nothing.
    """
    graph = as_graph(model)
    check_float(graph)
    chosen, prepared = load_recipe(recipe), prepare(opened(graph))
    ranges.check(prepared)
    check_overrides(chosen, prepared)
    table = FormatTable(graph.name, chosen.name)
    domain = find_domain(prepared, chosen)
    table.notes += [f"node {name!r} stays in float: {reason}" for name, reason in domain.floats.items()]
    for members in tied_groups(domain):
        _assign_group(_Group(domain, chosen, ranges, members), table)
    assign_weights(domain, chosen, table)
    assign_biases(domain, chosen, table)
    return table


def check_overrides(recipe: Recipe, prepared: Graph) -> None:
    """Refuse an override that matches no node and no tensor. Raises RecipeError."""
    names = [*prepared.tensors, *(node.name for node in prepared.nodes)]
    for position, override in enumerate(recipe.override):
        if not override.matches(names):
            raise RecipeError(
                f"recipe {recipe.name!r}: {override.match!r} matches no node and no tensor of graph "
                f"{prepared.name!r} after folding and fusing "
                f"(nodes {_listed(n.name for n in prepared.nodes[:12])}) - at `$.override[{position}].match`"
            )


@dataclass(frozen=True, eq=False)
class _Group:
    """Tensors that share one format, and what is known of them."""

    domain: Domain
    recipe: Recipe
    ranges: RangeTable
    members: list[str]

    def maker(self, name: str) -> Node | None:
        """The node that makes a tensor; None for inputs and constants."""
        return self.domain.graph.producer.get(name)

    def is_source(self, name: str) -> bool:
        """True for members whose values are made here, not taken over from another member."""
        maker = self.maker(name)
        return maker is None or not self.domain.is_tied(maker)

    def is_constant(self, name: str) -> bool:
        """True for a member that carries its value."""
        return self.domain.graph.tensors[name].is_constant

    def rule(self, name: str) -> TensorRule:
        """What the recipe says of a member, else what nodes prefer; a constant goes by the node that reads it."""
        near = [self.maker(name)] if not self.is_constant(name) else self.domain.graph.consumers[name]
        said = self.recipe.activations_of(name, *(node.name for node in near if node is not None))
        return self.preferred if said == self.recipe.activations else said

    @cached_property
    def preferences(self) -> dict[str, Preference]:
        """What the makers of members prefer, where no override speaks of them."""
        found = {}
        for name in self.members:
            maker = self.maker(name)
            if maker is None or maker.preference is None or maker.outputs[0] != name:
                continue
            if self.recipe.activations_of(name, maker.name) == self.recipe.activations:
                found[name] = maker.preference
        return found

    @cached_property
    def preferred(self) -> TensorRule:
        """The recipe's rule of activations; with a preferred width signed, and zero point 0."""
        bits, rule = max((p.bits for p in self.preferences.values()), default=0), self.recipe.activations
        if not bits:
            return rule
        scale = "symmetric" if rule.scale == "affine" else rule.scale
        return msgspec.structs.replace(rule, bits=bits, scale=scale, signed=True)

    def demands(self) -> dict[str, TensorRule]:
        """The rules that members ask for: all that sources say, and what an override says of others."""
        default = self.preferred
        return {
            name: rule
            for name in self.members
            if (rule := self.rule(name)) != default or (self.is_source(name) and not self.is_guest(name))
        }

    def is_guest(self, name: str) -> bool:
        """True for a constant among tensors that are made."""
        return self.is_constant(name) and len(self.members) > 1

    def stated(self) -> dict[str, Format]:
        """Sources whose node prefers one format."""
        return {name: Format(bits=p.bits, scale=p.scale) for name, p in self.preferences.items() if p.scale is not None}

    def fixed(self) -> dict[str, Range]:
        """Sources of a range known beforehand, by name."""
        found = {}
        for name in self.members:
            maker = self.maker(name)
            if maker is not None and maker.block.quant.output == "fixed" and maker.name in self.domain.integer:
                assert maker.block.quant.fixed_range is not None
                found[name] = maker.block.quant.fixed_range
        return found

    def span(self, rule: TensorRule) -> Range:
        """The union of the members' ranges."""
        found = [self._range(name, rule) for name in self.members]
        return min(lo for lo, _ in found), max(hi for _, hi in found)

    def _range(self, name: str, rule: TensorRule) -> Range:
        value = self.domain.graph.tensors[name].value
        if value is None:
            return observe(self.ranges[name], rule.observer)
        return (float(value.min()), float(value.max())) if value.size else (0.0, 0.0)


def _assign_group(group: _Group, table: FormatTable) -> None:
    rule = _common_rule(group)
    precision = group.recipe.scale_precision
    fixed = {name: fixed_format(*span, rule, precision) for name, span in group.fixed().items()} | group.stated()
    sources = [name for name in group.members if group.is_source(name) and not group.is_guest(name)]
    if fixed and len(fixed) == len(sources) and len(set(fixed.values())) == 1:
        table.formats.update(dict.fromkeys(group.members, next(iter(fixed.values()))))
        return
    lo, hi = group.span(rule)
    where = f"tensor {group.members[0]!r}"
    shared = range_format(lo, hi, rule, precision, where)
    if is_zero_range(lo, hi):
        table.notes.append(f"{where} has the range 0 to 0; its scale is that of -1 to 1")
    table.formats.update({name: fixed.get(name, shared) for name in group.members})
    table.notes += [
        f"tensor {name!r} keeps the scale {fixed[name].scale!r} of its known range; where it meets "
        f"{_listed(n for n in sources if n != name)} it is rescaled to {shared.scale!r}"
        for name in fixed
        if fixed[name] != shared
    ]


def _common_rule(group: _Group) -> TensorRule:
    """The one rule of a group. Raises ConversionError that names the tensors whose rules differ."""
    demands = group.demands()
    rules: list[TensorRule] = []
    for rule in demands.values():
        if rule not in rules:
            rules.append(rule)
    if len(rules) < 2:
        return rules[0] if rules else group.recipe.activations
    ties = [n for n in group.domain.nodes if group.domain.is_tied(n) and set(n.outputs) & set(group.members)]
    asked = "; ".join(f"{_described(rule)} for {_listed(n for n, r in demands.items() if r == rule)}" for rule in rules)
    raise ConversionError(
        f"{', '.join(node.where for node in ties[:3])}: codes are moved unchanged, so these tensors need one "
        f"format, but recipe {group.recipe.name!r} asks for {asked}; override all of them alike"
    )


def _described(rule: TensorRule) -> str:
    return f"{'' if rule.signed else 'u'}int{rule.bits} {rule.scale}{' narrow' if rule.narrow else ''}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
