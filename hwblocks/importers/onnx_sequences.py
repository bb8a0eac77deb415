"""ONNX sequences inside a model: known lists of tensors, so that their operators leave no node but moves."""

from __future__ import annotations

import numpy as np

import hwblocks.blocks.shape as shape
import hwblocks.blocks.slicing as slicing
from hwblocks.errors import GraphError, UnsupportedOperatorError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.importers.onnx_bodies import hand_over
from hwblocks.importers.onnx_graph import FILE, Importer, OnnxNode
from hwblocks.importers.onnx_rule import Build, Rule


def elements(build: Importer, name: str) -> tuple[str, ...]:
    """The tensors of a sequence. Errors: UnsupportedOperatorError for one that is no list known here."""
    if name not in build.sequences:
        raise UnsupportedOperatorError(f"{name!r} is no sequence that this graph makes; others are not supported")
    return build.sequences[name]


def position(build: Importer, node: OnnxNode, at: int, count: int, default: int) -> int:
    """A constant position, counted from the end where it is negative. Errors: GraphError for one outside."""
    given = int(np.ravel(build.constant(node.inputs[at]))[0]) if node.input(at) else default
    if not -count <= given < count:
        raise GraphError(f"position {given} lies outside a sequence of {count}")
    return given % count


def _construct(build: Importer, node: OnnxNode) -> None:
    build.sequences[node.outputs[0]] = node.inputs


def _empty(build: Importer, node: OnnxNode) -> None:
    build.sequences[node.outputs[0]] = ()


def _insert(build: Importer, node: OnnxNode) -> None:
    given = elements(build, node.inputs[0])
    at = position(build, node, 2, len(given) + 1, len(given)) if node.input(2) else len(given)
    if node.input(2) and int(np.ravel(build.constant(node.inputs[2]))[0]) < 0:
        at = position(build, node, 2, len(given), 0)  # before that element
    build.sequences[node.outputs[0]] = (*given[:at], node.inputs[1], *given[at:])


def _erase(build: Importer, node: OnnxNode) -> None:
    given = elements(build, node.inputs[0])
    at = position(build, node, 1, len(given), -1)
    build.sequences[node.outputs[0]] = (*given[:at], *given[at + 1 :])


def _at(build: Importer, node: OnnxNode) -> None:
    given = elements(build, node.inputs[0])
    hand_over(build, node, [given[position(build, node, 1, len(given), 0)]])


def _length(build: Importer, node: OnnxNode) -> None:
    build.constants[node.outputs[0]] = np.array(len(elements(build, node.inputs[0])), dtype=np.int64)


def _concat(build: Importer, node: OnnxNode) -> None:
    values = [build.value(name) for name in elements(build, node.inputs[0])]
    if not values:
        raise GraphError("the sequence is empty, so that its elements cannot be joined")
    axis = int(node.attribute("axis"))
    block: Block = slicing.Stack(axis) if node.attribute("new_axis", 0) else shape.Concat(axis)
    build.add(node, block, values)


def _split(build: Importer, node: OnnxNode) -> None:
    x, axis = build.value(node.inputs[0]), int(node.attribute("axis", 0))
    length = x.shape[axis]
    part = build.constant(node.inputs[1]) if node.input(1) else np.array(1)
    step = int(part) if part.ndim == 0 else 0
    sizes = [min(step, length - i) for i in range(0, length, step)] if step else [int(s) for s in part]
    names = build.builder.reserved([f"{node.name}.part{i}" for i in range(len(sizes))])
    split = slicing.Split(tuple(sizes), axis)
    build.builder.add(split, x, name=node.name, outputs=names, formats=(x.tensor.format,) * len(sizes))
    parts = [Value(build.builder, name) for name in names]
    if not node.input(1) and not node.attribute("keepdims", 1):
        parts = [build.builder.add(shape.Squeeze(axis), value) for value in parts]
    for value in parts:
        build.forms[value.name] = {FILE: value}
    build.sequences[node.outputs[0]] = tuple(value.name for value in parts)


OPERATORS: dict[str, Build] = {
    "ConcatFromSequence": _concat,
    "SequenceAt": _at,
    "SequenceConstruct": _construct,
    "SequenceEmpty": _empty,
    "SequenceErase": _erase,
    "SequenceInsert": _insert,
    "SequenceLength": _length,
    "SplitToSequence": _split,
}
RULES: dict[str, Rule] = {name: Rule(build, folds=False) for name, build in OPERATORS.items()}
