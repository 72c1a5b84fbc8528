"""Photographs: reading, handing over, writing.

Whatever a file holds (grey, 16 bits, CMYK, a colour profile, transparency, several frames, a
camera's rotation), a photograph is 8-bit RGB, upright, composited on white. Images inside phosphene
are RGB floats in [0, 1], channels first.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

from phosphene.errors import ImageError, OutputError

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .bmp .gif .tif .tiff .ppm .pgm .jp2 .avif".split()
)
_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def name_of(photo: Any, otherwise: str = "image") -> str:
    """Say what to call a photograph: its file's name, or `otherwise` where it comes from none."""
    return Path(photo).name if isinstance(photo, str | Path) else otherwise


def numbered(names: Iterable[str]) -> tuple[str, ...]:
    """Number what has a name that was there before.

    >>> numbered(["a", "b", "a"])
    ('a', 'b', 'a (2)')
    """
    found: list[str] = []
    for name in names:
        own, number = name, 1
        while own in found:
            number += 1
            own = f"{name} ({number})"
        found.append(own)
    return tuple(found)


def read(path: str | Path) -> Image.Image:
    """Read a photograph.

    Args:
        path: An image file of any kind Pillow knows. Of an animation the first frame is taken.

    Returns:
        8-bit RGB image, turned upright by its EXIF orientation, in sRGB where the file carries a
        colour profile, on white where it is transparent; 16-bit grey is scaled to 8 bits.

    Raises:
        ImageError: The file is missing, no image, truncated, or a decompression bomb (twice the
            pixels of `PIL.Image.MAX_IMAGE_PIXELS`).
    """
    path = Path(path)
    try:
        with Image.open(path) as opened:
            return as_photograph(opened)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError(f"there is no file {path}: check the path") from None
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder, where one photograph is needed") from None
    except PermissionError:
        raise ImageError(f"{path} may not be read: check its permissions") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        size = str(error).partition("(")[2].partition(")")[0] or "too many pixels"
        raise ImageError(
            f"{path} would unpack to {size}, as a decompression bomb does: shrink it if it is "
            "genuine"
        ) from None
    except MemoryError:
        raise ImageError(f"{path} needs more memory than there is: shrink it first") from None
    except UnidentifiedImageError:
        raise ImageError(_unidentified(path)) from None
    except Exception as error:  # what a damaged file makes a decoder raise can be anything
        raise ImageError(f"{path} is damaged ({error}): fetch or save it again") from None


def _unidentified(path: Path) -> str:
    if path.stat().st_size == 0:
        return f"{path} is empty: fetch or save it again"
    if path.suffix.lower() in (".heic", ".heif"):
        return f"{path} is a HEIC photograph, which is not read here: save it as JPEG"
    return f"{path} is no image that can be read: give a JPEG, PNG, WebP, TIFF or the like"


def to_rgb(image: Image.Image) -> Image.Image:
    """Bring a PIL image of any mode to 8-bit RGB, as `read` says."""
    if image.mode.startswith(("I", "F")):
        return _from_deep(image)
    profile = image.info.get("icc_profile")
    if image.mode in _ALPHA or "transparency" in image.info:
        if image.mode in ("La", "RGBa"):  # colours multiplied by their alpha
            image = image.convert(image.mode.upper())
        rgba = image.convert("RGBA")
        colours = _in_srgb(rgba.convert("RGB"), profile)
        colours.putalpha(rgba.getchannel("A"))
        ground = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(ground, colours).convert("RGB")
    return _in_srgb(image.convert("RGB") if image.mode == "P" else image, profile)


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        # A broken profile, or one of other channels: the plain conversion is the best there is.
        with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
            if converted is not None:
                return converted
    return image.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    """Scale 16- and 32-bit integers and floats by the first usual white that none exceeds."""
    pixels = np.nan_to_num(np.asarray(image, dtype=np.float64))
    brightest = float(pixels.max(initial=0))
    whites = {"F": (1, 255, 65535), "I": (255, 65535)}.get(image.mode, (65535,))
    white = next((white for white in whites if brightest <= white), brightest)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        pixels = np.where(pixels == clear, white, pixels)
    grey = np.clip(np.rint(pixels / white * 255), 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def as_photograph(photo: str | Path | Image.Image | NDArray[Any]) -> Image.Image:
    """Turn whatever a photograph is given as into an 8-bit RGB image.

    Args:
        photo: A file, a PIL image, or an array (h, w) or (h, w, 1, 3 or 4) of uint8, of other
            integers in 0..255, of uint16, of booleans, or of floats in [0, 1].

    Raises:
        ImageError: It is no photograph.
    """
    if isinstance(photo, str | Path):
        return read(photo)
    if isinstance(photo, Image.Image):
        # Only an untouched file's orientation still holds: edited images keep the tag.
        turn = _turn(photo) if isinstance(photo, ImageFile.ImageFile) else None
        upright = photo.transpose(turn) if turn is not None else photo
        if not photo.width or not photo.height:
            raise ImageError(f"an image of {photo.width}x{photo.height} holds no pixels")
        return to_rgb(upright)
    return to_rgb(Image.fromarray(_as_pixels(photo)))


def _turn(image: Image.Image) -> Image.Transpose | None:
    image.load()  # PNG and WebP may carry EXIF behind the pixels
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF is no reason to refuse the pixels
        return None


def _as_pixels(given: Any) -> NDArray[np.uint8]:
    try:
        array = np.asarray(given)
    except (TypeError, ValueError, RuntimeError):
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "buif":
        kind = type(given).__name__
        raise ImageError(f"{kind} is no photograph: give a file, a PIL image or an array of pixels")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ImageError(
            f"an array of shape {array.shape} is no photograph: give (height, width) or "
            "(height, width, 3); tensors go channels first, (3, height, width)"
        )
    if array.size == 0:
        raise ImageError(f"an array of shape {array.shape} holds no pixels")
    white = {"b": 1, "f": 1}.get(array.dtype.kind, 65535 if array.dtype == np.uint16 else 255)
    low, high = float(array.min()), float(array.max())
    # A little rounding is forgiven; comparisons with NaN are false.
    if not (low >= -1e-3 and high <= white + 1e-3):
        raise ImageError(
            f"pixels run from {low:g} to {high:g}: give floats in [0, 1], or integers in 0..255"
        )
    pixels = np.rint(array.astype(np.float64).clip(0, white) * (255 / white))
    return pixels.astype(np.uint8)


def to_tensor(image: Image.Image) -> Tensor:
    """Turn an RGB image into a (3, h, w) float32 tensor in [0, 1]."""
    import torch

    pixels = np.asarray(image.convert("RGB"), dtype=np.uint8)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


def to_image(tensor: Tensor) -> Image.Image:
    """Turn a (3, h, w) or (1, h, w) tensor in [0, 1] into an 8-bit image.

    Values outside are clipped, NaN is black.
    """
    pixels = (tensor.detach().float().nan_to_num().clamp(0, 1) * 255).round().byte().cpu()
    if pixels.shape[0] == 1:
        pixels = pixels.expand(3, -1, -1)
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def find(paths: list[Path]) -> list[Path]:
    """List the image files behind paths, each once: files as given, folders searched.

    Folders are searched recursively and in order; what is hidden (a leading dot) is left out.

    Raises:
        ImageError: A path does not exist, or a folder holds no image.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = [
                p
                for p in sorted(path.rglob("*"))
                if p.suffix.lower() in SUFFIXES
                and not any(part.startswith(".") for part in p.relative_to(path).parts)
                and p.is_file()
            ]
            if not inside:
                raise ImageError(f"the folder {path} holds no image files")
            found.update(dict.fromkeys(inside))
        elif path.exists():
            found[path] = None
        else:
            raise ImageError(f"there is no file {path}: check the path")
    return list(found)


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Write a file beside its place and put it there when it is whole.

    Args:
        path: Where the file shall be; what is there now stays until the new one is complete. A
            link is followed.

    Raises:
        OutputError: The folder cannot be made or may not be written, or the disk is full.
    """
    path = Path(path)
    place = Path(os.path.realpath(path))
    part = place.with_name(f".{secrets.token_hex(6)}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with open(part, "xb") as file:
            yield file
        os.replace(part, place)
    except OSError as error:
        # Pillow's encoders say only that they could not write on.
        reason = error.strerror or f"{error} (is the disk full?)"
        raise OutputError(f"{path} cannot be written: {reason}") from error
    finally:
        with suppress(OSError):
            part.unlink()
