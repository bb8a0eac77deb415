"""ort-avx2: ONNX Runtime's default optimisation on x86-64 without VNNI: pairs of u8·s8 products saturate at 16 bits.

Source: microsoft/onnxruntime `core/mlas/lib` (vpmaddubsw kernels); the order of pairs was verified by running.
"""

from __future__ import annotations

from hwblocks.dialects import ort
from hwblocks.graph.dialect import Dialect, Rule
from hwblocks.graph.site import Site
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.requantize import Requantize

EXACT = Accumulator("int32 wrap")
PAIRS = Accumulator("int32 wrap dot(2,sat16) zp=correct")
DYNAMIC = ("MatMulInteger", "ConvInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM")


def saturates(site: Site) -> bool:
    """True for unsigned activations times signed weights; depthwise convolutions have another kernel."""
    x, w = site.input(0).format, site.input(1).format
    if w.bits != 8 or not w.signed or (x.signed and not x.is_float):
        return False
    block = site.node.block
    depthwise = getattr(block, "depthwise", None)
    return not (depthwise is not None and depthwise(site.input(0).shape, site.input(1).shape))


def layer(site: Site) -> Arithmetic | str | None:
    """One float32 multiplication; the sums saturate in pairs where the operands are u8 and s8."""
    accumulator = PAIRS if saturates(site) else EXACT
    return Arithmetic(requantize=Requantize.preset("float32"), accumulator=accumulator)


def dynamic(site: Site) -> Arithmetic | str | None:
    """Run-time quantized activations are u8."""
    return Arithmetic(algorithm="stated_accumulator", accumulator=PAIRS if saturates(site) else EXACT)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv1d", "Conv2d", "Linear", "MatMul"), layer),
    **dict.fromkeys(DYNAMIC, dynamic),
}

DIALECT = Dialect(
    name="ort-avx2",
    runtime="ONNX Runtime CPU, x86-64 without VNNI, all optimisations",
    version="onnxruntime 1.31.1 and 1.32.0",
    summary="as ort, with 16-bit saturation of product pairs",
    base=ort.DIALECT,
    rules=RULES,
)
