"""PyTorch operators that move elements: new shapes, permutations, parts, joins, paddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwblocks.blocks.shape import Concat, Pad, Reshape, Squeeze, Transpose, Unsqueeze
from hwblocks.blocks.slicing import Expand, Flip, Gather, Slice, Split, Stack, Tile
from hwblocks.errors import GraphError
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, axis_in_last
from hwblocks.importers.torch_graph import Ref, Rule, TorchNode, along, block, one_block, passing


def reshape(build: Importer, node: TorchNode, made: Sequence[int]) -> None:
    """A new shape; a leading 1 that stays is the sample axis."""
    x = build.value(node.x)
    keeps = len(x.shape) > 1 and len(made) > 1 and x.shape[0] == made[0] == 1
    build.add(node, Reshape((0, *made[1:]) if keeps else tuple(made)), [x])


def _view(build: Importer, node: TorchNode) -> None:
    target = node.get("size", node.get("shape"))
    (made,) = Reshape(tuple(int(s) for s in target)).shape(build.shape(node.x))
    reshape(build, node, made)


def _flatten(build: Importer, node: TorchNode) -> None:
    x = build.shape(node.x)
    first, last = int(node.get("start_dim", 0)) % len(x), int(node.get("end_dim", -1)) % len(x)
    size = int(np.prod(x[first : last + 1], dtype=np.int64))
    reshape(build, node, (*x[:first], size, *x[last + 1 :]))


def _unflatten(build: Importer, node: TorchNode) -> None:
    x, dim = build.shape(node.x), int(node.given["dim"])
    dim %= len(x)
    (made,) = Reshape((*x[:dim], *node.given["sizes"], *x[dim + 1 :])).shape(x)
    reshape(build, node, made)


def _squeeze(build: Importer, node: TorchNode) -> None:
    x, given = build.shape(node.x), node.get("dim")
    dims = range(len(x)) if given is None else [given] if isinstance(given, int) else given
    axes = tuple(sorted(int(d) % len(x) for d in dims if x[int(d)] == 1))
    build.add(node, Squeeze(axes), [build.value(node.x)])


def _unsqueeze(build: Importer, node: TorchNode) -> None:
    build.add(node, Unsqueeze(int(node.given["dim"]) % (len(build.shape(node.x)) + 1)), [build.value(node.x)])


def permuted(build: Importer, node: TorchNode, perm: Sequence[int]) -> None:
    """A transposition, composed with the layout change that the tensor went through."""
    rank = len(perm)
    if not build.has_last(node.x):
        build.add(node, Transpose(tuple(perm)), [build.value(node.x)])
        return
    composed = tuple(axis_in_last(axis, rank) for axis in perm)
    if composed == tuple(range(rank)):
        build.alias(node, build.value(node.x, LAST))
        return
    build.add(node, Transpose(composed), [build.value(node.x, LAST)])


def _permute(build: Importer, node: TorchNode) -> None:
    rank = len(build.shape(node.x))
    permuted(build, node, [int(d) % rank for d in node.given["dims"]])


def _swap(build: Importer, node: TorchNode) -> None:
    perm = list(range(len(build.shape(node.x))))
    a, b = int(node.get("dim0", 0)), int(node.get("dim1", -1))
    if len(perm) > 1:
        perm[a], perm[b] = perm[b], perm[a]
    permuted(build, node, perm)


def _cat(build: Importer, node: TorchNode) -> None:
    names = [n for n in node.inputs if build.shape(n) != (0,)]
    rank, dim = len(build.shape(names[0])), int(node.get("dim", 0))
    layout = LAST if rank > 2 and all(build.has_last(n) for n in names) else FILE
    at = axis_in_last(dim, rank) if layout == LAST else dim % rank
    build.add(node, Concat(at), [build.value(n, layout) for n in names], layout)


def _parts(build: Importer, node: TorchNode) -> None:
    """chunk and split, in the layout that is there."""
    x, layout, dim = along(build, node, int(node.get("dim", 0)))
    total = x.shape[dim]
    given = node.get("split_size", node.get("split_sizes"))
    if given is None:
        given = -(-total // int(node.given["chunks"]))
    sizes = tuple(given) if isinstance(given, (list, tuple)) else tuple(
        min(int(given), total - at) for at in range(0, total, int(given))
    )  # fmt: skip
    build.add_all(node, Split(tuple(int(s) for s in sizes), dim), [x], (x.tensor.format,) * len(sizes), layout)


def _unbind(build: Importer, node: TorchNode) -> None:
    x, dim = build.value(node.x), int(node.get("dim", 0))
    count = x.shape[dim]
    build.add_all(node, block("Unstack", dim), [x], (x.tensor.format,) * count)


def _slice(build: Importer, node: TorchNode) -> None:
    x, layout, dim = along(build, node, int(node.get("dim", 0)))
    start, stop, step = slice(node.get("start"), node.get("end"), int(node.get("step", 1))).indices(x.shape[dim])
    if (start, stop, step) == (0, x.shape[dim], 1):
        build.alias(node, x, layout)
        return
    build.add(node, Slice((start,), (stop,), (step,), (dim,)), [x], layout)


def _select(build: Importer, node: TorchNode) -> None:
    x, dim = build.value(node.x), int(node.given["dim"])
    dim, at = dim % len(x.shape), int(node.given["index"]) % x.shape[dim]
    cut = build.add(node, Slice((at,), (at + 1,), (1,), (dim,)), [x], part="cut")
    build.add(node, Squeeze((dim,)), [cut])


def _index_select(build: Importer, node: TorchNode) -> None:
    x, layout, dim = along(build, node, int(node.given["dim"]))
    index = tuple(int(i) for i in build.constant(node.given["index"]).ravel())
    build.add(node, Gather(index, dim), [x], layout)


def _index(build: Importer, node: TorchNode) -> None:
    """x[:, index] with one constant index."""
    given = list(node.given["indices"])
    at = [i for i, one in enumerate(given) if isinstance(one, Ref)]
    if len(at) != 1 or not build.is_constant(given[at[0]]):
        raise GraphError("indexing needs one constant index; use torch.where or a gather along one axis")
    index = build.constant(given[at[0]])
    if index.dtype == bool:
        index = np.flatnonzero(index)
    build.add(node, Gather(tuple(index.tolist()) if index.ndim else int(index), at[0]), [build.value(node.x)])


def _expand(build: Importer, node: TorchNode) -> None:
    x, target = build.shape(node.x), [int(s) for s in node.given["size"]]
    known = (1,) * (len(target) - len(x)) + x
    shape = tuple(n if s == -1 else s for s, n in zip(target, known, strict=True))
    if shape == x:
        build.alias(node, *passing(build, node.x))
        return
    build.add(node, Expand(shape), [build.value(node.x)])


def _repeat(build: Importer, node: TorchNode) -> None:
    repeats, x = tuple(int(r) for r in node.get("repeats", node.get("dims"))), build.value(node.x)
    if len(repeats) > len(x.shape):
        shape = (1,) * (len(repeats) - len(x.shape)) + x.shape
        x = build.add(node, Reshape(shape), [x], part="row")
    build.add(node, Tile((1,) * (len(x.shape) - len(repeats)) + repeats), [x])


def _flip(build: Importer, node: TorchNode) -> None:
    x, layout = passing(build, node.x)
    rank = len(x.shape)
    dims = [axis_in_last(d, rank) if layout == LAST else d % rank for d in node.given["dims"]]
    build.add(node, Flip(tuple(dims)), [x], layout)


def _roll(build: Importer, node: TorchNode) -> None:
    """Each axis as its two parts in the other order."""
    x = build.value(node.x)
    shifts, dims = list(node.given["shifts"]), list(node.get("dims", []))
    if not dims:
        raise GraphError("roll needs dims")
    for i, (shift, dim) in enumerate(zip(shifts, dims, strict=True)):
        count = x.shape[dim]
        index = tuple((k - int(shift)) % count for k in range(count))
        made = Gather(index, int(dim) % len(x.shape))
        x = build.add(node, made, [x], part="" if i == len(dims) - 1 else f"axis{i}")


def _pad(build: Importer, node: TorchNode) -> None:
    x, layout = passing(build, node.x)
    rank, given = len(x.shape), [int(p) for p in node.given["pad"]]
    pairs = [(0, 0)] * rank
    for i in range(len(given) // 2):
        axis = rank - 1 - i
        pairs[axis_in_last(axis, rank) if layout == LAST else axis] = (given[2 * i], given[2 * i + 1])
    if min(min(p) for p in pairs) < 0:
        axes = tuple(a for a in range(rank) if min(pairs[a]) < 0)
        starts = tuple(max(-pairs[a][0], 0) for a in axes)
        stops = tuple(x.shape[a] - max(-pairs[a][1], 0) for a in axes)
        cut = Slice(starts, stops, (1,) * len(axes), axes)
        x = build.add(node, cut, [x], layout, part="cut")
        pairs = [(max(a, 0), max(b, 0)) for a, b in pairs]
    mode = node.get("mode", "constant")
    if mode == "constant":
        build.add(node, Pad(tuple(pairs), float(node.get("value", 0.0))), [x], layout)
        return
    build.add(node, block("MirrorPad", tuple(pairs), "reflect"), [x], layout)


def _refuse_pad(node: TorchNode) -> str:
    mode = node.get("mode", "constant")
    return "" if mode in ("constant", "reflect") else f"mode={mode}"


RULES: dict[str, Rule] = {
    **dict.fromkeys(("view", "reshape", "_unsafe_view"), Rule(_view)),
    **dict.fromkeys(("chunk", "split", "split_with_sizes"), Rule(_parts)),
    **dict.fromkeys(("transpose", "t", "numpy_T", "swapaxes"), Rule(_swap)),
    **dict.fromkeys(("constant_pad_nd", "pad"), Rule(_pad, _refuse_pad)),
    **dict.fromkeys(("repeat", "tile"), Rule(_repeat)),
    "cat": Rule(_cat),
    "expand": Rule(_expand),
    "flatten": Rule(_flatten),
    "flip": Rule(_flip),
    "index": Rule(_index),
    "index_select": Rule(_index_select),
    "permute": Rule(_permute),
    "roll": Rule(_roll),
    "select": Rule(_select),
    "slice": Rule(_slice),
    "squeeze": Rule(_squeeze),
    "stack": one_block(lambda node: Stack(int(node.get("dim", 0)))),
    "unbind": Rule(_unbind),
    "unflatten": Rule(_unflatten),
    "unsqueeze": Rule(_unsqueeze),
}
