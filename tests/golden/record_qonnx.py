"""Records what the QONNX executor gives for random quantizers. Run once, with qonnx 1.0.0 installed:

python tests/golden/record_qonnx.py    # writes qonnx_operators.npz beside this file

The file holds for each case k: "k.model" (the ONNX file's bytes), "k.x" and "k.y"; "about" names version and command.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

DOMAIN = "qonnx.custom_op.general"
MODES = ("ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
COUNT = 60
SHAPE = (2, 3, 2, 4)


def model(op, constants, attributes, opset=1):
    node = helper.make_node(op, ["x", *constants], ["y"], domain=DOMAIN, **attributes)
    ends = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, SHAPE) for n in ("x", "y")]
    stored = [numpy_helper.from_array(np.asarray(a, np.float32), n) for n, a in constants.items()]
    graph = helper.make_graph([node], "one", ends[:1], ends[1:], stored)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def scale(rng, per_channel=True):
    """Powers of two (many ties) and others; one, or one for each channel of axis 1."""
    shape = (1, SHAPE[1], 1, 1) if per_channel and rng.random() < 0.3 else (1,)
    exponent = rng.uniform(-4, 1, shape)
    return np.float32(2.0 ** (np.rint(exponent) if rng.random() < 0.5 else exponent))


def values(rng, step, reach):
    """Halves of steps, and values between them."""
    halves = rng.integers(-2 * reach, 2 * reach + 1, SHAPE) / 2
    return np.float32((halves + rng.choice([0, 0, 1], SHAPE) * rng.normal(size=SHAPE)) * step)


def quant(rng, op):
    bits, s = float(rng.choice([1, 2, 3, 4, 8])), scale(rng)
    signed, narrow = int(rng.integers(2)), int(rng.integers(2)) if bits > 1 else 0
    zero = float(rng.choice([0, 0, 1, 3])) if bits > 2 else 0.0
    attributes = {"signed": signed, "narrow": narrow, "rounding_mode": str(rng.choice(MODES))}
    return model(op, {"s": s, "z": [zero], "b": [bits]}, attributes), values(rng, s, 2 ** (bits - 1) + 1)


def bipolar(rng, op):
    s = scale(rng)
    return model(op, {"s": s}, {}), values(rng, s, 2)


def trunc(rng, op):
    s, bits = scale(rng, False), float(rng.choice([4, 8]))
    attributes = {"rounding_mode": str(rng.choice(MODES))}
    zero, drop = float(rng.choice([0, 0, 4])), float(rng.integers(0, 4))
    if rng.random() < 0.5:
        return model(op, {"s": s, "z": [zero], "i": [bits], "o": [bits - drop]}, attributes), values(
            rng, s, 2 ** (bits - 1)
        )
    attributes |= {"signed": int(rng.integers(2)), "narrow": int(rng.integers(2))}
    constants = {"s": s, "z": [zero], "i": [bits], "os": s * np.float32(2**drop), "o": [bits - drop]}
    return model(op, constants, attributes, 2), values(rng, s, 2 ** (bits - 1))


def float_quant(rng, op):
    exponent, mantissa = float(rng.integers(2, 6)), float(rng.integers(1, 5))
    bias = 2.0 ** (exponent - 1) - 1
    largest = (2 - 2.0**-mantissa) * 2.0 ** (2**exponent - 1 - bias)
    s = scale(rng, False)
    attributes = {
        "has_inf": int(rng.integers(2)),
        "has_nan": 1,
        "has_subnormal": int(rng.integers(2)),
        "saturation": int(rng.integers(2)),
        "rounding_mode": str(rng.choice(["ROUND", "CEIL", "FLOOR"])),
    }
    constants = {"s": s, "e": exponent, "m": mantissa, "b": bias, "v": min(largest, 3e38)}
    spread = 2.0 ** rng.uniform(-bias - mantissa - 1, min(bias + 2, 100), SHAPE)
    return model(op, constants, attributes), np.float32(spread * rng.choice([-1, 1], SHAPE) * s)


def multi_threshold(rng, op):
    layout = str(rng.choice(["", "NCHW", "NHWC"]))
    rows = int(rng.choice([1, SHAPE[3 if layout == "NHWC" else 1]]))
    thresholds = np.sort(rng.integers(-8, 9, (rows, int(rng.integers(1, 8)))) / 2, axis=1)
    attributes = {
        "out_scale": float(rng.choice([1, 2, 0.5])),
        "out_bias": float(rng.choice([0, -1, 0.25])),
        "out_dtype": "FLOAT32",
        **({"data_layout": layout} if layout else {}),
    }
    return model(op, {"t": thresholds}, attributes), np.float32(rng.integers(-10, 11, SHAPE) / 2)


DRAWS = {
    "Quant": quant,
    "IntQuant": quant,
    "BipolarQuant": bipolar,
    "Trunc": trunc,
    "FloatQuant": float_quant,
    "MultiThreshold": multi_threshold,
}


def main():
    rng, kept = np.random.default_rng(7), {}
    for op, draw in DRAWS.items():
        for number in range(COUNT):
            made, x = draw(rng, op)
            y = execute_onnx(ModelWrapper(made), {"x": x})["y"]
            key = f"{op}.{number}"
            kept |= {f"{key}.model": np.frombuffer(made.SerializeToString(), np.uint8), f"{key}.x": x, f"{key}.y": y}
    kept["about"] = np.array(f"qonnx {version('qonnx')}, numpy {np.__version__}: python tests/golden/record_qonnx.py")
    np.savez_compressed(Path(__file__).with_name("qonnx_operators.npz"), **kept)


if __name__ == "__main__":
    main()
