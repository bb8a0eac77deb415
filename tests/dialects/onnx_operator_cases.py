"""Random models of one quantized ONNX operator: `FAMILIES[name](rng)` draws a model and its inputs."""

from __future__ import annotations

import numpy as np
from onnx import helper, numpy_helper

MICROSOFT = "com.microsoft"


def one(op, inputs, constants, attributes=None, domain="", outputs=1, opset=13):
    """A model of one operator: `inputs` are run-time arrays by name, `constants` the others, in the order of `op[1]`."""
    name, order = op
    node = helper.make_node(name, order, [f"y{i}" for i in range(outputs)], domain=domain, **(attributes or {}))
    given = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in inputs.items()
    ]
    made = [helper.make_empty_tensor_value_info(f"y{i}") for i in range(outputs)]
    stored = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    graph = helper.make_graph([node], "one", given, made, stored)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 8
    return model


def codes(rng, kind, shape, reach=None):
    limits = np.iinfo(kind)
    low, high = (limits.min, limits.max) if reach is None else (-reach, reach)
    return rng.integers(low, high + 1, shape).astype(kind)


def scale(rng, low=-7, high=0):
    return np.float32(2.0 ** rng.uniform(low, high))


def zero(rng, kind):
    limits = np.iinfo(kind)
    return np.array(rng.choice([limits.min, limits.max, rng.integers(limits.min, limits.max + 1)]), kind)


def kinds(rng):
    """Types of activations and weights that every machine sums exactly, and the weights' reach."""
    return [("uint8", "uint8", None), ("int8", "int8", None), ("uint8", "int8", 63)][int(rng.integers(3))]


def qlinear_conv(rng):
    x_kind, w_kind, reach = kinds(rng)
    groups = int(rng.choice([1, 1, 2]))
    inner, outputs = int(rng.integers(1, 5)), int(rng.integers(1, 5)) * groups
    if rng.random() < 0.25:
        groups, inner, outputs = (n := int(rng.choice([1, 3, 8, 17]))), 1, n
    kernel = rng.integers(1, 4, 2)
    x = codes(rng, x_kind, (int(rng.integers(1, 3)), inner * groups, *rng.integers(6, 10, 2)))
    w = codes(rng, w_kind, (outputs, inner, *kernel), reach)
    per_channel = rng.random() < 0.5
    w_scale = np.float32(2.0 ** rng.uniform(-9, -4, outputs)) if per_channel else scale(rng, -9, -4)
    w_zero = (
        np.zeros(outputs if per_channel else (), w_kind)
        if w_kind == "int8"
        else np.full(outputs if per_channel else (), zero(rng, w_kind))
    )
    x_scale, fan = scale(rng), inner * kernel.prod()
    constants = {
        "xs": x_scale,
        "xz": zero(rng, x_kind),
        "w": w,
        "ws": w_scale,
        "wz": w_zero.astype(w_kind),
        "ys": np.float32(x_scale * np.median(w_scale) * 70 * np.sqrt(fan) * 2.0 ** rng.uniform(-1, 1)),
        "yz": zero(rng, x_kind),
    }
    order = ["x", *constants]
    if rng.random() < 0.7:
        constants["b"] = rng.integers(-5000, 5000, outputs).astype(np.int32)
        order.append("b")
    attributes = {
        "group": groups,
        "strides": rng.integers(1, 3, 2).tolist(),
        "pads": rng.integers(0, 3, 4).tolist(),
        "dilations": rng.integers(1, 3, 2).tolist(),
    }
    return one(("QLinearConv", order), {"x": x}, constants, attributes), {"x": x}


def qlinear_matmul(rng):
    a_kind, b_kind, reach = kinds(rng)
    m, k, n = (int(v) for v in rng.choice([1, 2, 3, 7, 8, 9, 16, 17, 33], 3))
    a, b = codes(rng, a_kind, (2, m, k)), codes(rng, b_kind, (k, n), reach)
    constants = {
        "as": scale(rng),
        "az": zero(rng, a_kind),
        "b": b,
        "bs": scale(rng),
        "bz": zero(rng, b_kind) if reach is None else np.array(0, b_kind),
    }
    constants["ys"] = np.float32(constants["as"] * constants["bs"] * 6000 * np.sqrt(k) / 60 * 2.0 ** rng.uniform(-1, 1))
    constants["yz"] = zero(rng, a_kind)
    return one(("QLinearMatMul", ["a", *constants]), {"a": a}, constants), {"a": a}


def qgemm(rng):
    a_kind, b_kind, reach = kinds(rng)
    m, k, n = (int(v) for v in rng.choice([1, 2, 3, 7, 8, 9, 16, 17, 33], 3))
    transposed = int(rng.integers(2))
    a, b = codes(rng, a_kind, (m, k)), codes(rng, b_kind, (n, k) if transposed else (k, n), reach)
    constants = {
        "as": scale(rng),
        "az": zero(rng, a_kind),
        "b": b,
        "bs": scale(rng),
        "bz": zero(rng, b_kind) if reach is None else np.array(0, b_kind),
    }
    constants["c"] = rng.integers(-5000, 5000, n).astype(np.int32)
    if rng.random() < 0.7:
        constants["ys"] = np.float32(constants["as"] * constants["bs"] * 100 * np.sqrt(k) * 2.0 ** rng.uniform(-1, 1))
        constants["yz"] = zero(rng, a_kind)
    return one(("QGemm", ["a", *constants]), {"a": a}, constants, {"transB": transposed}, MICROSOFT), {"a": a}


def pair(name):
    def draw(rng):
        kind = str(rng.choice(["uint8", "int8"]))
        shape = tuple(rng.integers(1, 9, int(rng.integers(1, 4))))
        other = shape if rng.random() < 0.6 else shape[-1:] if rng.random() < 0.5 else (1,)
        a, b = codes(rng, kind, shape), codes(rng, kind, other)
        constants = {"as": scale(rng), "az": zero(rng, kind), "bs": scale(rng), "bz": zero(rng, kind)}
        typical = (
            constants["as"] * constants["bs"] * 60 if name == "QLinearMul" else max(constants["as"], constants["bs"])
        )
        constants |= {"ys": np.float32(typical * 2.0 ** rng.uniform(-1, 1)), "yz": zero(rng, kind)}
        if rng.random() < 0.2:
            constants = {n: (np.float32(2.0 ** int(np.log2(v))) if n[1] == "s" else v) for n, v in constants.items()}
        inputs = {"a": a, "b": b}
        if rng.random() < 0.3:
            constants["b"] = inputs.pop("b")
        return one((name, ["a", "as", "az", "b", "bs", "bz", "ys", "yz"]), inputs, constants, None, MICROSOFT), inputs

    return draw


def single(name, attributes=lambda rng: {}, near=1.0, shape=None):
    def draw(rng):
        kind = str(rng.choice(["uint8", "int8"]))
        x = codes(rng, kind, shape(rng) if shape else tuple(rng.integers(1, 9, 3)))
        xs = scale(rng, -6, -1)
        ys = np.float32(1 / 256) if name == "QLinearSigmoid" else np.float32(xs * 2.0 ** rng.uniform(-near, near))
        constants = {"xs": xs, "xz": zero(rng, kind), "ys": ys, "yz": zero(rng, kind)}
        if name == "QLinearSoftmax":
            constants |= {"ys": np.float32(rng.choice([1 / 256, 1 / 255])), "yz": np.array(np.iinfo(kind).min, kind)}
        return one((name, ["x", *constants]), {"x": x}, constants, attributes(rng), MICROSOFT), {"x": x}

    return draw


def image(rng):
    return (1, int(rng.choice([1, 3, 8, 17])), *rng.integers(4, 9, 2))


def windows(rng):
    kernel = rng.integers(1, 4, 2)
    return {
        "kernel_shape": kernel.tolist(),
        "strides": rng.integers(1, 3, 2).tolist(),
        "pads": [int(rng.integers(0, k)) for k in (*kernel, *kernel)],
        "count_include_pad": int(rng.integers(2)),
    }


def qlinear_concat(rng):
    kind = str(rng.choice(["uint8", "int8"]))
    shapes = [(2, int(n), 3) for n in rng.integers(1, 5, int(rng.integers(2, 4)))]
    ys, yz = scale(rng), zero(rng, kind)
    constants, order, inputs = {"ys": ys, "yz": yz}, ["ys", "yz"], {}
    for i, shape in enumerate(shapes):
        same = rng.random() < 0.3
        inputs[f"x{i}"] = codes(rng, kind, shape)
        constants |= {f"s{i}": ys if same else scale(rng), f"z{i}": yz if same else zero(rng, kind)}
        order += [f"x{i}", f"s{i}", f"z{i}"]
    return one(("QLinearConcat", order), inputs, constants, {"axis": 1}, MICROSOFT), inputs


def qlinear_where(rng):
    kind = str(rng.choice(["uint8", "int8"]))
    shape = tuple(int(v) for v in rng.integers(1, 6, 3))
    sides = [shape if rng.random() < 0.6 else (1, *shape[1:]) for _ in range(2)]
    inputs = {"c": rng.random(shape) < 0.5, "a": codes(rng, kind, sides[0]), "b": codes(rng, kind, sides[1])}
    constants = {n: scale(rng) if n[1] == "s" else zero(rng, kind) for n in ("as", "az", "bs", "bz", "ys", "yz")}
    if rng.random() < 0.3:
        constants |= {"as": constants["ys"], "az": constants["yz"]}
    order = ["c", "a", "as", "az", "b", "bs", "bz", "ys", "yz"]
    return one(("QLinearWhere", order), inputs, constants, None, MICROSOFT), inputs


def quantize(rng):
    kind = str(rng.choice(["uint8", "int8", "uint16", "int16"]))
    s, z = scale(rng), zero(rng, kind)
    limits = np.iinfo(kind)
    x = ((rng.integers(2 * limits.min, 2 * limits.max, 50) / 2 - float(z)) * s).astype(np.float32)
    return one(("QuantizeLinear", ["x", "s", "z"]), {"x": x}, {"s": s, "z": z}, {"axis": 0}, opset=21), {"x": x}


def dequantize(rng):
    kind = str(rng.choice(["uint8", "int8", "int16"]))
    x = codes(rng, kind, (50,))
    constants = {"s": scale(rng), "z": zero(rng, kind)}
    return one(("DequantizeLinear", ["x", "s", "z"]), {"x": x}, constants, {"axis": 0}, opset=21), {"x": x}


def dynamic_quantize(rng):
    x = (rng.normal(size=(int(rng.integers(1, 5)), 7)) * 2.0 ** rng.uniform(-6, 6) + rng.uniform(-3, 3)).astype(
        np.float32
    )
    return one(("DynamicQuantizeLinear", ["x"]), {"x": x}, {}, outputs=3), {"x": x}


def matmul_integer(rng):
    a_kind, b_kind, reach = kinds(rng)
    m, k, n = (int(v) for v in rng.choice([1, 2, 3, 8, 9, 17, 33], 3))
    a = codes(rng, a_kind, (m, k))
    constants = {
        "b": codes(rng, b_kind, (k, n), reach),
        "az": zero(rng, a_kind),
        "bz": zero(rng, b_kind) if reach is None else np.array(0, b_kind),
    }
    return one(("MatMulInteger", ["a", "b", "az", "bz"]), {"a": a}, constants), {"a": a}


def conv_integer(rng):
    inner, outputs, kernel = int(rng.integers(1, 4)), int(rng.integers(1, 5)), rng.integers(1, 4, 2)
    x = codes(rng, "uint8", (1, inner, *rng.integers(4, 8, 2)))
    constants = {
        "w": codes(rng, "uint8", (outputs, inner, *kernel)),
        "xz": zero(rng, "uint8"),
        "wz": zero(rng, "uint8"),
    }
    attributes = {"strides": rng.integers(1, 3, 2).tolist(), "pads": rng.integers(0, 2, 4).tolist()}
    return one(("ConvInteger", ["x", *constants]), {"x": x}, constants, attributes), {"x": x}


def integer_to_float(rng):
    m, k, n = (int(v) for v in rng.choice([1, 2, 3, 8, 9, 17], 3))
    a = codes(rng, "uint8", (m, k))
    constants = {
        "b": codes(rng, "uint8", (k, n)),
        "as": scale(rng),
        "bs": np.float32(2.0 ** rng.uniform(-7, 0, n)),
        "az": zero(rng, "uint8"),
    }
    constants["bz"] = np.full(n, zero(rng, "uint8"))
    order = ["a", "b", "as", "bs", "az", "bz"]
    if rng.random() < 0.5:
        constants["c"] = rng.normal(size=n).astype(np.float32)
        order.append("c")
    return one(("MatMulIntegerToFloat", order), {"a": a}, constants, None, MICROSOFT), {"a": a}


def dynamic_matmul(rng):
    m, k, n = (int(v) for v in rng.choice([1, 2, 3, 8, 9, 17], 3))
    a = rng.normal(size=(m, k)).astype(np.float32)
    constants = {"b": codes(rng, "int8", (k, n), 63), "bs": scale(rng), "bz": np.array(0, np.int8)}
    return one(("DynamicQuantizeMatMul", ["a", *constants]), {"a": a}, constants, None, MICROSOFT), {"a": a}


FAMILIES = {
    "QLinearConv": qlinear_conv,
    "QLinearMatMul": qlinear_matmul,
    "QGemm": qgemm,
    "QLinearAdd": pair("QLinearAdd"),
    "QLinearMul": pair("QLinearMul"),
    "QLinearSigmoid": single("QLinearSigmoid"),
    "QLinearLeakyRelu": single("QLinearLeakyRelu", lambda rng: {"alpha": float(rng.uniform(0.01, 0.9))}),
    "QLinearSoftmax": single("QLinearSoftmax", lambda rng: {"axis": -1, "opset": 13}),
    "QLinearGlobalAveragePool": single("QLinearGlobalAveragePool", lambda rng: {"channels_last": 0}, 1.0, image),
    "QLinearAveragePool": single("QLinearAveragePool", windows, 1.0, image),
    "QLinearConcat": qlinear_concat,
    "QLinearWhere": qlinear_where,
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": dynamic_quantize,
    "MatMulInteger": matmul_integer,
    "ConvInteger": conv_integer,
    "MatMulIntegerToFloat": integer_to_float,
    "DynamicQuantizeMatMul": dynamic_matmul,
}
