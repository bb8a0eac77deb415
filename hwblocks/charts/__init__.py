"""Charts: what results draw, as plain data with titles and units, and their plain forms (terminal, SVG, tables).

Interactive forms are made by `hwblocks.reports`. Every chart can also be had as a table, so that nothing is told by a
picture alone.
"""

from __future__ import annotations

from hwblocks.charts.graph_view import Edge, GraphNode, GraphView, Measure, measures_of
from hwblocks.charts.measured import Box, Gantt, Histogram, Images, Limit, Pixels
from hwblocks.charts.records import Axis, Bars, Gallery, HeatMap, Line, Point, Scatter, Series

__all__ = [
    "Axis",
    "Bars",
    "Box",
    "Edge",
    "Gallery",
    "Gantt",
    "GraphNode",
    "GraphView",
    "HeatMap",
    "Histogram",
    "Images",
    "Limit",
    "Line",
    "Measure",
    "Pixels",
    "Point",
    "Scatter",
    "Series",
    "measures_of",
]
