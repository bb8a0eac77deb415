"""What every chart can do: become a dictionary, a table, a drawing in the terminal, a static picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hwblocks.table import Chart


@dataclass(frozen=True)
class Drawn(Chart):
    """A chart with its plain forms; they are imported when they are asked for."""

    def __rich__(self) -> Any:
        from hwblocks.charts.terminal import drawn

        return drawn(self)

    def to_svg(self) -> str:
        """A static picture for notebooks and for pages without scripts."""
        from hwblocks.charts.svg import picture

        return picture(self)
