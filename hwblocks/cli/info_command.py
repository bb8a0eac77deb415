"""hwblocks info."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hwblocks.cli.output import output_options, show, show_json


@click.command("info")
@click.argument("model", required=False, type=click.Path())
@click.option("--targets", is_flag=True, help="Only the names of the targets.")
@click.option("--dialects", is_flag=True, help="The dialects: runtime, version, and what is proven exact.")
@output_options
def command(model: str | None, targets: bool, dialects: bool, as_json: bool, quiet: bool) -> None:
    """Version, kernels, targets and recipes; with MODEL what that file holds."""
    if dialects:
        from hwblocks.cli.dialect_listing import dialect_list

        show(dialect_list(), as_json, quiet)
        return
    facts = _targets() if targets else model_facts(model) if model else installation()
    if as_json:
        show_json("info", **facts)
    elif not quiet:
        width = max(len(name) for name in facts)
        for name, value in facts.items():
            shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
            click.echo(f"{name.ljust(width)}  {shown}")


def _targets() -> dict[str, Any]:
    from hwblocks.targets.load import energy_names, target_names

    return {"targets": list(target_names()), "energy tables": list(energy_names())}


def installation() -> dict[str, Any]:
    """What this installation has."""
    import platform

    import numpy as np

    import hwblocks
    from hwblocks.dialects import names
    from hwblocks.graph.registry import block_classes
    from hwblocks.numerics import kernels

    recipes = sorted(p.stem for p in (Path(__file__).parents[2] / "quantize" / "recipes").glob("*.toml"))
    return {
        "hwblocks": hwblocks.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "kernels": list(kernels.isa_names()) or ["none (definitions only)"],
        "kernels in force": kernels.default_isa(),
        "blocks": len(block_classes()),
        "recipes": recipes,
        "dialects": list(names()),
        **_targets(),
    }


def model_facts(path: str) -> dict[str, Any]:
    """What a model file holds."""
    from hwblocks.graph.io import content_hash
    from hwblocks.importers.load import load

    graph = load(path)
    return {
        "name": graph.name,
        "kind": "integer" if graph.is_integer else "float",
        "nodes": len(graph.nodes),
        "inputs": [f"{n} {graph.tensors[n].shape} {graph.tensors[n].format!r}" for n in graph.inputs],
        "outputs": [f"{n} {graph.tensors[n].shape} {graph.tensors[n].format!r}" for n in graph.outputs],
        "samples lead": graph.batched,
        "dialect": graph.dialect or "none (the nodes' own arithmetic)",
        "states": [f"{s.name} {s.initial.shape} {graph.tensors[s.tensor].format!r}" for s in graph.states] or "none",
        "content hash": content_hash(graph),
        **{k: v for k, v in graph.metadata.items() if v},
    }
