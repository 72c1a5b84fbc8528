"""COCO and ILSVRC, found by how they are packed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import FormatError
from phosphene.segmentation.annotation import coco
from phosphene.segmentation.region import tight_box
from phosphene.segmentation.truths import Box
from phosphene.studies.localization import localization
from phosphene.studies.plan import Plan
from phosphene.studies.segmentation import segmentation
from phosphene.studies.truth_sets import numbers_of, truths_for
from phosphene.zoo.demo import demo_scenes
from tests.studies.plans import demo

ONE: Any = {"methods": ("saliency",), "by": ("threshold",)}


def photographed(path: Path, number: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(demo_scenes()[number].image).save(path, "PNG")
    return path


def instances(path: Path, names: list[str], masks: Any = "rle") -> None:
    """Write the scenes' objects as COCO has them."""
    whole: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
    for number, name in enumerate(names):
        drawn = demo_scenes()[number]
        label, box = demo().labels[drawn.label], tight_box(drawn.object)
        assert box is not None
        size = drawn.object.shape
        one = coco(name, size, [(label, drawn.label, float("nan"), drawn.object, box)], masks)
        whole["images"] += [{**image, "id": number} for image in one["images"]]
        for annotation in one["annotations"]:
            whole["annotations"].append({**annotation, "image_id": number})
        whole["categories"] += [c for c in one["categories"] if c not in whole["categories"]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole))


@pytest.mark.parametrize("masks", ["rle", "polygon"])
@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("val2017", "instances_val2017.json"),
        ("images/val2017", "instances_val2017.json"),
        ("images", "instances_default.json"),
        ("images", "instances_images.json"),
    ],
)
def test_coco_is_found(tmp_path: Path, folder: str, file: str, masks: str) -> None:
    names = ["000000000139.jpg", "000000000285.jpg"]
    photos = [photographed(tmp_path / folder / name, n) for n, name in enumerate(names)]
    other = photographed(tmp_path / folder / "000000000632.jpg", 2)
    instances(tmp_path / "annotations" / file, names, masks)
    (tmp_path / "annotations" / "captions_val2017.json").write_text("{}")
    known = truths_for([*photos, other])
    assert known[2] is None
    for number, photo in enumerate(photos):
        found, drawn = known[number], demo_scenes()[number]
        assert found is not None
        assert found.photo == photo
        assert np.array_equal(found.masks[0] == 1, drawn.object)
        assert found.classes == (demo().labels[drawn.label],)
        assert found.boxes[0].corners == tight_box(drawn.object)
    scored = segmentation(Plan(demo(), tuple(photos)), **ONE).data["methods"]
    drawn_scenes = tuple(scene.image for scene in demo_scenes()[:2])
    assert scored == segmentation(Plan(demo(), drawn_scenes), **ONE).data["methods"]


def test_lists_of_coco_in_one_folder_are_joined(tmp_path: Path) -> None:
    photos = [photographed(tmp_path / "images" / f"{n}.jpg", n) for n in range(2)]
    instances(tmp_path / "annotations" / "instances_train.json", ["0.jpg"])
    whole = tmp_path / "annotations" / "instances_val.json"
    instances(whole, ["0.jpg", "1.jpg"])
    known = truths_for(photos)
    assert [truth is not None and truth.name for _, truth in known.each()] == ["0.jpg", "1.jpg"]
    whole.write_text("{")
    with pytest.raises(FormatError, match=r"instances_val\.json is no JSON"):
        truths_for(photos)[0]


def boxed(path: Path, label: str, number: int = 0) -> None:
    x0, y0, x1, y1 = demo_scenes()[number].box
    corners = {"xmin": x0, "ymin": y0, "xmax": x1 - 1, "ymax": y1 - 1}
    box = "".join(f"<{name}>{value}</{name}>" for name, value in corners.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation><folder>val</folder><filename>{path.stem}</filename><object>"
        f"<name>{label}</name><bndbox>{box}</bndbox></object></annotation>"
    )


@pytest.mark.parametrize(
    "name",
    [
        "CLS-LOC/val/ILSVRC2012_val_00000001",
        "CLS-LOC/train/n01440764/n01440764_10026",
        "DET/val/ILSVRC2013_val_00000004",
    ],
)
def test_ilsvrc_is_found(tmp_path: Path, name: str) -> None:
    root = tmp_path / "ILSVRC"
    photo = photographed(root / "Data" / f"{name}.JPEG")
    other = photographed((root / "Data" / name).with_name("other.JPEG"))
    boxed(root / "Annotations" / f"{name}.xml", "n01440764")
    known = truths_for([photo, other])
    assert known.numbers == [0, 1]
    assert known[1] is None
    found = known[0]
    assert found is not None
    assert found.photo == photo
    assert found.boxes == (Box("n01440764", *demo_scenes()[0].box),)
    # As it is packed, the names lie beside the folder.
    label = demo().labels[demo_scenes()[0].label]
    names = f"n01440764 great {label}, {label}\nn01443537 goldfish, Carassius auratus\n"
    (tmp_path / "LOC_synset_mapping.txt").write_text(names)
    named = truths_for([photo])[0]
    assert named is not None
    assert named.classes == (f"great {label}, {label}",)
    scored = localization(Plan(demo(), (photo,)), **ONE).data["methods"]
    scene = (demo_scenes()[0].image,)
    assert scored == localization(Plan(demo(), scene), **ONE).data["methods"]
    (root / "LOC_synset_mapping.txt").write_text("n01440764\n")
    with pytest.raises(FormatError, match="a line that is not a WordNet number and its names"):
        truths_for([photo])[0]


def test_names_with_synonyms() -> None:
    """Labels of some networks are the first synonym alone."""
    net: Any = type(
        "Net", (), {"labels": ("tench", "goldfish, Carassius auratus", "crane", "crane")}
    )
    assert numbers_of(net, "tench, Tinca tinca") == {0}
    assert numbers_of(net, "goldfish, Carassius auratus") == {1}
    assert numbers_of(net, "Tinca, crane") == {2, 3}
    assert numbers_of(net, "n01440764") == set()
