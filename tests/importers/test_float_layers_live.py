"""Random float layers (convolutions, poolings, resizing, products, reductions, normalizations) against ONNX Runtime."""

from __future__ import annotations

import os

import numpy as np
import pytest
from onnx import helper, numpy_helper

import hwblocks as hb
from hwblocks.importers.from_onnx import import_model

ort = pytest.importorskip("onnxruntime")

FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
COUNT = 1000 if FUZZ else 40
SEED = int.from_bytes(os.urandom(4)) if FUZZ else 0


def one(op, opset, inputs, constants=(), outputs=1, **attributes):
    """(model, run-time inputs): a node whose inputs named in `constants` are initializers; None is absent."""
    names = ["" if value is None else name for name, value in inputs.items()]
    stored = [numpy_helper.from_array(inputs[n], n) for n in constants if inputs[n] is not None]
    running = {n: a for n, a in inputs.items() if a is not None and n not in constants}
    made = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, made, name="node", **{k: v for k, v in attributes.items() if v is not None})
    types = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in running.items()
    ]
    graph = helper.make_graph([node], "one", types, [helper.make_empty_tensor_value_info(n) for n in made], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 9
    return model, running


def normal(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def drawn(rng, low, high, count):
    return [int(v) for v in rng.integers(low, high + 1, count)]


def maybe(rng, value, chance=0.5):
    return value if rng.random() < chance else None


def padded(rng, axes, kernel, extra=()):
    """pads or auto_pad."""
    mode = rng.choice(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", *extra])
    if mode != "NOTSET":
        return {"auto_pad": str(mode)}
    return {"pads": [int(rng.integers(0, k)) for k in (*kernel, *kernel)]}


def convolution(rng):
    axes, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))
    kernel, per, outputs = drawn(rng, 1, 3, axes), int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    inputs = {
        "x": normal(rng, 2, per * groups, *drawn(rng, 5, 8, axes)),
        "w": normal(rng, outputs, per, *kernel),
        "b": maybe(rng, normal(rng, outputs)),
    }
    padding = padded(rng, axes, kernel)
    dilations = None if "auto_pad" in padding else maybe(rng, drawn(rng, 1, 2, axes))
    strides = maybe(rng, drawn(rng, 1, 3, axes))
    constants = ("w", "b") if rng.random() < 0.7 else ()
    return one("Conv", 11, inputs, constants, strides=strides, dilations=dilations, group=groups, **padding)


def transposed(rng):
    axes, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2]))
    kernel, per = drawn(rng, 1, 3, axes), int(rng.integers(1, 3))
    strides = drawn(rng, 1, 3, axes)
    inputs = {
        "x": normal(rng, 2, groups * per, *drawn(rng, 3, 5, axes)),
        "w": normal(rng, groups * per, 2, *kernel),
        "b": maybe(rng, normal(rng, 2 * groups)),
    }
    more = {
        "output_padding": [int(rng.integers(0, s)) for s in strides],
        "pads": [int(rng.integers(0, k)) for k in kernel * 2],
    }
    if rng.random() < 0.3:
        more = {"auto_pad": str(rng.choice(["SAME_UPPER", "SAME_LOWER"]))}
        strides = [min(s, k) for s, k in zip(strides, kernel)]
    constants = ("w", "b") if rng.random() < 0.7 else ()
    return one("ConvTranspose", 11, inputs, constants, strides=strides, group=groups, **more)


def pooled(op, opset, **choices):
    def draw(rng):
        axes = int(rng.integers(1, 4))
        kernel = drawn(rng, 1, 3, axes)
        more = {name: int(rng.integers(0, 2)) for name, wanted in choices.items() if wanted == "flag"}
        if "p" in choices:
            more["p"] = int(rng.integers(1, 4))
        padding = padded(rng, axes, kernel)
        if "auto_pad" in padding:
            more.pop("ceil_mode", None)
        elif "dilations" in choices:
            more["dilations"] = maybe(rng, drawn(rng, 1, 2, axes))
        inputs = {"x": normal(rng, 2, 3, *drawn(rng, 6, 9, axes))}
        outputs = 1 + ("storage_order" in more)
        strides = maybe(rng, drawn(rng, 1, 3, axes))
        if "auto_pad" in padding and strides:  # the runtime starts inside the input where steps leave gaps
            strides = [min(s, k) for s, k in zip(strides, kernel)]
        return one(op, opset, inputs, (), outputs, kernel_shape=kernel, strides=strides, **padding, **more)

    return draw


def resized(rng):
    axes = int(rng.integers(1, 3))
    x = normal(rng, 1, 2, *drawn(rng, 3, 7, axes))
    mode = str(rng.choice(["nearest", "linear"] + ["cubic"] * (axes == 2)))
    modes = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
    inputs = {"x": x, "roi": None, "scales": None, "sizes": np.array([1, 2, *drawn(rng, 1, 9, axes)])}
    return one(
        "Resize",
        13,
        inputs,
        ("sizes",),
        mode=mode,
        coordinate_transformation_mode=str(rng.choice(modes)),
        nearest_mode=str(rng.choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])),
        cubic_coeff_a=float(np.float32(rng.choice([-0.75, -0.5]))),
        exclude_outside=int(rng.integers(0, 2)) if mode == "cubic" else 0,
    )


def gemm(rng):
    m, k, n = drawn(rng, 1, 4, 3)
    a, b = int(rng.integers(0, 2)), int(rng.integers(0, 2))
    bias = [(n,), (1, n), (m, n), (m, 1), (1,), ()][int(rng.integers(0, 6))]
    inputs = {
        "a": normal(rng, *((k, m) if a else (m, k))),
        "b": normal(rng, *((n, k) if b else (k, n))),
        "c": maybe(rng, normal(rng, *bias)),
    }
    constants = [(), ("b",), ("b", "c"), ("c",)][int(rng.integers(0, 4))]
    numbers = {name: maybe(rng, float(np.float32(rng.normal()))) for name in ("alpha", "beta")}
    return one("Gemm", 13, inputs, constants, transA=a, transB=b, **numbers)


def product(rng):
    k, a, b = int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.integers(1, 5))
    lead = drawn(rng, 1, 3, max(a, b) - 2) if max(a, b) > 2 else []
    left = (k,) if a == 1 else (*lead[len(lead) - a + 2 :], 3, k)
    right = (k,) if b == 1 else (*lead[len(lead) - b + 2 :], k, 2)
    return one("MatMul", 13, {"a": normal(rng, *left), "b": normal(rng, *right)}, ("b",) if rng.random() < 0.5 else ())


def einstein(rng):
    letters = "ijkl"
    sizes = dict(zip(letters, drawn(rng, 1, 4, 4)))
    terms = [
        "".join(rng.choice(list(letters), int(rng.integers(1, 4)), replace=False))
        for _ in range(int(rng.integers(1, 4)))
    ]
    seen = sorted(set("".join(terms)))
    output = "".join(rng.choice(seen, int(rng.integers(1, len(seen) + 1)), replace=False))
    inputs = {f"x{i}": normal(rng, *(sizes[c] for c in term)) for i, term in enumerate(terms)}
    return one("Einsum", 12, inputs, (), equation=",".join(terms) + "->" + output)


def reduction(rng):
    op = str(rng.choice(["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"]))
    rank = int(rng.integers(1, 5))
    axes = sorted(
        int(a) - rank * int(rng.integers(0, 2)) for a in rng.choice(rank, int(rng.integers(1, rank + 1)), replace=False)
    )
    inputs = {
        "x": np.abs(normal(rng, *drawn(rng, 1, 4, rank))) + np.float32(0.1),
        "axes": maybe(rng, np.array(axes), 0.8),
    }
    more = {"noop_with_empty_axes": int(rng.integers(0, 2))} if inputs["axes"] is None else {}
    if more.get("noop_with_empty_axes") and op not in ("Sum", "Mean", "Max", "Min", "Prod"):
        more = {}  # the runtime leaves out the steps that are no reduction
    return one(f"Reduce{op}", 18, inputs, ("axes",), keepdims=int(rng.integers(0, 2)), **more)


def norm(rng):
    op = str(rng.choice(["LayerNormalization", "InstanceNormalization", "LpNormalization", "LRN"]))
    rank = int(rng.integers(3, 5))
    x = normal(rng, *drawn(rng, 2, 5, rank))
    if op == "LayerNormalization":
        axis = int(rng.integers(1, rank))
        inputs = {"x": x, "w": normal(rng, *x.shape[axis:]), "b": maybe(rng, normal(rng, *x.shape[axis:]))}
        return one(op, 17, inputs, ("w", "b"), 3, axis=axis, epsilon=0.01)
    if op == "InstanceNormalization":
        return one(
            op, 6, {"x": x, "w": normal(rng, x.shape[1]), "b": normal(rng, x.shape[1])}, ("w", "b"), epsilon=0.01
        )
    if op == "LpNormalization":
        return one(op, 1, {"x": x}, (), axis=int(rng.integers(-rank, rank)), p=int(rng.integers(1, 3)))
    return one(
        op, 13, {"x": normal(rng, 2, 6, 3, 3)}, (), size=int(rng.choice([1, 3, 5])), alpha=0.5, beta=0.75, bias=1.5
    )


def softmaxes(rng):
    op, opset = str(rng.choice(["Softmax", "LogSoftmax", "Hardmax"])), int(rng.choice([11, 13]))
    rank = int(rng.integers(2, 5))
    axis = int(rng.integers(0 if opset < 13 else -rank, rank))
    return one(op, opset, {"x": normal(rng, *drawn(rng, 1, 4, rank))}, (), axis=axis)


FAMILIES = {
    "convolution": convolution,
    "transposed": transposed,
    "max_pool": pooled("MaxPool", 12, ceil_mode="flag", dilations=True, storage_order="flag"),
    "average_pool": pooled("AveragePool", 11, count_include_pad="flag"),
    "lp_pool": pooled("LpPool", 11, p=True),
    "resized": resized,
    "gemm": gemm,
    "product": product,
    "einstein": einstein,
    "reduction": reduction,
    "norm": norm,
    "softmaxes": softmaxes,
}


def session(model):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model.SerializeToString(), options)


@pytest.mark.parametrize("family", FAMILIES)
def test_float_layers_are_close_to_the_runtime(family):
    served = 0
    for number in range(COUNT):
        seed = [SEED, number, *family.encode()]
        model, inputs = FAMILIES[family](np.random.default_rng(seed))
        try:
            wanted = session(model).run(None, inputs)
        except Exception:  # combinations that the runtime lacks
            continue
        graph = import_model(model, {n: a.shape for n, a in inputs.items() if a.ndim}, "one")
        made = hb.run(graph, {n: a[None] for n, a in inputs.items()}).outputs
        served += 1
        for got, right in zip(made.values(), wanted, strict=True):
            assert got[0].shape == right.shape, (seed, got[0].shape, right.shape)
            np.testing.assert_allclose(got[0], right, 2e-4, 2e-5, err_msg=f"{seed} {model.graph.node[0]}")
    assert served > COUNT // 2
