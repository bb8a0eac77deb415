"""The HTML page of a report: sections with facts, charts and tables, and the models' graphs beside them."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from hwblocks.charts import Gallery, GraphView, Images, Scatter
from hwblocks.charts.graph_svg import graph_svg
from hwblocks.errors import InputError
from hwblocks.files import check_writable, write_atomically
from hwblocks.reports.cells import table_parts
from hwblocks.reports.figures import Figure, figure
from hwblocks.reports.pictures import picture_grid
from hwblocks.table import Chart, Section, Table


class Reportable(Protocol):
    """What a report takes: a Result, or what offers the parts of one, as a Run does."""

    def sections(self) -> Sequence[Section]:
        """The parts of a report."""


CHARTS = ("inline", "file", "none")
LIBRARY_FILE = "plotly.min.js"
HALF = (Gallery, Scatter)  # charts that stand beside each other where there is room


def report(path: str | Path, *results: Reportable, title: str | None = None, charts: str = "inline") -> Path:
    """Write results as one HTML page and return its path; a run is one too.

    charts: "inline" (the page needs no other file), "file" (the drawing library stands beside the page as
    plotly.min.js, for folders of many reports), "none" (tables and static pictures, no library).
    Errors: OutputError when the folder is missing; InputError without results or for another `charts`.
    """
    if not results:
        raise InputError("a report needs at least one result, for example the value of hb.compare(...)")
    check_charts(charts)
    for result in results:
        if not hasattr(result, "sections"):
            raise InputError(
                f"a report takes results (of hb.run, hb.compare, hb.cost, ...), not {type(result).__name__}"
            )
    path = check_writable(path)
    sections = [section for result in results for section in result.sections()]
    page = render(title or sections[0].title, sections, charts)
    if charts == "file":
        write_atomically(path.parent / LIBRARY_FILE, plotly_code())
    return write_atomically(path, page)


def check_charts(charts: str) -> None:
    """Errors: InputError for another way to bring charts."""
    if charts not in CHARTS:
        raise InputError(f"charts {charts!r}: use {', '.join(CHARTS)}")


def render(title: str, sections: Sequence[Section], charts: str = "inline") -> str:
    """The page's text."""
    from markupsafe import Markup

    figures: dict[str, Any] = {}
    shown = [_section(section, figures, charts) for section in sections]
    page: str = _template("page.html.j2").render(
        title=title,
        sections=[s for s in shown if s["text"] or s["facts"] or s["charts"] or s["tables"]],
        views=[_view(view) for view in joined_views(sections)],
        css=Markup(_own("page.css")),
        script=Markup(_own("page.js")),
        library=Markup(_library(charts)) if any(figures.values()) else "",
        figures=Markup(_script_data(figures)),
        shown_table=shown_table,
        version=_version(),
    )
    return page


def _script_data(value: Any) -> str:
    """JSON for a script element: no "<" is left, as names may hold "</script>" or "<!--<script>"."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def joined_views(sections: Sequence[Section]) -> list[GraphView]:
    """The graphs of all sections; views of one model become one with all measures."""
    views: list[GraphView] = []
    for chart in (c for section in sections for c in section.charts if isinstance(c, GraphView)):
        for place, view in enumerate(views):
            if view.is_same_graph(chart):
                views[place] = view.joined(chart)
                break
        else:
            views.append(chart)
    return views


def shown_table(table: Table) -> Any:
    """A table that can be sorted and filtered."""
    from markupsafe import Markup

    return Markup(_template("table.html.j2").render(table=table, **table_parts(table)))


def _section(section: Section, figures: dict[str, Any], charts: str) -> dict[str, Any]:
    drawn = [c for c in section.charts if not isinstance(c, GraphView)]
    return {
        "title": section.title,
        "text": section.text,
        "facts": section.facts,
        "tables": section.tables,
        "charts": _spread([_chart(chart, figures, charts) for chart in drawn]),
    }


def _spread(charts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Widths: narrow charts in a row stand beside each other, three or two at a time; one left over is wide."""
    run: list[dict[str, Any]] = []
    for chart in [*charts, {"wide": True}]:
        if not chart["wide"]:
            run.append(chart)
            continue
        for place, narrow in enumerate(run):
            alone = len(run) % 2 and place + 1 == len(run)
            narrow["width"] = "third" if len(run) % 3 == 0 else "wide" if alone else "half"
        run = []
        chart["width"] = "wide"
    return charts


def _chart(chart: Chart, figures: dict[str, Any], charts: str) -> dict[str, Any]:
    """What the page says of a chart. Figures, one or one for each choice, go into `figures` by the chart's id."""
    from markupsafe import Markup

    parts = [one for _, one in chart.charts] if isinstance(chart, Gallery) else [chart]
    made: dict[str, Any] = {"id": f"chart{len(figures)}", "title": chart.title, "text": chart.text, "wide": True}
    figures[made["id"]] = None
    if isinstance(chart, Gallery):
        links = chart.links or ("",) * len(chart.charts)
        made["choices"] = [{"name": name, "link": link} for (name, _), link in zip(chart.charts, links, strict=True)]
    elif not chart.in_table:
        made["table"] = chart.to_table()
    if charts == "none" or all(isinstance(one, Images) for one in parts):
        return {**made, "kind": "pictures", "parts": [Markup(_picture(one)) for one in parts]}
    found: list[Figure] = [{**(figure(one) or {}), "note": one.text} for one in parts]
    figures[made["id"]] = found if isinstance(chart, Gallery) else found[0]
    height = max(one["layout"]["height"] for one in found)
    return {**made, "kind": "plotly", "height": height, "wide": not isinstance(chart, HALF)}


def _picture(chart: Chart) -> str:
    return picture_grid(chart) if isinstance(chart, Images) else chart.to_svg()


def _view(view: GraphView) -> dict[str, Any]:
    from markupsafe import Markup

    return {
        "title": view.title,
        "measures": view.measures,
        "ends": [measure.ends for measure in view.measures],
        "svg": Markup(graph_svg(view)),
    }


@cache
def plotly_code() -> str:
    """The drawing library as its package ships it."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


@cache
def _packed_library() -> str:
    return base64.b64encode(gzip.compress(plotly_code().encode(), mtime=0)).decode()


def _library(charts: str) -> str:
    """The element that brings the library: packed in the page (browsers unpack gzip), or a file beside it."""
    if charts == "none":
        return ""
    if charts == "file":
        return f'<script src="{LIBRARY_FILE}"></script>'
    return f'<script type="text/plain" id="plotly">{_packed_library()}</script>'


@cache
def _own(name: str) -> str:
    return resources.files("hwblocks.reports").joinpath(name).read_text(encoding="utf-8")


@cache
def _template(name: str) -> Any:
    import jinja2

    return jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_own(name))


def _version() -> str:
    import hwblocks

    return hwblocks.__version__
