"""Photographs that were dropped: decoded with care, and kept in memory for a while, a few of them.

No file is ever written, and the name of the file does not leave the browser.
"""

from __future__ import annotations

import io
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError
from torch import Tensor

from phosphene.atlas.serving.answers import Refused
from phosphene.core.preprocessing import Frame
from phosphene.errors import ImageError, first_line
from phosphene.image import as_photograph

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
"""Kinds that are read, as Pillow names them: of photographs, and none that runs other programs."""
KEPT = 8


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph as the network sees it.

    Attributes:
        image: (1, c, h, w) RGB in [0, 1].
        frame: Which part of the photograph it is.
    """

    image: Tensor
    frame: Frame


def decode(data: bytes) -> Image.Image:
    """Decode a photograph.

    Args:
        data: A whole image file.

    Returns:
        8-bit RGB image, as `phosphene.image.read` returns it.

    Raises:
        ImageError: It is empty, no image, truncated, too large, or damaged.
    """
    if not data:
        raise ImageError("the photograph is empty: choose another file")
    Image.init()
    try:
        # Not every build of Pillow knows every kind.
        known = [kind for kind in FORMATS if kind in Image.OPEN]
        with Image.open(io.BytesIO(data), formats=known) as opened:
            most = Image.MAX_IMAGE_PIXELS or 2**27
            if opened.width * opened.height > most:
                raise Image.DecompressionBombError
            return as_photograph(opened)
    except ImageError as error:
        raise ImageError(f"the photograph cannot be read: {error}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(
            "the photograph would unpack to more pixels than are taken here "
            f"({(Image.MAX_IMAGE_PIXELS or 2**27) // 10**6} million): shrink it first"
        ) from None
    except UnidentifiedImageError:
        raise ImageError(
            "the file is no image that can be read: give a JPEG, PNG, WebP, TIFF or the like"
        ) from None
    except MemoryError:
        raise ImageError("the photograph needs more memory than there is: shrink it") from None
    except Exception as error:  # what a damaged file makes a decoder raise can be anything
        raise ImageError(
            f"the photograph is damaged ({first_line(error, 200)}): save it again"
        ) from None


class Shelf:
    """Keeps the last few photographs under names that cannot be guessed.

    Args:
        most: How many; the one not asked for longest goes first.
    """

    def __init__(self, most: int = KEPT) -> None:
        self.most = most
        self._kept: OrderedDict[str, Photograph] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, photograph: Photograph) -> str:
        """Keep a photograph and return its name."""
        name = secrets.token_urlsafe(18)
        with self._lock:
            self._kept[name] = photograph
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
        return name

    def find(self, name: str) -> Photograph:
        """Return a photograph.

        Raises:
            Refused: There is none of that name any more.
        """
        with self._lock:
            if name not in self._kept:
                raise Refused(404, "the photograph is no longer in memory: drop it again")
            self._kept.move_to_end(name)
            return self._kept[name]

    def __len__(self) -> int:
        return len(self._kept)
