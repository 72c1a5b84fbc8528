"""Benchmarks by name, and what two splits share."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import ImageError, SettingError
from phosphene.transfer.benchmarks import (
    InMemory,
    open_benchmark,
    open_splits,
    overlap,
    overlap_note,
    same_classes,
    selected,
)
from tests.transfer.layouts import (
    write_caltech,
    write_class_folders,
    write_coco,
    write_imagenet,
    write_shards,
    write_voc07,
    write_voc12,
)


@pytest.fixture(scope="module")
def sets(
    drawn: InMemory, classes: InMemory, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("sets")
    write_voc07(drawn, top / "voc07", {"trainval": range(8), "test": range(8, 12)})
    splits = {"train": range(5), "val": range(5, 9)}
    write_voc12(drawn, top / "voc12", splits, sbd={"train": [1, 6, 11], "val": [12]})
    write_coco(drawn, top / "coco", "train2017")
    write_coco(selected(drawn, range(5)), top / "coco", "val2017")
    write_imagenet(classes, classes, top / "imagenet", "kit")
    write_caltech(classes, top / "caltech")
    write_class_folders(classes, top / "folders" / "train")
    write_class_folders(classes, top / "folders" / "val")
    write_shards(classes, top / "shards", "train")
    write_shards(classes, top / "shards", "val")
    return {path.name: path for path in top.iterdir()}


@pytest.mark.parametrize(
    ("name", "kind", "options", "count"),
    [
        ("voc07", "tagged", ",split=trainval", 8),
        ("voc07", "boxed", ",split=test", 4),
        ("voc07", "labelled", ",split=trainval", 8),
        ("voc12", "labelled", ",split=val", 4),
        ("voc12", "labelled", ",split=train_aug,sbd={voc12}", 7),
        ("voc12", "tagged", ",split=train", 5),
        ("coco", "boxed", ",split=val2017", 5),
        ("imagenet", "sorted", ",split=val", 24),
        ("caltech", "sorted", "", 24),
        ("folders", "sorted", ",split=train", 24),
        ("shards", "sorted", ",split=val", 24),
    ],
)
def test_by_name_and_found_out(
    sets: dict[str, Path], name: str, kind: str, options: str, count: int
):
    place = f"{sets[name]}{options.format(**sets)}"
    named = open_benchmark(f"{name}:{place}", kind)  # type: ignore[call-overload]
    found = open_benchmark(place, kind)  # type: ignore[call-overload]
    assert type(named) is type(found)
    assert len(named) == len(found) == count
    assert [named.name(i) for i in range(count)] == [found.name(i) for i in range(count)]


@pytest.mark.parametrize(
    ("name", "kind", "options", "counts"),
    [
        ("voc07", "tagged", "", (8, 4)),
        ("voc07", "boxed", "", (8, 4)),
        ("voc12", "labelled", "", (5, 4)),
        ("voc12", "labelled", ",sbd={voc12}", (7, 4)),
        ("voc12", "boxed", "", (5, 4)),
        ("coco", "boxed", "", (20, 5)),
        ("imagenet", "sorted", "", (24, 24)),
        ("folders", "sorted", "", (24, 24)),
        ("shards", "sorted", "", (24, 24)),
    ],
)
def test_the_usual_splits(
    sets: dict[str, Path], name: str, kind: str, options: str, counts: tuple[int, int]
):
    train, test = open_splits(f"{sets[name]}{options.format(**sets)}", kind)  # type: ignore[call-overload]
    assert (len(train), len(test)) == counts
    assert not any("among those to train with" in note for note in test.notes)
    assert overlap(train, test) == ()


def test_names_that_mean_nothing(sets: dict[str, Path], tmp_path: Path):
    folders = sets["folders"]
    with pytest.raises(SettingError, match="no layout 'vco07'; did you mean 'voc07'"):
        open_benchmark("vco07:folder", "tagged")
    with pytest.raises(SettingError, match="coco does not say the class of each photograph"):
        open_benchmark(f"coco:{sets['coco']}", "sorted")
    with pytest.raises(SettingError, match="sbd says nothing of the class of each photograph in "):
        open_benchmark(f"folders:{folders},sbd=x", "sorted")
    with pytest.raises(SettingError, match="sbd says nothing of boxes"):
        open_benchmark(f"{sets['voc12']},split=val,sbd=x", "boxed")
    with pytest.raises(ImageError, match="there is no folder nothing: check"):
        open_benchmark("nothing", "sorted")
    with pytest.raises(ImageError, match="laid out like none of voc07, voc12, coco, which say box"):
        open_benchmark(tmp_path, "boxed")
    with pytest.raises(SettingError, match="names the split train: leave it out"):
        open_splits(f"{folders},split=train", "sorted")
    with pytest.raises(SettingError, match="comes without splits"):
        open_splits(sets["caltech"], "sorted")


def test_a_folder_may_be_called_as_it_likes(classes: InMemory, tmp_path: Path):
    folder = tmp_path / "coco:a,split=b"
    write_class_folders(classes, folder)
    assert len(open_benchmark(folder, "sorted")) == len(classes)


def test_an_overlap_is_said(sets: dict[str, Path], tmp_path: Path):
    copy = Path(shutil.copytree(sets["voc07"], tmp_path / "copy"))
    lists = copy / "VOCdevkit" / "VOC2007" / "ImageSets" / "Main"
    for path in lists.glob("*test.txt"):
        more = (lists / path.name.replace("test", "trainval")).read_text().splitlines()[2:4]
        path.write_text(path.read_text() + "\n".join(more))
    train, test = open_splits(copy, "tagged")
    assert overlap(train, test) == ("000002", "000003")
    note = "2 of the 6 photographs to test with are among those to train with: 000002, 000003"
    assert overlap_note(train, test) == note
    assert note in test.notes
    assert overlap_note(train, selected(test, [0, 1])) == ""


def test_copies_are_found_by_what_they_hold(sets: dict[str, Path]):
    train, test = open_splits(sets["folders"], "sorted")
    assert overlap(train, test) == ()
    assert len(overlap(train, test, contents=True)) == len(test)
    assert overlap(selected(train, [1, 2]), test, contents=True) == (test.name(1), test.name(2))


def test_classes_must_agree(classes: InMemory):
    same_classes(classes, classes)
    photos = [classes.image(0)]
    with pytest.raises(SettingError, match=r"differ in their classes \(b to train with alone; c "):
        same_classes(InMemory(photos, ["a", "b"]), InMemory(photos, ["a", "c"]))
    with pytest.raises(SettingError, match="in other orders"):
        same_classes(InMemory(photos, ["a", "b"]), InMemory(photos, ["b", "a"]))


def test_a_selection_knows_what_the_set_knows(drawn: InMemory, classes: InMemory):
    some = selected(drawn, [7, 2])
    assert len(some) == 2
    assert some.name(1) == drawn.name(2)
    assert np.array_equal(some.present, drawn.present[[7, 2]])
    assert some.boxes(0) is drawn.boxes(7)
    assert some.labels(1) is drawn.labels(2)
    assert selected(classes, [20, 3]).class_of.tolist() == classes.class_of[[20, 3]].tolist()
    assert len(selected(drawn, [])) == 0
    with pytest.raises(IndexError):
        selected(drawn, [20])
