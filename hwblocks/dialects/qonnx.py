"""qonnx: the executor of QONNX: quantizers in float32 between float operators.

Source: fastmachinelearning/qonnx 1.0.0 `execute_onnx`.
"""

from __future__ import annotations

from hwblocks.dialects import onnx
from hwblocks.graph.dialect import Dialect

DIALECT = Dialect(
    name="qonnx",
    runtime="QONNX executor",
    version="qonnx 1.0.0",
    summary="Quant and its kin in float32, the zero point inside the rounding",
    base=onnx.DIALECT,
)
