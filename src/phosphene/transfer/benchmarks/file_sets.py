"""Sets of photographs in files, with what is known of them in small arrays.

They hold the names of files as one run of bytes, so that a million photographs are sent to another
process in an instant.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phosphene.errors import ImageError, first_line
from phosphene.image import as_photograph, read
from phosphene.motion.shards.keys import Keys
from phosphene.transfer.benchmarks.label_maps import read_label_map
from phosphene.transfer.benchmarks.records import Boxes


class PhotographFiles:
    """Photographs in files.

    Args:
        root: The folder they lie in.
        files: Their paths, from there.
        classes: Names of the classes.
        notes: What a person should know.
        names: What to call them; their paths if not given.
        sizes: (n, 2) width and height that each should have, as what is known of it says; 0 where
            nobody knows.
        known_as: Of photographs that have the same names in every copy of a data set: what the
            data set goes by.
    """

    def __init__(
        self,
        root: Path,
        files: Sequence[str],
        classes: Sequence[str],
        notes: Sequence[str] = (),
        *,
        names: Sequence[str] | None = None,
        sizes: NDArray[np.int64] | None = None,
        known_as: str = "",
    ) -> None:
        self.classes, self.notes = tuple(classes), tuple(notes)
        self._root, self._files = root, Keys(files)
        self._names = self._files if names is None else Keys(names)
        self._sizes, self._known_as = sizes, known_as

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._files)

    def name(self, index: int) -> str:
        """Say what to call one, without reading it."""
        return self._names[index]

    def path(self, index: int) -> Path:
        """Return the file of one."""
        return self._root / self._files[index]

    def origin(self, index: int) -> str:
        """Say where one comes from, alike for one photograph in several sets."""
        if self._known_as:
            return f"{self._known_as}:{self.name(index)}"
        return f"{os.path.realpath(self._root)}/{self._files[index]}"

    def image(self, index: int) -> Image.Image:
        """Read one, RGB, upright.

        Raises:
            ImageError: It cannot be read, or has another size than what is known of it says.
        """
        photo = read(self.path(index))
        if self._sizes is not None:
            said = tuple(self._sizes[index].tolist())
            if 0 not in said and photo.size != said:
                raise ImageError(
                    f"{self.path(index)} has {photo.width}x{photo.height} pixels, and its boxes "
                    f"were drawn on {said[0]}x{said[1]}: was it resized or turned?"
                )
        return photo


class SortedFiles(PhotographFiles):
    """Photographs in files, of one class each (`records.Sorted`).

    Args:
        root: The folder they lie in.
        files: Their paths, from there.
        classes: Names of the classes.
        class_of: (n,) the class of each.
        notes: What a person should know.
    """

    def __init__(
        self,
        root: Path,
        files: Sequence[str],
        classes: Sequence[str],
        class_of: Sequence[int] | NDArray[np.int64],
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(root, files, classes, notes)
        self.class_of: NDArray[np.int64] = np.asarray(class_of, np.int64)


class TaggedFiles(PhotographFiles):
    """Photographs in files, with the classes that are present (`records.Tagged`).

    Args:
        root: The folder they lie in.
        files: Their paths, from there.
        classes: Names of the classes.
        present: (n, classes) int8: 1 present, 0 not, -1 does not count.
        notes: What a person should know.
        names: What to call them.
    """

    def __init__(
        self,
        root: Path,
        files: Sequence[str],
        classes: Sequence[str],
        present: NDArray[np.int8],
        notes: Sequence[str] = (),
        names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(root, files, classes, notes, names=names)
        self.present = present


class BoxedFiles(PhotographFiles):
    """Photographs in files, with the boxes of their objects (`records.Boxed`).

    Args:
        root: The folder they lie in.
        files: Their paths, from there.
        classes: Names of the classes.
        boxes: Of all photographs, one photograph's after the other's.
        counts: (n,) how many of them are each photograph's.
        sizes: (n, 2) width and height of each as its boxes were drawn; 0 where nobody knows.
        notes: What a person should know.
        names: What to call them.
    """

    def __init__(
        self,
        root: Path,
        files: Sequence[str],
        classes: Sequence[str],
        boxes: Boxes,
        counts: Sequence[int],
        sizes: NDArray[np.int64],
        notes: Sequence[str] = (),
        names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(root, files, classes, notes, names=names, sizes=sizes)
        self._boxes, self._ends = boxes, np.cumsum([0, *counts])

    def boxes(self, index: int) -> Boxes:
        """Return the objects of one."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        these = slice(self._ends[index], self._ends[index + 1])
        all_ = self._boxes
        return Boxes(all_.corners[these], all_.classes[these], all_.difficult[these])


class LabelledFiles(PhotographFiles):
    """Photographs in files, with the class of every pixel in files too (`records.Labelled`).

    Args:
        root: The folder they lie in.
        files: Their paths, from there.
        classes: Names of the classes; a pixel of class number i has label i + 1.
        label_files: Paths of label maps, .png or SBD's .mat.
        notes: What a person should know.
        names: What to call them.
        known_as: What the data set goes by, where its photographs have the same names everywhere.
    """

    def __init__(
        self,
        root: Path,
        files: Sequence[str],
        classes: Sequence[str],
        label_files: Sequence[str],
        notes: Sequence[str] = (),
        names: Sequence[str] | None = None,
        known_as: str = "",
    ) -> None:
        super().__init__(root, files, classes, notes, names=names, known_as=known_as)
        self._label_files = Keys(label_files)

    def labels(self, index: int) -> NDArray[np.uint8]:
        """Read the classes of one's pixels: (h, w), `UNKNOWN` where they do not count.

        Raises:
            ImageError: The label map is missing or damaged, has a label of no class, or another
                size than the photograph.
        """
        path = Path(self._label_files[index])
        labels = read_label_map(path, len(self.classes))
        width, height = size_of(self.path(index))
        if labels.shape != (height, width):
            raise ImageError(
                f"{path} has {labels.shape[1]}x{labels.shape[0]} pixels, and the photograph "
                f"{self.path(index)} has {width}x{height}: they must be alike"
            )
        return labels


def size_of(path: Path) -> tuple[int, int]:
    """Return width and height of a photograph, upright, without decoding it.

    Raises:
        ImageError: It cannot be read.
    """
    try:
        with Image.open(path) as opened:
            turned = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            width, height = opened.size
    except Exception:  # what damaged bytes make a decoder raise can be anything
        return read(path).size  # or says what is wrong
    return (height, width) if turned else (width, height)


def decoded(content: bytes, name: str) -> Image.Image:
    """Decode a photograph that lies in another file, RGB, upright.

    Args:
        content: Of its file.
        name: What to call it in errors.

    Raises:
        ImageError: It is damaged, or no image.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            return as_photograph(opened)
    except Exception as error:  # what damaged bytes make a decoder raise can be anything
        raise ImageError(f"{name} cannot be read as an image: {first_line(error)}") from None
