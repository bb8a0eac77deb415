"""Records of accumulators, graphs of one convolution in them, and what a run of one counted: shared by tests of sums."""

from __future__ import annotations

import hwblocks as hb
from hwblocks.errors import TrapError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic

MODES = (
    "saturate", "saturate_symmetric", "saturate_to_zero", "wrap", "wrap:1", "wrap:3", "wrap_sign_magnitude",
    "wrap_sign_magnitude:1", "wrap_sign_magnitude:3", "trap",
)  # fmt: skip
ORDERS = (
    "", "dot(1)", "dot(2)", "dot(3)", "dot(8)", "dot(2, sat16)", "dot(5) psum=12:wrap", "interleaved(4)", "tiles(5)",
    "tiles(8) psum=14:saturate", "tree(4)", "tree(7)",
)  # fmt: skip
ROUNDINGS = (
    "floor", "ceil", "to_zero", "away", "half_even", "half_up", "half_down", "half_away", "half_to_zero", "half_odd",
)  # fmt: skip
WIDTHS = (4, 8, 12, 15, 16, 17, 18, 20, 24, 31, 32, 33, 48, 60, 61, 62, 63, 64)


def convolution(shape, spatial, x, codes, bias, arithmetic, target, w_scale=0.125):
    """One Conv2d, "n", of shape (channels, outputs, kernel, groups, stride, dilation, padding) over x of format `x`.

    codes: a function from the weights' shape to int8 codes; bias: a function to codes or None.
    """
    channels, outputs, kernel, groups, stride, dilation, padding = shape
    build = GraphBuilder("g")
    inputs = [build.input("x", (1, *spatial, channels), x)]
    depthwise = groups > 1 and channels == groups
    w_shape = (1, *kernel, outputs) if depthwise else (outputs, *kernel, channels // groups)
    inputs.append(build.constant("w", codes(w_shape), hb.Format("int8", scale=w_scale)))
    own = bias()
    if own is not None:
        inputs.append(build.constant("b", own, hb.Format("int32")))
    block = hb.Conv2d(stride=stride, padding=padding, dilation=dilation, groups=groups)
    return build.build(build.add(block, *inputs, name="n", formats=[target], arithmetic=arithmetic))


def exactly(record):
    """The arithmetic of an accumulator and an exact cast."""
    return Arithmetic(requantize=hb.Requantize.preset("exact"), accumulator=hb.Accumulator(record))


def drawn_record(rng, unsigned=False):
    mode = rng.choice([m for m in MODES if not (unsigned and "magnitude" in m)])
    text = (
        f"{'u' if unsigned else ''}int{rng.choice(WIDTHS if not unsigned else WIDTHS[:10])} {mode} {rng.choice(ORDERS)}"
    )
    if rng.random() < 0.25:
        text += f" drop={rng.integers(1, 9)}:{rng.choice(ROUNDINGS)}"
    return text + rng.choice(["", " bias=first"]) + rng.choice(["", " zp=correct"]) + rng.choice(["", " axes=chw"])


def outcome(simulator, x, trace):
    """Outputs and events, or what a trap says."""
    try:
        run = simulator.run(x, trace=trace)
    except TrapError as error:
        return str(error)
    counted = vars(run.events["n"])
    if trace is None:  # kernels record extremes only where they are asked for, the definition always
        counted = {**counted, "lowest": None, "highest": None}
    return run.outputs["n"].tolist(), counted
