"""Classes by what a person calls them."""

from __future__ import annotations

import pytest

from phosphene.core.labels import class_index
from phosphene.errors import UnknownClass

LABELS = (
    "tench, Tinca tinca", "goldfish, Carassius auratus", "great white shark, white shark",
    "crane", "crane", "maillot", "maillot, tank suit", "7", "Égouttoir",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "index"),
    [
        (0, 0), (8, 8), ("3", 3), (" 4 ", 4), ("tench", 0), ("TINCA TINCA", 0), (" goldfish ", 1),
        ("tench, tinca tinca", 0), ("white shark", 2), ("maillot", 5), ("tank suit", 6),
        ("maillot, tank suit", 6), ("égouttoir", 8), ("7", 7), (7, 7),
    ],
)  # fmt: skip
def test_found(name: str | int, index: int) -> None:
    assert class_index(name, LABELS, 9) == index


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (9, "classes 0 to 8, and no class 9"), (-1, "no class -1"), ("99", "no class 99"),
        ("golfish", r"no class 'golfish'; did you mean 'goldfish'"), ("shark", "white shark"),
        ("crane", r"several classes: give an index of 3 \(crane\), 4 \(crane\)"), ("²", "no class"),
        ("", "no class ''"), ("zzz", "no class 'zzz'"),
    ],
)  # fmt: skip
def test_not_found(name: str | int, message: str) -> None:
    with pytest.raises(UnknownClass, match=message):
        class_index(name, LABELS, 9)


def test_without_labels() -> None:
    assert class_index("2", (), 3) == 2
    with pytest.raises(UnknownClass, match=r"no class names.*'cat'.*index from 0 to 2"):
        class_index("cat", (), 3)
