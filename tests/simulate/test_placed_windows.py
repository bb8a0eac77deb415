"""Windows of three axes, transposed convolutions, stored pad codes and weights with a zero point per channel in C."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic

RECORDS = (
    None, "int32 wrap", "int18 wrap", "int16 saturate", "int18 saturate axes=chw bias=first zp=correct",
    "int17 wrap_sign_magnitude dot(3)", "int18 wrap:1 tree(5) axes=chw", "int32 wrap dot(2,sat16) zp=correct",
)  # fmt: skip
BLOCKS = {  # block, x, w
    "three axes": (hb.Conv3d(), (1, 4, 5, 6, 3), (5, 2, 3, 3, 3)),
    "three axes, padded": (hb.Conv3d(padding=((1, 0), 1, (0, 2)), stride=(1, 2, 1)), (1, 3, 4, 5, 4), (17, 3, 2, 2, 4)),
    "three axes, in groups": (hb.Conv3d(groups=2, dilation=(1, 2, 2), padding=1), (1, 4, 5, 6, 6), (4, 2, 2, 3, 3)),
    "three axes, depthwise": (hb.Conv3d(groups=5, padding=1), (1, 3, 3, 4, 5), (1, 3, 3, 3, 5)),
    "three axes, depthwise, strides": (hb.Conv3d(groups=18, stride=(1, 2, 2)), (1, 3, 5, 9, 18), (1, 2, 2, 3, 18)),
    "three axes, one pixel": (hb.Conv3d(), (1, 2, 2, 2, 16), (33, 1, 1, 1, 16)),
    "one axis turned": (hb.ConvTranspose1d(stride=3, padding=1), (1, 7, 4), (9, 4, 4)),
    "one axis turned, dilated": (hb.ConvTranspose1d(stride=2, dilation=2, output_padding=1), (1, 5, 3), (2, 3, 3)),
    "two axes turned": (hb.ConvTranspose2d(stride=2), (1, 4, 5, 3), (8, 3, 2, 3)),
    "two axes turned, cut off": (hb.ConvTranspose2d(stride=(2, 1), padding=(2, 3)), (1, 5, 6, 2), (3, 3, 3, 2)),
    "two axes turned, in groups": (hb.ConvTranspose2d(stride=2, groups=3, padding=1), (1, 3, 4, 6), (6, 3, 4, 2)),
    "two axes turned, far apart": (hb.ConvTranspose2d(stride=4, output_padding=1), (1, 3, 2, 3), (18, 2, 3, 3)),
    "three axes turned": (hb.ConvTranspose3d(stride=(2, 1, 2), padding=1), (1, 2, 3, 3, 2), (5, 3, 3, 2, 2)),
    "three axes, one position": (hb.Conv3d(), (1, 2, 2, 2, 6), (5, 2, 2, 2, 6)),
    "one axis turned, one position": (hb.ConvTranspose1d(padding=2), (1, 3, 4), (9, 3, 4)),
    "a pad code": (hb.Conv2d(padding=2, pad_code=0), (1, 4, 5, 3), (18, 3, 3, 3)),
    "a pad code, depthwise": (hb.Conv2d(padding=1, groups=18, pad_code=7), (1, 4, 5, 18), (1, 3, 3, 18)),
    "a pad code that no input has": (hb.Conv2d(padding=1, groups=4, pad_code=300), (1, 4, 5, 4), (1, 3, 3, 4)),
    "a pad code of one axis": (hb.Conv1d(padding=3, pad_code=255), (1, 6, 4), (5, 3, 4)),
    "a pad code of three axes": (hb.Conv3d(padding=1, pad_code=3), (1, 2, 3, 4, 2), (5, 2, 2, 3, 2)),
}  # fmt: skip


def graph_of(rng, name, record, zero, per_channel=False):
    block, x_shape, w_shape = BLOCKS[name]
    build, outputs = GraphBuilder("g"), block.shape(x_shape, w_shape)[0][-1]
    x = build.input("x", x_shape, hb.Format("uint8", scale=0.125, zero_point=zero))
    axis = block.weight_axis(x_shape, w_shape)
    zeros = tuple(int(z) for z in rng.integers(0, 200, w_shape[axis])) if per_channel else 0
    w_format = hb.Format("uint8", scale=(0.5,) * w_shape[axis], zero_point=zeros, axis=axis) if per_channel else hb.Format("int8", scale=0.5)  # fmt: skip
    w = build.constant("w", rng.integers(w_format.lo, w_format.hi + 1, w_shape), w_format)
    b = build.constant("b", rng.integers(-9000, 9000, outputs), hb.Format("int32"))
    made = None if record is None else hb.Accumulator(record)
    arithmetic = Arithmetic(requantize=hb.Requantize.preset("exact"), accumulator=made)
    target = hb.Format("int32", scale=1.0 / 64)
    return build.build(build.add(block, x, w, b, name="n", formats=[target], arithmetic=arithmetic))


def assert_equal_runs(graph, x, isa):
    """Outputs and events of kernels and of the definition, at every level of tracing; a kernel serves."""
    fast, exact = hb.Simulator(graph, isa=isa), hb.Simulator(graph, engine="definition")
    assert not fast.plan.unserved
    for trace in (None, "ranges", "steps"):
        made, wanted = fast.run(x, trace=trace), exact.run(x, trace=trace)
        np.testing.assert_array_equal(made.outputs["n"], wanted.outputs["n"])
        own, events = vars(made.events["n"]), vars(wanted.events["n"])
        names = ("saturated", "final", "steps", "first", "channels") if trace == "steps" else ("saturated", "final")
        assert {n: own[n] for n in names} == {n: events[n] for n in names}


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_in_every_kind_of_register(compiled_isa, name, record):
    rng = np.random.default_rng(len(name))
    graph = graph_of(rng, name, record, 131)
    x = rng.integers(0, 256, (3, *BLOCKS[name][1][1:])).astype(np.uint8)
    assert_equal_runs(graph, x, compiled_isa)


@pytest.mark.parametrize("name", [name for name in BLOCKS if name.endswith("one position")])
def test_one_position_of_one_sample(compiled_isa, name):
    rng = np.random.default_rng(7)
    graph = graph_of(rng, name, None, 131)
    assert_equal_runs(graph, rng.integers(0, 256, (1, *BLOCKS[name][1][1:])).astype(np.uint8), compiled_isa)


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("name", ["three axes", "three axes, depthwise", "a pad code", "a pad code, depthwise"])
def test_weights_with_a_zero_point_per_channel(compiled_isa, name, record):
    rng = np.random.default_rng(5)
    graph = graph_of(rng, name, record, 17, per_channel=True)
    x = rng.integers(0, 256, (2, *BLOCKS[name][1][1:])).astype(np.uint8)
    assert_equal_runs(graph, x, compiled_isa)


@pytest.mark.parametrize("seed", range(30))
def test_drawn_transposed_convolutions(compiled_isa, seed):
    rng = np.random.default_rng(seed)
    kernel, stride, dilation = ([int(rng.integers(1, n)) for _ in range(2)] for n in (5, 5, 4))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
    pads = [(int(rng.integers(0, r + 1)), int(rng.integers(0, r + 1))) for r in reach]
    block = hb.ConvTranspose2d(stride=tuple(stride), dilation=tuple(dilation), padding=tuple(pads))
    shapes = (1, 6, 7, 3), (int(rng.integers(1, 20)), *kernel, 3)
    BLOCKS["drawn"] = (block, *shapes)
    graph = graph_of(rng, "drawn", str(rng.choice(["int32 wrap", "int16 saturate", "int16 wrap:2 axes=chw"])), 40)
    x = rng.integers(0, 256, (2, 6, 7, 3)).astype(np.uint8)
    assert_equal_runs(graph, x, compiled_isa)
