"""Groups of tensors that must share one format, since nodes between them only move codes."""

from __future__ import annotations

from collections.abc import Iterable

from quantize.domain import Domain


class UnionFind:
    """Disjoint sets of names; a set is named by its first member.

    >>> sets = UnionFind(["a", "b", "c"])
    >>> sets.join("a", "c")
    >>> sets.groups()
    [['a', 'c'], ['b']]
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.parent = {name: name for name in names}

    def find(self, name: str) -> str:
        """The representative of a name's set."""
        while self.parent[name] != name:
            self.parent[name] = self.parent[self.parent[name]]
            name = self.parent[name]
        return name

    def join(self, a: str, b: str) -> None:
        """Make one set of two."""
        first, second = self.find(a), self.find(b)
        self.parent[second] = first

    def groups(self) -> list[list[str]]:
        """All sets, members in the order in which they were given."""
        found: dict[str, list[str]] = {}
        for name in self.parent:
            found.setdefault(self.find(name), []).append(name)
        return list(found.values())


def tied_groups(domain: Domain) -> list[list[str]]:
    """Groups of the stored tensors and of the constants that are read as activations."""
    sets = UnionFind((*domain.stored, *activation_constants(domain)))
    for node in domain.nodes:
        if not domain.is_tied(node):
            continue
        tied = [name for i, name in enumerate(node.inputs) if name and i not in node.block.steering]
        for name in (*tied[1:], *node.outputs):
            sets.join(tied[0], name)
    stored = set(domain.stored)
    for state in domain.graph.states:
        if {state.tensor, state.next} <= stored:
            sets.join(state.tensor, state.next)
    return sets.groups()


def activation_constants(domain: Domain) -> list[str]:
    """Constants that feed integer nodes in the role of an activation."""
    tensors = domain.graph.tensors
    return [
        name
        for node in domain.nodes
        for position, name in enumerate(node.inputs)
        if name and tensors[name].is_constant and node.block.quant.role(position) == "activation"
    ]
