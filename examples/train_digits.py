"""Train the demo's small CNN on scikit-learn's digits with NumPy alone, and write it with its data.

Run `python examples/train_digits.py` from the project's root (needs scikit-learn and onnx; about a minute). It writes
digits_cnn.onnx and digits.npz to hwblocks/demo_data; the seed is fixed, so that the files come out alike.

Network: Conv 3×3 (16) → BatchNorm → ReLU → MaxPool 2 → depthwise Conv 3×3 → Conv 1×1 (32)
→ ReLU → MaxPool 2 → Flatten → Gemm (10) → Softmax.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

Array = np.ndarray[Any, Any]
Weights = dict[str, Array]
OUT = Path(__file__).parents[1] / "hwblocks" / "demo_data"
SEED, TRAIN, CALIBRATION, EPOCHS, BATCH = 7, 1000, 200, 80, 50
FIRST, SECOND = 16, 32  # channels of the two stages


def windows(x: Array) -> Array:
    """x [N, H, W, C] → [N, H, W, 9, C]: the 3×3 neighbourhood of every pixel, zeros outside."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1:3]
    taps = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.stack(taps, axis=3)


def windows_back(d: Array) -> Array:
    """The gradient of `windows`."""
    n, height, width, _, channels = d.shape
    padded = np.zeros((n, height + 2, width + 2, channels))
    for tap in range(9):
        i, j = divmod(tap, 3)
        padded[:, i : i + height, j : j + width] += d[:, :, :, tap]
    return padded[:, 1:-1, 1:-1]


def pool(x: Array) -> tuple[Array, Array]:
    """Maximum over 2×2, and the mask of the winners."""
    n, height, width, channels = x.shape
    blocks = x.reshape(n, height // 2, 2, width // 2, 2, channels)
    top = blocks.max(axis=(2, 4))
    return top, blocks == top[:, :, None, :, None]


def pool_back(d: Array, mask: Array) -> Array:
    """The gradient of `pool`, shared among equal winners."""
    shared = mask * (d[:, :, None, :, None] / mask.sum(axis=(2, 4), keepdims=True))
    n, height, _, width, _, channels = mask.shape
    return shared.reshape(n, height * 2, width * 2, channels)


def start(random: np.random.Generator) -> Weights:
    """He-initialised weights."""

    def normal(*shape: int, fan: int) -> Array:
        return random.normal(size=shape) * np.sqrt(2 / fan)

    return {
        "w1": normal(9, 1, FIRST, fan=9),
        "gamma": np.ones(FIRST),
        "beta": np.zeros(FIRST),
        "wd": normal(9, FIRST, fan=9),
        "bd": np.zeros(FIRST),
        "w2": normal(FIRST, SECOND, fan=FIRST),
        "b2": np.zeros(SECOND),
        "w3": normal(4 * SECOND, 10, fan=4 * SECOND),
        "b3": np.zeros(10),
    }


def forward(
    p: Weights, x: Array, mean: Array | None = None, var: Array | None = None
) -> tuple[Array, dict[str, Array]]:
    """Logits [N, 10] and what the backward pass needs; batch statistics unless given."""
    c: dict[str, Array] = {"x1": windows(x)}
    z = np.einsum("nhwtc,tco->nhwo", c["x1"], p["w1"])
    c["mean"] = z.mean((0, 1, 2)) if mean is None else mean
    c["var"] = z.var((0, 1, 2)) if var is None else var
    c["norm"] = (z - c["mean"]) / np.sqrt(c["var"] + 1e-5)
    c["a1"] = np.maximum(c["norm"] * p["gamma"] + p["beta"], 0)
    top, c["m1"] = pool(c["a1"])
    c["xd"] = windows(top)
    c["d"] = np.einsum("nhwtc,tc->nhwc", c["xd"], p["wd"]) + p["bd"]
    c["a2"] = np.maximum(c["d"] @ p["w2"] + p["b2"], 0)
    top2, c["m2"] = pool(c["a2"])
    c["flat"] = top2.transpose(0, 3, 1, 2).reshape(len(x), -1)
    return c["flat"] @ p["w3"] + p["b3"], c


def backward(p: Weights, c: dict[str, Array], error: Array) -> Weights:
    """Gradients of the weights from the gradient of the logits."""
    g: Weights = {"w3": c["flat"].T @ error, "b3": error.sum(0)}
    d = (error @ p["w3"].T).reshape(-1, SECOND, 2, 2).transpose(0, 2, 3, 1)
    d = pool_back(d, c["m2"]) * (c["a2"] > 0)
    g["w2"], g["b2"] = np.einsum("nhwc,nhwo->co", c["d"], d), d.sum((0, 1, 2))
    d = d @ p["w2"].T
    g["wd"], g["bd"] = np.einsum("nhwtc,nhwc->tc", c["xd"], d), d.sum((0, 1, 2))
    d = windows_back(d[:, :, :, None, :] * p["wd"])
    d = pool_back(d, c["m1"]) * (c["a1"] > 0)
    g["gamma"], g["beta"] = (d * c["norm"]).sum((0, 1, 2)), d.sum((0, 1, 2))
    d = d * p["gamma"]
    count = d.shape[0] * d.shape[1] * d.shape[2]
    centred = d - d.sum((0, 1, 2)) / count - c["norm"] * (d * c["norm"]).sum((0, 1, 2)) / count
    g["w1"] = np.einsum("nhwtc,nhwo->tco", c["x1"], centred / np.sqrt(c["var"] + 1e-5))
    return g


def train(x: Array, labels: Array) -> tuple[Weights, Array, Array]:
    """Weights after momentum descent, and the running mean and variance of the batch normalization."""
    random = np.random.default_rng(SEED)
    p = start(random)
    speed = {name: np.zeros_like(w) for name, w in p.items()}
    mean, var = np.zeros(FIRST), np.ones(FIRST)
    for epoch in range(EPOCHS):
        rate = 0.01 * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
        for batch in np.split(random.permutation(len(x)), len(x) // BATCH):
            logits, c = forward(p, x[batch])
            powers = np.exp(logits - logits.max(1, keepdims=True))
            error = (powers / powers.sum(1, keepdims=True) - np.eye(10)[labels[batch]]) / len(batch)
            mean, var = 0.9 * mean + 0.1 * c["mean"], 0.9 * var + 0.1 * c["var"]
            for name, gradient in backward(p, c, error).items():
                speed[name] = 0.9 * speed[name] - rate * (gradient + 1e-4 * p[name])
                p[name] = p[name] + speed[name]
    return p, mean, var


def to_onnx(p: Weights, mean: Array, var: Array) -> onnx.ModelProto:
    """The network as an ONNX model, channels first, batch axis N."""
    tensors = {
        "conv1.weight": p["w1"].reshape(3, 3, 1, FIRST).transpose(3, 2, 0, 1),
        "bn1.weight": p["gamma"],
        "bn1.bias": p["beta"],
        "bn1.mean": mean,
        "bn1.var": var,
        "depthwise.weight": p["wd"].reshape(3, 3, FIRST).transpose(2, 0, 1)[:, None],
        "depthwise.bias": p["bd"],
        "pointwise.weight": p["w2"].T[:, :, None, None],
        "pointwise.bias": p["b2"],
        "fc.weight": p["w3"].T,
        "fc.bias": p["b3"],
    }
    square = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    halve = {"kernel_shape": [2, 2], "strides": [2, 2]}
    batch = ["bn1.weight", "bn1.bias", "bn1.mean", "bn1.var"]
    rows: list[tuple[str, str, list[str], str, dict[str, Any]]] = [
        ("Conv", "conv1", ["image", "conv1.weight"], "conv1_out", square),
        ("BatchNormalization", "bn1", ["conv1_out", *batch], "bn1_out", {"epsilon": 1e-5}),
        ("Relu", "relu1", ["bn1_out"], "relu1_out", {}),
        ("MaxPool", "pool1", ["relu1_out"], "pool1_out", halve),
        (
            "Conv",
            "depthwise",
            ["pool1_out", "depthwise.weight", "depthwise.bias"],
            "dw_out",
            {**square, "group": FIRST},
        ),
        (
            "Conv",
            "pointwise",
            ["dw_out", "pointwise.weight", "pointwise.bias"],
            "pw_out",
            {"kernel_shape": [1, 1]},
        ),
        ("Relu", "relu2", ["pw_out"], "relu2_out", {}),
        ("MaxPool", "pool2", ["relu2_out"], "pool2_out", halve),
        ("Flatten", "flatten", ["pool2_out"], "flat", {"axis": 1}),
        ("Gemm", "fc", ["flat", "fc.weight", "fc.bias"], "logits", {"transB": 1}),
        ("Softmax", "softmax", ["logits"], "probabilities", {"axis": -1}),
    ]
    graph = helper.make_graph(
        [helper.make_node(op, inputs, [out], name=name, **more) for op, name, inputs, out, more in rows],
        "digits_cnn",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(np.ascontiguousarray(t, dtype=np.float32), name) for name, t in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="hwblocks examples")
    model.ir_version = 8
    return model


def main() -> None:
    """Train, report the accuracy, write the files."""
    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    images, labels = digits.images[order].astype(np.uint8), digits.target[order].astype(np.uint8)
    x = images[..., None].astype(np.float64)
    p, mean, var = train(x[:TRAIN], labels[:TRAIN])
    logits, _ = forward(p, x[TRAIN:], mean, var)
    print(f"test accuracy {np.mean(logits.argmax(1) == labels[TRAIN:]):.4f}, {sum(w.size for w in p.values())} weights")
    OUT.mkdir(exist_ok=True)
    onnx.save(to_onnx(p, mean, var), str(OUT / "digits_cnn.onnx"))
    channels_first = images[:, None]
    np.savez_compressed(
        OUT / "digits.npz",
        calibration=channels_first[:CALIBRATION],
        images=channels_first[TRAIN:],
        labels=labels[TRAIN:],
    )


if __name__ == "__main__":
    main()
