"""Float models of others: loaded, equal to their recorded outputs, quantized, run in integers, compared layer by layer."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz

MODELS = {  # model: (tensor that is looked at, its least SQNR in dB)
    "tflite/tflm_mnist_lstm_float.tflite": ("model/sequential/output/MatMul_1", 35),
    "onnx/dtln_model_1_float.onnx": ("activation_2", 25),
    "onnx/sdp_attention_float.onnx": ("91", 25),
    "onnx/magika_v3_3_float.onnx": ("target_label", 25),
    "onnx/espcn_subpixel_float.onnx": ("output", 35),
    "onnx/onnx_light_squeezenet.onnx": ("softmaxout_1.flat", 40),
}


@pytest.mark.parametrize("name", MODELS)
def test_float_models_in_integers(shared, name):
    path = shared / "models" / name
    data = np.load(path.with_suffix(".npz"))
    graph = hb.load(path)
    x = {n: data[f"in{i}"][:16] for i, n in enumerate(graph.inputs)}
    run = hb.run(graph, x)
    for i, made in enumerate(run.outputs.values()):
        wanted = next(data[key] for key in data if key.endswith(f"_out{i}"))[:16]
        assert np.abs(made.reshape(wanted.shape) - wanted).max() <= 1e-3 * np.abs(wanted).max()
    q = qz.convert(graph, qz.calibrate(graph, x), recipe="int8")
    assert q.is_integer
    layers = {row["tensor"]: row["sqnr_db"] for row in hb.compare(graph, q, x).layers}
    tensor, least = MODELS[name]
    assert layers[tensor] > least
    assert all(np.isfinite(v).all() for v in hb.run(q, x).real.values())
