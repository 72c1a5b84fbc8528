"""Folders of masks, DAVIS, lists of boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import FormatError, ImageError, PhospheneError, SettingError
from phosphene.segmentation.scores import MaskScores
from phosphene.segmentation.truths import (
    Box,
    Truth,
    Truths,
    read_boxes_json,
    read_davis,
    read_folder,
)
from phosphene.segmentation.truths.pixels import inside, read_labels

LABELS = np.array([[0, 1, 2], [0, 255, 1]], dtype=np.uint8)


def save(path: Path, labels: np.ndarray = LABELS, palette: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    if palette:
        image.putpalette([channel for level in range(256) for channel in (level, 7, 255 - level)])
    image.save(path)
    return path


def photo(path: Path) -> Path:
    return save(path, np.full((2, 3, 3), 90, dtype=np.uint8))


@pytest.mark.parametrize("palette", [False, True])
def test_label_maps_are_read_as_they_are_stored(tmp_path: Path, palette: bool) -> None:
    np.testing.assert_array_equal(read_labels(save(tmp_path / "a.png", LABELS, palette)), LABELS)


def test_other_kinds_of_label_maps(tmp_path: Path) -> None:
    deep = LABELS.astype(np.uint16) * 200
    np.testing.assert_array_equal(read_labels(save(tmp_path / "deep.png", deep)), deep)
    bits = LABELS > 0
    np.testing.assert_array_equal(read_labels(save(tmp_path / "bits.png", bits)), bits)
    gray = np.repeat(LABELS[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_labels(save(tmp_path / "rgb.png", gray)), LABELS)
    with_alpha = np.stack([LABELS, 255 - LABELS], axis=-1)
    np.testing.assert_array_equal(read_labels(save(tmp_path / "la.png", with_alpha)), LABELS)
    gray[0, 0] = (0, 0, 9)
    with pytest.raises(FormatError, match=r"color\.png has colors"):
        read_labels(save(tmp_path / "color.png", gray))
    Image.fromarray(np.full((2, 2), 0.5, np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(FormatError, match=r"float\.tif holds fractions"):
        read_labels(tmp_path / "float.tif")


def test_damaged_masks_are_named(tmp_path: Path) -> None:
    path = save(tmp_path / "cut.png", np.arange(10000, dtype=np.uint8).reshape(100, 100))
    path.write_bytes(path.read_bytes()[:80])
    (tmp_path / "text.png").write_text("no image")
    for name in ("cut.png", "text.png", "none.png"):
        with pytest.raises(ImageError, match=name):
            read_labels(tmp_path / name)


def test_a_folder_of_masks(tmp_path: Path) -> None:
    for name in ("cats/tom.jpg", "cats/felix.png", "rex.jpg", "nobody.jpg"):
        photo(tmp_path / "photos" / name)
    for name in ("cats/tom.png", "cats/felix.png", "rex.gif"):
        save(tmp_path / "masks" / name)
    truths = read_folder(tmp_path / "photos", tmp_path / "masks")
    assert truths.names == ("cats/felix", "cats/tom", "rex")
    tom = truths[1]
    assert tom.photo == tmp_path / "photos/cats/tom.jpg"
    assert tom.classes == ("cats",)
    assert truths[2].classes == ()
    np.testing.assert_array_equal(tom.masks[0], [[0, 1, 1], [0, 1, 1]])
    voc = read_folder(tmp_path / "photos", tmp_path / "masks", ignore=255)
    np.testing.assert_array_equal(voc[1].masks[0], [[0, 1, 1], [0, 255, 1]])
    soft = read_folder(tmp_path / "photos", tmp_path / "masks", above=127)
    np.testing.assert_array_equal(soft[1].masks[0], [[0, 0, 0], [0, 1, 0]])


def test_several_annotators_and_a_suffix(tmp_path: Path) -> None:
    for name in ("a", "b"):
        photo(tmp_path / f"photos/{name}.jpg")
        save(tmp_path / f"one/{name}_mask.png")
    save(tmp_path / "two/b_mask.png", 0 * LABELS)
    folders = [tmp_path / "one", tmp_path / "two"]
    a, b = read_folder(tmp_path / "photos", folders, suffix="_mask")
    assert (len(a.masks), len(b.masks)) == (1, 2)
    assert not b.masks[1].any()


def test_folders_that_do_not_fit(tmp_path: Path) -> None:
    photo(tmp_path / "photos/a.jpg")
    save(tmp_path / "masks/b.png")
    for photos, masks, message in [
        ("photos", "none", "no folder .*none"),
        ("none", "masks", "no folder .*none"),
        ("photos", "masks", "no mask in .* has the name"),
    ]:
        with pytest.raises(ImageError, match=message):
            read_folder(tmp_path / photos, tmp_path / masks)
    with pytest.raises(SettingError, match="no folder of masks"):
        read_folder(tmp_path / "photos", [])
    with pytest.raises(ImageError, match="ends in '_gt'"):
        read_folder(tmp_path / "photos", tmp_path / "masks", suffix="_gt")
    save(tmp_path / "masks/a.png")
    truths = read_folder(tmp_path / "photos", tmp_path / "masks")
    errors: list[tuple[str, PhospheneError]] = []
    read = list(truths.each(lambda name, error: errors.append((name, error))))
    assert [truth.name for truth in read] == ["a"]
    assert errors[0][0] == "b"
    assert "b.png is the mask of no photograph" in str(errors[0][1])


def test_truths_are_read_when_asked_for(tmp_path: Path) -> None:
    asked = []

    def read(number: int) -> Truth:
        asked.append(number)
        return Truth(str(number), tmp_path)

    truths = Truths(["0", "1", "2", "3"], read)
    some = truths[1:][::2]
    assert isinstance(some, Truths)
    assert (len(truths), len(some), some.names, asked) == (4, 2, ("1", "3"), [])
    assert some[-1].name == "3"
    assert [truth.name for truth in some] == ["1", "3"]
    assert asked == [3, 1, 3]
    with pytest.raises(IndexError):
        truths[4]


def test_names_do_not_lead_out_of_their_folder(tmp_path: Path) -> None:
    assert inside(tmp_path, "a/b.jpg", tmp_path) == tmp_path / "a/b.jpg"
    for name in ("/etc/passwd", "../a", "a/../../b", "..\\a", "", "a\0"):
        with pytest.raises(FormatError, match="outside its folder"):
            inside(tmp_path, name, tmp_path)


@pytest.mark.parametrize(
    ("frames", "masks"), [("frames", "masks"), ("JPEGImages/480p", "Annotations/480p")]
)
def test_davis(tmp_path: Path, frames: str, masks: str) -> None:
    for sequence, count in [("bear", 5), ("swan", 2)]:
        for number in range(count):
            photo(tmp_path / frames / sequence / f"{number:05}.jpg")
            palette = sequence == "swan"
            save(tmp_path / masks / sequence / f"{number:05}.png", LABELS, palette)
    truths = read_davis(tmp_path, every=2)
    assert truths.names == ("bear/00000", "bear/00002", "bear/00004", "swan/00000")
    assert truths[0].classes == ("bear",)
    assert truths[2].photo == tmp_path / frames / "bear/00004.jpg"
    np.testing.assert_array_equal(truths[0].masks[0], [[0, 1, 1], [0, 1, 1]])
    np.testing.assert_array_equal(truths[3].masks[0], [[0, 1, 1], [0, 255, 1]])
    assert read_davis(tmp_path, ["swan"]).names == ("swan/00000", "swan/00001")
    with pytest.raises(SettingError, match="did you mean 'bear'"):
        read_davis(tmp_path, ["baer"])
    with pytest.raises(SettingError, match="every 0-th"):
        read_davis(tmp_path, every=0)
    with pytest.raises(ImageError, match="neither the folders"):
        read_davis(tmp_path / frames)
    (tmp_path / frames / "bear/00000.jpg").unlink()
    with pytest.raises(ImageError, match=r"00000\.jpg, which is not there"):
        truths[0]


def test_davis_itself(shared: Path) -> None:
    truths = read_davis(shared / "data" / "davis", every=25)
    scores = MaskScores()
    for truth in truths:
        assert isinstance(truth.photo, Path)
        with Image.open(truth.photo) as frame:
            assert frame.size[::-1] == truth.masks[0].shape
        assert scores.add(truth.masks[0], truth.masks, *truth.classes).iou == 1
    assert len(scores.result().classes) == 10


def test_boxes_of_the_sample(shared: Path) -> None:
    truths = read_boxes_json(shared / "data" / "imagenet_sample" / "boxes.json")
    assert len(truths) == 60
    assert truths[0].boxes == (Box("tench", 24, 88, 292, 206),)
    for truth in truths:
        assert isinstance(truth.photo, Path)
        with Image.open(truth.photo) as image:
            for box in truth.boxes:
                assert 0 <= box.x0 < box.x1 <= image.width
                assert 0 <= box.y0 < box.y1 <= image.height


def test_a_list_of_boxes(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"

    def read(objects: object, name: str = "a.jpg", **how: bool) -> Truth:
        entry = {"class": "cat", "difficult": True, "objects": objects}
        path.write_text(json.dumps({"boxes": {name: entry}}))
        return read_boxes_json(path, **how)[0]

    assert read([[1, 2, 3, 4]]).boxes == (Box("cat", 1, 2, 3, 4, True),)
    assert read([[1, 2, 3, 4]], inclusive=True).boxes == (Box("cat", 1, 2, 4, 5, True),)
    assert read([[1, 2, 1, 2]], inclusive=True).classes == ("cat",)
    for objects in ([[1, 2, 1, 5]], [[1, 2, 3]], [[1, 2, 3, "4"]], [3], [[1, 2, 3, float("nan")]]):
        with pytest.raises(FormatError, match=r"boxes\.json has .* box"):
            read(objects)
    with pytest.raises(FormatError, match=r"boxes\.json has no \"class\""):
        read("many")
    with pytest.raises(FormatError, match="outside its folder"):
        read([], "../a.jpg")
    for text, message in [("[]", 'no "boxes"'), ("{", "damaged"), ("[" * 100000, "damaged")]:
        path.write_text(text)
        with pytest.raises(FormatError, match=message):
            read_boxes_json(path)
    with pytest.raises(FormatError, match="cannot be read"):
        read_boxes_json(tmp_path / "none.json")
