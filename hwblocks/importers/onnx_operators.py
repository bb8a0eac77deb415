"""ONNX operators: one small function each, and the table that names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import hwblocks.blocks.activation as activation
import hwblocks.blocks.conv as conv
import hwblocks.blocks.elementwise as elementwise
import hwblocks.blocks.exponential as exponential
import hwblocks.blocks.linear as linear
import hwblocks.blocks.normalization as normalization
import hwblocks.blocks.pooling as pooling
import hwblocks.blocks.shape as shape
import hwblocks.blocks.slicing as slicing
import hwblocks.blocks.softmax as softmax
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.window import same_pads
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode, axis_in_last, last_axes
from hwblocks.numerics.formats import Format

Array = np.ndarray[Any, Any]
Build = Callable[[Importer, OnnxNode], None]


@dataclass(frozen=True)
class Rule:
    """How an operator is built, and which of its attribute values are refused (with the reason)."""

    build: Build
    refuse: Callable[[OnnxNode], str] = lambda node: ""


def spatial(node: OnnxNode, x: tuple[int, ...], kernel: Any) -> tuple[Any, Any, Any]:
    """(stride, padding pairs, dilation) of a windowed operator."""
    axes = len(x) - 2
    stride = tuple(node.attribute("strides") or (1,) * axes)
    dilation = tuple(node.attribute("dilations") or (1,) * axes)
    auto = node.attribute("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        return stride, same_pads(x[2:], kernel, stride, dilation, auto == "SAME_UPPER"), dilation
    pads = tuple(node.attribute("pads") or (0,) * 2 * axes) if auto == "NOTSET" else (0,) * 2 * axes
    return stride, tuple(zip(pads[:axes], pads[axes:], strict=True)), dilation


def _conv(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    w = build.shape(node.inputs[1])
    stride, padding, dilation = spatial(node, x, w[2:])
    groups = int(node.attribute("group", 1))
    cls = {3: conv.Conv1d, 4: conv.Conv2d}.get(len(x))
    if cls is None or len(w) != len(x):
        raise GraphError(f"convolutions over {len(x) - 2} axes with weights {w} are not supported")
    block = cls(stride=stride, padding=padding, dilation=dilation, groups=groups)
    weight = build.weight(node.inputs[1], lambda array: conv.channels_last_weight(array, groups))
    bias = build.value(node.inputs[2]) if node.input(2) else None
    build.add(node, block, [build.value(node.inputs[0], LAST), weight, bias], LAST)


def _refuse_conv(node: OnnxNode) -> str:
    kernel = node.attribute("kernel_shape")
    return "over 3 axes" if kernel is not None and len(kernel) > 2 else ""


def _gemm(build: Importer, node: OnnxNode) -> None:
    if not build.is_constant(node.inputs[1]):
        _gemm_of_nodes(build, node)
        return
    w = build.constant(node.inputs[1]).astype(np.float64) * float(node.attribute("alpha", 1.0))
    x = build.value(node.inputs[0])
    if node.attribute("transA", 0):
        x = build.add(node, shape.Transpose((1, 0)), [x], part="transposed")
    weight = w if node.attribute("transB", 0) else w.T
    bias = None
    if node.input(2):
        values = build.constant(node.inputs[2]).astype(np.float64) * float(node.attribute("beta", 1.0))
        if values.ndim > 1 and values.shape[0] != 1:
            raise GraphError(
                f"a bias of shape {values.shape} differs from row to row; it must have one entry per column"
            )
        bias = build.builder.constant(node.inputs[2], np.broadcast_to(values.ravel(), (weight.shape[0],)))
    matrix = build.builder.constant(node.inputs[1], np.ascontiguousarray(weight))
    build.add(node, linear.Linear(), [x, matrix, bias])


def _gemm_of_nodes(build: Importer, node: OnnxNode) -> None:
    """A Gemm whose weights a quantizer makes of constants."""
    if any(
        node.attribute(name, default) != default for name, default in (("alpha", 1.0), ("beta", 1.0), ("transA", 0))
    ):
        raise GraphError("a Gemm of quantized weights needs alpha=1, beta=1, transA=0")
    if not build.is_weight(node.inputs[1]):
        raise GraphError(f"{node.inputs[1]!r} must be a constant, but it is made at run time")
    weight = build.weight(node.inputs[1], lambda w: w if node.attribute("transB", 0) else w.T)
    bias = build.weight(node.inputs[2], np.ravel) if node.input(2) else None
    build.add(node, linear.Linear(), [build.value(node.inputs[0]), weight, bias])


def _matmul(build: Importer, node: OnnxNode) -> None:
    build.add(node, linear.MatMul(), [build.value(node.inputs[0]), build.value(node.inputs[1])])


def _unary(make: Callable[[OnnxNode], Block]) -> Build:
    """An element-wise operator: the layout that is there passes through."""

    def build_unary(build: Importer, node: OnnxNode) -> None:
        layout = LAST if build.has_last(node.inputs[0]) else FILE
        build.add(node, make(node), [build.value(node.inputs[0], layout)], layout)

    return build_unary


def _clip(build: Importer, node: OnnxNode) -> None:
    bounds = []
    for position, name, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        given = node.input(position)
        bounds.append(float(build.constant(given)) if given else float(node.attribute(name, default)))
    layout = LAST if build.has_last(node.inputs[0]) else FILE
    x = build.value(node.inputs[0], layout)
    format = x.tensor.format
    if format.is_quantized:  # QCDQ: the bounds are codes
        build.add(node, activation.Clip(*_real_bounds(format, *bounds)), [x], layout, formats=(format,))
        return
    block: Block = activation.ReLU6() if bounds == [0.0, 6.0] else activation.Clip(*bounds)
    build.add(node, block, [x], layout)


def _real_bounds(format: Format, low: float, high: float) -> tuple[float, float]:
    """Bounds of codes as the real values that these codes mean. Errors: GraphError for one scale per channel."""
    if isinstance(format.scale, tuple):
        raise GraphError("a Clip of codes needs one scale for the whole tensor")
    ends = np.clip([low, high], format.lo, format.hi)
    return tuple(float(v) for v in format.dequantize(ends.astype(np.int64)))  # type: ignore[return-value]


def _binary(cls: type[Block]) -> Build:
    """An element-wise operator of two tensors: channels last when one of them is and the ranks allow it."""

    def build_binary(build: Importer, node: OnnxNode) -> None:
        names = node.inputs[:2]
        rank = max(len(build.shape(name)) for name in names)
        running = [n for n in names if not build.is_constant(n)]
        last = any(build.has_last(n) for n in running) and all(len(build.shape(n)) == rank for n in running)
        layout = LAST if last else FILE
        values = [_operand(build, name, layout, rank) for name in names]
        build.add(node, cls(), values, layout)

    return build_binary


def _operand(build: Importer, name: str, layout: str, rank: int) -> Any:
    """A tensor, or a constant with its axes in the layout and without leading axes of size 1."""
    if not build.is_constant(name):
        return build.value(name, layout)
    array = build.constant(name).astype(np.float32)
    if layout == LAST and array.ndim:
        full = array.reshape((1,) * (rank - array.ndim) + array.shape)
        array = full.transpose(last_axes(rank))
    while array.ndim and array.shape[0] == 1 and array.ndim > 1:
        array = array[0]
    return build.builder.constant(name, np.ascontiguousarray(array))


def _batch_norm(build: Importer, node: OnnxNode) -> None:
    layout = LAST if len(build.shape(node.inputs[0])) > 2 else FILE
    block = normalization.BatchNorm(eps=float(node.attribute("epsilon", 1e-5)))
    values = [build.value(node.inputs[0], layout), *(build.value(name) for name in node.inputs[1:5])]
    build.add(node, block, values, layout)


def _refuse_batch_norm(node: OnnxNode) -> str:
    if node.attribute("training_mode", 0) or (node.opset < 7 and not node.attribute("is_test", 0)):
        return "in training mode"
    return "" if node.attribute("spatial", 1) else "spatial=0"


def _pool(one: type[Any], two: type[Any], average: bool) -> Build:
    def build_pool(build: Importer, node: OnnxNode) -> None:
        x, kernel = build.shape(node.inputs[0]), tuple(node.attribute("kernel_shape"))
        stride, padding, dilation = spatial(node, x, kernel)
        more: dict[str, Any] = {"count_include_pad": bool(node.attribute("count_include_pad", 0))}
        if not average:
            more = {"dilation": dilation}
        cls = {3: one, 4: two}.get(len(x))
        if cls is None:
            raise GraphError(f"poolings over {len(x) - 2} axes are not supported")
        block = cls(kernel, stride=stride, padding=padding, ceil_mode=bool(node.attribute("ceil_mode", 0)), **more)
        build.add(node, block, [build.value(node.inputs[0], LAST)], LAST)

    return build_pool


def refuse_pool(node: OnnxNode) -> str:
    if len(node.attribute("kernel_shape") or ()) > 2:
        return "over 3 axes"
    if len([o for o in node.outputs if o]) > 1:
        return "with indices"
    if node.op == "AveragePool" and any(d != 1 for d in node.attribute("dilations") or ()):
        return "with dilation"
    return ""


def _global_average(build: Importer, node: OnnxNode) -> None:
    build.add(node, pooling.GlobalAvgPool(), [build.value(node.inputs[0], LAST)], LAST)


def _reduce_mean(build: Importer, node: OnnxNode) -> None:
    rank = len(build.shape(node.inputs[0]))
    given = _axes(build, node)
    axes = sorted(a % rank for a in (given if given is not None else range(rank)))
    if rank < 3 or axes != list(range(2, rank)):
        raise GraphError(f"ReduceMean over axes {axes} of {rank}: only all spatial axes are supported")
    if node.attribute("keepdims", 1):
        _global_average(build, node)
        return
    pooled = build.add(node, pooling.GlobalAvgPool(), [build.value(node.inputs[0], LAST)], LAST, part="pooled")
    build.add(node, shape.Squeeze(tuple(range(1, rank - 1))), [pooled])


def _softmax(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    if node.opset >= 13:
        axis = int(node.attribute("axis", -1)) % len(x)
        layout = LAST if build.has_last(node.inputs[0]) else FILE
        dim = axis_in_last(axis, len(x)) if layout == LAST else axis
        build.add(node, softmax.Softmax(dim), [build.value(node.inputs[0], layout)], layout)
        return
    axis = int(node.attribute("axis", 1)) % len(x)
    value = build.value(node.inputs[0])
    if axis == len(x) - 1:
        build.add(node, softmax.Softmax(-1), [value])
        return
    flat = build.add(node, shape.Flatten(axis), [value], part="flat")
    done = build.add(node, softmax.Softmax(-1), [flat], part="softmax")
    build.add(node, shape.Reshape((0, *x[1:])), [done])


def _reshape(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    target = node.attribute("shape") if node.opset < 5 else build.constant(node.inputs[1]).tolist()
    (made,) = shape.Reshape(tuple(target)).shape(x)
    keeps = len(x) > 1 and len(made) > 1 and x[0] == made[0] == 1
    build.add(node, shape.Reshape((0, *made[1:]) if keeps else made), [build.value(node.inputs[0])])


def _refuse_reshape(node: OnnxNode) -> str:
    return "allowzero=1" if node.attribute("allowzero", 0) else ""


def _flatten(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    axis = int(node.attribute("axis", 1))
    axis = axis + len(x) if axis < 0 else axis
    value = build.value(node.inputs[0])
    if axis == 1:
        build.add(node, shape.Flatten(1), [value])
        return
    rows = int(np.prod(x[:axis], dtype=np.int64))
    build.add(node, shape.Reshape((rows, -1)), [value])


def _axes(build: Importer, node: OnnxNode) -> tuple[int, ...] | None:
    """Axes from the second input (newer operator sets) or the attribute."""
    if node.input(1):
        return tuple(int(a) for a in build.constant(node.inputs[1]).ravel())
    given = node.attribute("axes")
    return None if given is None else tuple(int(a) for a in given)


def _squeeze(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    axes = _axes(build, node)
    if axes is None:
        axes = tuple(i for i, size in enumerate(x) if size == 1)
    build.add(node, shape.Squeeze(axes), [build.value(node.inputs[0])])


def _unsqueeze(build: Importer, node: OnnxNode) -> None:
    build.add(node, shape.Unsqueeze(_axes(build, node)), [build.value(node.inputs[0])])


def _transpose(build: Importer, node: OnnxNode) -> None:
    name = node.inputs[0]
    rank = len(build.shape(name))
    perm = tuple(node.attribute("perm") or reversed(range(rank)))
    if not build.has_last(name):
        build.add(node, shape.Transpose(perm), [build.value(name)])
        return
    composed = tuple(axis_in_last(axis, rank) for axis in perm)
    value = build.value(name, LAST)
    if composed == tuple(range(rank)):
        build.alias(node, value)
        return
    build.add(node, shape.Transpose(composed), [value])


def _pad(build: Importer, node: OnnxNode) -> None:
    name = node.inputs[0]
    rank = len(build.shape(name))
    attribute = node.attribute("pads") or node.attribute("paddings")
    flat = list(attribute) if attribute is not None else build.constant(node.inputs[1]).ravel().tolist()
    value = float(build.constant(node.inputs[2])) if node.input(2) else float(node.attribute("value", 0.0))
    axes = list(range(rank))
    if node.input(3):
        axes = [int(a) % rank for a in build.constant(node.inputs[3]).ravel()]
    pairs = [(0, 0)] * rank
    for axis, before, after in zip(axes, flat[: len(axes)], flat[len(axes) :], strict=True):
        pairs[axis] = (int(before), int(after))
    layout = LAST if build.has_last(name) else FILE
    if layout == LAST:
        pairs = [pairs[a] for a in last_axes(rank)]
    build.add(node, shape.Pad(tuple(pairs), value), [build.value(name, layout)], layout)


def _refuse_pad(node: OnnxNode) -> str:
    mode = node.attribute("mode", "constant")
    return "" if mode == "constant" else f"mode={mode}"


def _concat(build: Importer, node: OnnxNode) -> None:
    rank = len(build.shape(node.inputs[0]))
    axis = int(node.attribute("axis", 1)) % rank
    running = [n for n in node.inputs if not build.is_constant(n)]
    layout = LAST if rank > 2 and all(build.has_last(n) for n in running) and len(running) == len(node.inputs) else FILE
    dim = axis_in_last(axis, rank) if layout == LAST else axis
    build.add(node, shape.Concat(dim), [build.value(n, layout) for n in node.inputs], layout)


def _leaky(node: OnnxNode) -> Block:
    return activation.LeakyReLU(float(node.attribute("alpha", 0.01)))


def _drop(node: OnnxNode) -> Block:
    return shape.Dropout(float(node.attribute("ratio", 0.5)))


def _refuse_dropout(node: OnnxNode) -> str:
    return "with its mask" if len([o for o in node.outputs if o]) > 1 else ""


def _depth_to_space(build: Importer, node: OnnxNode) -> None:
    block = slicing.DepthToSpace(int(node.attribute("blocksize")), node.attribute("mode", "DCR"))
    build.add(node, block, [build.value(node.inputs[0], LAST)], LAST)


OPERATORS: dict[str, Rule] = {
    "Abs": Rule(_unary(lambda node: activation.Abs())),
    "Add": Rule(_binary(elementwise.Add)),
    "AveragePool": Rule(_pool(pooling.AvgPool1d, pooling.AvgPool2d, True), refuse_pool),
    "BatchNormalization": Rule(_batch_norm, _refuse_batch_norm),
    "Clip": Rule(_clip),
    "Concat": Rule(_concat),
    "Conv": Rule(_conv, _refuse_conv),
    "DepthToSpace": Rule(_depth_to_space),
    "Div": Rule(_binary(elementwise.Div)),
    "Dropout": Rule(_unary(_drop), _refuse_dropout),
    "Elu": Rule(_unary(lambda node: exponential.ELU(float(node.attribute("alpha", 1.0))))),
    "Erf": Rule(_unary(lambda node: exponential.Erf())),
    "Exp": Rule(_unary(lambda node: exponential.Exp())),
    "Flatten": Rule(_flatten),
    "Gelu": Rule(_unary(lambda node: exponential.GELU(node.attribute("approximate", "none")))),
    "Gemm": Rule(_gemm),
    "GlobalAveragePool": Rule(_global_average),
    "HardSwish": Rule(_unary(lambda node: activation.HardSwish())),
    "Identity": Rule(_unary(lambda node: shape.Identity())),
    "LeakyRelu": Rule(_unary(_leaky)),
    "Log": Rule(_unary(lambda node: exponential.Log())),
    "MatMul": Rule(_matmul),
    "MaxPool": Rule(_pool(pooling.MaxPool1d, pooling.MaxPool2d, False), refuse_pool),
    "Mul": Rule(_binary(elementwise.Mul)),
    "Neg": Rule(_unary(lambda node: activation.Neg())),
    "Pad": Rule(_pad, _refuse_pad),
    "Reciprocal": Rule(_unary(lambda node: activation.Reciprocal())),
    "ReduceMean": Rule(_reduce_mean),
    "Relu": Rule(_unary(lambda node: activation.ReLU())),
    "Reshape": Rule(_reshape, _refuse_reshape),
    "Sigmoid": Rule(_unary(lambda node: activation.Sigmoid())),
    "Softmax": Rule(_softmax),
    "Softplus": Rule(_unary(lambda node: exponential.Softplus())),
    "Sqrt": Rule(_unary(lambda node: activation.Sqrt())),
    "Squeeze": Rule(_squeeze),
    "Sub": Rule(_binary(elementwise.Sub)),
    "Tanh": Rule(_unary(lambda node: activation.Tanh())),
    "Transpose": Rule(_transpose),
    "Unsqueeze": Rule(_unsqueeze),
}

# Operators that are evaluated when all their inputs are constants, beside those above.
FOLDED = frozenset(
    {
        *OPERATORS,
        *(
            "Cast",
            "Constant",
            "ConstantOfShape",
            "Div",
            "Equal",
            "Exp",
            "Expand",
            "Gather",
            "Max",
            "Min",
            "Neg",
            "Pow",
        ),
        *("Range", "ReduceProd", "Reciprocal", "Shape", "Slice", "Split", "Sqrt", "Where", "Floor", "Ceil"),
    }
)
