from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phosphene.errors import FormatError, SettingError
from phosphene.segmentation.truths import Box, Truths, read_coco

CAT, DOG = 17, 18


def thing(image: int, category: int, segmentation: Any, box: Any, crowd: int = 0) -> dict[str, Any]:
    return {
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "bbox": box,
        "iscrowd": crowd,
    }


SOUND: dict[str, Any] = {
    "categories": [{"id": CAT, "name": "cat"}, {"id": DOG, "name": "dog"}],
    "images": [
        {"id": 5, "file_name": "five.jpg", "height": 2, "width": 5},
        {"id": 6, "file_name": "sub/six.jpg", "height": 2, "width": 5},
        {"id": 7, "file_name": "nothing.jpg", "height": 2, "width": 5},
    ],
    "annotations": [
        # A cat of two parts, a dog, and a crowd of dogs that reaches over both.
        thing(5, CAT, [[0, 0, 1, 0, 1, 1, 0, 1], [4, 0, 5, 0, 5, 2, 4, 2]], [0, 0, 5, 2]),
        thing(5, DOG, {"size": [2, 5], "counts": "316"}, [1.5, 1, 0.5, 1]),
        thing(5, DOG, {"size": [2, 5], "counts": [2, 4, 4]}, [1, 0, 2, 2], 1),
        thing(6, DOG, {"size": [2, 5], "counts": [0, 10]}, [0, 0, 5, 2]),
    ],
}


def read(folder: Path, root: Any = SOUND, *args: Any, **how: Any) -> Truths:
    path = folder / "instances.json"
    path.write_text(json.dumps(root))
    return read_coco(path, folder, *args, **how)


def changed(**entry: Any) -> dict[str, Any]:
    """The sound file with one object changed."""
    first = {**SOUND["annotations"][0], **entry}
    return {**SOUND, "annotations": [first]}


def test_all_objects_together(tmp_path: Path) -> None:
    truths = read(tmp_path)
    assert truths.names == ("five.jpg", "sub/six.jpg")
    five, six = truths
    assert five.photo == tmp_path / "five.jpg"
    assert six.photo == tmp_path / "sub/six.jpg"
    np.testing.assert_array_equal(five.masks, [[[1, 255, 255, 0, 1], [0, 1, 255, 0, 1]]])
    assert five.boxes == (
        Box("cat", 0, 0, 5, 2),
        Box("dog", 1.5, 1, 2, 2),
        Box("dog", 1, 0, 3, 2, True),
    )
    assert five.classes == ("cat", "dog")
    np.testing.assert_array_equal(six.masks, np.ones((1, 2, 5)))


def test_crowds_as_foreground(tmp_path: Path) -> None:
    five = read(tmp_path, crowds="foreground")[0]
    np.testing.assert_array_equal(five.masks, [[[1, 1, 1, 0, 1], [0, 1, 1, 0, 1]]])


def test_one_category(tmp_path: Path) -> None:
    (cat,) = read(tmp_path, SOUND, "cat")
    np.testing.assert_array_equal(cat.masks, [[[1, 0, 0, 0, 1], [0, 0, 0, 0, 1]]])
    assert cat.boxes == (Box("cat", 0, 0, 5, 2),)
    assert len(read(tmp_path, SOUND, ["cat", "dog"])) == 2
    with pytest.raises(SettingError, match="did you mean 'cat'"):
        read(tmp_path, SOUND, "cats")


def test_object_by_object(tmp_path: Path) -> None:
    cat, dog = read(tmp_path, of="objects")[0].masks
    np.testing.assert_array_equal(cat, [[1, 255, 255, 0, 1], [0, 255, 255, 0, 1]])
    np.testing.assert_array_equal(dog, [[0, 255, 255, 0, 0], [0, 1, 255, 0, 0]])


def test_a_polygon_with_a_hole(tmp_path: Path) -> None:
    root = changed(segmentation=[[0, 0, 5, 0, 5, 5, 0, 5, 0, 0, 2, 2, 2, 3, 3, 3, 3, 2, 2, 2]])
    root["images"] = [{"id": 5, "file_name": "a.jpg", "height": 5, "width": 5}]
    expected = np.ones((5, 5))
    expected[2, 2] = 0
    np.testing.assert_array_equal(read(tmp_path, root)[0].masks, [expected])


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ([], 'no list "categories"'),
        ({"categories": []}, 'no list "annotations"'),
        ({**SOUND, "categories": [{"id": "1", "name": "cat"}]}, '"id" is no whole number'),
        ({**SOUND, "categories": [{"id": 1, "name": 5}]}, '"name" is no text'),
        ({**SOUND, "categories": []}, "of a category that is not in it"),
        ({**SOUND, "annotations": [3]}, '"category_id" is no whole number'),
        ({**SOUND, "images": [{"id": 5}]}, '"file_name" is no text'),
    ],
)
def test_files_of_another_kind_are_refused(tmp_path: Path, root: Any, message: str) -> None:
    with pytest.raises(FormatError, match=rf"instances\.json has .*{message}"):
        read(tmp_path, root)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (changed(segmentation=None), "neither polygons nor counts"),
        (changed(segmentation=[[0, 0, 1, 1]]), "not three or more pairs"),
        (changed(segmentation=[[0, 0, 1, 1, 2, float("nan")]]), "not three or more pairs"),
        (changed(segmentation=[[0, 0, 1, 1, 2, "2"]]), "not three or more pairs"),
        (changed(segmentation={"size": [5, 2], "counts": [10]}), "mask has the size"),
        (changed(segmentation={"size": [2, 5]}), "no counts"),
        (changed(segmentation={"size": [2, 5], "counts": [9]}), "9 pixels in all"),
        (changed(bbox=[1, 2, 3]), "not four numbers"),
        (changed(bbox=None), "not four numbers"),
        (changed(bbox=[1, 2, -3, 4]), "negative size"),
    ],
)
def test_damaged_objects_are_refused(tmp_path: Path, root: Any, message: str) -> None:
    truths = read(tmp_path, root)
    with pytest.raises(FormatError, match=rf"instances\.json, five\.jpg: .*{message}"):
        truths[0]


def test_impossible_photographs_are_refused(tmp_path: Path) -> None:
    image = {"id": 5, "file_name": "../a.jpg", "height": 2, "width": 5}
    with pytest.raises(FormatError, match="outside its folder"):
        read(tmp_path, {**SOUND, "images": [image]})[0]
    with pytest.raises(FormatError, match="cannot be"):
        read(tmp_path, {**SOUND, "images": [{**image, "height": 10**9}]})[0]
