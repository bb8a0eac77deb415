"""--shape: sizes for symbolic axes of a model's inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def shape_option(function: Function) -> Function:
    """--shape NAME=1,16,8, which may be repeated; the command takes `shapes`, None without."""
    return click.option(
        "--shape",
        "shapes",
        multiple=True,
        metavar="NAME=N,H,...",
        callback=_parsed,
        help="Full shape of an input with symbolic axes (.onnx); may be repeated.",
    )(function)


def _parsed(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, list[int]] | None:
    made = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        try:
            made[name] = [int(size) for size in sizes.split(",")]
        except ValueError:
            name = ""
        if not name or min(made[name]) < 1:
            raise click.BadParameter(f"{text}: write the input's name and whole sizes, x=1,16,8", context, option)
    return made or None
