"""Dialect: the arithmetic of one named runtime, as rules from a site to the record of its mechanisms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hwblocks.errors import DialectError
from hwblocks.graph.block import Move
from hwblocks.graph.control import Control, with_changed_bodies
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.site import Site
from hwblocks.numerics.arithmetic import Arithmetic

Rule = Callable[[Site], "Arithmetic | str | None"]
Prepare = Callable[[Graph], Graph]


@dataclass(frozen=True)
class Dialect:
    """What a runtime computes, and how it differs from `base`.

    runtime, version: the program whose integers it equals. rules: by block name; a rule gives the arithmetic of a site,
    None where the block's own meaning holds, or the reason (text) why the runtime does not take it.
    prepare: rewrites of the graph that the runtime makes before it computes (fusion).
    """

    name: str
    runtime: str
    version: str
    summary: str
    base: Dialect | None = None
    rules: Mapping[str, Rule] = field(default_factory=dict)
    prepare: Prepare | None = None

    def rule(self, block: str) -> Rule | None:
        """The rule for a block: its own, else the base's."""
        if block in self.rules:
            return self.rules[block]
        return self.base.rule(block) if self.base else None

    def prepared(self, graph: Graph) -> Graph:
        """The graph as the runtime computes it: the base's rewrites, then its own."""
        graph = self.base.prepared(graph) if self.base else graph
        return self.prepare(graph) if self.prepare else graph

    def arithmetic(self, site: Site) -> Arithmetic | str | None:
        """The arithmetic of a site that touches stored codes; a reason where the runtime refuses it."""
        rule = self.rule(site.node.type_name)
        if rule is not None:
            return rule(site)
        if isinstance(site.node.block, Move):
            return None
        return f"{self.runtime} has no integer {site.node.type_name}"

    def applied(self, graph: Graph, keep_stated: bool = False) -> Graph:
        """The prepared graph with every node's arithmetic written in; `keep_stated` leaves nodes that have one.

        Errors: DialectError lists all nodes that the runtime refuses.
        """
        refused: list[str] = []
        made = self._applied(graph, keep_stated, refused, "")
        if refused:
            shown = "\n  ".join(refused)
            raise DialectError(f"dialect {self.name!r} does not take {len(refused)} nodes:\n  {shown}")
        return made

    def _applied(self, graph: Graph, keep_stated: bool, refused: list[str], inside: str) -> Graph:
        """One graph and the bodies in it; `inside` leads to it in messages."""
        graph = self.prepared(graph)
        nodes = tuple(self._node(graph.site(node), keep_stated, refused, inside) for node in graph.nodes)

        def body(name: str, graph: Graph) -> Graph:
            return self._applied(graph, keep_stated, refused, f"{inside}{name} {graph.name!r}, ")

        return with_changed_bodies(graph.replace(nodes=nodes), body)

    def _node(self, site: Site, keep_stated: bool, refused: list[str], inside: str) -> Node:
        if isinstance(site.node.block, Control):
            return site.node  # only copies codes; its bodies are seen to by themselves
        stated = site.node.arithmetic is not None
        tensors = (*site.present, *site.outputs)
        if (keep_stated and stated) or all(t.format.is_float for t in tensors):
            return site.node
        if self.rule(site.node.type_name) is None and not any(t.format.is_quantized for t in tensors):
            return site.node  # raw integers: indices, sizes
        made = self.arithmetic(site)
        if isinstance(made, str):
            refused.append(f"{inside}{site.where}: {made}")
            return site.node
        return site.node.replace(arithmetic=made)
