"""hwblocks targets."""

from __future__ import annotations

import click

from hwblocks.cli.output import output_options, show


@click.group("targets", invoke_without_command=True)
@click.pass_context
@output_options
def command(context: click.Context, as_json: bool, quiet: bool) -> None:
    """The targets of the library: kind, clock, multipliers, memories, energy table."""
    if context.invoked_subcommand is None:
        from hwblocks.costs.catalogue import catalogue

        show(catalogue(), as_json, quiet)


@command.command("show")
@click.argument("name")
@click.option("--toml", is_flag=True, help="Print the file itself, to start one of your own from.")
@output_options
def show_target(name: str, toml: bool, as_json: bool, quiet: bool) -> None:
    """All numbers of a target with their sources; NAME is of the library or a file."""
    from hwblocks.costs.catalogue import target_sheet
    from hwblocks.targets.load import load_target, target_text

    if toml:
        load_target(name)
        click.echo(target_text(name), nl=False)
        return
    show(target_sheet(name), as_json, quiet)
