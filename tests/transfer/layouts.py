"""Small sets written in exactly the layouts that benchmarks are published in."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from phosphene.transfer.benchmarks.records import InMemory

Splits = Mapping[str, Sequence[int]]
"""Numbers of photographs, by the name of the split."""


def write_voc07(set_: InMemory, folder: Path, splits: Splits) -> Path:
    """Write `VOCdevkit/VOC2007` of a set with tags, boxes and labels; returns that folder."""
    return _write_voc(set_, folder / "VOCdevkit" / "VOC2007", splits, "{:06d}")


def write_voc12(
    set_: InMemory,
    folder: Path,
    splits: Splits,
    *,
    augmented: Sequence[int] = (),
    sbd: Splits | None = None,
) -> Path:
    """Write `VOCdevkit/VOC2012`; returns that folder.

    Args:
        set_: With tags, boxes and labels.
        folder: Where.
        splits: Of VOC itself.
        augmented: For `SegmentationClassAug` and `train_aug.txt`.
        sbd: Splits of SBD, for `benchmark_RELEASE` in `folder`.
    """
    name = "2012_{:06d}"
    root = _write_voc(set_, folder / "VOCdevkit" / "VOC2012", splits, name)
    for number in {*augmented, *(n for numbers in (sbd or {}).values() for n in numbers)}:
        _photograph(set_, number, root / "JPEGImages" / f"{name.format(number)}.jpg")
    if augmented:
        pairs = []
        for number in augmented:
            own = name.format(number)
            _label_map(set_.labels(number), root / "SegmentationClassAug" / f"{own}.png")
            pairs.append(f"/JPEGImages/{own}.jpg /SegmentationClassAug/{own}.png")
        _lines(root / "ImageSets" / "Segmentation" / "train_aug.txt", pairs)
    if sbd is not None:
        place = folder / "benchmark_RELEASE" / "dataset"
        for split, numbers in sbd.items():
            _lines(place / f"{split}.txt", [name.format(number) for number in numbers])
            for number in numbers:
                own = name.format(number)
                _photograph(set_, number, place / "img" / f"{own}.jpg")
                write_sbd_map(set_.labels(number), place / "cls" / f"{own}.mat")
    return root


def write_sbd_map(labels: np.ndarray, path: Path) -> None:
    """Write a label map as SBD does."""
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    classes = np.unique(labels[labels > 0]).reshape(-1, 1)
    boundaries = np.empty((20, 1), object)
    boundaries[:, 0] = [np.zeros((2, 2)) for _ in range(20)]
    savemat(
        path,
        {
            "GTcls": {
                "Boundaries": boundaries,
                "Segmentation": labels,
                "CategoriesPresent": classes,
            }
        },
        do_compression=True,
    )


def wordnet(class_: int) -> str:
    """Return the WordNet number that a class is given."""
    return f"n{1440764 + 111 * class_:08d}"


def write_imagenet(train: InMemory, val: InMemory, folder: Path, truth: str = "folders") -> Path:
    """Write `train` in folders, and `val` with "folders", or flat with a truth beside it.

    Args:
        train: With a class each.
        val: With a class each.
        folder: Where.
        truth: "folders", "kit" (the development kit, whose numbers are in an order of their own),
            "caffe" (`val.txt`) or "kaggle".
    """
    for number in range(len(train)):
        own = wordnet(int(train.class_of[number]))
        _photograph(train, number, folder / "train" / own / f"{own}_{number}.JPEG")
    names = [f"ILSVRC2012_val_{number + 1:08d}" for number in range(len(val))]
    for number, name in enumerate(names):
        own = f"{wordnet(int(val.class_of[number]))}/" if truth == "folders" else ""
        _photograph(val, number, folder / "val" / f"{own}{name}.JPEG")
    of = val.class_of.tolist()
    if truth == "kit":
        data = folder / "ILSVRC2012_devkit_t12" / "data"
        count = len(val.classes)
        _lines(
            data / "ILSVRC2012_validation_ground_truth.txt", [str(count - class_) for class_ in of]
        )
        write_meta(data / "meta.mat", [wordnet(class_) for class_ in reversed(range(count))])
    elif truth == "caffe":
        rows = [f"{name}.JPEG {class_}" for name, class_ in zip(names, of, strict=True)]
        _lines(folder / "val.txt", rows)
    elif truth == "kaggle":
        rows = [f"{name},{wordnet(c)} 1 2 30 40 " for name, c in zip(names, of, strict=True)]
        _lines(folder / "LOC_val_solution.csv", ["ImageId,PredictionString", *reversed(rows)])
    return folder


def write_meta(path: Path, wordnets: Sequence[str]) -> None:
    """Write `meta.mat`, in which inner nodes of the tree follow the classes."""
    from scipy.io import savemat

    rows = [(number + 1, name, f"word {name}", 0) for number, name in enumerate(wordnets)]
    rows.append((len(rows) + 1, "n00001740", "entity", len(rows)))
    fields = ("ILSVRC2012_ID", "WNID", "words", "num_children")
    table = np.empty((len(rows), 1), dtype=[(field, object) for field in fields])
    for number, row in enumerate(rows):
        table[number, 0] = row
    savemat(path, {"synsets": table})


def write_shards(set_: InMemory, folder: Path, split: str = "train", each: int = 10) -> list[Path]:
    """Write `demo-SPLIT-000000.tar`, ... as webdataset does."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for first in range(0, len(set_), each):
        paths.append(folder / f"demo-{split}-{first // each:06d}.tar")
        with tarfile.open(paths[-1], "w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(first, min(first + each, len(set_))):
                content = io.BytesIO()
                set_.image(number).save(content, "JPEG", quality=95, subsampling=0)
                class_ = str(int(set_.class_of[number])).encode()
                for suffix, data in (("cls", class_), ("jpg", content.getvalue())):
                    header = tarfile.TarInfo(f"{split}{number:08d}.{suffix}")
                    header.size = len(data)
                    tar.addfile(header, io.BytesIO(data))
    return paths


def write_caltech(set_: InMemory, folder: Path, which: int = 101) -> Path:
    """Write `101_ObjectCategories` or `256_ObjectCategories`, with its class of backgrounds."""
    root = folder / f"{which}_ObjectCategories"
    classes = [*set_.classes, "clutter" if which == 256 else "BACKGROUND_Google"]
    numbers = [int(class_) for class_ in set_.class_of] + [len(set_.classes)] * 2
    counts = dict.fromkeys(range(len(classes)), 0)
    for index, class_ in enumerate(numbers):
        counts[class_] += 1
        place = classes[class_]
        name = f"image_{counts[class_]:04d}"
        if which == 256:
            own = 257 if class_ == len(set_.classes) else class_ + 1
            place, name = f"{own:03d}.{place}", f"{own:03d}_{counts[class_]:04d}"
        _photograph(set_, index % len(set_), root / place / f"{name}.jpg")
    return root


def write_class_folders(set_: InMemory, folder: Path) -> Path:
    """Write a folder per class."""
    for number in range(len(set_)):
        place = set_.classes[int(set_.class_of[number])]
        _photograph(set_, number, folder / place / f"{set_.name(number)}.jpg")
    return folder


def write_coco(set_: InMemory, folder: Path, split: str = "val2017") -> Path:
    """Write `annotations/instances_SPLIT.json` and the photographs; categories have gaps."""
    images, objects = [], []
    for number in range(len(set_)):
        image, boxes = set_.image(number), set_.boxes(number)
        name = f"{number + 1:012d}.jpg"
        _photograph(set_, number, folder / split / name)
        images.append(
            {"id": number + 1, "file_name": name, "width": image.width, "height": image.height}
        )
        for (x0, y0, x1, y1), class_, difficult in zip(
            boxes.corners.tolist(), boxes.classes.tolist(), boxes.difficult.tolist(), strict=True
        ):
            objects.append(
                {
                    "id": len(objects) + 1,
                    "image_id": number + 1,
                    "category_id": 3 * class_ + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": (x1 - x0) * (y1 - y0),
                    "segmentation": [],
                    "iscrowd": int(difficult),
                }
            )
    categories = [{"id": 3 * n + 1, "name": name} for n, name in enumerate(set_.classes)]
    path = folder / "annotations" / f"instances_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"images": images, "annotations": objects, "categories": categories[::-1]})
    )
    return folder


def _write_voc(set_: InMemory, root: Path, splits: Splits, name: str) -> Path:
    for number in sorted({n for numbers in splits.values() for n in numbers}):
        own = name.format(number)
        _photograph(set_, number, root / "JPEGImages" / f"{own}.jpg")
        _label_map(set_.labels(number), root / "SegmentationClass" / f"{own}.png")
        _annotation(set_, number, root / "Annotations" / f"{own}.xml")
    for split, numbers in splits.items():
        names = [name.format(number) for number in numbers]
        for task in ("Main", "Segmentation"):
            _lines(root / "ImageSets" / task / f"{split}.txt", names)
        for class_, label in enumerate(set_.classes):
            said = [{1: " 1", 0: "-1", -1: " 0"}[int(set_.present[n, class_])] for n in numbers]
            rows = [f"{own} {value}" for own, value in zip(names, said, strict=True)]
            _lines(root / "ImageSets" / "Main" / f"{label}_{split}.txt", rows)
    return root


def _annotation(set_: InMemory, number: int, path: Path) -> None:
    image, boxes = set_.image(number), set_.boxes(number)
    objects = "".join(
        f"""
    <object>
        <name>{set_.classes[class_]}</name>
        <pose>Unspecified</pose>
        <truncated>0</truncated>
        <difficult>{int(difficult)}</difficult>
        <bndbox><xmin>{x0 + 1:g}</xmin><ymin>{y0 + 1:g}</ymin><xmax>{x1:g}</xmax><ymax>{y1:g}</ymax>
        </bndbox>
    </object>"""
        for (x0, y0, x1, y1), class_, difficult in zip(
            boxes.corners.tolist(), boxes.classes.tolist(), boxes.difficult.tolist(), strict=True
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"""<annotation>
    <folder>{path.parents[1].name}</folder>
    <filename>{path.stem}.jpg</filename>
    <size><width>{image.width}</width><height>{image.height}</height><depth>3</depth></size>
    <segmented>1</segmented>{objects}
</annotation>
"""
    )


def _label_map(labels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    # VOC's colors: the bits of a label, from the lowest, are the highest of red, green and blue.
    colors = np.zeros((256, 3), np.uint8)
    for label in range(256):
        for bit in range(8):
            colors[label, bit % 3] |= (label >> bit & 1) << (7 - bit // 3)
    image.putpalette(colors.ravel().tolist())
    image.save(path)


def _photograph(set_: InMemory, number: int, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        set_.image(number).save(path, "JPEG", quality=95, subsampling=0)


def _lines(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
