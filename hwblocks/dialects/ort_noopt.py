"""ort-noopt: ONNX Runtime on x86-64 with graph optimisation switched off: every node as the file says.

Source: microsoft/onnxruntime, `core/providers/cpu/quantization`, `contrib_ops/cpu/quantization`, `core/mlas`.
"""

from __future__ import annotations

from hwblocks.dialects import onnx
from hwblocks.graph.dialect import Dialect, Rule
from hwblocks.graph.site import Site
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.requantize import Requantize

ACCUMULATOR = Accumulator("int32 wrap")


def layer(site: Site) -> Arithmetic | str | None:
    """Exact sums in 32 bits, one float32 multiplication, half to even, the zero point afterwards."""
    return Arithmetic(requantize=Requantize.preset("float32"), accumulator=ACCUMULATOR)


def named(algorithm: str) -> Rule:
    """A named algorithm, the same for every site."""
    made = Arithmetic(algorithm=algorithm)
    return lambda site: made


def softmax(site: Site) -> Arithmetic | str:
    """The table of QLinearSoftmax, which has 256 entries."""
    x = site.input(0).format
    if x.is_quantized and x.bits > 8:
        return f"QLinearSoftmax takes codes of 8 bits, not {x.name}; keep the softmax in float between Q and DQ"
    return Arithmetic(algorithm="float_table_256")


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv1d", "Conv2d", "Linear", "MatMul"), layer),
    "Add": named("fused_sum"),
    "Sub": named("fused_sum"),
    "Mul": named("float_product"),
    "Sigmoid": named("decoded_table"),
    "Tanh": named("decoded_table"),
    "LeakyReLU": named("decoded_table"),
    "Rescale": named("decoded_table"),
    "GlobalAvgPool": named("float_mean"),
    "AvgPool1d": named("sequential_mean"),
    "AvgPool2d": named("sequential_mean"),
    "Softmax": softmax,
}

DIALECT = Dialect(
    name="ort-noopt",
    runtime="ONNX Runtime CPU, x86-64 with AVX2, optimisation off",
    version="onnxruntime 1.31.1 and 1.32.0",
    summary="QDQ models in float between Q and DQ; QOperator layers by one float32 multiplication",
    base=onnx.DIALECT,
    rules=RULES,
)
