"""PASCAL VOC 2007: what its lists and annotations say, and where they are wrong."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import ImageError, SettingError
from phosphene.transfer.benchmarks import open_voc_boxes, open_voc_tags
from phosphene.transfer.benchmarks.records import InMemory
from tests.transfer.layouts import write_voc07

TRAIN, TEST = range(12), range(12, 20)


@pytest.fixture(scope="module")
def whole(drawn: InMemory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voc07")
    return write_voc07(drawn, folder, {"trainval": TRAIN, "test": TEST})


@pytest.fixture
def voc(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "VOC2007"))


@pytest.mark.parametrize(("split", "numbers"), [("trainval", TRAIN), ("test", TEST)])
def test_tags_are_those_written(drawn: InMemory, whole: Path, split: str, numbers: range):
    found = open_voc_tags(whole, split)
    assert found.classes == drawn.classes
    assert found.present.dtype == np.int8
    assert np.array_equal(found.present, drawn.present[list(numbers)])
    assert [found.name(i) for i in range(len(found))] == [f"{n:06d}" for n in numbers]
    photo = np.asarray(found.image(2), float)
    assert np.abs(photo - np.asarray(drawn.image(numbers[2]), float)).mean() < 6


def test_difficult_alone_does_not_count(drawn: InMemory, whole: Path):
    found = open_voc_tags(whole, "trainval")
    assert (found.present == -1).sum() == (drawn.present[:12] == -1).sum() > 0


@pytest.mark.parametrize(("split", "numbers"), [("trainval", TRAIN), ("test", TEST)])
def test_boxes_are_those_written(drawn: InMemory, whole: Path, split: str, numbers: range):
    found = open_voc_boxes(whole, split)
    assert found.classes == drawn.classes
    for index, number in enumerate(numbers):
        mine, given = found.boxes(index), drawn.boxes(number)
        assert np.array_equal(mine.corners, given.corners)
        assert np.array_equal(mine.classes, given.classes)
        assert np.array_equal(mine.difficult, given.difficult)
    assert found.boxes(-1).classes.tolist() == drawn.boxes(numbers[-1]).classes.tolist()
    with pytest.raises(IndexError):
        found.boxes(len(found))


def test_a_box_around_the_whole_begins_at_zero(voc: Path):
    path = voc / "Annotations" / "000000.xml"
    path.write_text(_annotation("<xmin>1</xmin><ymin>1</ymin><xmax>64</xmax><ymax>48</ymax>"))
    assert open_voc_boxes(voc).boxes(0).corners.tolist() == [[0, 0, 64, 48]]


def test_it_is_found_in_the_development_kit(whole: Path):
    for folder in (whole, whole.parent, whole.parent.parent):
        assert len(open_voc_tags(folder, "test")) == len(TEST)
    with pytest.raises(ImageError, match=r"no PASCAL VOC: it needs ImageSets"):
        open_voc_tags(whole / "Annotations")
    with pytest.raises(ImageError, match="there is no folder"):
        open_voc_tags(whole / "nothing")


def test_nothing_is_said_of_a_whole_set(whole: Path):
    assert open_voc_tags(whole, "trainval").notes == ()


def test_sets_go_to_other_processes(whole: Path):
    for found in (open_voc_tags(whole), open_voc_boxes(whole)):
        copy = pickle.loads(pickle.dumps(found))
        assert copy.name(3) == found.name(3)
        assert copy.image(3).tobytes() == found.image(3).tobytes()


def test_missing_photographs_are_left_out_and_said(drawn: InMemory, voc: Path):
    for number in (2, 5):
        (voc / "JPEGImages" / f"{number:06d}.jpg").unlink()
    for found in (open_voc_tags(voc), open_voc_boxes(voc)):
        assert len(found) == 10
        assert found.name(2) == "000003"
        note = next(note for note in found.notes if "missing" in note)
        assert note.startswith("2 of the 12 photographs that ")
        assert note.endswith("are missing and left out: 000002, 000005")
    kept = [n for n in TRAIN if n not in (2, 5)]
    assert np.array_equal(open_voc_tags(voc).present, drawn.present[kept])
    assert open_voc_boxes(voc).boxes(2).corners.tolist() == drawn.boxes(3).corners.tolist()


def test_what_no_list_names_is_said(voc: Path):
    shutil.copy(voc / "JPEGImages" / "000000.jpg", voc / "JPEGImages" / "999999.jpg")
    shutil.copy(voc / "Annotations" / "000000.xml", voc / "Annotations" / "999998.xml")
    assert any(n.endswith("JPEGImages: 999999") for n in open_voc_tags(voc).notes)
    notes = open_voc_boxes(voc).notes
    assert any("1 annotation in" in n and n.endswith("no list names: 999998") for n in notes)


def test_none_there_is_an_error(voc: Path):
    shutil.rmtree(voc / "JPEGImages")
    (voc / "JPEGImages").mkdir()
    with pytest.raises(ImageError, match=r"of the 12 photographs .* none is in .*JPEGImages"):
        open_voc_tags(voc)
    shutil.rmtree(voc / "JPEGImages")
    with pytest.raises(ImageError, match="JPEGImages cannot be read: No such file"):
        open_voc_tags(voc)


def test_unknown_splits_are_refused(whole: Path):
    with pytest.raises(SettingError, match="lists no split 'trianval'; did you mean 'trainval'"):
        open_voc_tags(whole, "trianval")
    with pytest.raises(SettingError, match="lists no split '': there are test, trainval"):
        open_voc_boxes(whole, "")


def test_a_name_listed_twice_counts_once(voc: Path):
    path = voc / "ImageSets" / "Main" / "trainval.txt"
    path.write_text(path.read_text() + "000004\n")
    found = open_voc_tags(voc)
    assert len(found) == 12
    assert any("names 000004 more than once" in note for note in found.notes)


def test_lists_of_a_class_must_speak_of_the_split(voc: Path):
    path = voc / "ImageSets" / "Main" / "gear_trainval.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-3]))
    with pytest.raises(
        ImageError, match=r"gear_trainval.txt says nothing of 3 photographs .*: 000009, 000010, "
    ):
        open_voc_tags(voc)
    path.write_text("\n".join([*lines, "888888 -1"]))
    assert any("1 photograph that trainval.txt does not" in n for n in open_voc_tags(voc).notes)
    path.write_text("\n".join(["000000  2", *lines[1:]]))
    with pytest.raises(ImageError, match=r"line 1 of .*gear_trainval.txt is '000000  2'"):
        open_voc_tags(voc)
    path.unlink()
    with pytest.raises(ImageError, match=r"the list .*gear_trainval.txt cannot be read"):
        open_voc_tags(voc)


def test_a_class_without_positives_is_said(voc: Path):
    path = voc / "ImageSets" / "Main" / "key_trainval.txt"
    path.write_text("".join(f"{n:06d} -1\n" for n in TRAIN))
    assert "no photograph of trainval shows key" in open_voc_tags(voc).notes


def test_boxes_beyond_the_photograph_are_clipped_and_said(voc: Path):
    place = voc / "Annotations"
    beyond = "<xmin>-4</xmin><ymin>11</ymin><xmax>70</xmax><ymax>49</ymax>"
    outside = "<xmin>65</xmin><ymin>1</ymin><xmax>90</xmax><ymax>9</ymax>"
    (place / "000000.xml").write_text(_annotation(beyond, outside))
    found = open_voc_boxes(voc)
    assert found.boxes(0).corners.tolist() == [[0, 10, 64, 48]]
    assert "1 box reaching beyond the photograph clipped: in 000000" in found.notes
    assert any(n.startswith("1 box wholly outside") for n in found.notes)


def test_damaged_annotations_are_named(voc: Path):
    path = voc / "Annotations" / "000003.xml"
    given = path.read_text()
    path.write_text(given[:-20])
    with pytest.raises(ImageError, match=r"000003.xml is no XML, or damaged"):
        open_voc_boxes(voc)
    path.write_text(_annotation("<xmin>9</xmin><ymin>1</ymin><xmax>4</xmax><ymax>9</ymax>"))
    with pytest.raises(ImageError, match=r"000003.xml has an object 'key' with the impossible"):
        open_voc_boxes(voc)
    path.write_text(given.replace("<name>", "<name>g"))
    with pytest.raises(ImageError, match=r"000003.xml has an object of class 'g\w+', which is no"):
        open_voc_boxes(voc)
    path.write_text('<!DOCTYPE a [<!ENTITY b "c">]>' + given)
    with pytest.raises(ImageError, match="declares a document type"):
        open_voc_boxes(voc)
    path.unlink()
    found = open_voc_boxes(voc)
    assert len(found) == 11
    assert any("1 photograph of trainval without annotation" in note for note in found.notes)


def test_a_test_set_whose_truth_is_not_public(voc: Path):
    shutil.rmtree(voc / "Annotations")
    (voc / "Annotations").mkdir()
    with pytest.raises(ImageError, match=r"none has an annotation .* not public"):
        open_voc_boxes(voc, "test")


def test_a_photograph_of_another_size_than_its_boxes_is_refused(drawn: InMemory, voc: Path):
    drawn.image(0).resize((32, 24)).save(voc / "JPEGImages" / "000000.jpg")
    found = open_voc_boxes(voc)
    with pytest.raises(ImageError, match="has 32x24 pixels, and its boxes were drawn on 64x48"):
        found.image(0)
    found.image(1)


def test_without_a_size_the_photograph_is_looked_at(voc: Path):
    path = voc / "Annotations" / "000000.xml"
    box = "<xmin>1</xmin><ymin>1</ymin><xmax>70</xmax><ymax>49</ymax>"
    for size in ("", "<size><width>0</width><height>0</height></size>"):
        path.write_text(_annotation(box, size=size))
        assert open_voc_boxes(voc).boxes(0).corners.tolist() == [[0, 0, 64, 48]]


def test_boxes_need_no_lists_of_classes(drawn: InMemory, voc: Path):
    for path in (voc / "ImageSets" / "Main").glob("*_*.txt"):
        path.unlink()
    assert open_voc_boxes(voc).classes == drawn.classes


def _annotation(*boxes: str, size: str = "") -> str:
    size = size or "<size><width>64</width><height>48</height></size>"
    objects = (f"<object><name>key</name><bndbox>{box}</bndbox></object>" for box in boxes)
    return f"<annotation>{size}{''.join(objects)}</annotation>"
