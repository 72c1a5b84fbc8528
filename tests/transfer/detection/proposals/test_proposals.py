"""Boxes are read from all files there are of them, and searched once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from phosphene.errors import FormatError, SettingError
from phosphene.transfer.benchmarks.records import InMemory
from phosphene.transfer.detection.proposals import (
    Proposals,
    read_proposals,
    searched,
    selective_search,
)
from phosphene.transfer.scores.detections import overlaps
from tests.transfer.drawn import drawn_set


def cells(values: list[object]) -> np.ndarray:
    made = np.empty((1, len(values)), object)
    for at, value in enumerate(values):
        made[0, at] = value
    return made


@pytest.fixture
def matlab(tmp_path: Path) -> Path:
    """Two photographs in the form of voc_2007_trainval.mat: y1, x1, y2, x2, counted from 1."""
    path = tmp_path / "voc.mat"
    boxes = [np.array([[1, 1, 375, 500], [11, 21, 30, 40]], np.uint16), np.zeros((0, 4))]
    images = [np.array(["000005"]), np.array(["000007"])]
    savemat(path, {"boxes": cells(boxes), "images": cells(images).T})
    return path


def test_selective_searchs_own_files(matlab: Path) -> None:
    found = read_proposals(matlab)
    assert found.of("000005").tolist() == [[0, 0, 500, 375], [20, 10, 40, 30]]
    assert found.of("000005.jpg").shape == (2, 4)
    assert "000007" in found
    assert found.of("000007").shape == (0, 4)
    assert "000009" not in found


def test_files_without_names_are_in_the_order_of_the_set(tmp_path: Path) -> None:
    path = tmp_path / "voc.mat"
    savemat(path, {"boxes": cells([np.array([[1.0, 1, 2, 2]]), np.array([[1.0, 1, 9, 9]])])})
    assert read_proposals(path, ["a", "b"]).of("b").tolist() == [[0, 0, 9, 9]]
    with pytest.raises(FormatError, match="boxes of 2 photographs and names of 3"):
        read_proposals(path, ["a", "b", "c"])


def test_our_own_files(tmp_path: Path) -> None:
    held = {"2007/a.jpg": np.array([[0, 1.5, 2, 3]]), "b": np.zeros((0, 4)), "c.d": np.ones((3, 4))}
    path = Proposals(held).save(tmp_path / "made" / "boxes.npz")
    (tmp_path / "boxes.json").write_text(json.dumps({k: v.tolist() for k, v in held.items()}))
    for found in (read_proposals(path), read_proposals(tmp_path / "boxes.json")):
        assert (len(found), found.count) == (3, 4)
        for name, boxes in held.items():
            assert name in found
            assert np.array_equal(found.of(name), boxes)
        assert "2007/a" in found


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("boxes.txt", b"", "no file of proposed boxes"),
        ("boxes.mat", b"MATLAB 5.0 MAT-file, not at all", "cannot be read"),
        ("boxes.npz", b"PK", "cannot be read"),
        ("boxes.json", b"[1, 2]", "is no"),
        ("boxes.json", b'{"a": [[1, 2, 3]]}', "four finite numbers"),
        ("boxes.json", b'{"a": [[1, 2], 3]}', "no boxes"),
        ("boxes.json", b'{"a": "everywhere"}', "no boxes"),
        ("boxes.json", b'{"a": [[0, 0, 1, NaN]]}', "four finite numbers"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=said):
        read_proposals(tmp_path / name)


def test_a_missing_file_and_one_of_other_things(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="there is no file"):
        read_proposals(tmp_path / "boxes.mat")
    savemat(tmp_path / "boxes.mat", {"a": np.ones(3)})
    with pytest.raises(FormatError, match="holds no `boxes`"):
        read_proposals(tmp_path / "boxes.mat")
    np.savez(tmp_path / "boxes.npz", names=["a"], counts=[3], boxes=np.ones((2, 4)))
    with pytest.raises(FormatError, match="says it has 3 boxes"):
        read_proposals(tmp_path / "boxes.npz")


def test_selective_search_finds_the_objects_and_hangs_on_nothing_else() -> None:
    known = drawn_set(4, 7)
    for index in range(4):
        boxes = selective_search(known.image(index))
        assert overlaps(boxes, known.boxes(index).corners).max(0).min() > 0.5
        assert np.array_equal(selective_search(known.image(index)), boxes)
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, 2:] <= 96).all()
    with pytest.raises(SettingError, match="no mode 'slow'"):
        selective_search(known.image(0), "slow")  # type: ignore[arg-type]


def test_an_empty_photograph_has_boxes_of_itself_alone() -> None:
    boxes = selective_search(Image.new("RGB", (40, 30), "gray"))
    assert len(boxes) <= 1


class Search:
    """Counts, and is interrupted if asked for."""

    def __init__(self, failing: int = -1) -> None:
        self.seen: list[int] = []
        self.failing = failing

    def __call__(self, image: Image.Image) -> np.ndarray:
        self.seen.append(image.width)
        if image.width == self.failing:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)
        return np.array([[0.0, 0, image.width, image.height]])


def test_what_was_searched_is_kept(tmp_path: Path) -> None:
    images = [Image.new("RGB", (20 + n, 10)) for n in range(4)]
    known, cache = InMemory(images, ("a",)), tmp_path / "cache" / "boxes.npz"
    told: list[tuple[int, int]] = []
    with pytest.raises(KeyboardInterrupt):
        searched(known, cache=cache, search=Search(21))
    second = Search()
    found = searched(
        known, cache=cache, search=second, tick=lambda done, count, what: told.append((done, count))
    )
    assert second.seen == [22, 23]
    assert told == [(3, 4), (4, 4)]
    assert [found.of(str(n)).tolist() for n in range(4)] == [[[0, 0, 20 + n, 10]] for n in range(4)]
    assert [path.name for path in cache.parent.iterdir()] == ["boxes.npz"]
    third = Search()
    searched(known, cache=cache, search=third)
    assert third.seen == []
