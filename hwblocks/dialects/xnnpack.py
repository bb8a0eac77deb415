"""xnnpack: LiteRT's default on x86, the XNNPACK delegate; operators that it refuses run as litert-opt.

Source: google/XNNPACK `src/microparams-init.c` and the scalar kernels; what it takes was seen in LiteRT 2.3.0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.dialects import litert_opt
from hwblocks.dialects.litert_ref import ACCUMULATOR_32, bits, hybrid, is_hybrid, record
from hwblocks.graph.dialect import Dialect, Rule
from hwblocks.graph.site import Site, scalar_scale
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.edge import EdgeRule

BOUNDS = EdgeRule.parse("divide half_even inside")  # of fused clamps
ACCUMULATOR_28 = Accumulator("int28 wrap")
RECIPROCAL = EdgeRule.parse("reciprocal half_even")


def delegated(site: Site) -> bool:
    """True where the delegate takes a node: 8-bit codes throughout, no 4-bit weights."""
    first = site.input(0).format
    narrow_weights = site.has(1) and site.input(1).is_constant and site.input(1).format.bits < 8
    return first.is_quantized and bits(site) == 8 and site.output.format.bits == 8 and not narrow_weights


def taken(requantize: str | None = None, **more: Any) -> Arithmetic:
    """An arithmetic of the delegate: bounds of fused activations have the zero point inside their rounding."""
    return record(requantize, **more).replace(edge=BOUNDS)


def otherwise(rule: Rule, name: str) -> Rule:
    """A rule where the delegate takes the node, the optimised kernels' rule elsewhere."""

    def chosen(site: Site) -> Arithmetic | str | None:
        fallback = litert_opt.DIALECT.rule(name)
        if not delegated(site) and fallback is not None:
            return fallback(site)
        return rule(site)

    return chosen


def layer(site: Site) -> Arithmetic | str | None:
    """One float32 multiplication, half to even."""
    return taken("float32", accumulator=ACCUMULATOR_32)


def dynamic(site: Site) -> Arithmetic | str | None:
    """Integer weights under float activations, by XNNPACK's own quantization; depthwise ones are not delegated."""
    return hybrid(site) if litert_opt.is_depthwise(site) else record(algorithm="xnnpack_hybrid")


def convolution(site: Site) -> Arithmetic | str | None:
    """As other layers, or hybrid."""
    if is_hybrid(site):
        return dynamic(site)
    return layer(site) if delegated(site) else litert_opt.convolution(site)


def scale_step(site: Site, position: int = 0) -> float:
    """scale(x) / scale(y) in float32."""
    scales = (np.float32(scalar_scale(t.format)) for t in (site.input(position), site.output))
    return float(next(scales) / next(scales))


def converted(site: Site) -> Arithmetic | str | None:
    """Multipliers of eight fraction bits, where signs stay; parts of concatenations are not delegated."""
    if site.input(0).format.signed != site.output.format.signed or site.node.attributes.get("operator"):
        return litert_opt.rescale(site)
    return record("fixed multiplier_bits=8 scale_precision=float32", algorithm="rescale")


def leaky(site: Site) -> Arithmetic | str | None:
    """Slopes of eight fraction bits, where both lie in the range of their multipliers."""
    slope = np.float32(site.node.block.negative_slope)  # type: ignore[attr-defined]
    negative = float(np.float32(scale_step(site)) * slope)
    if abs(negative) < 2.0**-8 or not -127.99609375 <= negative <= 128:
        return litert_opt.DIALECT.arithmetic(site)
    return record("fixed multiplier_bits=8 scale_precision=float32 scale_order=x/y*w", algorithm="two_slopes")


def within(low: float, high: float, rule: Rule, name: str) -> Rule:
    """The rule where the ratio of scales lies in the range the delegate takes."""

    def chosen(site: Site) -> Arithmetic | str | None:
        return rule(site) if low <= scale_step(site) <= high else litert_opt.DIALECT.arithmetic(site)

    return otherwise(chosen, name)


def summed(site: Site) -> Arithmetic | str | None:
    """Both operands times 20-bit multipliers, one shift, where both ratios of scales lie in its range."""
    if not all(2.0**-10 <= scale_step(site, i) < 2.0**8 for i in (0, 1)):
        return litert_opt.DIALECT.arithmetic(site)
    return taken(algorithm="xnnpack_sum")


def product(site: Site) -> Arithmetic | str | None:
    """One float32 multiplication of the product, where the ratio of scales lies in its range."""
    scales = (np.float32(scalar_scale(site.input(i).format)) for i in (0, 1))
    if not 2.0**-16 <= next(scales) * next(scales) / np.float32(scalar_scale(site.output.format)) < 2.0**8:
        return litert_opt.DIALECT.arithmetic(site)
    return taken("float32", algorithm="scaled_product")


def reduction(site: Site) -> Arithmetic | str | None:
    """One float32 multiplication of the sum, zero points inside the rounding."""
    return taken(algorithm="xnnpack_reduction")


def curve(site: Site) -> Arithmetic | str | None:
    """A table of the function in float32, the zero point inside the rounding."""
    return taken(algorithm="xnnpack_table")


def quantize(site: Site) -> Arithmetic | str | None:
    """Times the reciprocal of the scale, half to even."""
    if site.output.format.bits == 8:
        return record().replace(edge=RECIPROCAL)
    return litert_opt.quantize(site)


def transposed(site: Site) -> Arithmetic | str | None:
    """As other layers; not where outputs beyond the kernel's reach are padded on."""
    if is_hybrid(site):
        return dynamic(site)
    extra: Any = site.node.block.output_padding  # type: ignore[attr-defined]
    return layer(site) if delegated(site) and not np.any(extra) else litert_opt.transposed(site)


def linear(site: Site) -> Arithmetic | str | None:
    """As other layers; 4-bit weights in sums of 28 bits, where their rows fill whole bytes."""
    x, w = site.input(0).format, site.input(1)
    if is_hybrid(site):
        return dynamic(site)
    if x.bits != 8 or site.output.format.bits != 8:
        return litert_opt.linear(site)
    if w.format.bits == 4:  # the kernel holds weights and sums 16 times as large in 32 bits
        return taken("float32", accumulator=ACCUMULATOR_28) if w.shape[-1] % 2 == 0 else litert_opt.linear(site)
    return layer(site)


def matmul(site: Site) -> Arithmetic | str | None:
    """As layers, where the second operand's zero point is 0."""
    b = site.input(1).format
    per_tensor = not isinstance(b.scale, tuple)
    return layer(site) if delegated(site) and per_tensor and b.zero_point == 0 else litert_opt.DIALECT.arithmetic(site)


RULES: dict[str, Rule] = {
    "Quantize": quantize,
    "Dequantize": lambda site: record(),
    "Rescale": within(2.0**-8, 2.0**7, converted, "Rescale"),
    "Conv1d": convolution,
    "Conv2d": convolution,
    "ConvTranspose1d": transposed,
    "ConvTranspose2d": transposed,
    "Linear": linear,
    "MatMul": matmul,
    "Add": otherwise(summed, "Add"),
    "Sub": otherwise(summed, "Sub"),
    "Mul": otherwise(product, "Mul"),
    "LeakyReLU": within(2.0**-8, 2.0**7, leaky, "LeakyReLU"),
    **{name: otherwise(reduction, name) for name in ("ReduceMean", "ReduceSum")},
    **{name: otherwise(curve, name) for name in ("Sigmoid", "Tanh", "ELU")},
    "ResizeBilinear": otherwise(lambda site: record(algorithm="eleven_bit_weights"), "ResizeBilinear"),
}

DIALECT = Dialect(
    name="xnnpack",
    runtime="LiteRT default: XNNPACK delegate, x86",
    version="ai-edge-litert 2.3.0",
    summary="layers by one float32 multiplication, half to even",
    base=litert_opt.DIALECT,
    rules=RULES,
)
