"""Control blocks: While repeats a body as long as a condition holds, If runs one of two branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwblocks.errors import GraphError, SimulationError
from hwblocks.graph.contraction import Array
from hwblocks.graph.control import Control, alike, evaluated
from hwblocks.graph.graph import Graph
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape, Tensor

MAX_ITERATIONS = 100_000  # at most some ten seconds


def checked_shapes(block: Control, name: str, body: Graph, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    """The shapes of a body's outputs. Errors: ShapeError when the given shapes are not those of its inputs."""
    wanted = tuple(body.tensors[n].shape for n in body.inputs)
    if tuple(shapes) != wanted:
        raise block.fail(f"{name} {body.name!r} takes {wanted}", *shapes)
    return tuple(body.tensors[n].shape for n in body.outputs)


def pairs(outer: Sequence[Tensor], name: str, body: Graph, inner: Sequence[str]) -> list[tuple[Tensor, str, Tensor]]:
    """Tensors outside with those inside."""
    return [(a, name, body.tensors[b]) for a, b in zip(outer, inner, strict=True)]


@dataclass(frozen=True)
class While(Control):
    """while cond(xs): xs = body(xs); the outputs are the last xs. Source: TFLite WHILE, ONNX Loop.

    cond: a graph with one output of one element; the loop goes on while it is not 0. body: a graph from xs to xs.
    Each sample runs its own loop. Work: cond and body once, since the number of trips depends on the data.
    max_iterations: a loop that is still going after so many trips ends with a SimulationError.

    >>> from hwblocks.blocks.elementwise import Add
    >>> from hwblocks.blocks.logic import Less
    >>> from hwblocks.graph.builder import GraphBuilder
    >>> test, step = GraphBuilder("test"), GraphBuilder("step")
    >>> cond = test.build(Less()(test.input("x", ()), 5.0))
    >>> body = step.build(Add()(step.input("x", ()), 2.0))
    >>> [float(x) for x in While(cond, body)(np.array(0.0))]
    [6.0]
    """

    cond: Graph
    body: Graph
    max_iterations: int = MAX_ITERATIONS

    def __post_init__(self) -> None:
        cond, body = self.cond, self.body
        for name, graph in self.bodies.items():
            self.check_body(name, graph)
        if len(cond.outputs) != 1 or cond.tensors[cond.outputs[0]].elements != 1:
            raise GraphError(f"While: cond {cond.name!r} needs one output of one element")
        if not alike(cond, cond.inputs, body, body.inputs) or not alike(body, body.inputs, body, body.outputs):
            raise GraphError(
                f"While: inputs of cond {cond.name!r}, inputs and outputs of body {body.name!r} must agree in number, "
                "shapes and formats; codes are copied from one to the next"
            )

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return checked_shapes(self, "body", self.body, shapes)

    def copied(self, site: Site) -> Sequence[tuple[Tensor, str, Tensor]]:
        inner = self.body.inputs
        return [*pairs(site.present, "body", self.body, inner), *pairs(site.outputs, "body", self.body, inner)]

    def compute(self, *arrays: Array) -> tuple[Array, ...]:
        values = tuple(np.asarray(a) for a in arrays)
        for _ in range(self.max_iterations):
            if not evaluated(self.cond, values)[0].any():
                return values
            values = evaluated(self.body, values)
        raise self.endless()

    def endless(self) -> SimulationError:
        """The error of a loop that does not end."""
        return SimulationError(
            f"While: the loop {self.body.name!r} still runs after max_iterations={self.max_iterations} trips; "
            "check its condition, or allow more"
        )


@dataclass(frozen=True)
class If(Control):
    """then_branch(xs) where the condition, one element, is not 0, else else_branch(xs). Source: TFLite IF, ONNX If.

    Each sample takes its own branch. Work: both branches once, although only one of them runs.

    >>> from hwblocks.blocks.activation import Abs, Neg
    >>> from hwblocks.graph.builder import GraphBuilder
    >>> builders = GraphBuilder("then"), GraphBuilder("else")
    >>> branches = [b.build(make(b.input("x", ()))) for b, make in zip(builders, (Abs(), Neg()))]
    >>> [float(x) for x in If(*branches)(np.array(False), np.array(3.0))]
    [-3.0]
    """

    then_branch: Graph
    else_branch: Graph

    input_names: ClassVar[tuple[str, ...]] = ("condition", "xs*")

    def __post_init__(self) -> None:
        first, second = self.then_branch, self.else_branch
        for name, graph in self.bodies.items():
            self.check_body(name, graph)
        if not alike(first, first.inputs, second, second.inputs) or not alike(
            first, first.outputs, second, second.outputs
        ):
            raise GraphError(
                f"If: the branches {first.name!r} and {second.name!r} must agree in number, shapes and formats of "
                "their inputs and outputs; codes are copied into and out of both"
            )

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        if not shapes or int(np.prod(shapes[0])) != 1:
            raise self.fail("the condition needs one element", *shapes)
        return checked_shapes(self, "then_branch", self.then_branch, shapes[1:])

    def copied(self, site: Site) -> Sequence[tuple[Tensor, str, Tensor]]:
        then = self.then_branch
        return [
            *pairs(site.present[1:], "then_branch", then, then.inputs),
            *pairs(site.outputs, "then_branch", then, then.outputs),
        ]

    def branch(self, condition: Array) -> str:
        """The attribute of the branch that a condition chooses."""
        return "then_branch" if np.asarray(condition).any() else "else_branch"

    def compute(self, *arrays: Array) -> tuple[Array, ...]:
        return evaluated(self.bodies[self.branch(arrays[0])], arrays[1:])
