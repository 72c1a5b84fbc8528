"""Broden directories: the format of Network Dissection's broadly and densely labeled images.

    index.csv          image,split,ih,iw,sh,sw, and a column for each category
    category.csv       name,first,last,count,frequency
    label.csv          number,name,category,frequency,coverage,syns
    c_<category>.csv   code,number,name,frequency,coverage
    images/            the images, and their label maps as PNG: number = red + 256 * green

A cell of the index holds entries joined by `;`: a number holds for the whole image, anything else
is the file of a label map. Numbers count from 1, 0 is none.

As in the original, images without any label are left out, and a concept's category is the one in
which it covers most (`coverage` of `c_<category>.csv`), the later one if two are equal.

Reference:
    D. Bau et al., *Network Dissection*, CVPR 2017, section 2.1, and the code released with it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Images

from phosphene.errors import FormatError, ImageError
from phosphene.image import read
from phosphene.survey.dissection.concepts import (
    NONE,
    ConceptSet,
    Labels,
    Numbers,
    Vocabulary,
    digest,
)

if TYPE_CHECKING:
    from PIL.Image import Image

ABOUT = ("image", "split", "ih", "iw", "sh", "sw")
CATEGORY = ("name", "first", "last", "count", "frequency")
LABEL = ("number", "name", "category", "frequency", "coverage", "syns")
CODE = ("code", "number", "name", "frequency", "coverage")
# Two bytes hold a number.
MOST = 0xFFFF
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Row:
    """A row of the index.

    Attributes:
        image: File below `images/`.
        split: `train` or `val`.
        files: Category and file of each label map.
        whole: Category and number of what holds for the whole image.
    """

    image: str
    split: str
    files: tuple[tuple[str, str], ...]
    whole: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Broden(ConceptSet):
    """A Broden directory.

    Attributes:
        folder: Where it is.
        rows: The images that have a label.
    """

    folder: Path
    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def name_of(self, index: int) -> str:
        """Say what an image is called."""
        return self.rows[index].image

    def image(self, index: int) -> Image:
        """Read an image."""
        return read(self.folder / "images" / self.rows[index].image)

    def labels(self, index: int) -> Labels:
        """Read the label maps of an image."""
        row = self.rows[index]
        maps = [_map(self.folder / "images" / file) for _, file in row.files]
        size = self.label_size
        for (_, file), one in zip(row.files, maps, strict=True):
            self.vocabulary.check(Labels(one[None], ("",)), file, size)
        stacked = np.stack(maps) if maps else np.zeros((0, *size), np.int32)
        return Labels(stacked, tuple(category for category, _ in row.files), row.whole)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what the set consists of; images and label maps by their sizes and times."""
        images = self.folder / "images"
        used = [images / name for r in self.rows for name in (r.image, *(f for _, f in r.files))]
        stats = [(s.st_size, s.st_mtime_ns) for p in used if p.exists() for s in [p.stat()]]
        return digest((super().fingerprint, self.rows, stats))


def is_broden(folder: Path) -> bool:
    """Tell a Broden directory by its three tables."""
    return all((folder / name).is_file() for name in ("index.csv", "category.csv", "label.csv"))


def open_broden(folder: str | Path, index: str = "index.csv") -> Broden:
    """Open a Broden directory; images and label maps are read when they are needed.

    Args:
        folder: Where it is.
        index: The file that lists the images (Broden has one more for a part of them).

    Raises:
        FormatError: A table is missing, has other columns, or says what cannot be.
    """
    folder = Path(folder)
    if not (folder / "images").is_dir():
        raise FormatError(f"{folder} has no folder 'images', so it is no Broden directory")
    categories = tuple(row["name"] for row in _table(folder / "category.csv", CATEGORY))
    if len(set(categories)) != len(categories) or not categories:
        raise FormatError(f"{folder / 'category.csv'} must name each category once")
    listed = _table(folder / "label.csv", LABEL)
    vocabulary = _vocabulary(folder, categories, listed)
    rows, sizes = [], set()
    known = {_number(row["number"], folder / "label.csv") for row in listed}
    for line in _table(folder / index, ABOUT, categories):
        sizes.add(tuple(_number(line[key], folder / index) for key in ABOUT[2:]))
        row = _row(line, categories, known, folder / index)
        if row.files or row.whole:
            rows.append(row)
    if not rows:
        raise FormatError(f"{folder / index} lists no image that has a label")
    if len(sizes) != 1 or 0 in min(sizes):
        told = ", ".join("x".join(map(str, size)) for size in sorted(sizes)[:3])
        raise FormatError(
            f"{folder / index} has images and label maps (ih x iw x sh x sw) of {told}: one size "
            "of each, above 0, is needed"
        )
    ih, iw, sh, sw = sizes.pop()
    return Broden(
        folder.name, vocabulary, (ih, iw), (sh, sw), folder, tuple(rows),
        facts={"Broden": f"{len(rows)} images of {index}"},
    )  # fmt: skip


def _vocabulary(folder: Path, categories: tuple[str, ...], listed: Rows) -> Vocabulary:
    names = {_number(row["number"], folder / "label.csv"): row["name"] for row in listed}
    if not names or min(names) < 1 or max(names) > MOST:
        raise FormatError(f"{folder / 'label.csv'} must number its labels from 1 to {MOST} at most")
    coverage = np.zeros((max(names) + 1, len(categories)))
    for index, category in enumerate(categories):
        path = folder / f"c_{category}.csv"
        for row in _table(path, CODE):
            number = _number(row["number"], path)
            if number not in names:
                raise FormatError(f"{path} codes the label {number}, which label.csv lacks")
            try:
                coverage[number, index] = float(row["coverage"])
            except ValueError:
                raise FormatError(f"{path}: {row['coverage']!r} is no coverage") from None
    # The later of two equal categories: the largest of the reversed.
    primary = len(categories) - 1 - coverage[:, ::-1].argmax(1)
    told = (NONE, *(names.get(number, "") for number in range(1, max(names) + 1)))
    return Vocabulary(categories, told, tuple(primary.tolist()))


def _row(line: dict[str, str], categories: tuple[str, ...], known: set[int], path: Path) -> Row:
    files, whole = [], []
    for category in categories:
        for entry in filter(None, line[category].split(";")):
            if not entry.isdecimal():
                files.append((category, _inside(entry, path)))
            elif int(entry) not in known:
                raise FormatError(
                    f"{path} gives {line['image']} the label {entry}, which label.csv lacks"
                )
            else:
                whole.append((category, int(entry)))
    return Row(_inside(line["image"], path), line["split"], tuple(files), tuple(whole))


def _inside(name: str, path: Path) -> str:
    """Return the name of a file below `images/`; other places are none of the index's business."""
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\\" in name or "\0" in name:
        raise FormatError(f"{path} names the file {name!r}, which is not below images/")
    return name


def _table(path: Path, columns: tuple[str, ...], categories: tuple[str, ...] = ()) -> Rows:
    """Read a table that has just these columns, in any order."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            heads, rows = list(reader.fieldnames or ()), list(reader)
    except FileNotFoundError:
        raise FormatError(f"{path} is missing: a Broden directory has it") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path} cannot be read: {error}") from None
    lacking = [name for name in (*columns, *categories) if name not in heads]
    foreign = [name for name in heads if name not in (*columns, *categories)]
    if lacking or foreign:
        wrong = [f"lacks {', '.join(lacking)}"] if lacking else []
        wrong += [f"has {', '.join(map(repr, foreign))} besides"] if foreign else []
        of = f" and those of category.csv ({', '.join(categories)})" if categories else ""
        raise FormatError(
            f"{path} {' and '.join(wrong)}, so it is of another version of Broden: "
            f"its columns must be {', '.join(columns)}{of}"
        )
    short = next((n for n, row in enumerate(rows, 2) if None in row or None in row.values()), None)
    if short is not None:
        raise FormatError(f"{path}: line {short} has not as many cells as there are columns")
    return rows


def _number(text: str, path: Path) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise FormatError(f"{path} has {text!r} where a whole number is needed")
    return int(text)


def _map(path: Path) -> Numbers:
    """Read a label map, (h, w); its pixels are numbers, so that nothing may be converted."""
    try:
        with Images.open(path) as opened:
            if opened.mode not in ("RGB", "RGBA"):
                raise ImageError(
                    f"{path} is of mode {opened.mode}, and a label map has red and green"
                )
            pixels = np.asarray(opened)
    except FileNotFoundError:
        raise ImageError(f"the label map {path} is missing") from None
    except ImageError:
        raise
    except Exception as error:  # what a damaged file makes a decoder raise can be anything
        raise ImageError(f"the label map {path} is damaged ({error})") from None
    return pixels[..., 0].astype(np.int32) + 256 * pixels[..., 1].astype(np.int32)
