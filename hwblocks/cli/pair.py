"""What commands share that hold a float model and an integer one against each other on samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

OPTIONS = (
    click.argument("float_model", type=click.Path()),
    click.argument("quantized_model", type=click.Path()),
    click.option("--samples", required=True, type=click.Path(), help="Samples: .npz, .npy or idx (real values)."),
    click.option("--labels", type=click.Path(), help="Class numbers: .npz (labels), .npy or idx."),
    click.option("--range", "part", help="Samples a:b only."),
)


def pair_options(function: Function) -> Function:
    """FLOAT_MODEL, QUANTIZED_MODEL, --samples, --labels and --range."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function
