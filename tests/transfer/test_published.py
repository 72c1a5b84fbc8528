from __future__ import annotations

import pytest

from phosphene.errors import SettingError
from phosphene.transfer.published import all_published, published


def test_the_thesis_tables_are_whole() -> None:
    rows = all_published()
    counts = {t: sum(row.table == t for row in rows) for t in ("3.1", "3.2", "4.1")}
    # Counted in the thesis: 30 rows of one to three numbers, 20 of five, 8 of one or two.
    assert counts == {"3.1": 74, "3.2": 100, "4.1": 13}
    assert all(0 < row.percent < 100 for row in rows)
    assert all(row.source for row in rows)
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize(
    ("benchmark", "method", "percent"),
    [
        ("VOC2007 classification", "CPFS-CE", 64.2),
        ("VOC2007 detection", "Ours direct cls.", 46.1),
        ("VOC2012 segmentation", "CPFS-KTA", 41.5),
        ("ImageNet conv5", "Random-rescaled", 20.6),
        ("ImageNet conv3", "Gidaris et al.", 38.7),
        ("VOC2007 classification", "S3-CNN-YFCC100m-150k", 76.4),
    ],
)
def test_numbers_are_the_thesis_s(benchmark: str, method: str, percent: float) -> None:
    assert percent in [row.percent for row in published(benchmark) if row.method == method]


def test_what_was_not_reported_is_said() -> None:
    with pytest.raises(SettingError, match="did you mean 'VOC2007 detection'"):
        published("VOC2007 detections")
    with pytest.raises(SettingError, match="take one of VOC2007 classification"):
        published("soup")
