"""Kernel calls of normalizations: groups laid out as rows and columns, parameters in steps of the output."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, limits, scalar_scale, scalar_zero_point
from hwblocks.graph.spread import newton_steps, parameter
from hwblocks.graph.tensor import Shape
from hwblocks.numerics.kernels.norm import NormCall
from hwblocks.numerics.rounding import Rounding

MOST_BITS = 16
Layout = tuple[int, int, int, int]


def norm_call(
    site: Site,
    split: Shape,
    axes: Sequence[int],
    *,
    centred: bool,
    variant: str,
    fraction_bits: int,
    eps: float = 0.0,
    more: float = 0.0,
    mean: bool = True,
    sizes: bool = False,
) -> NormCall | str:
    """The call of a normalization over `axes` of the split shape, or the reason why none serves it.

    mean: squares are averaged, else summed. more: what a root is raised by. sizes: by Σ |x| in place of a root.
    """
    reason, layout = unsupported(site), layout_of(split, axes)
    if reason or layout is None:
        return reason or "groups along more than two runs of axes"
    x, y = site.input(0), site.output.format
    unit = Fraction(scalar_scale(x.format)) / (layout[1] * layout[3] if centred else 1)
    gain, offset = parameters(site)
    exact = {"root": "exact", "newton": "newton"}
    divisor = "sizes" if sizes else next((d for d, v in exact.items() if variant.startswith(v)), "whole_root")
    return NormCall(
        x_dtype=x.format.dtype.name,
        x_zero=scalar_zero_point(x.format),
        outer=layout[0],
        rows=layout[1],
        groups=layout[2],
        width=layout[3],
        centred=centred,
        divisor=divisor,
        count=layout[1] * layout[3] if mean else 1,
        eps=Fraction(eps) / unit**2,
        more=Fraction(more) / unit,
        fraction_bits=0 if divisor in ("root", "sizes") else fraction_bits,
        steps=newton_steps(variant),
        gain=gain,
        offset=offset,
        rounding=site.arithmetic.rounding,
        zero_point=scalar_zero_point(y),
        **limits(site),
    )


def unsupported(site: Site) -> str:
    """Why no kernel normalizes at a site, or ""."""
    if site.input(0).is_constant or site.input(0).format.bits > MOST_BITS:
        return "the input is a constant" if site.input(0).is_constant else "activations of more than 16 bits"
    if any(not t.is_constant for t in site.present[1:]):
        return "parameters that come at run time"
    if site.arithmetic.rounding is Rounding.STOCHASTIC or site.arithmetic.overflow.mode != "saturate":
        return f"rounding {site.arithmetic.rounding.value}, overflow {site.arithmetic.overflow} of an algorithm"
    return ""


def layout_of(split: Shape, axes: Sequence[int]) -> Layout | None:
    """(outer, rows, groups, width) of groups along `axes`; None where these are more than two runs of neighbours."""
    runs: list[tuple[bool, int]] = [(False, 1)]
    for axis, size in enumerate(split):
        within = axis in axes
        if size == 1:
            continue
        if runs[-1][0] == within:
            runs[-1] = within, runs[-1][1] * size
        else:
            runs.append((within, size))
    sizes = [size for _, size in runs]
    if len(sizes) == 1:  # every element is a group
        return 1, 1, sizes[0], 1
    if len(sizes) == 2:
        return sizes[0], 1, 1, sizes[1]
    if len(sizes) > 4:
        return None
    return sizes[0], sizes[1], sizes[2], (*sizes, 1)[3]


def parameters(site: Site) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    """Gain and offset in steps of the output, for as many elements as there are before they repeat."""
    shape, unit = site.input(0).shape, Fraction(scalar_scale(site.output.format))
    given = [parameter(np.asarray(t.value), t) for t in site.present[1:]]
    absent = [np.array(Fraction(1), object), np.array(Fraction(0), object)]
    gain, offset = ([*given, *absent[len(given) :]][i] for i in range(2))
    first = min(first_varying(gain, len(shape)), first_varying(offset, len(shape)))
    return repeated(gain, shape[first:], unit), repeated(offset, shape[first:], unit)


def first_varying(part: Array, rank: int) -> int:
    """The first axis of x along which a parameter varies."""
    return next((rank - part.ndim + axis for axis, size in enumerate(part.shape) if size > 1), rank)


def repeated(part: Array, tail: Shape, unit: Fraction) -> tuple[Fraction, ...]:
    """A parameter over the last axes of x, in units of the output's step."""
    own = part.reshape(part.shape[max(part.ndim - len(tail), 0) :])
    return tuple(value / unit for value in np.broadcast_to(own, tail).ravel())
