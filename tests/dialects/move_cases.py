"""Random operators that choose, order, repeat or join stored codes."""

from __future__ import annotations

import numpy as np
from operator_draws import activation, alike, any_shape, data, integers, near, of_kinds, zero_point
from operator_models import Case, T, model


def concatenation(kind):
    """Parts of one format; 8-bit unsigned ones may have formats of their own."""

    def draw(rng):
        shape = list(any_shape(rng, 1, 4, 5))
        axis, first = int(rng.integers(len(shape))), activation(rng, shape, kind)
        parts = [first]
        for _ in range(int(rng.integers(1, 4))):
            other = [*shape[:axis], int(rng.integers(1, 5)), *shape[axis + 1 :]]
            parts.append(alike(first, other))
            if kind == "uint8" and rng.random() < 0.7:
                parts[-1].scale, parts[-1].zero = near(rng, first.scale), zero_point(rng, kind)
        y = alike(first, [*shape[:axis], sum(p.shape[axis] for p in parts), *shape[axis + 1 :]])
        given = axis if rng.random() < 0.5 else axis - len(shape)
        return Case(model("CONCATENATION", ("ConcatenationOptions", {"axis": given}), parts, [y]), data(rng, *parts))

    return draw


def moved(operator, options, build, low=2, high=4):
    """A move: `build(rng, x)` gives (more inputs, output shape or shapes, option fields)."""

    def of_kind(kind):
        def draw(rng):
            x = activation(rng, any_shape(rng, low, high), kind)
            more, made, fields = build(rng, x)
            shapes = made if isinstance(made, list) else [made]
            outputs = [alike(x, shape) for shape in shapes]
            inputs = [*more, x] if operator == "SPLIT" else [x, *more]
            return Case(
                model(operator, (options, fields) if options else None, inputs, outputs), data(rng, x), len(outputs)
            )

        return draw

    return of_kind


def pad(rng, x):
    pads = rng.integers(0, 4, (len(x.shape), 2))
    return [integers(pads)], np.array(x.shape) + pads.sum(axis=1), {}


def pad_with(rng, x):
    pads = rng.integers(0, 4, (len(x.shape), 2))
    value = T((1,), x.type, x.scale, x.zero)
    (value.data,) = data(rng, value)
    return [integers(pads), value], np.array(x.shape) + pads.sum(axis=1), {}


def mirror_pad(rng, x):
    mode = int(rng.integers(2))
    most = np.array(x.shape) - (mode == 0)
    pads = np.stack([rng.integers(0, most + 1), rng.integers(0, most + 1)], axis=1)
    return [integers(pads)], np.array(x.shape) + pads.sum(axis=1), {"mode": mode}


def strided_slice(rng, x):
    shape, rank = np.array(x.shape), len(x.shape)
    begin, end = rng.integers(-shape, shape), rng.integers(-shape, shape + 1)
    step = np.where(rng.random(rank) < 0.3, -1, rng.integers(1, 3, rank))
    begin_mask, end_mask, shrink = (int(rng.integers(1 << rank)) for _ in range(3))
    shrink &= int(rng.integers(1 << rank))
    made = []
    for i, size in enumerate(x.shape):
        if shrink >> i & 1:
            begin[i], step[i] = rng.integers(size), 1
            begin_mask &= ~(1 << i)
            continue
        cut = slice(
            None if begin_mask >> i & 1 else int(begin[i]), None if end_mask >> i & 1 else int(end[i]), int(step[i])
        )
        count = len(range(*cut.indices(size)))
        if count == 0:
            begin_mask, end_mask, count = begin_mask | 1 << i, end_mask | 1 << i, -(-size // abs(int(step[i])))
        made.append(count)
    masks = {"beginMask": begin_mask, "endMask": end_mask, "shrinkAxisMask": shrink}
    return [integers(begin), integers(end), integers(step)], tuple(made), masks


def sliced(rng, x):
    begin = rng.integers(0, x.shape)
    size = np.array([int(rng.integers(1, s - b + 1)) for s, b in zip(x.shape, begin)])
    given = np.where((rng.random(len(size)) < 0.2) & (begin + size == x.shape), -1, size)
    return [integers(begin), integers(given)], size, {}


def transpose(rng, x):
    perm = rng.permutation(len(x.shape))
    return [integers(perm)], np.array(x.shape)[perm], {}


def tile(rng, x):
    repeats = rng.integers(1, 4, len(x.shape))
    return [integers(repeats)], np.array(x.shape) * repeats, {}


def gather(rng, x):
    axis = int(rng.integers(len(x.shape)))
    picked = rng.integers(0, x.shape[axis], int(rng.integers(1, 5)))
    return [integers(picked)], (*x.shape[:axis], len(picked), *x.shape[axis + 1 :]), {"axis": axis}


def reshape(rng, x):
    count = int(np.prod(x.shape))
    return [integers([count, 1])], (count, 1), {}


def expand_dims(rng, x):
    axis = int(rng.integers(len(x.shape) + 1))
    return [integers(axis)], (*x.shape[:axis], 1, *x.shape[axis:]), {}


def squeeze(rng, x):
    axis = int(rng.integers(len(x.shape)))
    x.shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    return [], (*x.shape[:axis], *x.shape[axis + 1 :]), {"squeezeDims": [axis]}


def broadcast_to(rng, x):
    made = [s if rng.random() < 0.5 else int(rng.integers(1, 6)) for s in x.shape]
    x.shape = tuple(s if s == m else 1 for s, m in zip(x.shape, made))
    made = [int(v) for v in rng.integers(1, 4, int(rng.integers(0, 2)))] + made
    return [integers(made)], tuple(made), {}


def reverse(rng, x):
    first = int(rng.integers(len(x.shape)))  # axes must follow each other
    return [integers(np.arange(first, rng.integers(first, len(x.shape)) + 1))], x.shape, {}


def split(rng, x):
    axis, parts = int(rng.integers(len(x.shape))), int(rng.integers(1, 4))
    made = x.shape
    x.shape = (*made[:axis], made[axis] * parts, *made[axis + 1 :])
    return [integers(axis - len(made) * int(rng.integers(2)))], [made] * parts, {"numSplits": parts}


def split_v(rng, x):
    axis, sizes = int(rng.integers(len(x.shape))), [int(s) for s in rng.integers(1, 5, int(rng.integers(1, 4)))]
    made = [(*x.shape[:axis], size, *x.shape[axis + 1 :]) for size in sizes]
    x.shape = (*x.shape[:axis], sum(sizes), *x.shape[axis + 1 :])
    if rng.random() < 0.3:
        sizes[int(rng.integers(len(sizes)))] = -1
    return [integers(sizes), integers(axis)], made, {"numSplits": len(sizes)}


def unpack(rng, x):
    axis = int(rng.integers(len(x.shape)))
    made = (*x.shape[:axis], *x.shape[axis + 1 :])
    fields = {"num": x.shape[axis], "axis": axis - len(x.shape) * int(rng.integers(2))}
    return [], [made] * x.shape[axis], fields


def space_to_depth(rng, x):
    block, (n, h, w, c) = int(rng.integers(1, 4)), x.shape
    x.shape = (n, h * block, w * block, c)
    return [], (n, h, w, c * block * block), {"blockSize": block}


def depth_to_space(rng, x):
    block, (n, h, w, c) = int(rng.integers(1, 4)), x.shape
    x.shape = (n, h, w, c * block * block)
    return [], (n, h * block, w * block, c), {"blockSize": block}


def pack(kind):
    def draw(rng):
        first = activation(rng, any_shape(rng, 1, 3), kind)
        parts = [first, *(alike(first, first.shape) for _ in range(int(rng.integers(0, 3))))]
        rank = len(first.shape) + 1
        axis = int(rng.integers(rank))
        y = alike(first, (*first.shape[:axis], len(parts), *first.shape[axis:]))
        fields = {"valuesCount": len(parts), "axis": axis - rank * int(rng.integers(2))}
        return Case(model("PACK", ("PackOptions", fields), parts, [y]), data(rng, *parts))

    return draw


FOUR = ("int8", "uint8", "int16", "float32")
MOVE_FAMILIES = {
    "concatenation": of_kinds(concatenation, *FOUR),
    "pad": of_kinds(moved("PAD", "PadOptions", pad), *FOUR),
    "padv2": of_kinds(moved("PADV2", "PadV2Options", pad_with), *FOUR),
    "mirror_pad": of_kinds(moved("MIRROR_PAD", "MirrorPadOptions", mirror_pad), *FOUR),
    "strided_slice": of_kinds(moved("STRIDED_SLICE", "StridedSliceOptions", strided_slice), *FOUR),
    "slice": of_kinds(moved("SLICE", "SliceOptions", sliced), *FOUR),
    "transpose": of_kinds(moved("TRANSPOSE", "TransposeOptions", transpose), *FOUR),
    "tile": of_kinds(moved("TILE", "TileOptions", tile), *FOUR),
    "gather": of_kinds(moved("GATHER", "GatherOptions", gather), *FOUR),
    "reshape": of_kinds(moved("RESHAPE", None, reshape), *FOUR),
    "expand_dims": of_kinds(moved("EXPAND_DIMS", "ExpandDimsOptions", expand_dims), *FOUR),
    "squeeze": of_kinds(moved("SQUEEZE", "SqueezeOptions", squeeze), *FOUR),
    "broadcast_to": of_kinds(moved("BROADCAST_TO", "BroadcastToOptions", broadcast_to), *FOUR),
    "reverse": of_kinds(moved("REVERSE_V2", "ReverseV2Options", reverse, 1), *FOUR),
    "split": of_kinds(moved("SPLIT", "SplitOptions", split), *FOUR),
    "split_v": of_kinds(moved("SPLIT_V", "SplitVOptions", split_v), *FOUR),
    "pack": of_kinds(pack, *FOUR),
    "unpack": of_kinds(moved("UNPACK", "UnpackOptions", unpack), *FOUR),
    "space_to_depth": of_kinds(moved("SPACE_TO_DEPTH", "SpaceToDepthOptions", space_to_depth, 4), *FOUR),
    "depth_to_space": of_kinds(moved("DEPTH_TO_SPACE", "DepthToSpaceOptions", depth_to_space, 4), *FOUR),
}
