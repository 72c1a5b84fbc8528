"""Photographs and videos as a set of concepts: their colors, and the masks of what is in front.

Concepts that need no annotator. Colors are the eleven basic names. Where a photograph has a mask,
what lies under it is `foreground`, and, where the photograph is in a folder (a video's, a class's),
also the foreground of that folder, by its name.

A photograph is shown as its central square, like an image of Broden: its shorter side is brought
to the size, and the middle is cut out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Resampling

from phosphene.core.preprocessing import Frame, Preprocessing
from phosphene.errors import ImageError
from phosphene.image import SUFFIXES, find, read
from phosphene.survey.dissection.color_names import COLOR_NAMES, color_numbers
from phosphene.survey.dissection.concepts import ConceptSet, Labels, Vocabulary, digest, half

FOREGROUND = "foreground"
# Folders of frames and of masks, in the layouts that videos with masks come in.
_LAYOUTS = (("frames", "masks"), ("JPEGImages", "Annotations"), ("images", "masks"))


@dataclass(frozen=True)
class PhotographConcepts(ConceptSet):
    """Photographs, their colors, and masks where there are any.

    Attributes:
        files: The photographs.
        names: What they are called: their paths below the folder.
        masks: The mask of each, `None` for none.
        groups: Number of the foreground that is named after the photograph's folder; 0 for none.
    """

    files: tuple[Path, ...]
    names: tuple[str, ...]
    masks: tuple[Path | None, ...]
    groups: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.files)

    def name_of(self, index: int) -> str:
        """Say what an image is called."""
        return self.names[index]

    def image(self, index: int) -> Image.Image:
        """Read a photograph, and cut out its middle."""
        return Preprocessing(self.image_size).fit(read(self.files[index]))[0]

    def labels(self, index: int) -> Labels:
        """Name the colors of a photograph, and look up its mask."""
        sh, sw = self.label_size
        image, frame = Preprocessing(self.image_size).fit(read(self.files[index]))
        small = image.resize((sw, sh), Resampling.BOX)
        maps, categories = [1 + color_numbers(np.asarray(small))], ["color"]
        if self.masks[index] is not None:
            mask = self._mask(index, frame)
            for number in filter(None, (self.vocabulary.number("object", FOREGROUND),
                                        self.groups[index])):  # fmt: skip
                maps.append(np.where(mask, number, 0).astype(np.int32))
                categories.append("object")
        return Labels(np.stack(maps), tuple(categories))

    def _mask(self, index: int, frame: Frame) -> NDArray[np.bool_]:
        """Return where the foreground is, (sh, sw): of each pixel what is at its middle."""
        path = self.masks[index]
        assert path is not None
        mask = read_mask(path)
        if mask.size != frame.photograph[::-1]:
            raise ImageError(
                f"the mask {path} is {mask.width}x{mask.height}, and its photograph is "
                f"{frame.photograph[1]}x{frame.photograph[0]}: masks are never resized"
            )
        top, left, height, width = frame.on_photograph()
        sh, sw = self.label_size
        rows = (top + (np.arange(sh) + 0.5) * height / sh).astype(np.intp)
        columns = (left + (np.arange(sw) + 0.5) * width / sw).astype(np.intp)
        found: NDArray[np.bool_] = np.asarray(mask)[np.ix_(rows, columns)] > 0
        return found

    @property
    def fingerprint(self) -> str:
        """A hash of what the set consists of."""
        used = [path for path in (*self.files, *self.masks) if path is not None]
        stats = [(path.stat().st_size, path.stat().st_mtime_ns) for path in used if path.exists()]
        return digest((super().fingerprint, self.names, self.groups, stats))


def photo_concepts(
    folder: str | Path | Sequence[str | Path],
    masks: str | Path | None = None,
    *,
    size: tuple[int, int] = (227, 227),
    label_size: tuple[int, int] | None = None,
) -> PhotographConcepts:
    """Take photographs for a set of concepts.

    Args:
        folder: Of photographs, with folders in it or not; or photographs. A folder that holds
            `frames` and `masks` (or `JPEGImages` and `Annotations`, as DAVIS has it) has both.
        masks: Folder of masks; the mask of a photograph has its path but for the suffix, and is
            not 0 where there is foreground. A photograph without one has colors alone.
        size: (h, w) of the images that are made of the photographs, pixels.
        label_size: (h, w) of the label maps; half of that where not given.

    Raises:
        ImageError: There are no photographs, or no mask belongs to any of them.
    """
    if isinstance(folder, str | Path):
        root = Path(folder)
        if masks is None:
            inner = next(
                (pair for pair in _LAYOUTS if all((root / p).is_dir() for p in pair)), None
            )
            if inner is not None:
                root, masks = root / inner[0], root / inner[1]
        files = find([root])
        root = root if root.is_dir() else root.parent
        names = [file.relative_to(root).as_posix() for file in files]
    else:
        files = find([Path(each) for each in folder])
        names = [f"{n:06d}-{file.name}" for n, file in enumerate(files)]
    found = _masks_of(names, Path(masks)) if masks is not None else [None] * len(files)
    groups = [
        Path(name).parent.as_posix() if mask is not None else "."
        for name, mask in zip(names, found, strict=True)
    ]
    videos = sorted(set(groups) - {"."})
    concepts: dict[str, Sequence[str]] = {"color": COLOR_NAMES}
    if masks is not None:
        concepts["object"] = [FOREGROUND, *videos]
    vocabulary = Vocabulary.of(concepts)
    numbers = tuple(0 if g == "." else vocabulary.number("object", g) for g in groups)
    facts = {"photographs": f"{len(files)}, {sum(m is not None for m in found)} with a mask"}
    return PhotographConcepts(
        str(folder) if isinstance(folder, str | Path) else "photographs",
        vocabulary, size, label_size or half(size),
        tuple(files), tuple(names), tuple(found), numbers, facts=facts,
    )  # fmt: skip


def read_mask(path: Path) -> Image.Image:
    """Read a mask as it is, palette indices and all: 0 is background.

    Raises:
        ImageError: It cannot be read.
    """
    try:
        with Image.open(path) as opened:
            return opened.copy() if opened.mode in ("1", "L", "P", "I;16") else opened.convert("L")
    except Exception as error:  # what a damaged file makes a decoder raise can be anything
        raise ImageError(f"the mask {path} cannot be read ({error})") from None


def _masks_of(names: Sequence[str], folder: Path) -> list[Path | None]:
    if not folder.is_dir():
        raise ImageError(f"there is no folder of masks {folder}: check the path")
    by_stem = {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    }
    found = [by_stem.get(Path(name).with_suffix("").as_posix()) for name in names]
    if not any(found):
        example = names[0].rpartition(".")[0]
        raise ImageError(
            f"no mask in {folder} belongs to a photograph: that of {names[0]} would be "
            f"{folder / example}.png"
        )
    return found
