"""Main effects against the formula written out."""

from __future__ import annotations

from itertools import product

import pytest

from phosphene.studies.factorial import Corner, difference, judged, main_effects


def test_a_sum_is_taken_apart() -> None:
    values: dict[Corner, float | None] = {
        (a, b, c): 1 + 0.5 * a - 0.25 * b + 0.125 * c + 4 * (a and b and c)
        for a, b, c in product((False, True), repeat=3)
    }
    # The threefold part is there in one of the four with each choice, and in none without it.
    expected = {"a": 0.5 + 1, "b": -0.25 + 1, "c": 0.125 + 1}
    assert main_effects(values, "abc") == pytest.approx(expected)
    values[True, True, False] = None
    assert main_effects(values, "abc") == {"a": None, "b": None, "c": None}
    del values[True, True, False]
    with pytest.raises(ValueError, match="8 combinations are needed, and 7"):
        main_effects(values, "abc")


def test_judgements() -> None:
    rising: list[float | None] = [1.0, 1.1, 0.9, None]
    still: list[float | None] = [0.0, 0.1, -0.1, 5.0]
    assert difference(rising, still)["mean"] == pytest.approx(1)
    assert difference(rising, still, 10)["count"] == 3
    assert judged(difference(rising, still)) == "confirmed"
    assert judged(difference(still, rising)) == "contradicted"
    assert judged(difference(still, still[::-1])) == "cannot tell"
    assert judged(difference([None], [1.0])) == "cannot tell"
