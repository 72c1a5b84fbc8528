"""Whole files in memory, and how much an honest one may unpack to."""

from __future__ import annotations

from pathlib import Path

from phosphene.errors import FlowError

LARGEST = 1 << 28
"""Pixels that a file of flow may hold: 16384 x 16384. What claims more is damaged or hostile."""

DEFLATED = 1032
"""What deflate packs at best, to one byte; what claims to unpack to more is cut short."""


def content_of(path: str | Path) -> bytes:
    """Read a file of flow into memory.

    Raises:
        FlowError: It is missing, a folder, or may not be read.
    """
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise FlowError(f"there is no file {path}: check the path") from None
    except IsADirectoryError:
        raise FlowError(f"{path} is a folder, where one file of flow is needed") from None
    except OSError as error:
        raise FlowError(f"{path} cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise FlowError(f"{path} needs more memory than there is") from None


def sensible(height: int, width: int, name: str) -> None:
    """Refuse sizes that no flow has, before anything is allocated.

    Raises:
        FlowError: A side is not positive, or there are more than `LARGEST` pixels.
    """
    if height < 1 or width < 1 or height * width > LARGEST:
        raise FlowError(
            f"{name} claims to be {width} x {height} pixels, which no flow is: it is damaged; "
            "fetch or save it again"
        )
