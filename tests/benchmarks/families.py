"""One call of every kernel family but layers, with random inputs, of sizes that networks have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from block_families import BLOCKS, Made, codes

from hwblocks.numerics import interpolation, kernels
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format
from hwblocks.numerics.gemmlowp import shift_away
from hwblocks.numerics.kernels.edges import DequantizeCall, EdgeCall, QuantizeCall
from hwblocks.numerics.kernels.elements import ElementsCall, FloatSumCall, Operand
from hwblocks.numerics.kernels.extremes import ChoiceCall, ExtremeCall
from hwblocks.numerics.kernels.gather import GatherCall
from hwblocks.numerics.kernels.matmul import MatmulCall
from hwblocks.numerics.kernels.pool import AvgPoolCall, FloatPoolCall, MaxPoolCall
from hwblocks.numerics.kernels.rational import RationalCall
from hwblocks.numerics.kernels.recurrent import GateStep, LstmCall, SumPart, SvdfCall
from hwblocks.numerics.kernels.reduce import ReduceCall
from hwblocks.numerics.kernels.softmax import FloatSoftmaxCall, RuntimeSoftmaxCall, SoftmaxCall
from hwblocks.numerics.kernels.table import TableCall
from hwblocks.numerics.kernels.threshold import ThresholdCall
from hwblocks.numerics.requantize import Epilogue, Requantize
from hwblocks.numerics.rounding import Rounding

Array = np.ndarray[Any, Any]
HEIGHT, WIDTH, CHANNELS = 32, 32, 64
COUNT = HEIGHT * WIDTH * CHANNELS
LIMITS = {"lo": -128, "hi": 127, "clamp_lo": -128, "clamp_hi": 127}
CODES = {"lo": -32768, "hi": 32767, "clamp_lo": -32768, "clamp_hi": 32767}
REALS = np.exp(-np.arange(256) * 12 / 256)  # of differences of codes


def end(ratio: float, dtype: str = "int8", channels: int = 16, scheme: str = "double_round") -> Epilogue:
    """A cast by one ratio."""
    return Requantize.parse(scheme).epilogue(ratio, 1.0, Format(dtype, scale=1.0), channels)


def tabled(dtype: str = "int8", peak: int = 8000) -> Operand:
    """An operand worth a line through 0."""
    size = 1 << np.iinfo(dtype).bits
    return Operand(dtype=dtype, count=COUNT, table=(np.arange(size) - size // 2) * peak // size)


def elements(combination: str, *operands: Operand, ratio: float = 0.01, dtype: str = "int8") -> ElementsCall:
    return ElementsCall(
        combination=combination, operands=operands, count=COUNT, out_dtype=dtype, epilogue=end(ratio, dtype),
        tail=end(ratio / 8, dtype) if combination == "slopes" else None, tail_start=COUNT,
    )  # fmt: skip


def float_sum() -> FloatSumCall:
    def operand(scale: float, index: Array | None = None) -> Operand:
        return Operand(dtype="int8", count=COUNT, table=np.arange(-128, 128) * np.float64(scale), index=index)

    return FloatSumCall(
        operands=(operand(0.37), operand(0.71, np.arange(COUNT))), count=COUNT, out_dtype="int8", **LIMITS
    )


def rational(dtype: str = "int8") -> RationalCall:
    return RationalCall(
        a_dtype=dtype, a_zero=0, b_dtype=dtype, b_zero=0, count=COUNT, a_count=COUNT, b_count=COUNT, a_factor=37,
        b_factor=91, product_factor=0, offset=5, denominator=128, a_index=None, b_index=None,
        rounding=Rounding.HALF_EVEN, zero_point=0, out_dtype=dtype, **(LIMITS if dtype == "int8" else CODES),
    )  # fmt: skip


WINDOW: dict[str, Any] = {
    "height": HEIGHT, "width": WIDTH, "channels": CHANNELS, "out_height": HEIGHT // 2, "out_width": WIDTH // 2,
    "kernel": (2, 2), "stride": (2, 2), "dilation": (1, 1), "pad": (0, 0),
}  # fmt: skip
DIVISORS = np.full((HEIGHT // 2, WIDTH // 2), 4)


def average() -> AvgPoolCall:
    return AvgPoolCall(
        x_dtype="int8", x_zero=3, divisors=DIVISORS, ratio_num=3, ratio_den=4, rounding=Rounding.HALF_EVEN,
        zero_point=1, out_dtype="int8", **WINDOW, **LIMITS,
    )  # fmt: skip


def float_average() -> FloatPoolCall:
    reals = (np.arange(256) - 131) * np.float32(0.0371)
    return FloatPoolCall(
        x_dtype="int8", divisors=DIVISORS, reals=reals, y_scale=0.05, zero_point=0, out_dtype="int8", **WINDOW, **LIMITS
    )


def softmax() -> SoftmaxCall:
    table = np.rint(REALS * 2.0**20).astype(np.int64)
    return SoftmaxCall(
        x_dtype="int8", rows=64, length=100, table=table, ratio_num=256, ratio_den=1, rounding=Rounding.HALF_EVEN,
        zero_point=-128, out_dtype="int8", **LIMITS,
    )  # fmt: skip


def runtime_softmax(method: str) -> RuntimeSoftmaxCall:
    table, second, constant = REALS, None, {"float32": 1 / 256, "float64": 255.0}.get(method, 0.0)
    if method == "fixed":
        table = np.minimum(np.rint(REALS * 2.0**31), 2**31 - 1).astype(np.int64)
        second = shift_away(table, 12)
    if method == "midpoint":
        table = np.rint(np.exp(-np.arange(1 << 16) * 12 / (1 << 16)) * 32767).astype(np.int64)
        second = interpolation.midpoint_table(lambda v: 1 / (1 + v), 1 / 65535, -32768, 2 / 65535, 0, np.float64)
    wide = method == "midpoint"
    return RuntimeSoftmaxCall(
        method=method, x_dtype="int16" if wide else "int8", rows=64, length=100, table=table, second=second,
        constant=constant, bits=8, zero_point=0 if wide else -128, out_dtype="int16" if wide else "int8",
        **(CODES if wide else LIMITS),
    )  # fmt: skip


def transposition() -> GatherCall:
    index = np.arange(COUNT).reshape(HEIGHT * WIDTH, CHANNELS).T.ravel()
    return GatherCall("int8", (COUNT,), index, 0)


def split() -> GatherCall:
    index = np.arange(COUNT).reshape(HEIGHT * WIDTH, 2, CHANNELS // 2).swapaxes(0, 1).ravel()
    return GatherCall("int8", (COUNT,), index, 0, (COUNT // 2, COUNT // 2))


def thresholds(levels: int) -> ThresholdCall:
    rng = np.random.default_rng(2)
    return ThresholdCall(
        x_dtype="int16", out_dtype="int8", count=COUNT, channels=CHANNELS, flipped=None, codes=np.arange(levels + 1) - 8,
        thresholds=np.sort(rng.integers(-9000, 9000, (CHANNELS, levels)), axis=1),
    )  # fmt: skip


def mean() -> ReduceCall:
    pixels = HEIGHT * WIDTH
    return ReduceCall(
        x_dtype="int8", outer=1, reduced=pixels, inner=CHANNELS, bias=-3 * pixels, bound=131 * pixels, out_dtype="int8",
        epilogue=end(1 / pixels, channels=CHANNELS),
    )  # fmt: skip


def matmul(dtype: str) -> MatmulCall:
    heads, length, width = 4, 128, 64
    peak = int(np.iinfo(dtype).max) + 1
    return MatmulCall(
        a_dtype=dtype, a_zero=0, b_dtype="int8", b_zero=0, batch=heads, b_batch=heads, m=length, k=width, n=length,
        bound=128 * peak * width, accumulator_bits=64, out_dtype=dtype, epilogue=end(2.0**-9, dtype, length),
    )  # fmt: skip


def part(outputs: int, inputs: int, dtype: str, ratio: float) -> SumPart:
    weights = np.random.default_rng(outputs * inputs).integers(-127, 128, (outputs, inputs))
    bias = np.arange(outputs) * 11 - 500
    bound = 255 * 127 * inputs + int(np.abs(bias).max())
    return SumPart(weights=weights, bias=bias, bound=bound, out_dtype=dtype, epilogue=end(ratio, dtype, outputs))


def lstm() -> LstmCall:
    inputs, units, steps = 64, 64, 16
    real = np.arange(-32768, 32768) / 4096
    sigmoid, tanh = 32767 / (1 + np.exp(-real)), 32767 * np.tanh(real)
    return LstmCall(
        x_dtype="int8", x_zero=0, h_zero=0, steps=steps, fed=part(4 * units, inputs, "int16", 0.1),
        back=part(4 * units, units, "int32", 0.1), clip=32767, kept=GateStep(multiplier=1 << 30, shift=14), added=GateStep(multiplier=1 << 30, shift=18),
        hidden=GateStep(multiplier=1 << 30, shift=22), sigmoid=sigmoid.astype(np.int16), tanh=tanh.astype(np.int16),
        cell_tanh=tanh.astype(np.int16),
    )  # fmt: skip


def svdf() -> SvdfCall:
    filters, taps, rank = 128, 16, 2
    newest = replace(part(filters, 96, "int16", 0.01), bias=None)
    units = part(filters // rank, 1, "int8", 2.0**-20)
    weights = np.random.default_rng(3).integers(-3000, 3001, (filters, taps))
    units = replace(units, weights=weights, bound=rank * taps * 3000 * 32768 + 1000)
    return SvdfCall(x_dtype="int8", x_zero=0, newest=newest, units=units, rank=rank, memory_zero=0)


def edge(kind: type[EdgeCall], **limits: int) -> EdgeCall:
    rule = EdgeRule()
    return kind(format=Format("int8", scale=0.1, zero_point=3), count=COUNT, head=COUNT, rule=rule, tail=rule, **limits)


def largest_of_two() -> ChoiceCall:
    return ChoiceCall(dtype="int8", count=COUNT, a_count=COUNT, b_count=COUNT, a_index=None, b_index=None,
                      constant=None, clamp_lo=-128, clamp_hi=127, largest=True)  # fmt: skip


PLAIN = Operand(dtype="int8", count=COUNT, zero=3)
WIDE = Operand(dtype="int16", count=COUNT, zero=0)
FAMILIES: dict[str, Callable[[], Any]] = {
    "rescale int8": partial(elements, "alone", PLAIN, ratio=0.7),
    "rescale int16": partial(elements, "alone", WIDE, ratio=0.7, dtype="int16"),
    "sum of pairs int8": partial(elements, "sum", tabled(), tabled()),
    "sum int16": partial(elements, "sum", WIDE, WIDE, ratio=0.4, dtype="int16"),
    "product int8": partial(elements, "product", PLAIN, PLAIN),
    "product int16": partial(elements, "product", WIDE, WIDE, ratio=2.0**-15, dtype="int16"),
    "two slopes int8": partial(elements, "slopes", PLAIN, Operand(constant=np.full(COUNT, 9)), ratio=0.9),
    "float sum": float_sum,
    "exact sum of pairs int8": rational,
    "exact sum int16": partial(rational, "int16"),
    "maximum pooling": lambda: MaxPoolCall(dtype="int8", lowest=-128, **WINDOW),
    "average pooling exact": average,
    "average pooling float": float_average,
    "softmax exact": softmax,
    "softmax of floats": partial(FloatSoftmaxCall, rows=64, length=100, beta=1.0, logarithm=False),
    **{f"softmax {m}": partial(runtime_softmax, m) for m in ("fixed", "midpoint", "float32", "float64")},
    "table int8": lambda: TableCall("int8", "int8", np.arange(-128, 128), COUNT),
    "table int16": lambda: TableCall("int16", "int16", np.arange(-32768, 32768), COUNT),
    "gather transposition": transposition,
    "gather split": split,
    "thresholds 15": partial(thresholds, 15),
    "mean over pixels": mean,
    "matmul int8": partial(matmul, "int8"),
    "matmul int16": partial(matmul, "int16"),
    "quantize floats": partial(edge, QuantizeCall, clamp_lo=-128, clamp_hi=127),
    "dequantize codes": partial(edge, DequantizeCall),
    "largest over pixels": lambda: ExtremeCall(
        dtype="int8", outer=1, reduced=HEIGHT * WIDTH, inner=CHANNELS, largest=True
    ),
    "largest of two": largest_of_two,
    "lstm": lstm,
    "svdf": svdf,
    **BLOCKS,
}


def sizes(call: Any) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """(elements of a sample, storage type) of a call's inputs and outputs."""
    if isinstance(call, MatmulCall):
        a, b = (call.batch * call.m * call.k, call.a_dtype), (call.b_batch * call.k * call.n, call.b_dtype)
        return [a, b], [(call.batch * call.m * call.n, call.out_dtype)]
    if isinstance(call, LstmCall):
        (gates, inputs), steps = call.fed.weights.shape, call.steps
        states = [(gates // 4, "int8"), (gates // 4, "int16")]
        return [(steps * inputs, call.x_dtype), *states], [(steps * gates // 4, "int8"), *states]
    if isinstance(call, SvdfCall):
        (filters, inputs), taps = call.newest.weights.shape, call.units.weights.shape[1]
        memory = (filters * taps, call.newest.out_dtype)
        return [(inputs, call.x_dtype), memory], [(filters // call.rank, call.units.out_dtype), memory]
    if isinstance(call, GatherCall):
        outputs = call.out_counts or (call.index.size,)
        return [(c, call.dtype) for c in call.counts], [(c, call.dtype) for c in outputs]
    if isinstance(call, EdgeCall):
        floats, codes = (call.count, "float32"), (call.count, call.format.dtype.name)
        return ([floats], [codes]) if isinstance(call, QuantizeCall) else ([codes], [floats])
    if isinstance(call, ExtremeCall):
        return [(call.outer * call.reduced * call.inner, call.dtype)], [(call.outer * call.inner, call.dtype)]
    if isinstance(call, ChoiceCall):
        return [(call.a_count, call.dtype), (call.b_count, call.dtype)], [(call.count, call.dtype)]
    if isinstance(call, FloatSoftmaxCall):
        return ([(call.rows * call.length, "float32")],) * 2
    return _given(call), [_made(call)]


def _given(call: Any) -> list[tuple[int, str]]:
    """Inputs of the families that have one kind of operand."""
    if isinstance(call, ElementsCall | FloatSumCall):
        return [(o.count, o.dtype) for o in call.operands if o.constant is None]
    if isinstance(call, RationalCall):
        return [(call.a_count, call.a_dtype), (call.b_count, call.b_dtype or "")][: 2 if call.b_dtype else 1]
    if isinstance(call, MaxPoolCall | AvgPoolCall | FloatPoolCall):
        return [(call.height * call.width * call.channels, call.dtype if _is_max(call) else call.x_dtype)]
    if isinstance(call, ReduceCall):
        return [(call.outer * call.reduced * call.inner, call.x_dtype)]
    rows = (call.rows * call.length,) if hasattr(call, "rows") else (call.count,)
    return [(rows[0], call.x_dtype)]


def _made(call: Any) -> tuple[int, str]:
    """The output of the same."""
    if isinstance(call, MaxPoolCall | AvgPoolCall | FloatPoolCall):
        count = call.out_height * call.out_width * call.channels
        return count, call.dtype if _is_max(call) else call.out_dtype
    if isinstance(call, ReduceCall):
        return call.outer * call.inner, call.out_dtype
    return (call.rows * call.length if hasattr(call, "rows") else call.count), call.out_dtype


def _is_max(call: Any) -> bool:
    return isinstance(call, MaxPoolCall)


def program(call: Any, isa: str) -> Callable[[int], object]:
    """run(level) of a call alone on one sample of random codes, arrays in place. Errors: ValueError without a kernel."""
    op = kernels.bind(call.call if isinstance(call, Made) else call, isa)
    if isinstance(op, str):
        raise ValueError(f"no kernel: {op}")
    rng = np.random.default_rng(4)
    if isinstance(call, Made):
        inputs, outputs = call.inputs, call.outputs
        given = [codes(rng, *one) for one in inputs]
    else:
        inputs, outputs = sizes(call)
        given = [_codes(rng, *one) for one in inputs]
    arrays = given + [np.empty((1, count), dtype) for count, dtype in outputs]
    first, slots = len(inputs), tuple(range(len(arrays)))
    made = kernels.Program([(op, slots[:first], slots[first:])], [a.nbytes for a in arrays], [-1] * len(arrays))
    prepared = [made.prepare(dict(enumerate(arrays)), 1, 1, level) for level in range(3)]
    return lambda level=0: prepared[level].run(0, 1)


def _codes(rng: np.random.Generator, count: int, dtype: str) -> Array:
    """Random codes of the whole storage type, or floats about as large as codes of 8 bits by a scale of 0.1."""
    if dtype == "float32":
        return rng.normal(0, 6, (1, count)).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, int(limits.max) + 1, (1, count)).astype(dtype)
