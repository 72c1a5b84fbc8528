"""Cut-outs from files: photographs with masks beside them, and photographs with an alpha."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from phosphene.errors import ImageError, first_line
from phosphene.image import find, read
from phosphene.worlds.moving_photographs.cutout import Cutout

_MOST_LABELS = 64
"""Where a mask's numbers go no further they are labels, and 255 is no part of them."""


@dataclass(frozen=True)
class CutoutFile:
    """A photograph and its mask, not yet read.

    Attributes:
        image: The photograph.
        mask: Its mask: what is not 0 is the thing (labels, or a soft mask up to 255); `None` for
            a photograph's own alpha.
    """

    image: Path
    mask: Path | None = None

    def read(self) -> Cutout:
        """Read it.

        Raises:
            ImageError: A file is missing, damaged, of another size, without an alpha, or empty.
        """
        cover = _alpha(self.image) if self.mask is None else _mask(self.mask)
        name = str(self.image if self.mask is None else self.mask)
        return Cutout.of(np.asarray(read(self.image)), cover, name)


def open_cutouts(
    images: str | Path | Sequence[str | Path],
    masks: str | Path | Sequence[str | Path] | None = None,
    *,
    skip_empty: bool = False,
) -> tuple[CutoutFile, ...]:
    """Find photographs and their masks.

    Args:
        images: Files, or folders that are searched; of a photograph without a mask its own alpha
            is taken.
        masks: The masks: a folder that holds, at the place that a photograph has in its own
            folder, an image of the same name with any suffix (as DAVIS has it); or as many files
            as photographs; `None` for photographs with an alpha.
        skip_empty: Leave out, instead of refusing, photographs whose mask shows nothing, as the
            frames of a video in which the thing is out of sight.

    Returns:
        As many as photographs, or less if empty ones are left out. All masks were read once; the
        photographs were not.

    Raises:
        ImageError: There is no photograph; one has no mask and no alpha; a mask is empty, damaged,
            or of another size; or all are empty.
    """
    given = _listed(images)
    folders = [folder for folder in given if folder.is_dir()]
    photographs = find(given)
    if masks is None:
        pairs = [CutoutFile(image) for image in photographs]
    else:
        pairs = _paired(photographs, folders, _listed(masks))
    kept = tuple(pair for pair in pairs if _shows(pair, skip_empty))
    if not kept:
        raise ImageError(f"all masks of {given[0]} are empty: there is nothing to cut out")
    return kept


def _listed(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]


def _paired(images: list[Path], folders: list[Path], masks: list[Path]) -> list[CutoutFile]:
    if len(masks) == 1 and masks[0].is_dir():
        named = {path.relative_to(masks[0]).with_suffix(""): path for path in find(masks)}
        return [CutoutFile(image, _named(image, folders, masks[0], named)) for image in images]
    if len(masks) != len(images):
        raise ImageError(
            f"{len(masks)} masks were given for {len(images)} photographs: give one for each, or "
            "the folder that holds them under the photographs' names"
        )
    return [CutoutFile(image, mask) for image, mask in zip(images, masks, strict=True)]


def _named(image: Path, folders: list[Path], masks: Path, named: dict[Path, Path]) -> Path:
    inside = [image.relative_to(folder) for folder in folders if image.is_relative_to(folder)]
    keys = [key.with_suffix("") for key in inside or [Path(image.name)]]
    found = next((named[key] for key in keys if key in named), None)
    if found is None:
        raise ImageError(f"{image} has no mask: it should be {masks / keys[0]}.png")
    return found


def _shows(pair: CutoutFile, skip_empty: bool) -> bool:
    cover = _alpha(pair.image) if pair.mask is None else _mask(pair.mask)
    if (cover >= 128).any():
        return True
    if not skip_empty:
        raise ImageError(
            f"{pair.mask or pair.image}: the mask is empty, so that there is nothing to cut out: "
            "leave it out"
        )
    return False


def _alpha(path: Path) -> NDArray[np.uint8]:
    image = _opened(path)
    if "A" not in image.getbands() and "transparency" not in image.info:
        raise ImageError(
            f"{path} is a photograph without a mask: give the folder of masks too, or images with "
            "an alpha"
        )
    return np.asarray(image.convert("RGBA").getchannel("A"))


def _mask(path: Path) -> NDArray[np.uint8]:
    image = _opened(path)
    values = np.asarray(image)
    if values.ndim == 3:
        values = np.asarray(image.convert("RGB")).max(axis=2)
    if image.mode in ("L", "RGB", "RGBA") and values.max(initial=0) > _MOST_LABELS:
        return values
    cover: NDArray[np.uint8] = (values != 0) * np.uint8(255)
    return cover


def _opened(path: Path) -> Image.Image:
    """Read an image as it is, but upright."""
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image)
    except FileNotFoundError:
        raise ImageError(f"there is no file {path}: check the path") from None
    except Exception as error:  # what a damaged file makes a decoder raise can be anything
        raise ImageError(
            f"{path} is no whole image ({first_line(error)}): fetch or save it again"
        ) from None
