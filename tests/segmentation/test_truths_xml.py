"""PASCAL VOC and ILSVRC."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import FormatError, ImageError, SettingError
from phosphene.segmentation.box_scores import box_iou
from phosphene.segmentation.truths import Box, read_ilsvrc, read_voc
from phosphene.segmentation.truths.markup import read_xml

OBJECT = """
  <object>
    <name>{}</name><difficult>{}</difficult>
    <part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>
    </part>
    <bndbox><xmax>{}</xmax><xmin>{}</xmin><ymax>{}</ymax><ymin>{}</ymin></bndbox>
  </object>"""


def annotate(path: Path, *objects: tuple[str, int, int, int, int, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(OBJECT.format(n, d, x1, x0, y1, y0) for n, d, x0, y0, x1, y1 in objects)
    path.write_text(f"<annotation><filename>%s</filename>{text}\n</annotation>")
    return path


def labels(path: Path, rows: list[list[int]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.array(rows, dtype=np.uint8))
    image.putpalette(list(range(256)) * 3)
    image.save(path)


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Two images: a cat (8) and two dogs (12) with borders; and one with an annotation alone."""
    annotate(
        tmp_path / "Annotations/2007_01.xml",
        ("cat", 0, 1, 1, 2, 1),
        ("dog", 1, 4, 1, 6, 3),
        ("dog", 0, 1, 3, 2, 3),
    )
    labels(
        tmp_path / "SegmentationClass/2007_01.png",
        [[8, 8, 255, 12, 12, 12], [0, 0, 0, 255, 12, 0], [12, 12, 0, 0, 255, 0]],
    )
    labels(
        tmp_path / "SegmentationObject/2007_01.png",
        [[1, 1, 255, 2, 2, 2], [0, 0, 0, 255, 2, 0], [3, 3, 0, 0, 255, 0]],
    )
    labels(tmp_path / "SegmentationClass/2007_02.png", [[0, 15]])
    labels(tmp_path / "SegmentationObject/2007_02.png", [[0, 1]])
    annotate(tmp_path / "Annotations/2007_02.xml", ("person", 0, 2, 1, 2, 1))
    annotate(tmp_path / "Annotations/2007_03.xml", ("cow", 0, 1, 1, 9, 9))
    for place, text in [
        ("Segmentation/val", "2007_01\n2007_02\n\n"),
        ("Main/val", "2007_01  1\n2007_02 -1\n2007_03  0\n"),
    ]:
        path = tmp_path / "ImageSets" / f"{place}.txt"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path


def test_voc_of_all_objects(voc: Path) -> None:
    truths = read_voc(voc)
    assert truths.names == ("2007_01", "2007_02")
    truth = truths[0]
    assert truth.photo == voc / "JPEGImages/2007_01.jpg"
    assert truth.boxes == (
        Box("cat", 0, 0, 2, 1),
        Box("dog", 3, 0, 6, 3, True),
        Box("dog", 0, 2, 2, 3),
    )
    assert truth.classes == ("cat", "dog")
    expected = [[1, 1, 255, 1, 1, 1], [0, 0, 0, 255, 1, 0], [1, 1, 0, 0, 255, 0]]
    np.testing.assert_array_equal(truth.masks, [expected])


def test_voc_of_a_class(voc: Path) -> None:
    truths = read_voc(voc, class_="dog")
    assert truths.names == ("2007_01",)
    assert [box.label for box in truths[0].boxes] == ["dog", "dog"]
    expected = [[0, 0, 255, 1, 1, 1], [0, 0, 0, 255, 1, 0], [1, 1, 0, 0, 255, 0]]
    np.testing.assert_array_equal(truths[0].masks, [expected])


def test_voc_object_by_object(voc: Path) -> None:
    assert len(read_voc(voc, of="objects")[0].masks) == 3
    first, second = read_voc(voc, class_="dog", of="objects")[0].masks
    np.testing.assert_array_equal(
        first, [[0, 0, 255, 1, 1, 1], [0, 0, 0, 255, 1, 0], [0, 0, 0, 0, 255, 0]]
    )
    np.testing.assert_array_equal(second[2], [1, 1, 0, 0, 255, 0])


def test_voc_without_masks(voc: Path) -> None:
    truths = read_voc(voc, task="Main")
    assert len(truths) == 3
    assert truths[2].masks == ()
    assert truths[2].boxes == (Box("cow", 0, 0, 9, 9),)


def test_voc_without_annotations(voc: Path) -> None:
    (voc / "Annotations/2007_02.xml").unlink()
    truth = read_voc(voc)[1]
    assert (truth.boxes, truth.classes) == ((), ())
    np.testing.assert_array_equal(truth.masks, [[[0, 1]]])
    with pytest.raises(FormatError, match=r"2007_02\.xml cannot be read"):
        read_voc(voc, task="Main")[1]


def test_what_voc_may_lack(voc: Path) -> None:
    with pytest.raises(FormatError, match=r"trian\.txt.*did you mean 'val'|trian\.txt"):
        read_voc(voc, "trian")
    with pytest.raises(SettingError, match="did you mean 'cat'"):
        read_voc(voc, class_="cats")
    (voc / "SegmentationClass/2007_01.png").write_bytes(b"\x89PNG")
    with pytest.raises(ImageError, match=r"2007_01\.png"):
        read_voc(voc)[0]
    labels(voc / "SegmentationObject/2007_02.png", [[0, 1, 1]])
    with pytest.raises(FormatError, match="has not the size"):
        read_voc(voc, of="objects")[1]
    (voc / "ImageSets/Main/val.txt").write_text("../../etc\n")
    with pytest.raises(FormatError, match="outside its folder"):
        read_voc(voc, task="Main")


def test_ilsvrc(tmp_path: Path) -> None:
    boxes = ("n01440764", 0, 0, 2, 9, 4), ("n01440764", 0, 3, 3, 3, 3)
    nested = tmp_path / "boxes/n01440764/n01440764_18.xml"
    annotate(nested, *boxes)
    annotate(tmp_path / "boxes/flat_1.xml", ("n02", 0, 5, 5, 6, 6), ("n03", 0, 0, 0, 1, 1))
    annotate(tmp_path / "boxes/gone.xml")
    (tmp_path / "photos").mkdir()
    for name in ("n01440764_18.JPEG", "flat_1.jpg"):
        (tmp_path / "photos" / name).touch()
    truths = read_ilsvrc(tmp_path / "photos", tmp_path / "boxes")
    assert truths.names == ("flat_1", "gone", "n01440764/n01440764_18")
    assert truths[0].classes == ("n02", "n03")
    truth = truths[2]
    assert truth.photo == tmp_path / "photos/n01440764_18.JPEG"
    assert truth.boxes == (Box("n01440764", 0, 2, 10, 5), Box("n01440764", 3, 3, 4, 4))
    assert truth.classes == ("n01440764",)
    # The overlap is the one of the files' own numbers in the development kit's measure.
    raw = box_iou(boxes[0][2:], (4, 1, 9, 3), inclusive=True)
    assert box_iou(truth.boxes[0], (4, 1, 10, 4)) == raw
    with pytest.raises(ImageError, match=r"gone\.xml annotates a photograph that is not in"):
        truths[1]
    with pytest.raises(FormatError, match="holds no annotations"):
        read_ilsvrc(tmp_path / "photos", tmp_path / "photos")
    one = read_ilsvrc(tmp_path / "photos", tmp_path / "boxes", first=1)
    assert one[0].boxes[0] == Box("n02", 0 + 4, 4, 6, 6)


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b "bbb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>',
        "<!DOCTYPE a><a/>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(FormatError, match=r"a\.xml declares a document type"):
        read_xml(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no XML, or damaged"),
        ("<a><b></a>", "no XML, or damaged"),
        ("<a>&undefined;</a>", "no XML, or damaged"),
        ('<?xml version="1.0" encoding="none-such"?><a/>', "no XML, or damaged"),
        ("<a>" * 100, "nested deeper"),
        ("<a/>" + " " * (16 * 2**20), "16 MiB"),
    ],
)
def test_damaged_xml_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(FormatError, match=rf"a\.xml .*{message}"):
        read_xml(path)
    with pytest.raises(FormatError, match=r"b\.xml cannot be read"):
        read_xml(tmp_path / "b.xml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<object/>", "without a name"),
        ("<object><name>cat</name></object>", "'cat' without a box"),
        (OBJECT.format("cat", 0, 1, 5, 9, 2), "impossible box"),
        (OBJECT.format("cat", 0, "nan", 0, 9, 2), "impossible box"),
        (OBJECT.format("cat", 0, "", 0, 9, 2), "impossible box"),
        (OBJECT.format("cat", 0, "inf", 0, 9, 2), "impossible box"),
    ],
)
def test_impossible_objects_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "a.xml").write_text(f"<annotation>{text}</annotation>")
    with pytest.raises(FormatError, match=rf"a\.xml has an object .*{message}"):
        read_ilsvrc(tmp_path, tmp_path)[0]
