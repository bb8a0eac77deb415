"""Reports: results as one HTML page. Formats only; imports no result class."""

from __future__ import annotations

from hwblocks.reports.page import check_charts, report

__all__ = ["check_charts", "report"]
