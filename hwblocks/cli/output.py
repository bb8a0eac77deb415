"""What every command shares: output options, printing, JSON, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def output_options(function: Function) -> Function:
    """--json and --quiet."""
    function = click.option("--quiet", "-q", is_flag=True, help="Print errors only.")(function)
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(function)


def show(result: Any, as_json: bool, quiet: bool) -> None:
    """Print a result: as JSON, not at all, or as tables (wide enough for a pipe to be read)."""
    if as_json:
        click.echo(result.to_json())
    elif not quiet:
        console().print(result)


def show_json(schema: str, **content: Any) -> None:
    """Print a versioned JSON envelope."""
    from hwblocks.table import plain

    click.echo(json.dumps({"schema": f"hwblocks.{schema}/1", **plain(content)}, indent=1, ensure_ascii=False))


def console() -> Any:
    """A rich console on standard output; 160 columns where there is no terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


@contextmanager
def progress(what: str, total: int | None, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error while a terminal is there; yields the function that advances it."""
    if quiet or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
