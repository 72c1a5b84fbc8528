"""The Broden directory format: written, read back, and refused where it is something else."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import FormatError, ImageError
from phosphene.survey.dissection.broden import Broden, is_broden, open_broden
from phosphene.survey.dissection.broden_writing import write_broden
from phosphene.survey.dissection.concepts import Vocabulary
from phosphene.survey.dissection.scenes import scene_concepts
from tests.survey.brodens import small_broden


def rewritten(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_directory_is_read(tmp_path: Path) -> None:
    concepts = open_broden(small_broden(tmp_path))
    assert isinstance(concepts, Broden)
    assert is_broden(tmp_path)
    assert len(concepts) == 2, "the third image has no label and is left out"
    assert concepts.image_size == (8, 8)
    assert concepts.label_size == (4, 4)
    words = concepts.vocabulary
    assert words == Vocabulary(
        ("color", "object", "scene"),
        ("-", "red", "car", "street", "", "wheel"),
        # wheel: as much an object as a color, so the later one; 4 is a gap.
        (2, 0, 1, 2, 2, 1),
    )
    first, second = concepts
    assert first[0].getpixel((0, 0)) == (10, 20, 30)
    assert first[1].categories == ("color", "object", "object")
    assert first[1].whole == (("scene", 3),)
    assert first[1].maps[0].tolist() == [[1, 1, 0, 0]] * 4
    assert first[1].maps[2].max() == 5
    assert second[1].maps.shape == (0, 4, 4)
    assert second[1].whole == (("scene", 3),)
    assert concepts.name_of(0) == "set/a.png"


def test_labels_above_255_are_split_into_red_and_green(tmp_path: Path) -> None:
    small_broden(tmp_path)
    with open(tmp_path / "label.csv", "a") as file:
        file.write("1197,far,object(1),1,1.0,\n")
    with open(tmp_path / "c_object.csv", "a") as file:
        file.write("3,1197,far,1,1.0\n")
    far = np.zeros((4, 4, 3), np.uint8)
    far[1, 1] = (1197 % 256, 1197 // 256, 0)
    Image.fromarray(far).save(tmp_path / "images" / "set" / "a_object.png")
    labels = open_broden(tmp_path).labels(0)
    assert np.argwhere(labels.maps == 1197).tolist() == [[1, 1, 1]]


def test_scenes_come_back_as_they_were(tmp_path: Path) -> None:
    scenes = scene_concepts(12, size=(64, 48))
    assert write_broden(scenes, tmp_path) == {}
    read = open_broden(tmp_path)
    assert (read.image_size, read.label_size) == ((64, 48), (32, 24))
    assert set(read.vocabulary.categories) == {"object", "part", "texture", "color"}
    names = np.array(read.vocabulary.names), np.array(scenes.vocabulary.names)
    for index in range(12):
        np.testing.assert_array_equal(
            np.asarray(read.image(index)), np.asarray(scenes.image(index))
        )
        back, there = read.labels(index), scenes.labels(index)
        assert sorted(back.categories) == sorted(there.categories)
        for category in back.categories:
            own = names[0][back.maps[back.categories.index(category)]]
            assert (own == names[1][there.maps[there.categories.index(category)]]).all()
    for number in range(1, len(read.vocabulary)):
        category = read.vocabulary.categories[read.vocabulary.primary[number]]
        name = read.vocabulary.names[number]
        assert scenes.vocabulary.number(category, name)


def test_the_tables_are_those_of_the_original(tmp_path: Path) -> None:
    scenes = scene_concepts(10)
    write_broden(scenes, tmp_path)

    def table(name: str) -> list[dict[str, str]]:
        with open(tmp_path / name, newline="") as file:
            return list(csv.DictReader(file))

    index, labels, categories = table("index.csv"), table("label.csv"), table("category.csv")
    names = [row["name"] for row in categories]
    assert list(index[0]) == ["image", "split", "ih", "iw", "sh", "sw", *names]
    assert list(labels[0]) == ["number", "name", "category", "frequency", "coverage", "syns"]
    assert [int(row["number"]) for row in labels] == list(range(1, len(labels) + 1))
    frequencies = [int(row["frequency"]) for row in labels]
    assert frequencies == sorted(frequencies, reverse=True)
    for row in categories:
        own = [r for r in labels if f"{row['name']}(" in r["category"]]
        numbers = [int(r["number"]) for r in own]
        assert [int(row["first"]), int(row["last"])] == [min(numbers), max(numbers)]
        assert int(row["count"]) == len(own)
        codes = table(f"c_{row['name']}.csv")
        assert list(codes[0]) == ["code", "number", "name", "frequency", "coverage"]
        assert [int(r["code"]) for r in codes] == list(range(1, len(own) + 1))
        assert int(row["frequency"]) == sum(int(r["frequency"]) for r in codes)
    textures = sum(float(row["coverage"]) for row in table("c_texture.csv"))
    assert textures == pytest.approx(10), "textures divide the whole image"
    share = int(hashlib.md5(b"scenes/07-000003").hexdigest(), 16) / 16**32
    assert index[3]["split"] == ("train" if share <= 0.7 else "val")


def test_rare_labels_may_be_left_out(tmp_path: Path) -> None:
    write_broden(scene_concepts(10), tmp_path, least_frequency=5, least_coverage=0.5)
    kept = open_broden(tmp_path).vocabulary.names
    assert "plain" in kept
    assert "house" not in kept


def test_a_directory_is_written_again_from_itself(tmp_path: Path) -> None:
    write_broden(open_broden(small_broden(tmp_path / "one")), tmp_path / "two")
    one, two = open_broden(tmp_path / "one"), open_broden(tmp_path / "two")
    assert sorted(one.vocabulary.names) == sorted([*two.vocabulary.names, ""])
    for index in range(2):
        told = [
            sorted(zip(labels.categories, names[labels.maps].tolist(), strict=True))
            + sorted((c, names[n]) for c, n in labels.whole)
            for labels, names in (
                (s.labels(index), np.array(s.vocabulary.names)) for s in (one, two)
            )
        ]
        assert told[0] == told[1]


@pytest.mark.parametrize(
    ("table", "old", "new", "sentence"),
    [
        ("index.csv", ",sh,sw,", ",sh,", "lacks sw, so it is of another version"),
        ("index.csv", "scene\n", "scene,part\n", "has 'part' besides"),
        ("index.csv", "iw,", "width,", "lacks iw and has 'width' besides"),
        ("category.csv", "name,first", "category,first", "lacks name"),
        ("label.csv", "syns", "synonyms", "lacks syns"),
        ("c_object.csv", "code,", "", "lacks code"),
        ("c_object.csv", "1,2,car", "1,9,car", "codes the label 9, which label.csv lacks"),
        ("c_object.csv", "wheel,1,0.25", "wheel,1,much", "'much' is no coverage"),
        ("index.csv", ",3\n", ",4\n", "the label 4, which label.csv lacks"),
        ("index.csv", "set/a.png,train,8,8,4,4", "set/a.png,train,8,8,4,5", "one size of each"),
        ("index.csv", "set/a.png,train,8", "set/a.png,train,eight", "'eight' where a whole"),
        ("index.csv", "set/a.png,train", "../../a.png,train", "not below images/"),
        ("index.csv", "set/a_color.png", "/etc/a.png", "not below images/"),
        ("index.csv", "set/b.png,val,8,8,4,4,,,3", "set/b.png,val,8", "line 3 has not as many"),
        ("label.csv", "1,red", "0,red", "from 1 to"),
        ("category.csv", "color,1", "object,1", "each category once"),
    ],
)
def test_other_versions_are_refused(
    tmp_path: Path, table: str, old: str, new: str, sentence: str
) -> None:
    small_broden(tmp_path)
    rewritten(tmp_path / table, old, new)
    with pytest.raises(FormatError, match=sentence):
        open_broden(tmp_path)


@pytest.mark.parametrize("name", ["index.csv", "category.csv", "label.csv", "c_scene.csv"])
def test_missing_tables_are_named(tmp_path: Path, name: str) -> None:
    (small_broden(tmp_path) / name).unlink()
    with pytest.raises(FormatError, match=f"{name} is missing"):
        open_broden(tmp_path)
    assert is_broden(tmp_path) == (name == "c_scene.csv")


def test_a_folder_without_images_is_none(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no folder 'images'"):
        open_broden(tmp_path)


def test_no_labels_at_all(tmp_path: Path) -> None:
    small_broden(tmp_path)
    lines = (tmp_path / "index.csv").read_text().splitlines()
    (tmp_path / "index.csv").write_text("\n".join([lines[0], lines[3], ""]))
    with pytest.raises(FormatError, match="no image that has a label"):
        open_broden(tmp_path)


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (np.full((4, 4, 3), 9, np.uint8), "has the label 2313, which no concept"),
        (np.full((4, 4, 3), [4, 0, 0], np.uint8), "has the label 4, which no concept"),
        (np.zeros((5, 4, 3), np.uint8), "are 4x5 pixels, and 4x4 are needed"),
        (np.zeros((4, 4), np.uint8), "of mode L"),
    ],
)
def test_label_maps_that_do_not_fit(tmp_path: Path, pixels: np.ndarray, sentence: str) -> None:
    file = small_broden(tmp_path) / "images" / "set" / "a_object.png"
    Image.fromarray(pixels).save(file)
    concepts = open_broden(tmp_path)
    with pytest.raises(ImageError, match=sentence):
        concepts.labels(0)
    file.unlink()
    with pytest.raises(ImageError, match="is missing"):
        concepts.labels(0)
    file.write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    with pytest.raises(ImageError, match="is damaged"):
        concepts.labels(0)


def test_unreadable_images_are_left_out_of_an_export(tmp_path: Path) -> None:
    small_broden(tmp_path / "one")
    (tmp_path / "one" / "images" / "set" / "a.png").write_bytes(b"none")
    failed = write_broden(open_broden(tmp_path / "one"), tmp_path / "two")
    assert list(failed) == ["set/a.png"]
    assert len(open_broden(tmp_path / "two")) == 1
    (tmp_path / "one" / "images" / "set" / "b.png").unlink()
    with pytest.raises(ImageError, match="no image of one has a label"):
        write_broden(open_broden(tmp_path / "one"), tmp_path / "three")


def test_fingerprints_tell_sets_apart(tmp_path: Path) -> None:
    same = [scene_concepts(5).fingerprint for _ in range(2)]
    others = [scene_concepts(6), scene_concepts(5, 8), scene_concepts(5, size=(64, 64))]
    assert len({*same, *(each.fingerprint for each in others)}) == 4
