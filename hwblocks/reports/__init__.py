"""Reports: results as one self-contained HTML page. Formats only; imports no result class."""

from __future__ import annotations

from hwblocks.reports.page import report

__all__ = ["report"]
