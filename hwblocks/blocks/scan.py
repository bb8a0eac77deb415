"""Scan: a body that runs once for every position of an axis, its states handed on from one to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.errors import GraphError
from hwblocks.graph.contraction import Array
from hwblocks.graph.control import Control, evaluated, graph_nests, graph_work
from hwblocks.graph.graph import Graph
from hwblocks.graph.nest import Nest
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape, Tensor
from hwblocks.graph.work import Work


@dataclass(frozen=True)
class Scan(Control):
    """s, y[t] = body(s, x[t], z) for t = 0 … T − 1 (from the end with `reverse`); outputs: the last s, then all y.

    The inputs are `carried` states s, then `scanned` tensors x with T positions along `axis`, then any number of z
    that every pass reads whole. body: a graph from (s, x without `axis`, z) to (s, y without `axis`); y are joined
    along `axis`. Samples are computed together where the body allows it and `axis` is not theirs.
    Work: T times that of the body. Source: ONNX Scan.

    >>> from hwblocks.blocks.elementwise import Add
    >>> from hwblocks.graph.builder import GraphBuilder
    >>> step = GraphBuilder("step")
    >>> total = Add()(step.input("s", (1,)), step.input("x", (1,)))
    >>> last, sums = Scan(step.build(total, total), 1, 1)(np.zeros(1), np.array([[1.0, 2.0, 3.0]]))
    >>> last.tolist(), sums.tolist()
    ([6.0], [[1.0, 3.0, 6.0]])
    """

    body: Graph
    carried: int = 0
    scanned: int = 1
    axis: int = 1
    reverse: bool = False

    def __post_init__(self) -> None:
        body = self.body
        self.check_body("body", body)
        if self.scanned < 1 or self.carried < 0 or self.carried + self.scanned > len(body.inputs):
            raise GraphError(
                f"Scan: body {body.name!r} has {len(body.inputs)} inputs, not {self.carried} states and "
                f"{self.scanned} scanned ones (at least 1)"
            )
        if self.carried > len(body.outputs):
            raise GraphError(f"Scan: body {body.name!r} has {len(body.outputs)} outputs for {self.carried} states")
        for into, out in zip(body.inputs[: self.carried], body.outputs, strict=False):
            first, second = body.tensors[into], body.tensors[out]
            if first.shape != second.shape or first.format != second.format:
                raise GraphError(
                    f"Scan: state {into!r} of body {body.name!r} is {first.shape} {first.format!r} but becomes "
                    f"{out!r} {second.shape} {second.format!r}; codes are copied, so that both must be alike"
                )

    def joined(self, shape: Shape, steps: int) -> Shape:
        """The shape of `steps` tensors of a shape along `axis`."""
        place = self.axis % (len(shape) + 1)
        return (*shape[:place], steps, *shape[place:])

    def steps(self, shapes: Sequence[Shape]) -> int:
        """T, from the shapes of the inputs."""
        first = shapes[self.carried]
        if not -len(first) <= self.axis < len(first):
            raise self.fail(f"axis={self.axis} is not an axis of the scanned input {first}", *shapes)
        return first[self.axis]

    def _inner(self, shapes: Sequence[Shape]) -> list[Shape]:
        """The shapes of the body's inputs in one pass."""
        steps, last = self.steps(shapes), self.carried + self.scanned
        for shape in shapes[self.carried : last]:
            if not -len(shape) <= self.axis < len(shape) or shape[self.axis] != steps:
                raise self.fail(f"scanned inputs need {steps} positions along axis {self.axis}, not {shape}", *shapes)
        cut = [s[: self.axis % len(s)] + s[self.axis % len(s) + 1 :] for s in shapes[self.carried : last]]
        return [*shapes[: self.carried], *cut, *shapes[last:]]

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        body = self.body
        if len(shapes) != len(body.inputs):
            raise self.fail(f"body {body.name!r} takes {len(body.inputs)} inputs, {len(shapes)} are given", *shapes)
        inner, wanted = self._inner(shapes), [body.tensors[n].shape for n in body.inputs]
        samples = self._samples(inner)
        if any(g not in (w, self._of_samples(w, samples)) for g, w in zip(inner, wanted, strict=True)):
            raise self.fail(f"body {body.name!r} takes {tuple(wanted)} in each pass", *shapes)
        made = [self._of_samples(body.tensors[n].shape, samples) for n in body.outputs]
        return (*made[: self.carried], *(self.joined(s, self.steps(shapes)) for s in made[self.carried :]))

    def _samples(self, inner: Sequence[Shape]) -> int:
        """How many samples are given at once: 1 unless the body keeps them apart."""
        return inner[self.carried][0] if self.keeps_samples() and inner[self.carried] else 1

    def _of_samples(self, shape: Shape, samples: int) -> Shape:
        return (samples, *shape[1:]) if self.keeps_samples() else shape

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.axis != 0 and self.body.batched

    def copied(self, site: Site) -> Sequence[tuple[Tensor, str, Tensor]]:
        """Tensors outside with those of the body."""
        body = self.body
        into = zip(site.present, body.inputs, strict=True)
        out = zip(site.outputs, body.outputs, strict=False)
        return [(tensor, "body", body.tensors[name]) for tensor, name in (*into, *out)]

    def compute(self, *arrays: Array) -> tuple[Array, ...]:
        def one_pass(values: Sequence[Array]) -> tuple[Array, ...]:
            return evaluated(self.body, values)

        return self.run(one_pass, arrays)

    def run(self, one_pass: Any, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs, each pass by a function from the body's inputs to its outputs."""
        last, arrays = self.carried + self.scanned, self.spread(arrays)
        states, scanned, fixed = arrays[: self.carried], arrays[self.carried : last], arrays[last:]
        steps = scanned[0].shape[self.axis]
        made: list[tuple[Array, ...]] = []
        for t in reversed(range(steps)) if self.reverse else range(steps):
            results = one_pass((*states, *(x.take(t, axis=self.axis) for x in scanned), *fixed))
            states = results[: self.carried]
            made.append(results[self.carried :])
        if self.reverse:
            made.reverse()
        return (*(np.asarray(s) for s in states), *(np.stack(y, axis=self.axis) for y in zip(*made, strict=True)))

    def spread(self, arrays: Sequence[Array]) -> list[Array]:
        """The inputs, states and whole inputs that are there once repeated for every sample."""
        last, samples = self.carried + self.scanned, arrays[self.carried].shape[0]
        if not self.keeps_samples() or samples == 1:
            return list(arrays)
        return [
            np.broadcast_to(a, (samples, *a.shape[1:])) if not self.carried <= i < last else a
            for i, a in enumerate(arrays)
        ]

    def work(self, *shapes: Shape) -> Work:
        return graph_work(self.body) * self.steps(shapes)

    def nests(self, *shapes: Shape) -> tuple[Nest, ...]:
        return graph_nests(self.body) * self.steps(shapes)

    def passes(self, *shapes: Shape) -> int:
        return self.steps(shapes)

    def inner_tensors(self, shapes: Sequence[Shape]) -> Mapping[str, Tensor]:
        steps = self.steps(shapes)
        tensors = {f"body/{name}": t for name, t in self.body.traced.items()}
        return {name: t.replace(name=name, shape=self.joined(t.shape, steps)) for name, t in tensors.items()}
