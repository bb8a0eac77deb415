"""ONNX products of matrices and tensors: Gemm, MatMul, Einsum."""

from __future__ import annotations

from typing import Any

import numpy as np

import hwblocks.blocks.einsum as einsum
import hwblocks.blocks.elementwise as elementwise
import hwblocks.blocks.linear as linear
import hwblocks.blocks.reduction as reduction
import hwblocks.blocks.shape as shape
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.graph.subscripts import parsed
from hwblocks.importers.onnx_graph import Importer, OnnxNode
from hwblocks.importers.onnx_rule import Rule

Array = np.ndarray[Any, Any]


def _gemm(build: Importer, node: OnnxNode) -> None:
    if build.is_constant(node.inputs[1]):
        _gemm_of_constant(build, node)
    elif build.is_weight(node.inputs[1]):
        _gemm_of_quantizer(build, node)
    else:
        _gemm_at_run_time(build, node)


def _first(build: Importer, node: OnnxNode) -> Value:
    """The first operand, transposed where the node says so."""
    x = build.value(node.inputs[0])
    return build.add(node, shape.Transpose((1, 0)), [x], part="transposed") if node.attribute("transA", 0) else x


def _gemm_of_constant(build: Importer, node: OnnxNode) -> None:
    """alpha is part of the weights; a bias of one row is part of the layer, any other one is added."""
    w = build.constant(node.inputs[1]).astype(np.float64) * float(node.attribute("alpha", 1.0))
    weight = w if node.attribute("transB", 0) else w.T
    matrix = build.builder.constant(node.inputs[1], np.ascontiguousarray(weight))
    x, bias = _first(build, node), _row_bias(build, node, weight.shape[0])
    if bias is not None or not node.input(2):
        build.add(node, linear.Linear(), [x, matrix, bias])
        return
    product = build.add(node, linear.Linear(), [x, matrix], part="product")
    build.add(node, elementwise.Add(), [product, _scaled(build, node, node.inputs[2], "beta")])


def _row_bias(build: Importer, node: OnnxNode, outputs: int) -> Value | None:
    """The bias [O] of a layer, or None where it is absent or differs from row to row."""
    name = node.input(2)
    if name and build.is_constant(name):
        values = build.constant(name).astype(np.float64) * float(node.attribute("beta", 1.0))
        if values.ndim < 2 or values.shape[0] == 1:
            return build.builder.constant(name, np.broadcast_to(values.ravel(), (outputs,)))
    elif name and build.shape(name) == (outputs,) and node.attribute("beta", 1.0) == 1.0:
        return build.value(name)
    return None


def _scaled(build: Importer, node: OnnxNode, name: str, attribute: str, value: Value | None = None) -> Value:
    """A tensor times the number in an attribute."""
    factor, x = float(node.attribute(attribute, 1.0)), build.value(name) if value is None else value
    if factor == 1.0:
        return x
    number = build.builder.constant(f"{node.name}.{attribute}", np.float32(factor))
    return build.add(node, elementwise.Mul(), [x, number], part=f"times_{attribute}")


def _gemm_of_quantizer(build: Importer, node: OnnxNode) -> None:
    """A Gemm whose weights a quantizer makes of constants."""
    if any(
        node.attribute(name, default) != default for name, default in (("alpha", 1.0), ("beta", 1.0), ("transA", 0))
    ):
        raise GraphError("a Gemm of quantized weights needs alpha=1, beta=1, transA=0")
    weight = build.weight(node.inputs[1], lambda w: w if node.attribute("transB", 0) else w.T)
    bias = build.weight(node.inputs[2], np.ravel) if node.input(2) else None
    build.add(node, linear.Linear(), [build.value(node.inputs[0]), weight, bias])


def _gemm_at_run_time(build: Importer, node: OnnxNode) -> None:
    """alpha · a · b + beta · c as single steps."""
    a, b = _first(build, node), build.value(node.inputs[1])
    if node.attribute("transB", 0):
        b = build.add(node, shape.Transpose((1, 0)), [b], part="turned")
    if not node.input(2) and node.attribute("alpha", 1.0) == 1.0:
        build.add(node, linear.MatMul(), [a, b])
        return
    product = build.add(node, linear.MatMul(), [a, b], part="product")
    if not node.input(2):
        number = build.builder.constant(f"{node.name}.alpha", np.float32(node.attribute("alpha", 1.0)))
        build.add(node, elementwise.Mul(), [product, number])
        return
    left = _scaled(build, node, "", "alpha", product)
    build.add(node, elementwise.Add(), [left, _scaled(build, node, node.inputs[2], "beta")])


def _matmul(build: Importer, node: OnnxNode) -> None:
    """Vectors become matrices of one row or column, and the axis goes again behind the product."""
    names = node.inputs[:2]
    ranks = [len(build.shape(name)) for name in names]
    a, b = (build.value(name) for name in names)
    if min(ranks) > 1:
        build.add(node, linear.MatMul(), [a, b])
        return
    if ranks[0] == 1:
        a = build.add(node, shape.Unsqueeze(0), [a], part="row")
    if ranks[1] == 1:
        b = build.add(node, shape.Unsqueeze(1), [b], part="column")
    product = build.add(node, linear.MatMul(), [a, b], part="product")
    added = tuple(axis for axis, rank in zip((-2, -1), ranks, strict=True) if rank == 1)
    build.add(node, shape.Squeeze(added), [product])


def _einsum(build: Importer, node: OnnxNode) -> None:
    """Operands in pairs from the left; subscripts that are needed later are kept."""
    try:
        operands, output = parsed(str(node.attribute("equation")), len(node.inputs))
    except ValueError as error:
        raise GraphError(str(error)) from None
    value, text = build.value(node.inputs[0]), operands[0]
    for i, (name, operand) in enumerate(zip(node.inputs[1:], operands[1:], strict=True), start=2):
        last = i == len(operands)
        kept = output if last else _kept(text, operand, "".join((*operands[i:], output)))
        more: dict[str, Any] = {} if last else {"part": f"product{i - 1}"}
        block, second = _pair(build, node, (text, operand, kept), build.value(name))
        value, text = build.add(node, block, [value, second], **more), kept
    if len(operands) == 1:
        _einsum_of_one(build, node, value, text, output)


def _pair(build: Importer, node: OnnxNode, terms: tuple[str, str, str], second: Value) -> tuple[Block, Value]:
    """The block of two operands, a matrix product where it is one (it has kernels), and the second one as it takes it.

    "lik,lkj->lij" and "lik,ljk->lij" for any number of equal leading subscripts l are matrix products.
    """
    a, b, y = terms
    lead, rank = y[:-2], len(second.shape)
    plain = "..." not in "".join(terms) and len(set(y)) == len(y) >= 2 and a[:-1] == y[:-1] and b[:-2] == lead
    if plain and len(a) == len(b) == len(y) and a[-1] not in y and set(b[-2:]) == {a[-1], y[-1]}:
        if b[-1] == a[-1]:
            perm = (*range(rank - 2), rank - 1, rank - 2)
            second = build.add(node, shape.Transpose(perm), [second], part="turned")
        return linear.MatMul(), second
    return einsum.Einsum(f"{a},{b}->{y}"), second


def _kept(first: str, second: str, later: str) -> str:
    """The subscripts of two operands that occur later."""
    letters = dict.fromkeys((first + second).replace(".", ""))
    return ("..." if "..." in first + second else "") + "".join(c for c in letters if c in later)


def _einsum_of_one(build: Importer, node: OnnxNode, x: Value, text: str, output: str) -> None:
    """A diagonal, a sum over what the output does not name, and a transposition."""
    rank = len(x.shape) - len(text.replace("...", ""))
    inner = list(einsum.Diagonal(text).labels(x.shape))
    if len(set(inner)) < len(inner):
        x, inner = build.add(node, einsum.Diagonal(text), [x], part="diagonal"), list(dict.fromkeys(inner))
    wanted = [
        label
        for part in output.replace("...", ".")
        for label in ([f".{i}" for i in range(rank, 0, -1)] if part == "." else [part])
    ]
    if len(set(wanted)) < len(wanted) or set(wanted) - set(inner):
        raise GraphError(f"the output {output!r} names a subscript twice or one that the input lacks")
    dims = tuple(i for i, label in enumerate(inner) if label not in wanted)
    if dims:
        x = build.add(node, reduction.ReduceSum(dims, False), [x], part="sum")
    left = [label for label in inner if label in wanted]
    build.add(node, shape.Transpose(tuple(left.index(label) for label in wanted)), [x])


RULES: dict[str, Rule] = {
    "Einsum": Rule(_einsum),
    "Gemm": Rule(_gemm),
    "MatMul": Rule(_matmul),
}
