"""A click group whose commands are imported when they are called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """commands_table: one line of help by command name; the command `x` is `command` in hwblocks.cli.x_command."""

    def __init__(self, *args: Any, commands_table: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self.commands_table = commands_table or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(self.commands_table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in self.commands_table:
            return None
        command: click.Command = import_module(f"hwblocks.cli.{cmd_name}_command").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands_table.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """A misspelt command names the closest one."""
        from difflib import get_close_matches

        if args and not args[0].startswith("-") and args[0] not in self.commands_table:
            close = get_close_matches(args[0], self.commands_table, 1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(self.commands_table)}"
            raise click.UsageError(f"no command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)
