"""PyTorch layers: linear forms, convolutions, normalizations, embedding, recurrent layers and attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import hwblocks.blocks.conv as conv
import hwblocks.blocks.conv_transpose as conv_transpose
from hwblocks.blocks.elementwise import Add, Mul
from hwblocks.blocks.linear import Linear, MatMul
from hwblocks.blocks.normalization import BatchNorm
from hwblocks.blocks.selection import Select
from hwblocks.blocks.shape import Reshape, Transpose
from hwblocks.blocks.softmax import Softmax
from hwblocks.composites.recurrent import GRU, LSTM, RNN
from hwblocks.errors import GraphError
from hwblocks.graph.builder import Value
from hwblocks.graph.window import same_pads
from hwblocks.importers.keras_graph import has_block
from hwblocks.importers.onnx_graph import FILE, LAST, Importer
from hwblocks.importers.torch_graph import Array, Ref, Rule, TorchNode, block, one_block, per_axis, scalar
from hwblocks.numerics.formats import Format

CONVS = {1: conv.Conv1d, 2: conv.Conv2d, 3: conv.Conv3d}
TRANSPOSED = {1: conv_transpose.ConvTranspose1d, 2: conv_transpose.ConvTranspose2d, 3: conv_transpose.ConvTranspose3d}


def _linear(build: Importer, node: TorchNode) -> None:
    name, weight = node.given["input"], node.given["weight"]
    if not build.is_constant(weight):
        raise GraphError("the weight of a linear layer must be a parameter")
    bias = build.value(node.given["bias"]) if node.get("bias") else None
    build.add(node, Linear(), [build.value(name), build.value(weight), bias])


def _addmm(build: Importer, node: TorchNode) -> None:
    """alpha · a · b + beta · c."""
    alpha, beta = float(node.get("alpha", 1)), float(node.get("beta", 1))
    first, second = (node.given[n] for n in (("mat1", "mat2") if "mat1" in node.given else ("batch1", "batch2")))
    product = build.add(node, MatMul(), [build.value(first), build.value(second)], part="product")
    if alpha != 1.0:
        product = build.add(node, Mul(), [product, scalar(build, node, "alpha", alpha)], part="scaled")
    added = build.value(node.given["self"])
    if beta != 1.0:
        added = build.add(node, Mul(), [added, scalar(build, node, "beta", beta)], part="added")
    build.add(node, Add(), [product, added])


def _matmul(build: Importer, node: TorchNode) -> None:
    """Products of at least two axes each; a vector gets an axis that is taken away again."""
    a, b = (build.value(name) for name in node.inputs)
    row, column = len(a.shape) == 1, len(b.shape) == 1
    if row:
        a = build.add(node, Reshape((1, -1)), [a], part="row")
    if column:
        b = build.add(node, Reshape((-1, 1)), [b], part="column")
    if not (row or column):
        build.add(node, MatMul(), [a, b])
        return
    made = build.add(node, MatMul(), [a, b], part="product")
    shape = list(made.shape)
    del shape[-1 if column else -2]
    if row and column:
        shape = []
    build.add(node, Reshape((0, *shape[1:]) if column and len(shape) > 1 else tuple(shape)), [made])


def _einsum(build: Importer, node: TorchNode) -> None:
    build.add(node, block("Einsum", node.given["equation"].replace(" ", "")), [build.value(n) for n in node.inputs])


def _refuse_einsum(node: TorchNode) -> str:
    return "" if len(node.inputs) == 2 else f"of {len(node.inputs)} tensors"


def _conv(build: Importer, node: TorchNode) -> None:
    x, w = build.shape(node.given["input"]), build.shape(node.given["weight"])
    axes, groups = len(w) - 2, int(node.get("groups", 1))
    if len(x) != len(w):
        raise GraphError(f"a convolution of {x} needs a sample axis in front")
    if node.get("transposed", False):
        _conv_transpose(build, node)
        return
    stride, dilation = per_axis(node.get("stride"), axes, 1), per_axis(node.get("dilation"), axes, 1)
    padding = _padding(node, x, w, dilation)
    made = CONVS[axes](stride=stride, padding=padding, dilation=dilation, groups=groups)
    weight = build.weight(node.given["weight"], lambda array: conv.channels_last_weight(array, groups))
    build.add(node, made, [build.value(node.given["input"], LAST), weight, _bias(build, node)], LAST)


def _bias(build: Importer, node: TorchNode) -> Value | None:
    return build.value(node.given["bias"]) if node.get("bias") else None


def _padding(node: TorchNode, x: tuple[int, ...], w: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    given, axes = node.get("padding"), len(w) - 2
    if given == "same":
        return same_pads(x[2:], w[2:], (1,) * axes, dilation, True)
    return tuple((p, p) for p in per_axis(0 if given == "valid" else given, axes, 0))


def _conv_transpose(build: Importer, node: TorchNode) -> None:
    w, groups = build.shape(node.given["weight"]), int(node.get("groups", 1))
    axes = len(w) - 2
    numbers: dict[str, Any] = {
        n: per_axis(node.get(n), axes, d) for n, d in (("stride", 1), ("dilation", 1), ("output_padding", 0))
    }
    padding = tuple((p, p) for p in per_axis(node.get("padding"), axes, 0))

    def by_outputs(array: Array) -> Array:
        """[I, O / groups, *kernel] → [O, *kernel, I / groups]."""
        parts = [np.moveaxis(part, (0, 1), (-1, 0)) for part in np.split(array, groups)]
        return np.concatenate(parts)

    made = TRANSPOSED[axes](padding=padding, groups=groups, **numbers)
    values = [build.value(node.given["input"], LAST), build.weight(node.given["weight"], by_outputs)]
    build.add(node, made, [*values, _bias(build, node)], LAST)


def _batch_norm(build: Importer, node: TorchNode) -> None:
    mean = build.constant(node.given["running_mean"]).astype(np.float32)
    given = []
    for name, other in (("weight", 1.0), ("bias", 0.0)):
        array = build.constant(node.given[name]) if node.get(name) else np.full_like(mean, other)
        given.append(build.builder.constant(f"{node.name}.{name}", array.astype(np.float32)))
    means = build.builder.constant(f"{node.name}.running_mean", mean)
    variance = build.constant(node.given["running_var"]).astype(np.float32)
    variances = build.builder.constant(f"{node.name}.running_var", variance)
    name = node.given["input"]
    layout = LAST if len(build.shape(name)) > 2 else FILE
    build.add(
        node, BatchNorm(float(node.get("eps", 1e-5))), [build.value(name, layout), *given, means, variances], layout
    )


def _refuse_batch_norm(node: TorchNode) -> str:
    if node.get("training", False) or not node.get("running_mean"):
        return "with the statistics of the batch"
    return ""


def normalizing(build: Importer, node: TorchNode, kind: str, layout: str, shape: tuple[int, ...], **more: Any) -> None:
    """A normalizing block with its weight and bias; a bias alone gets weights of 1."""
    values = []
    if node.get("weight") or node.get("bias"):
        ones = np.ones(shape, np.float32)
        weight = build.constant(node.given["weight"]).astype(np.float32) if node.get("weight") else ones
        values.append(build.builder.constant(f"{node.name}.weight", weight))
    if node.get("bias"):
        bias = build.constant(node.given["bias"]).astype(np.float32)
        values.append(build.builder.constant(f"{node.name}.bias", bias))
    build.add(node, block(kind, **more), [build.value(node.given["input"], layout), *values], layout)


def _layer_norm(kind: str) -> Callable[[Importer, TorchNode], None]:
    def build_norm(build: Importer, node: TorchNode) -> None:
        shape = tuple(node.given["normalized_shape"])
        eps = node.get("eps", float(np.finfo(np.float32).eps))
        normalizing(build, node, kind, FILE, shape, eps=float(eps), dims=len(shape))

    return build_norm


def _group_norm(build: Importer, node: TorchNode) -> None:
    shape = build.shape(node.given["input"])
    layout = LAST if len(shape) > 2 else FILE
    more = {"num_groups": int(node.given["num_groups"]), "eps": float(node.get("eps", 1e-5))}
    normalizing(build, node, "GroupNorm", layout, shape[1:2], **more)


def _instance_norm(build: Importer, node: TorchNode) -> None:
    shape = build.shape(node.given["input"])
    normalizing(build, node, "InstanceNorm", LAST, shape[1:2], eps=float(node.get("eps", 1e-5)))


def _refuse_instance_norm(node: TorchNode) -> str:
    return "" if node.get("use_input_stats", True) else "with running statistics"


def _embedding(build: Importer, node: TorchNode) -> None:
    build.add(node, block("Embedding"), [build.value(node.given["indices"]), build.value(node.given["weight"])])


RECURRENT: dict[str, Any] = {"lstm": LSTM, "gru": GRU, "rnn_tanh": RNN, "rnn_relu": RNN}


def _recurrent(build: Importer, node: TorchNode) -> None:
    """lstm.input and its siblings: x, states, weights layer by layer and direction by direction."""
    names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if node.given["has_biases"] else [])]
    params = [build.constant(p).astype(np.float32) for p in node.given["params"]]
    layers, both = int(node.given["num_layers"]), bool(node.given["bidirectional"])
    suffixes = [f"l{n}{end}" for n in range(layers) for end in (("", "_reverse") if both else ("",))]
    per = len(params) // len(suffixes)
    names += ["weight_hr"] if per > len(names) else []
    weights = {f"{n}_{s}": params[i * per + j] for i, s in enumerate(suffixes) for j, n in enumerate(names)}
    hidden = weights["weight_hh_l0"].shape[0] // {"lstm": 4, "gru": 3}.get(node.op, 1)
    more: dict[str, Any] = {"num_layers": layers, "bidirectional": both, "weights": weights}
    if node.op.startswith("rnn"):
        more["nonlinearity"] = node.op.removeprefix("rnn_")
    if "weight_hr" in names:
        more["proj_size"] = weights["weight_hr_l0"].shape[0]
    made = RECURRENT[node.op](weights["weight_ih_l0"].shape[1], hidden, **more)
    _add_recurrent(build, node, made)


def _add_recurrent(build: Importer, node: TorchNode, made: Any) -> None:
    first, builder = bool(node.given["batch_first"]), build.builder
    given = node.given["hx"]
    states = [_samples_first(build, name) for name in (given if isinstance(given, (list, tuple)) else [given])]
    x = build.value(node.given["input"])
    if not first:
        x = builder.add(Transpose((1, 0, 2)), x, name=f"{node.name}.samples_first")
    y, *last = builder.add_all(made, x, *states, name=node.name)
    if not first:
        y = builder.add(Transpose((1, 0, 2)), y, name=f"{node.name}.steps_first")
    turned = [
        builder.add(Transpose((1, 0, 2)), v, name=f"{node.name}.last{i}") if node.outputs[i + 1] else v
        for i, v in enumerate(last)
    ]
    build.results(node, [y, *turned])


def _samples_first(build: Importer, name: str) -> Value | None:
    """[L, N, H] as [N, L, H]; None where it is zero throughout, which is where states start."""
    if build.is_constant(name):
        array = build.constant(name)
        if not array.any():
            return None
        return build.builder.constant(name, np.ascontiguousarray(array.transpose(1, 0, 2), dtype=np.float32))
    return build.builder.add(Transpose((1, 0, 2)), build.value(name), name=f"{name}.samples_first")


def _refuse_recurrent(node: TorchNode) -> str:
    if node.get("train", False) and node.get("dropout", 0.0):
        return "in training mode"
    return "of packed sequences" if "data" in node.given else ""


def _attention(build: Importer, node: TorchNode) -> None:
    """softmax(q · kᵀ · scale + mask) · v over the last two axes. Source: scaled_dot_product_attention."""
    q, k, v = (build.value(node.given[n]) for n in ("query", "key", "value"))
    if has_block("ScaledDotProductAttention") and len(q.shape) == len(k.shape) == len(v.shape) == 4:
        _attention_block(build, node, q, k, v)
        return
    scale = float(node.get("scale", q.shape[-1] ** -0.5))
    rank = len(k.shape)
    turned = build.add(node, Transpose((*range(rank - 2), rank - 1, rank - 2)), [k], part="keys")
    scaled = build.add(node, Mul(), [q, scalar(build, node, "scale", scale)], part="queries")
    scores = build.add(node, MatMul(), [scaled, turned], part="scores")
    weights = build.add(node, Softmax(-1), [_masked(build, node, scores)], part="weights")
    build.add(node, MatMul(), [weights, v])


def _attention_block(build: Importer, node: TorchNode, q: Value, k: Value, v: Value) -> None:
    """The composite, which knows formats for everything in between."""
    made = block("ScaledDotProductAttention", scale=node.get("scale"), is_causal=bool(node.get("is_causal", False)))
    given = node.get("attn_mask")
    mask = None
    if isinstance(given, Ref) and build.is_constant(given) and build.constant(given).dtype == bool:
        mask = build.builder.constant(given, build.constant(given), Format("bool"))
    elif given is not None:
        mask = build.value(given)
    build.results(node, build.builder.add_all(made, q, k, v, *([mask] if mask is not None else []), name=node.name))


def _masked(build: Importer, node: TorchNode, scores: Value) -> Value:
    """Scores with the mask added, or −10⁹ where a mask of truth values is false."""
    given = node.get("attn_mask")
    allowed: Array | None = None
    if node.get("is_causal", False):
        allowed = np.tril(np.ones(scores.shape[-2:], dtype=bool))
    elif isinstance(given, Ref) and build.is_constant(given) and build.constant(given).dtype == bool:
        allowed = build.constant(given)
    if allowed is not None:
        mask = build.builder.constant(f"{node.name}.allowed", allowed, Format("bool"))
    elif given is None:
        return scores
    else:
        mask = build.value(given)
    if mask.tensor.format.kind != "bool":
        return build.add(node, Add(), [scores, mask], part="masked")
    return build.add(node, Select(), [mask, scores, scalar(build, node, "never", -1e9)], part="masked")


def _refuse_attention(node: TorchNode) -> str:
    if node.get("dropout_p", 0.0):
        return "with dropout"
    return "with enable_gqa=True" if node.get("enable_gqa", False) else ""


RULES: dict[str, Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution"), Rule(_conv)),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), Rule(_conv_transpose)),
    **dict.fromkeys(RECURRENT, Rule(_recurrent, _refuse_recurrent)),
    "addmm": Rule(_addmm),
    "baddbmm": Rule(_addmm),
    "batch_norm": Rule(_batch_norm, _refuse_batch_norm),
    "_native_batch_norm_legit_no_training": Rule(_batch_norm),
    "bmm": one_block(lambda node: MatMul()),
    "einsum": Rule(_einsum, _refuse_einsum, ("Einsum",)),
    "embedding": Rule(_embedding, needs=("Embedding",)),
    "group_norm": Rule(_group_norm, needs=("GroupNorm",)),
    "instance_norm": Rule(_instance_norm, _refuse_instance_norm, ("InstanceNorm",)),
    "layer_norm": Rule(_layer_norm("LayerNorm"), needs=("LayerNorm",)),
    "linear": Rule(_linear),
    "matmul": Rule(_matmul),
    "mm": one_block(lambda node: MatMul()),
    "rms_norm": Rule(_layer_norm("RMSNorm"), needs=("RMSNorm",)),
    "scaled_dot_product_attention": Rule(_attention, _refuse_attention),
}
