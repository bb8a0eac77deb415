"""Fixtures of the kernel tests: every usable instruction set, and calls run alone as programs of one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from hwblocks.numerics import kernels
from hwblocks.numerics.formats import Format
from hwblocks.numerics.kernels.conv import ConvCall
from hwblocks.numerics.overflow import Overflow
from hwblocks.numerics.requantize import Requantize

UNBOUNDED = 64


@pytest.fixture
def isa(compiled_isa):
    """Each instruction set of this machine, by name."""
    return compiled_isa


@pytest.fixture
def rng():
    return np.random.default_rng(20240607)


@dataclass
class Outcome:
    """What one op made, and what it counted."""

    codes: Any
    saturated: int
    outside: int
    lowest: int
    highest: int


@pytest.fixture
def run_call(isa):
    """run_call(call, [inputs [n, elements]], elements of a sample, dtype): bind, run as a program, check guard zones."""

    def run(call, inputs, elements, dtype, statistics=2, chunk=None) -> Outcome:
        op = kernels.bind(call, isa)
        assert not isinstance(op, str), op
        n = inputs[0].shape[0]
        slots = [np.ascontiguousarray(x).reshape(n, -1) for x in inputs]
        guard, size = 64, n * elements * np.dtype(dtype).itemsize
        memory = np.full(size + 2 * guard, 0xA5, np.uint8)
        out = memory[guard : guard + size].view(dtype).reshape(n, elements)
        count = len(slots)
        program = kernels.Program(
            [(op, tuple(range(count)), count)],
            [*(x.itemsize * x.shape[1] for x in slots), elements * out.itemsize],
            [-1] * (count + 1),
        )
        counted = program.run({**dict(enumerate(slots)), count: out}, n, chunk or n, statistics)
        edges = np.concatenate([memory[:guard], memory[guard + size :]])
        assert (edges == 0xA5).all(), "written outside the output"
        return Outcome(out.copy(), *(int(v) for v in counted[0]))

    return run


@pytest.fixture
def refusal(isa):
    """refusal(call): the reason why no kernel serves it."""

    def ask(call) -> str:
        reason = kernels.bind(call, isa)
        assert isinstance(reason, str), "a kernel serves this call"
        return reason

    return ask


@pytest.fixture
def random_codes():
    """random_codes(rng, dtype, shape, kind): "any", "lowest", "highest" or "ends" of a storage type."""

    def make(rng, dtype, shape, kind="any"):
        low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
        if kind == "ends":
            return np.where(rng.integers(0, 2, shape) == 1, high, low).astype(dtype)
        low, high = {"any": (low, high), "lowest": (low, low), "highest": (high, high)}[kind]
        return rng.integers(low, high + 1, shape).astype(dtype)

    return make


@pytest.fixture
def epilogue_of():
    """epilogue_of(rng, scheme text, format notation, channels, ...): constants with one weight scale per channel."""

    def make(rng, text, notation, channels, *, zero_point=0, clamp=None, overflow="saturate", scale=2.0**-9,
             counts=(True, True)):  # fmt: skip
        power = text.split()[0] == "shift"
        weights = 2.0 ** rng.integers(-2, 3, channels) if power else rng.uniform(0.3, 1.9, channels)
        target = Format(notation, scale=1.0, zero_point=zero_point)
        record = Requantize.parse(text)
        return record.epilogue(
            scale, weights, target, channels, clamp=clamp, overflow=Overflow(overflow), counts=counts
        )

    return make


def window_oracle(x, weights, call) -> Any:
    """Σ over taps in exact int64, tap by tap: y[n, p, o] = Σ x[n, p·stride + t·dilation − pad, c] · w[o, t, c]."""
    n, groups = x.shape[0], call.groups
    inputs, outputs = call.channels // groups, call.out_channels // groups
    sums = np.zeros((n, call.out_height, call.out_width, call.out_channels), np.int64)
    for i in range(call.kernel[0]):
        for j in range(call.kernel[1]):
            for oh in range(call.out_height):
                for ow in range(call.out_width):
                    h = oh * call.stride[0] + i * call.dilation[0] - call.pad[0]
                    w = ow * call.stride[1] + j * call.dilation[1] - call.pad[1]
                    if not (0 <= h < call.height and 0 <= w < call.width):
                        continue
                    for g in range(groups):
                        taps = x[:, h, w, g * inputs : (g + 1) * inputs]
                        kernel = weights[g * outputs : (g + 1) * outputs, i, j]
                        sums[:, oh, ow, g * outputs : (g + 1) * outputs] += taps @ kernel.T
    return sums


@pytest.fixture
def conv_sums():
    """conv_sums(codes [n, H, W, C], call): the exact sums of a ConvCall, bias included, in int64."""

    def sums(codes, call):
        centred = codes.astype(np.int64) - call.x_zero
        total = window_oracle(centred, call.weights.astype(np.int64), call)
        return total if call.bias is None else total + call.bias

    return sums


@pytest.fixture
def conv_call():
    """conv_call(rng, dtype, ..., **changes): a ConvCall with random weights, and its true bound."""

    def make(rng, dtype="int8", *, height=5, width=6, channels=3, outputs=17, kernel=(3, 3), stride=(1, 1),
             dilation=(1, 1), pad=(1, 1), after=(1, 1), groups=1, x_zero=0, w_peak=128, weights=None, bias=True,
             bits=UNBOUNDED, out_dtype=None, epilogue=None):  # fmt: skip
        sizes = [
            (size + before + end - step * (k - 1) - 1) // jump + 1
            for size, before, end, step, k, jump in zip(
                (height, width), pad, after, dilation, kernel, stride, strict=True
            )
        ]
        shape = (outputs, *kernel, channels // groups)
        if weights is None:
            weights = rng.integers(-w_peak, w_peak, shape)
        weights = np.broadcast_to(weights, shape).astype(np.int64)
        limits = np.iinfo(dtype)
        reach = max(int(limits.max) - x_zero, x_zero - int(limits.min))
        constants = rng.integers(-3000, 3000, outputs) if bias else None
        bound = int(np.abs(weights).sum(axis=(1, 2, 3)).max()) * reach + 3000
        return ConvCall(
            x_dtype=dtype, x_zero=x_zero, height=height, width=width, channels=channels, out_height=sizes[0],
            out_width=sizes[1], out_channels=outputs, kernel=kernel, stride=stride, dilation=dilation, pad=pad,
            groups=groups, weights=weights, bias=constants, bound=bound, accumulator_bits=bits,
            out_dtype=out_dtype or ("int32" if bound < 1 << 31 else "int64"), epilogue=epilogue,
        )  # fmt: skip

    return make
