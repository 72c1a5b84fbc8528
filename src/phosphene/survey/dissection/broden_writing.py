"""Any set of concepts written as a Broden directory, in the layout of the original.

Labels are numbered by how many images they are in, the most frequent first; each category has a
dense code of its own. An image falls to `train` or `val` by the hash of its name, 70 to 30.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import ImageError, OutputError
from phosphene.image import replacing
from phosphene.survey.dissection.broden import ABOUT, CATEGORY, CODE, LABEL, MOST
from phosphene.survey.dissection.concepts import ConceptSet, Labels, Numbers

Tick = Callable[[int, int, str], None]
_TRAIN = 0.7


@dataclass(frozen=True, eq=False)
class _Counts:
    """How often concepts occur: (categories, concepts) images, and areas in units of an image."""

    frequency: NDArray[np.int64]
    coverage: NDArray[np.float64]


def write_broden(
    concepts: ConceptSet,
    folder: str | Path,
    *,
    least_frequency: int = 1,
    least_coverage: float = 0.0,
    tick: Tick | None = None,
) -> dict[str, str]:
    """Write a set of concepts as a Broden directory.

    Images are written as PNG, so that nothing is lost; the tables come last, so that an unfinished
    directory is none.

    Args:
        concepts: The set.
        folder: Where to; a directory that is there is replaced file by file.
        least_frequency: How many images a concept has to be in to be kept (Broden: 10).
        least_coverage: How much of all images together it has to cover, in whole images
            (Broden: 0.5).
        tick: Told how many steps are done, of how many, and what is being done.

    Returns:
        What was left out, and why, by the image's name.

    Raises:
        ImageError: No image is left, or none has a label.
        OutputError: It cannot be written.
    """
    folder, total = Path(folder), 2 * len(concepts)
    (folder / "index.csv").unlink(missing_ok=True)
    counts, failed = _count(concepts, total, tick)
    enough = (counts.frequency.sum(0) >= least_frequency) & (
        counts.coverage.sum(0) >= least_coverage
    )
    enough &= counts.frequency.sum(0) > 0
    kept = np.flatnonzero(enough)
    if not len(kept):
        raise ImageError(f"no image of {concepts.name} has a label that would be kept")
    if len(kept) > MOST:
        raise OutputError(f"{len(kept)} labels are more than the {MOST} that two bytes can number")
    order = kept[np.lexsort((-counts.coverage.sum(0)[kept], -counts.frequency.sum(0)[kept]))]
    numbers = np.zeros(len(concepts.vocabulary), np.int32)
    numbers[order] = np.arange(1, len(order) + 1)
    categories = _in_order(concepts, counts, order)
    rows = []
    for index in range(len(concepts)):
        name = concepts.name_of(index)
        if name not in failed:
            row = _write_image(concepts, index, numbers, folder / "images")
            if any(row[len(ABOUT) :]):
                rows.append(_arranged(row, concepts.vocabulary.categories, categories))
        if tick:
            tick(len(concepts) + index + 1, total, "writing images")
    _write_tables(concepts, counts, order, numbers, categories, folder)
    _write(folder / "index.csv", (*ABOUT, *categories), rows)
    return failed


def _count(concepts: ConceptSet, total: int, tick: Tick | None) -> tuple[_Counts, dict[str, str]]:
    vocabulary, (sh, sw) = concepts.vocabulary, concepts.label_size
    shape = (len(vocabulary.categories), len(vocabulary))
    frequency, pixels = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    failed: dict[str, str] = {}
    for index in range(len(concepts)):
        try:
            # The image too, so that one that cannot be read is counted nowhere.
            concepts.image(index)
            labels = concepts.labels(index)
        except ImageError as error:
            failed[concepts.name_of(index)] = str(error)
        else:
            own = _areas(labels, vocabulary.categories, shape, sh * sw)
            frequency += own > 0
            pixels += own
        if tick:
            tick(index + 1, total, "counting labels")
    return _Counts(frequency, pixels / (sh * sw)), failed


def _areas(
    labels: Labels, categories: Sequence[str], shape: tuple[int, int], whole: int
) -> NDArray[np.int64]:
    areas = np.zeros(shape, np.int64)
    for category, numbers in zip(labels.categories, labels.maps, strict=True):
        areas[categories.index(category)] += np.bincount(numbers.ravel(), minlength=shape[1])
    for category, number in labels.whole:
        areas[categories.index(category), number] += whole
    areas[:, 0] = 0
    return areas


def _in_order(concepts: ConceptSet, counts: _Counts, order: NDArray[np.intp]) -> list[str]:
    """Return the categories that have a label, by the first number of each, as the original."""
    first = {
        category: int(np.argmax(counts.frequency[index, order] > 0))
        for index, category in enumerate(concepts.vocabulary.categories)
        if counts.frequency[index, order].any()
    }
    return sorted(first, key=first.__getitem__)


def _write_image(
    concepts: ConceptSet, index: int, numbers: Numbers, folder: Path
) -> tuple[str, ...]:
    """Write an image and its label maps; return its row of the index."""
    stem = str(PurePosixPath(concepts.name_of(index)).with_suffix(""))
    labels, cells = concepts.labels(index), dict.fromkeys(concepts.vocabulary.categories, "")
    with replacing(folder / f"{stem}.png") as file:
        concepts.image(index).save(file, "PNG")
    for category, given in zip(labels.categories, labels.maps, strict=True):
        own = numbers[given]
        if not own.any():
            continue
        entries = [entry for entry in cells[category].split(";") if entry]
        name = f"{stem}_{category}{f'_{len(entries)}' if entries else ''}.png"
        pixels = np.stack([own & 255, own >> 8, np.zeros_like(own)], -1).astype(np.uint8)
        with replacing(folder / name) as file:
            Image.fromarray(pixels).save(file, "PNG")
        cells[category] = ";".join([*entries, name])
    for category, number in labels.whole:
        if numbers[number]:
            cells[category] = ";".join(filter(None, [cells[category], str(numbers[number])]))
    sizes = map(str, (*concepts.image_size, *concepts.label_size))
    return (f"{stem}.png", _split(stem), *sizes, *cells.values())


def _arranged(row: tuple[str, ...], given: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    cells = dict(zip(given, row[len(ABOUT) :], strict=True))
    return (*row[: len(ABOUT)], *(cells[category] for category in wanted))


def _split(name: str) -> str:
    share = int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16) / 16**32
    return "train" if share <= _TRAIN else "val"


def _write_tables(
    concepts: ConceptSet, counts: _Counts, order: NDArray[np.intp], numbers: Numbers,
    categories: Sequence[str], folder: Path,
) -> None:  # fmt: skip
    names, given = concepts.vocabulary.names, concepts.vocabulary.categories
    labels, listed = [], []
    for index in order.tolist():
        often = dict(zip(given, counts.frequency[:, index].tolist(), strict=True))
        most = sorted(filter(often.__getitem__, often), key=lambda category: -often[category])
        told = ";".join(f"{category}({often[category]})" for category in most)
        area = f"{counts.coverage[:, index].sum():f}"
        labels.append((numbers[index], names[index], told, sum(often.values()), area, ""))
    for category in categories:
        frequency = counts.frequency[given.index(category)]
        coverage = counts.coverage[given.index(category)]
        own = [index for index in order.tolist() if frequency[index]]
        dense = sorted(own, key=lambda i: (-frequency[i], -coverage[i]))
        codes = [
            (code, numbers[i], names[i], frequency[i], float(coverage[i]))
            for code, i in enumerate(dense, 1)
        ]
        _write(folder / f"c_{category}.csv", CODE, codes)
        inside = [int(numbers[i]) for i in own]
        listed.append((category, min(inside), max(inside), len(own), frequency[own].sum()))
    _write(folder / "label.csv", LABEL, labels)
    _write(folder / "category.csv", CATEGORY, listed)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(columns)
    table.writerows(rows)
    with replacing(path) as file:
        file.write(text.getvalue().encode())
