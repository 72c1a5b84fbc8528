from __future__ import annotations

import pytest

from phosphene.errors import SettingError
from phosphene.transfer.compared import Compared, over_seeds
from phosphene.view.tables import to_markdown


def test_ours_and_theirs_stand_apart() -> None:
    found = Compared(
        "VOC",
        {"a": {"cls": (0.5, None), "det": (0.25, None)}, "b": {"cls": (0.4, 0.01), "det": (1, 0)}},
        {"cls": "VOC2007 classification", "det": "VOC2007 detection"},
    )
    table = found.table()
    assert table.columns == ("network", "cls", "±", "det", "±")
    assert table.rows == (("a", 50.0, None, 25.0, None), ("b", 40.0, 1.0, 100.0, 0.0))
    quoted = found.quoted()
    assert quoted is not None
    theirs = {(row[0], row[4]): row[5:] for row in quoted.rows}
    assert theirs["CPFS-CE", "3.1"] == (64.2, 50.8)
    assert theirs["Misra et al.", "3.1"] == (None, 42.4)
    assert "nothing of it was measured here" in to_markdown(quoted)
    assert "CPFS" not in to_markdown(table)
    told = found.as_json()
    assert set(told["measured"]) == {"a", "b"}
    assert [one["percent"] for one in told["quoted"]["det"]][:2] == [56.8, 43.4]
    assert len(found.panel().tables) == 2


def test_where_nothing_was_reported_nothing_is_quoted() -> None:
    found = Compared("own photographs", {"a": {"accuracy": (0.5, None)}})
    assert found.quoted() is None
    assert found.table().columns == ("network", "accuracy")


def test_seeds_are_averaged() -> None:
    assert over_seeds([0.5]) == (0.5, None)
    mean, deviation = over_seeds([0.1, 0.2, 0.3])
    assert (mean, deviation) == (pytest.approx(0.2), pytest.approx(0.1))


def test_what_cannot_be_compared() -> None:
    with pytest.raises(SettingError, match="no networks"):
        Compared("", {})
    with pytest.raises(SettingError, match="b was measured by det, others by cls"):
        Compared("", {"a": {"cls": (0, None)}, "b": {"det": (0, None)}})
