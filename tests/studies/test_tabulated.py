"""Means, intervals and tables that several studies share."""

from __future__ import annotations

import math

import pytest

from phosphene.studies import tabulated


def test_intervals_are_students() -> None:
    stats = pytest.importorskip("scipy.stats")
    for count in (2, 3, 4, 7, 30, 100):
        values = [float(v) for v in range(count)]
        low, high = stats.t.interval(
            0.95, count - 1, loc=0, scale=stats.sem(values) if count > 1 else 1
        )
        assert tabulated.interval(values) == pytest.approx((high - low) / 2, rel=0.01)
    assert tabulated.interval([3.0]) == 0


def test_a_mean_is_of_what_is_known() -> None:
    found = tabulated.averaged([1.0, None, math.nan, 3.0])
    assert (found["mean"], found["count"]) == (2, 2)
    assert tabulated.averaged([]) == {"mean": None, "interval": None, "count": 0}
    assert tabulated.said(tabulated.averaged([None])) is None
    assert tabulated.said(tabulated.averaged([0.5]), 0, 100) == "50"


def test_only_what_is_sure_has_a_sign() -> None:
    signs = [
        tabulated.sure(tabulated.averaged(values))
        for values in ([1.0, 1.0], [1.0, 1.1, 0.9], [-1.0, -1.1, -0.9], [1.0, -1.0, 0.5], [])
    ]
    assert signs == [0, 1, -1, 0, 0]


def test_tables_and_plots_leave_gaps() -> None:
    known, unknown = tabulated.averaged([0.1, 0.2, 0.3]), tabulated.averaged([])
    measured = {("a", 1.0): known, ("a", math.inf): unknown}
    what = ("a",), (1.0, math.inf)
    table = tabulated.table("t", *what, measured, times=100)
    assert table.columns == ("layer", "C = 1", "C = none")
    assert table.rows == (("a", "20.0 ± 24.8", None),)
    assert tabulated.said(tabulated.averaged([1.0, 3.0])) == "2.0"  # of two it is 12.7 deviations
    plot = tabulated.plot("p", *what, measured, "%", times=100)
    assert plot.series[0].y == (20.0,)
    assert math.isnan(plot.series[1].y[0])
    assert [entry["strength"] for entry in tabulated.listed(*what, measured)] == ["1", "none"]
