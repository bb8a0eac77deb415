"""Keras layers that move, repeat, merge and rescale tensors; layers that do nothing at inference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hwblocks.blocks.elementwise import Add, Div, Maximum, Minimum, Mul, Sub
from hwblocks.blocks.linear import MatMul
from hwblocks.blocks.normalization import L2Norm
from hwblocks.blocks.reduction import ReduceMax, ReduceMean, ReduceMin, ReduceSum
from hwblocks.blocks.resize import ResizeBilinear
from hwblocks.blocks.scan import Scan
from hwblocks.blocks.shape import Concat, Dropout, Flatten, Identity, Pad, Reshape, Squeeze, Transpose, Unsqueeze
from hwblocks.blocks.slicing import Gather, Slice, Stack, Tile
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.importers.keras_activations import plain
from hwblocks.importers.keras_graph import KerasBuilder, Rule, Use, array, of_one, spatial

SAME_AT_EVERY_STEP = (
    *("Activation", "Dense", "Dropout", "ELU", "LeakyReLU", "ReLU", "Identity", "Rescaling"),
    *("GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization", "LayerNormalization"),
)


def _flatten(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    rank = len(x.shape)
    if layer.data_format == "channels_first" and rank > 2:
        x = build.last(x)
    block: Block = Unsqueeze(1) if rank == 1 else Flatten(1)
    return build.add(block, x, name=name)


def _reshape(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    return build.add(Reshape((0, *layer.target_shape)), x, name=name)


def _repeat(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    row = build.add(Unsqueeze(1), x, name=f"{name}.row")
    return build.add(Tile((1, int(layer.n), 1)), row, name=name)


def _pairs(given: Any) -> tuple[tuple[int, int], ...]:
    """Keras's normalized padding or cropping: one pair, or one for each axis."""
    pairs = [given] if isinstance(given[0], int) else given
    return tuple((int(a), int(b)) for a, b in pairs)


def _pad(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    return build.add(Pad(((0, 0), *_pairs(layer.padding), (0, 0))), x, name=name)


def _crop(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    pairs = _pairs(layer.cropping)
    sizes, axes = x.shape[1:-1], tuple(range(1, len(pairs) + 1))
    stops = tuple(n - after for n, (_, after) in zip(sizes, pairs, strict=True))
    return build.add(Slice(tuple(b for b, _ in pairs), stops, (1,) * len(pairs), axes), x, name=name)


def _upsample(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    factors = (layer.size,) if isinstance(layer.size, int) else tuple(layer.size)
    if getattr(layer, "interpolation", "nearest") == "bilinear":
        size = (x.shape[1] * factors[0], x.shape[2] * factors[1])
        return build.add(ResizeBilinear(size, half_pixel_centers=True), x, name=name)
    for axis, factor in enumerate(factors, start=1):
        index = tuple(i for i in range(x.shape[axis]) for _ in range(int(factor)))
        x = build.add(Gather(index, axis), x, name=name if axis == len(factors) else f"{name}.axis{axis}")
    return x


def _refuse_upsample(layer: Any) -> str:
    mode = getattr(layer, "interpolation", "nearest")
    return "" if mode in ("nearest", "bilinear") else f"interpolation={mode!r}"


def aligned(build: KerasBuilder, values: Sequence[Value], name: str) -> list[Value]:
    """Tensors of one rank: lower ones get axes of size 1 after the samples."""
    rank, made = max(len(v.shape) for v in values), []
    for i, value in enumerate(values):
        missing = rank - len(value.shape)
        if missing:
            shape = (0, *(1,) * missing, *value.shape[1:])
            value = build.add(Reshape(shape), value, name=f"{name}.input{i}")
        made.append(value)
    return made


def merged(cls: type[Block]) -> Rule:
    """A merging layer that applies an element-wise block from left to right."""
    return Rule(lambda build, use: chained(build, cls, aligned(build, use.values, use.name), use.name))


def chained(build: KerasBuilder, cls: type[Block], values: Sequence[Value], name: str) -> Value:
    """A block of two applied from left to right."""
    made = values[0]
    for i, value in enumerate(values[1:], start=2):
        made = build.add(cls(), made, value, name=name if i == len(values) else f"{name}.of{i}")
    return made if len(values) > 1 else build.add(Identity(), made, name=name)


def _average(build: KerasBuilder, use: Use) -> Value:
    values = aligned(build, use.values, use.name)
    total = chained(build, Add, values, f"{use.name}.sum")
    return build.add(Mul(), total, build.constant(f"{use.name}.share", np.array(1 / len(values))), name=use.name)


def _concatenate(build: KerasBuilder, use: Use) -> Value:
    if use.layer.axis % len(use.x.shape) == 0:
        raise GraphError("joining along axis 0 mixes samples; join along another axis")
    return build.add(Concat(use.layer.axis), *use.values, name=use.name)


def _dot(build: KerasBuilder, use: Use) -> Value:
    """Σ over one axis of each, sample by sample: the products of [N, M, K] and [N, K, P]."""
    (a, b), name = use.values, use.name
    given = use.layer.axes if isinstance(use.layer.axes, (list, tuple)) else (use.layer.axes,) * 2
    axes = [int(axis) % len(v.shape) for axis, v in zip(given, (a, b), strict=True)]
    if use.layer.normalize:
        a, b = (
            build.add(L2Norm(axis, 1e-12), v, name=f"{name}.unit{i}")
            for i, (v, axis) in enumerate(zip((a, b), axes, strict=True))
        )
    left, right = _summed_last(build, a, axes[0], f"{name}.left"), _summed_first(build, b, axes[1], f"{name}.right")
    if len(a.shape) > 2 and len(b.shape) > 2:
        return build.add(MatMul(), left, right, name=name)
    product = build.add(MatMul(), left, right, name=f"{name}.product")
    return build.add(Squeeze(1 if len(a.shape) == 2 else 2), product, name=name)


def _summed_last(build: KerasBuilder, x: Value, axis: int, name: str) -> Value:
    if len(x.shape) == 2:
        return build.add(Unsqueeze(1), x, name=name)
    return x if axis == 2 else build.add(Transpose((0, 2, 1)), x, name=name)


def _summed_first(build: KerasBuilder, x: Value, axis: int, name: str) -> Value:
    if len(x.shape) == 2:
        return build.add(Unsqueeze(2), x, name=name)
    return x if axis == 1 else build.add(Transpose((0, 2, 1)), x, name=name)


def _refuse_dot(layer: Any) -> str:
    shapes = layer._build_shapes_dict.get("input_shape") or ()
    return "of tensors with more than 3 axes" if any(len(s) > 3 for s in shapes) else ""


def _rescaling(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    """x · scale + offset."""
    shifts = bool(np.any(np.asarray(layer.offset)))
    made = build.add(Mul(), x, build.constant(f"{name}.scale", layer.scale), name=f"{name}.scaled" if shifts else name)
    return build.add(Add(), made, build.constant(f"{name}.offset", layer.offset), name=name) if shifts else made


def _time_distributed(build: KerasBuilder, use: Use) -> Value:
    """The layer at every step: at once where it works on the last axis alone, else as the body of a scan."""
    inner, x = use.layer.layer, use.x
    if type(inner).__name__ in SAME_AT_EVERY_STEP and getattr(inner, "axis", -1) in (-1, [-1]):
        made: Value = build.importer(build, use.of(inner, use.name))
        return made
    body = build.within(inner.name, (1, *x.shape[2:]), inner, x.tensor.format)
    return build.add(Scan(body, 0, 1, axis=1), x, name=use.name)


def _wrapped(build: KerasBuilder, use: Use) -> Any:
    return build.importer(build, use.of(use.layer.layer, use.name))


def _refuse_stateful(layer: Any) -> str:
    return "of a stateful layer" if getattr(layer.layer, "stateful", False) else ""


IDLE = plain(lambda layer: Identity())
DROP = plain(lambda layer: Dropout(float(layer.rate)))

LAYERS: dict[str, Rule] = {
    **dict.fromkeys(("ActivityRegularization", "GaussianNoise", "Identity"), IDLE),
    **dict.fromkeys(("AlphaDropout", "Dropout", "GaussianDropout"), DROP),
    **{f"SpatialDropout{n}D": DROP for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": Rule(spatial(_pad)) for n in (1, 2, 3)},
    **{f"Cropping{n}D": Rule(spatial(_crop)) for n in (1, 2, 3)},
    **{f"UpSampling{n}D": Rule(spatial(_upsample), _refuse_upsample) for n in (1, 2, 3)},
    "Add": merged(Add),
    "Average": Rule(_average),
    "Concatenate": Rule(_concatenate),
    "Dot": Rule(_dot, _refuse_dot),
    "Flatten": Rule(of_one(_flatten)),
    "Maximum": merged(Maximum),
    "Minimum": merged(Minimum),
    "Multiply": merged(Mul),
    "Permute": plain(lambda layer: Transpose((0, *(int(d) for d in layer.dims)))),
    "RepeatVector": Rule(of_one(_repeat)),
    "Rescaling": Rule(of_one(_rescaling)),
    "Reshape": Rule(of_one(_reshape)),
    "SpectralNormalization": Rule(_wrapped),
    "Subtract": merged(Sub),
    "TimeDistributed": Rule(_time_distributed, _refuse_stateful),
}


def _binary(cls: type[Block]) -> Rule:
    """An operation of two tensors, one of which may be a number or an array."""

    def build_binary(build: KerasBuilder, use: Use) -> Value:
        given = [*use.arguments, *use.named.values()][:2]
        values = [v if isinstance(v, Value) else build.constant(f"{use.name}.operand", array(v)) for v in given]
        return build.add(cls(), *values, name=use.name)

    return Rule(build_binary)


def _reduction(cls: Callable[..., Block]) -> Rule:
    """A reduction over given axes; over all but the samples would mix nothing else."""

    def build_reduction(build: KerasBuilder, use: Use) -> Value:
        rank, given = len(use.x.shape), use.layer.axis
        axes = tuple(range(rank)) if given is None else tuple(a % rank for a in np.atleast_1d(given).tolist())
        if 0 in axes:
            raise GraphError(f"a reduction over axes {axes} mixes samples; leave axis 0 out")
        return build.add(cls(axes, bool(use.layer.keepdims)), use.x, name=use.name)

    return Rule(build_reduction)


def _swapped(build: KerasBuilder, use: Use) -> Value:
    axes = use.layer.axes or tuple(reversed(range(len(use.x.shape))))
    if axes[0] != 0:
        raise GraphError(f"a transposition {tuple(axes)} moves the samples; keep axis 0 first")
    return build.add(Transpose(tuple(axes)), use.x, name=use.name)


def _new_shape(build: KerasBuilder, use: Use) -> Value:
    target = tuple(-1 if s is None else int(s) for s in use.layer.newshape)
    samples = target[0] in (-1, 1)
    return build.add(Reshape((0, *target[1:]) if samples else target), use.x, name=use.name)


def _joined(cls: Callable[[int], Block]) -> Rule:
    return Rule(lambda build, use: build.add(cls(use.layer.axis), *use.values, name=use.name))


def _picked(build: KerasBuilder, use: Use) -> Value:
    """x[key] with whole numbers, slices and one ellipsis."""
    key = use.arguments[1] if len(use.arguments) > 1 else use.named["key"]
    given, rank = list(key) if isinstance(key, (list, tuple)) else [key], len(use.x.shape)
    if Ellipsis in given:
        at = given.index(Ellipsis)
        given[at : at + 1] = [slice(None)] * (rank - len(given) + 1)
    if any(not isinstance(k, (int, slice)) for k in given) or given[0] != slice(None):
        raise GraphError(f"the index {key!r} is not made of numbers and slices that keep the samples")
    bounds = [slice(k, k + 1 or None) if isinstance(k, int) else k for k in given]
    cuts = [s.indices(n) for s, n in zip(bounds, use.x.shape, strict=False)]
    axes = tuple(i for i, cut in enumerate(cuts) if cut != (0, use.x.shape[i], 1))
    starts, steps = tuple(cuts[i][0] for i in axes), tuple(cuts[i][2] for i in axes)
    stops = tuple(None if cuts[i][1] < 0 else cuts[i][1] for i in axes)
    single = tuple(i for i, k in enumerate(given) if isinstance(k, int))
    block = Slice(starts, stops, steps, axes)
    made = build.add(block, use.x, name=f"{use.name}.cut" if single else use.name)
    return build.add(Squeeze(single), made, name=use.name) if single else made


OPERATIONS: dict[str, Rule] = {
    "Add": _binary(Add),
    "Concatenate": _joined(Concat),
    "Divide": _binary(Div),
    "ExpandDims": plain(lambda operation: Unsqueeze(operation.axis)),
    "GetItem": Rule(_picked),
    "Identity": IDLE,
    "Matmul": Rule(lambda build, use: build.add(MatMul(), *use.values, name=use.name)),
    "Max": _reduction(ReduceMax),
    "Maximum": _binary(Maximum),
    "Mean": _reduction(ReduceMean),
    "Min": _reduction(ReduceMin),
    "Minimum": _binary(Minimum),
    "Multiply": _binary(Mul),
    "Reshape": Rule(_new_shape),
    "Squeeze": plain(lambda operation: Squeeze(operation.axis)),
    "Stack": _joined(Stack),
    "Subtract": _binary(Sub),
    "Sum": _reduction(ReduceSum),
    "Transpose": Rule(_swapped),
    "TrueDivide": _binary(Div),
}
