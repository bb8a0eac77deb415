"""A small ONNX file written node by node, and what ONNX Runtime's default optimisation makes of it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from hwblocks.importers.from_onnx import import_model

QONNX = "qonnx.custom_op.general"


class File:
    """A small ONNX file: nodes in order, constants by name."""

    def __init__(self, *shape, name="x"):
        self.nodes, self.constants = [], {}
        self.inputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)]
        self.last = name

    def add(self, op, *more, inputs=None, domain="", **attributes):
        """A node on the last tensor; arrays become constants."""
        names = []
        for value in [self.last, *more] if inputs is None else inputs:
            if isinstance(value, str):
                names.append(value)
                continue
            names.append(f"c{len(self.constants)}")
            self.constants[names[-1]] = np.asarray(value)
        self.last = f"t{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, names, [self.last], name=f"{op}{len(self.nodes)}", domain=domain, **attributes)
        )
        return self.last

    def round_trip(self, scale, zero):
        """QuantizeLinear and DequantizeLinear."""
        self.add("QuantizeLinear", np.float32(scale), zero)
        return self.add("DequantizeLinear", np.float32(scale), zero)

    def quant(self, scale, zero, bits, **attributes):
        floats = [np.asarray(v, np.float32) for v in (scale, zero, bits)]
        return self.add("Quant", *floats, domain=QONNX, **attributes)

    def model(self):
        made = helper.make_empty_tensor_value_info(self.last)
        stored = [numpy_helper.from_array(a, n) for n, a in self.constants.items()]
        graph = helper.make_graph(self.nodes, "one", self.inputs, [made], stored)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = 8
        return model

    def graph(self):
        return import_model(self.model(), {}, "one")


def optimised(model, x):
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = ort.InferenceSession(model.SerializeToString(), options)
    return np.stack([session.run(None, {"x": sample})[0] for sample in x])
