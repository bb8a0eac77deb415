"""Random models of the operators that move elements, compare, convert and count; and of loops and branches."""

from __future__ import annotations

import numpy as np
from control_models import Sub, T, build
from flatbuffers import flexbuffers

CODES = ("int8", "uint8", "int16")


def numbers(rng, kind, shape):
    """Values of a type: full range of small integers, a modest one of large ones."""
    if kind == "bool":
        return rng.random(shape) < 0.5
    if kind.startswith("float"):
        return (rng.normal(size=shape) * rng.choice((1, 10, 300))).astype(kind)
    limits = np.iinfo(kind)
    low, high = max(limits.min, -(10**6)), min(limits.max, 10**6)
    return rng.integers(low, high + 1, shape).astype(kind)


def quantized(rng, kind):
    """Quantization of a tensor of codes; 16-bit ones have zero point 0."""
    limits = np.iinfo(kind)
    zero = 0 if kind == "int16" else int(rng.integers(limits.min, limits.max + 1))
    return {"scale": np.float32(rng.uniform(0.001, 0.3)), "zero": zero}


def stated(rng, kind):
    """Quantization where the type has one."""
    return quantized(rng, kind) if kind in CODES else {}


def sizes(rng, rank=None, low=1, high=5):
    return tuple(int(s) for s in rng.integers(low, high + 1, rng.integers(1, 5) if rank is None else rank))


def single(name, inputs, outputs, options=None, samples=2, rng=None, kinds=None):
    """A model of one operator; inputs without data are given, two samples of random values."""
    sub = Sub()
    places = [None if t is None else sub.input(t) if t.data is None else sub.add(t) for t in inputs]
    made = [sub.add(t) for t in outputs]
    sub.op(name, [-1 if p is None else p for p in places], made, options)
    sub.outputs = made
    given = [t for t in inputs if t is not None and t.data is None]
    makers = kinds or [lambda r, t=t: numbers(r, t.type, t.shape) for t in given]
    return build(sub), [[make(rng) for make in makers] for _ in range(samples)]


def broadcast_pair(rng):
    """Two shapes that broadcast, and what they broadcast to."""
    full = sizes(rng)
    first, second = (tuple(1 if rng.random() < 0.2 else s for s in full) for _ in range(2))
    if rng.random() < 0.3:
        second = second[rng.integers(0, len(second)) :]
    return first, second, tuple(np.broadcast_shapes(first, second))


def cast(rng):
    source, to = (str(k) for k in rng.choice(("float32", "int8", "uint8", "int16", "int32", "int64", "bool"), 2))
    shape = sizes(rng)
    return single("CAST", [T(shape, source)], [T(shape, to)], ("CastOptions", {}), rng=rng)


COMPARISONS = {
    "EQUAL": "EqualOptions",
    "NOT_EQUAL": "NotEqualOptions",
    "LESS": "LessOptions",
    "LESS_EQUAL": "LessEqualOptions",
    "GREATER": "GreaterOptions",
    "GREATER_EQUAL": "GreaterEqualOptions",
}


def comparison(rng):
    name = str(rng.choice(list(COMPARISONS)))
    kind = str(rng.choice(("float32", "int32", "int64", "int8", "int8", "uint8")))
    a, b, y = broadcast_pair(rng)
    first = stated(rng, kind)
    second = first if rng.random() < 0.5 else stated(rng, kind)

    def close(r):
        """Small differences, so that equal values come up."""
        if kind in CODES:
            return numbers(r, kind, b)
        return r.integers(-3, 4, b).astype(kind)

    def left(r):
        return numbers(r, kind, a) if kind in CODES else r.integers(-3, 4, a).astype(kind)

    inputs = [T(a, kind, **first), T(b, kind, **second)]
    return single(name, inputs, [T(y, "bool")], (COMPARISONS[name], {}), rng=rng, kinds=[left, close])


def logical(rng):
    name = str(rng.choice(("LOGICAL_AND", "LOGICAL_OR", "LOGICAL_NOT")))
    table = {"LOGICAL_AND": "LogicalAndOptions", "LOGICAL_OR": "LogicalOrOptions", "LOGICAL_NOT": "LogicalNotOptions"}
    if name == "LOGICAL_NOT":
        shape = sizes(rng)
        return single(name, [T(shape, "bool")], [T(shape, "bool")], (table[name], {}), rng=rng)
    a, b, y = broadcast_pair(rng)
    return single(name, [T(a, "bool"), T(b, "bool")], [T(y, "bool")], (table[name], {}), rng=rng)


def select(rng):
    kind = str(rng.choice(("float32", "int8", "int16", "int32", "uint8", "int64")))
    q = stated(rng, kind)
    if rng.random() < 0.5:
        shape = sizes(rng)
        condition = (shape[0],) if rng.random() < 0.4 else () if rng.random() < 0.3 else shape
        inputs = [T(condition, "bool"), T(shape, kind, **q), T(shape, kind, **q)]
        return single("SELECT", inputs, [T(shape, kind, **q)], ("SelectOptions", {}), rng=rng)
    a, b, y = broadcast_pair(rng)
    inputs = [T(tuple(s if rng.random() < 0.7 else 1 for s in y), "bool"), T(a, kind, **q), T(b, kind, **q)]
    return single("SELECT_V2", inputs, [T(y, kind, **q)], ("SelectV2Options", {}), rng=rng)


def gather(rng):
    kind = str(rng.choice(("float32", "int8", "int16", "int32", "uint8", "int64", "bool")))
    q, x = stated(rng, kind), sizes(rng)
    axis = int(rng.integers(0, len(x)))
    batch = int(rng.integers(0, axis + 1)) if rng.random() < 0.4 else 0
    rest = sizes(rng, int(rng.integers(0, 3)))
    shape, index_kind = (*x[:batch], *rest), str(rng.choice(("int32", "int64", "int32")))
    indices = T(shape, index_kind)
    if rng.random() < 0.5:
        indices.data = rng.integers(0, x[axis], shape)
    y = (*x[:axis], *rest, *x[axis + 1 :])
    kinds = [lambda r: numbers(r, kind, x)]
    if indices.data is None:
        kinds.append(lambda r: r.integers(0, x[axis], shape).astype(index_kind))
    options = ("GatherOptions", {"axis": axis - len(x) if rng.random() < 0.3 else axis, "batchDims": batch})
    return single("GATHER", [T(x, kind, **q), indices], [T(y, kind, **q)], options, rng=rng, kinds=kinds)


def gather_nd(rng):
    kind = str(rng.choice(("float32", "int8", "int16", "int32", "uint8", "int64")))
    q, x = stated(rng, kind), sizes(rng)
    depth = int(rng.integers(1, len(x) + 1))
    shape = (*sizes(rng, int(rng.integers(1, 3))), depth)
    kinds = [
        lambda r: numbers(r, kind, x),
        lambda r: np.stack([r.integers(0, n, shape[:-1]) for n in x[:depth]], -1).astype(np.int32),
    ]
    y = (*shape[:-1], *x[depth:])
    return single(
        "GATHER_ND",
        [T(x, kind, **q), T(shape, "int32")],
        [T(y, kind, **q)],
        ("GatherNdOptions", {}),
        rng=rng,
        kinds=kinds,
    )


def embedding_lookup(rng):
    table = rng.normal(size=sizes(rng, int(rng.integers(2, 4)))).astype(np.float32)
    ids = sizes(rng, 1)
    inputs = [T(ids, "int32"), T(table.shape, "float32", data=table)]
    kinds = [lambda r: r.integers(0, len(table), ids).astype(np.int32)]
    return single("EMBEDDING_LOOKUP", inputs, [T((*ids, *table.shape[1:]), "float32")], None, rng=rng, kinds=kinds)


def space_to_batch(rng):
    kind = str(rng.choice(("float32", "int8", "uint8", "int16")))
    q, m = stated(rng, kind), int(rng.integers(1, 3))
    block, n = sizes(rng, m, 1, 3), int(rng.integers(1, 3))
    grown = [b * int(rng.integers(1, 4)) for b in block]
    pads = []
    for length in grown:
        before = int(rng.integers(0, length))
        pads.append((before, int(rng.integers(0, length - before))))
    x = (n, *(g - a - b for g, (a, b) in zip(grown, pads, strict=True)), int(rng.integers(1, 4)))
    y = (n * int(np.prod(block)), *(g // b for g, b in zip(grown, block, strict=True)), x[-1])
    arguments = [T((m,), "int32", data=np.array(block)), T((m, 2), "int32", data=np.array(pads))]
    if rng.random() < 0.5:
        inputs = [T(x, kind, **q), *arguments]
        return single("SPACE_TO_BATCH_ND", inputs, [T(y, kind, **q)], ("SpaceToBatchNDOptions", {}), rng=rng)
    inputs = [T(y, kind, **q), *arguments]
    return single("BATCH_TO_SPACE_ND", inputs, [T(x, kind, **q)], ("BatchToSpaceNDOptions", {}), rng=rng)


def conv_3d(rng):
    space, kernel = sizes(rng, 3, 3, 6), sizes(rng, 3, 1, 3)
    stride, dilation = sizes(rng, 3, 1, 2), sizes(rng, 3, 1, 2) if rng.random() < 0.3 else (1, 1, 1)
    padding, cin, cout = int(rng.integers(0, 2)), int(rng.integers(1, 4)), int(rng.integers(1, 5))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    space = tuple(max(s, r) for s, r in zip(space, reach, strict=True))
    pairs = zip(space, reach, stride, strict=True)
    out = [-(-s // t) if padding == 0 else (s - r) // t + 1 for s, r, t in pairs]
    options = {"padding": padding, "fusedActivationFunction": int(rng.integers(0, 4))}
    options |= {f"stride{a}": s for a, s in zip("DHW", stride, strict=True)}
    options |= {f"dilation{a}Factor": s for a, s in zip("DHW", dilation, strict=True)}
    w = rng.normal(size=(*kernel, cin, cout)).astype(np.float32)
    inputs = [T((1, *space, cin), "float32"), T(w.shape, "float32", data=w)]
    if rng.random() < 0.5:
        inputs.append(T((cout,), "float32", data=rng.normal(size=cout).astype(np.float32)))
    kinds = [lambda r: r.normal(size=(1, *space, cin)).astype(np.float32)]
    made = [T((1, *out, cout), "float32")]
    return single("CONV_3D", inputs, made, ("Conv3DOptions", options), rng=rng, kinds=kinds)


def fill(rng):
    """FILL, and ZEROS_LIKE."""
    kind, shape = str(rng.choice(("float32", "int32", "int64"))), sizes(rng)
    if rng.random() < 0.5:
        return single("ZEROS_LIKE", [T(shape, kind)], [T(shape, kind)], ("ZerosLikeOptions", {}), rng=rng)
    inputs = [T((len(shape),), "int32", data=np.array(shape)), T((), kind)]
    return single("FILL", inputs, [T(shape, kind)], ("FillOptions", {}), rng=rng)


def ranged(rng):
    """RANGE of constants, added to an input."""
    start, count = int(rng.integers(-9, 9)), int(rng.integers(1, 9))
    step = int(rng.choice((-3, -1, 1, 2)))
    sub = Sub()
    x = sub.input((count,), "int32")
    parts = [sub.const(np.int32(v), "int32") for v in (start, start + count * step, step)]
    listed, y = sub.add((count,), "int32"), sub.add((count,), "int32")
    sub.op("RANGE", parts, [listed], ("RangeOptions", {}))
    sub.op("ADD", [x, listed], [y], ("AddOptions", {}))
    sub.outputs = [y]
    return build(sub), [[numbers(rng, "int32", (count,))] for _ in range(2)]


def rounded(rng):
    name = str(rng.choice(("FLOOR", "CEIL", "ROUND")))
    shape = sizes(rng)
    kinds = [lambda r: r.choice((0.5, 1, 0.3), shape).astype(np.float32) * r.integers(-9, 10, shape).astype(np.float32)]
    return single(name, [T(shape, "float32")], [T(shape, "float32")], rng=rng, kinds=kinds)


def curves(rng):
    name, shape = str(rng.choice(("SIN", "COS", "POW"))), sizes(rng)
    if name != "POW":
        return single(name, [T(shape, "float32")], [T(shape, "float32")], rng=rng)
    a, b, y = broadcast_pair(rng)
    kinds = [lambda r: r.uniform(0.1, 3, a).astype(np.float32), lambda r: r.uniform(-3, 3, b).astype(np.float32)]
    inputs, outputs = [T(a, "float32"), T(b, "float32")], [T(y, "float32")]
    return single(name, inputs, outputs, ("PowOptions", {}), rng=rng, kinds=kinds)


def divided(rng):
    name = str(rng.choice(("FLOOR_DIV", "FLOOR_MOD", "POW")))
    kind = "int32" if name == "POW" else str(rng.choice(("float32", "int32", "int16", "int8")))
    a, b, y = broadcast_pair(rng)

    def second(r):
        if name == "POW":
            return r.integers(0, 5, b).astype(kind)
        return (r.integers(1, 30, b) * r.choice((-1, 1), b)).astype(kind)

    kinds = [lambda r: r.integers(-90, 90, a).astype(kind), second]
    table = {"FLOOR_DIV": "FloorDivOptions", "FLOOR_MOD": "FloorModOptions", "POW": "PowOptions"}[name]
    return single(name, [T(a, kind), T(b, kind)], [T(y, kind)], (table, {}), rng=rng, kinds=kinds)


def cumsum(rng):
    kind, shape = str(rng.choice(("int32", "int64", "float32"))), sizes(rng)
    axis = int(rng.integers(-len(shape), len(shape)))
    options = ("CumsumOptions", {"exclusive": bool(rng.random() < 0.5), "reverse": bool(rng.random() < 0.5)})
    inputs = [T(shape, kind), T((), "int32", data=np.array(axis))]
    kinds = [lambda r: r.integers(-999, 999, shape).astype(kind)]  # sums that float32 holds exactly
    return single("CUMSUM", inputs, [T(shape, kind)], options, rng=rng, kinds=kinds)


def topk(rng):
    kind, shape = str(rng.choice(("float32", "int8", "uint8", "int32", "int64"))), sizes(rng, high=7)
    k, q = int(rng.integers(1, shape[-1] + 1)), stated(rng, kind)
    y = (*shape[:-1], k)
    inputs = [T(shape, kind, **q), T((), "int32", data=np.array(k))]
    kinds = [lambda r: r.integers(0, 5, shape).astype(kind)]
    return single("TOPK_V2", inputs, [T(y, kind, **q), T(y, "int32")], ("TopKV2Options", {}), rng=rng, kinds=kinds)


def scatter_nd(rng):
    kind, shape = str(rng.choice(("float32", "int32", "int64"))), sizes(rng)
    depth = int(rng.integers(1, len(shape) + 1))
    places = (*sizes(rng, int(rng.integers(1, 3))), depth)
    updates = (*places[:-1], *shape[depth:])
    kinds = [
        lambda r: np.stack([r.integers(0, n, places[:-1]) for n in shape[:depth]], -1).astype(np.int32),
        lambda r: r.integers(-999, 999, updates).astype(kind),
    ]
    inputs = [T(places, "int32"), T(updates, kind), T((len(shape),), "int32", data=np.array(shape))]
    return single("SCATTER_ND", inputs, [T(shape, kind)], ("ScatterNdOptions", {}), rng=rng, kinds=kinds)


def strided_slice(rng):
    """All masks, ellipses and new axes included; what it makes is what NumPy's indexing makes."""
    kind, x = str(rng.choice(("float32", "int8", "int32", "uint8"))), sizes(rng, high=6)
    q, index, begin, end, steps = stated(rng, kind), [], [], [], []
    masks = dict.fromkeys(("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask"), 0)
    axis, ellipsis = 0, int(rng.integers(0, len(x))) if rng.random() < 0.4 else -1
    covered = int(rng.integers(1, len(x) - ellipsis + 1)) if ellipsis >= 0 else 0
    while axis < len(x):
        bit = 1 << len(begin)
        first, last, step = 0, 1, 1
        if axis == ellipsis:
            masks["ellipsisMask"] |= bit
            index.append(Ellipsis)
            axis, ellipsis = axis + covered, -1
        elif rng.random() < 0.15 and masks["newAxisMask"].bit_count() < 2:
            masks["newAxisMask"] |= bit
            index.append(None)
        else:
            size, step = x[axis], int(rng.choice((1, 1, 2, -1)))
            first = int(rng.integers(0, size))
            last = int(rng.integers(first + 1, size + 1)) if step > 0 else int(rng.integers(-1, first))
            if rng.random() < 0.2:
                masks["shrinkAxisMask"] |= bit
                index.append(first)
                last, step = first + 1, 1
            else:
                lows = (rng.random() < 0.3, rng.random() < 0.3 or last < 0)
                masks["beginMask"] |= bit * lows[0]
                masks["endMask"] |= bit * lows[1]
                index.append(slice(None if lows[0] else first, None if lows[1] else last, step))
            first = first - size if rng.random() < 0.2 and not masks["shrinkAxisMask"] & bit else first
            axis += 1
        begin.append(first)
        end.append(last)
        steps.append(step)
    y = np.zeros(x)[tuple(index)].shape
    arguments = [T((len(v),), "int32", data=np.array(v)) for v in (begin, end, steps)]
    options = ("StridedSliceOptions", masks)
    return single("STRIDED_SLICE", [T(x, kind, **q), *arguments], [T(y, kind, **q)], options, rng=rng)


def run_time_slice(rng):
    """SLICE with a begin made at run time, STRIDED_SLICE of one row, DYNAMIC_UPDATE_SLICE."""
    name = str(rng.choice(("SLICE", "STRIDED_SLICE", "DYNAMIC_UPDATE_SLICE")))
    kind, x = str(rng.choice(("float32", "int8", "int32"))), sizes(rng)
    q, part = stated(rng, kind), tuple(int(rng.integers(1, s + 1)) for s in x)
    if name == "DYNAMIC_UPDATE_SLICE":
        inputs = [T(x, kind, **q), T(part, kind, **q), T((len(x),), "int32")]
        kinds = [
            lambda r: numbers(r, kind, x),
            lambda r: numbers(r, kind, part),
            lambda r: r.integers(-2, 7, len(x)).astype(np.int32),
        ]
        return single(name, inputs, [T(x, kind, **q)], ("DynamicUpdateSliceOptions", {}), rng=rng, kinds=kinds)
    if name == "SLICE":
        inputs = [T(x, kind, **q), T((len(x),), "int32"), T((len(x),), "int32", data=np.array(part))]
        kinds = [
            lambda r: numbers(r, kind, x),
            lambda r: np.array([r.integers(0, s - p + 1) for s, p in zip(x, part, strict=True)], np.int32),
        ]
        return single(name, inputs, [T(part, kind, **q)], ("SliceOptions", {}), rng=rng, kinds=kinds)
    inputs = [T(x, kind, **q), T((1,), "int32"), T((1,), "int32"), T((1,), "int32", data=np.array([1]))]
    options = ("StridedSliceOptions", {"shrinkAxisMask": 1})
    places = []

    def place(r):
        places.append(r.integers(0, x[0], 1).astype(np.int32))
        return places[-1]

    kinds = [lambda r: numbers(r, kind, x), place, lambda r: places[-1] + np.int32(1)]
    return single(name, inputs, [T(x[1:], kind, **q)], options, rng=rng, kinds=kinds)


def circular_buffer(rng):
    """A buffer of time slices and the largest of each channel over them; five samples in sequence."""
    slots, depth, width = int(rng.integers(1, 8)), int(rng.integers(1, 9)), int(rng.integers(1, 4))
    q = quantized(rng, "int8")
    sub = Sub()
    x = sub.input((1, 1, width, depth), "int8", **q)
    kept = sub.add((1, slots, width, depth), "int8", variable=True, **q)
    y = sub.add((1, slots, width, depth), "int8", **q)
    options = flexbuffers.Builder()
    with options.Map():
        options.Int("cycles_max", 1)
    sub.op("CIRCULAR_BUFFER", [x], [kept], None, bytes(options.Finish()))
    sub.op("RESHAPE", [kept, sub.const(np.array([1, slots, width, depth]), "int32")], [y], ("ReshapeOptions", {}))
    sub.outputs = [y]
    return build(sub), [[numbers(rng, "int8", (1, 1, width, depth))] for _ in range(5)]


MOVES = {
    "cast": cast,
    "circular_buffer": circular_buffer,
    "comparison": comparison,
    "conv_3d": conv_3d,
    "cumsum": cumsum,
    "curves": curves,
    "divided": divided,
    "embedding_lookup": embedding_lookup,
    "fill": fill,
    "gather": gather,
    "gather_nd": gather_nd,
    "logical": logical,
    "ranged": ranged,
    "rounded": rounded,
    "run_time_slice": run_time_slice,
    "scatter_nd": scatter_nd,
    "select": select,
    "space_to_batch": space_to_batch,
    "strided_slice": strided_slice,
    "topk": topk,
}
