"""docs/estimates.md: its tables are what the code says today."""

from __future__ import annotations

from write_estimates import PAGE, parts_of, written


def test_tables_are_up_to_date(shared):
    page = PAGE.read_text("utf-8")
    assert written(page, parts_of(shared, None)) == page, "run tests/costs/write_estimates.py (its docstring says how)"
