"""hwblocks selftest."""

from __future__ import annotations

import time
from typing import Any

import click

from hwblocks.cli.output import output_options, show_json


@click.command("selftest")
@output_options
def command(as_json: bool, quiet: bool) -> int:
    """The compiled core against the exact definitions on this machine, about 5 seconds."""
    started = time.monotonic()
    rows = list(checks())
    failed = [row for row in rows if not row["equal"]]
    if as_json:
        show_json("selftest", checks=rows, failed=len(failed), seconds=round(time.monotonic() - started, 2))
    elif not quiet:
        for row in rows:
            click.echo(
                f"{'equal' if row['equal'] else 'DIFFERENT'}  {row['isa']:5} {row['recipe']:8} {row['tensors']} tensors"
            )
        click.echo(f"{len(rows) - len(failed)} of {len(rows)} checks passed in {time.monotonic() - started:.1f} s")
    return 1 if failed else 0


def checks() -> Any:
    """The demo network under every recipe and instruction set: every tensor of the kernels equals the definition's."""
    import numpy as np

    import quantize as qz
    from hwblocks.cli.demo_data import demo_graph, demo_samples
    from hwblocks.numerics import kernels
    from hwblocks.simulate.simulator import Simulator

    graph, samples = demo_graph(), demo_samples()
    table = qz.calibrate(graph, samples["calibration"][:64])
    for recipe in ("int8", "int16x8", "w4a8", "fixed16"):
        made = qz.convert(graph, table, recipe=recipe)
        exact = Simulator(made, engine="definition").run(samples["images"][:16], trace="full", real=True)
        for isa in kernels.isa_names():
            fast = Simulator(made, isa=isa).run(samples["images"][:16], trace="full", real=True)
            equal = all(np.array_equal(exact.trace[name], fast.trace[name]) for name in exact.trace)
            yield {"recipe": recipe, "isa": isa, "tensors": len(exact.trace), "equal": equal}
