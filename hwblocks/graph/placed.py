"""Calls of windows that do not slide over two plain axes: of three axes, or over inputs with zeros between them."""

from __future__ import annotations

from typing import Any

from hwblocks.graph.block import size
from hwblocks.graph.window import Window
from hwblocks.numerics.kernels.conv import ConvCall
from hwblocks.numerics.kernels.placement import placed


def over_volume(made: Window, spatial: tuple[int, ...], apart: tuple[int, ...], **rest: Any) -> ConvCall:
    """The call of a window over any number of axes, all but the last joined.

    spatial: the axes of x as stored; apart: from one of its elements to the next in the window's input. rest: the
    other fields of ConvCall, weights as [O, *kernel, C / groups].
    """
    before = [first for first, _ in made.pads]
    placement = placed(spatial, rest["channels"], made.output, made.kernel, made.stride, made.dilation, before, apart)
    kernel = (size(made.kernel[:-1]), made.kernel[-1])
    rest["weights"] = rest["weights"].reshape(-1, *kernel, rest["weights"].shape[-1])
    return ConvCall(
        height=size(spatial[:-1]),
        width=spatial[-1],
        out_height=size(made.output[:-1]),
        out_width=made.output[-1],
        kernel=kernel,
        stride=(1, made.stride[-1]),
        dilation=(1, made.dilation[-1]),
        pad=(0, 0),
        placement=placement,
        **rest,
    )
