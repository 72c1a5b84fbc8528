"""Photographs: reading, handing over, writing.

Whatever a file holds (grey, 16 bits, CMYK, transparency, several frames, a camera's rotation), a
photograph is 8-bit RGB, upright, composited on white. Images inside phosphene are RGB floats in
[0, 1], channels first.
"""

from __future__ import annotations

import io
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from phosphene.errors import ImageError, OutputError

if TYPE_CHECKING:
    from torch import Tensor

Photo = "str | Path | Image.Image | NDArray[Any]"
"""What a photograph may be given as: a file, a PIL image, or an array (h, w) or (h, w, 3), uint8
or float in [0, 1]."""

SUFFIXES = frozenset(".jpg .jpeg .jpe .png .webp .bmp .gif .tif .tiff .ppm .pgm .jp2 .avif".split())


def read(path: str | Path) -> Image.Image:
    """Read a photograph.

    Args:
        path: An image file of any kind Pillow knows. Of an animation the first frame is taken.

    Returns:
        8-bit RGB image, turned upright by its EXIF orientation, in sRGB where the file carries a
        colour profile, on white where it is transparent; 16-bit grey is scaled to 8 bits.

    Raises:
        ImageError: The file is missing, no image, truncated, or a decompression bomb.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            # Large photographs are fine; Pillow still refuses twice this size, with an error.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                opened.load()
                return to_rgb(ImageOps.exif_transpose(opened))
    except FileNotFoundError:
        raise ImageError(f"there is no file {path}: check the path") from None
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder, where one photograph is needed") from None
    except PermissionError:
        raise ImageError(f"{path} may not be read: check its permissions") from None
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path} would unpack to a suspiciously large image ({error}); shrink it first if it "
            "is genuine"
        ) from None
    except UnidentifiedImageError:
        empty = path.stat().st_size == 0
        kind = "is empty" if empty else "is not an image that can be read"
        raise ImageError(f"{path} {kind}: give a JPEG, PNG, WebP, TIFF or the like") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(f"{path} is damaged ({error}): fetch or save it again") from None


def to_rgb(image: Image.Image) -> Image.Image:
    """Bring a PIL image of any mode to 8-bit RGB, as `read` says."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):
        return _from_deep(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(ground, rgba).convert("RGB")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile: the plain conversion is the best there is
    return image.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image, dtype=np.float64)
    if image.mode == "F" and pixels.max(initial=0) <= 1:
        top = 1.0
    else:
        top = 65535.0 if pixels.max(initial=0) > 255 or image.mode.startswith("I;16") else 255.0
    grey = np.clip(np.rint(pixels / top * 255), 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def as_photograph(photo: str | Path | Image.Image | NDArray[Any]) -> Image.Image:
    """Turn whatever a photograph is given as into an 8-bit RGB image.

    Args:
        photo: A file, a PIL image, or an array (h, w) or (h, w, 3 or 4), uint8 or float in [0, 1].

    Raises:
        ImageError: It is no photograph.
    """
    if isinstance(photo, str | Path):
        return read(photo)
    if isinstance(photo, Image.Image):
        return to_rgb(photo)
    array = np.asarray(photo)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ImageError(
            f"an array of shape {array.shape} is no photograph: give (height, width) or "
            "(height, width, 3); tensors go channels first, (3, height, width)"
        )
    if array.size == 0:
        raise ImageError(f"an array of shape {array.shape} holds no pixels")
    if array.dtype != np.uint8:
        array = from_unit(np.asarray(array, dtype=np.float64))
    return to_rgb(Image.fromarray(array))


def from_unit(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Turn floats in [0, 1] into 8-bit pixels, refusing other ranges.

    Raises:
        ImageError: Values outside [0, 1] (a little rounding is forgiven), or NaN.
    """
    low, high = float(array.min()), float(array.max())
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise ImageError(
            f"pixels run from {low:g} to {high:g}, where floats in [0, 1] are needed: divide by "
            "255, or give uint8"
        )
    pixels: NDArray[np.uint8] = np.rint(array.clip(0, 1) * 255).astype(np.uint8)
    return pixels


def to_tensor(image: Image.Image) -> Tensor:
    """Turn an RGB image into a (3, h, w) float32 tensor in [0, 1]."""
    import torch

    pixels = np.asarray(image.convert("RGB"), dtype=np.uint8)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


def to_image(tensor: Tensor) -> Image.Image:
    """Turn a (3, h, w) or (1, h, w) tensor in [0, 1] (others are clipped) into an 8-bit image."""
    pixels = (tensor.detach().float().clamp(0, 1) * 255).round().byte().cpu()
    if pixels.shape[0] == 1:
        pixels = pixels.expand(3, -1, -1)
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def find(paths: list[Path]) -> list[Path]:
    """List the image files behind paths: files as given, folders searched (sorted, recursively).

    Raises:
        ImageError: A path does not exist, or a folder holds no image.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not inside:
                raise ImageError(f"the folder {path} holds no image files")
            found.extend(inside)
        elif path.exists():
            found.append(path)
        else:
            raise ImageError(f"there is no file {path}: check the path")
    return found


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Write a file beside its place and put it there when it is whole.

    Args:
        path: Where the file shall be; what is there now stays until the new one is complete.

    Raises:
        OutputError: The folder is missing or may not be written, or the disk is full.
    """
    path = Path(path)
    part = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            yield file
        # Temporary files are private; a result should be as readable as any new file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(part, 0o666 & ~mask)
        os.replace(part, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path} cannot be written: {reason}") from error
    finally:
        if part and os.path.exists(part):
            os.unlink(part)


def write(path: str | Path, image: Image.Image) -> None:
    """Write an image as PNG, JPEG or whatever the suffix says, whole or not at all.

    Raises:
        OutputError: The suffix is unknown, or the file cannot be written.
    """
    path = Path(path)
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise OutputError(f"{path} has no suffix of an image: end it in .png, .jpg or .webp")
    with replacing(path) as file:
        image.save(file, format=kind)
