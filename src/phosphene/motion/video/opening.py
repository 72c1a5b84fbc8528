"""From the name of a video to what reads it."""

from __future__ import annotations

from pathlib import Path

from phosphene.errors import ImageError
from phosphene.motion.video.source import Video


def open_video(path: str | Path, name: str = "") -> Video:
    """Open a film or a folder of frames.

    Args:
        path: A file that FFmpeg reads, or a folder of images, sorted naturally (frame 9 comes
            before frame 10).
        name: What to call it; the name of the file or folder if empty.

    Raises:
        ImageError: There is none.
    """
    from phosphene.motion.video.films import Film
    from phosphene.motion.video.folders import Folder

    path = Path(path)
    name = name or path.name
    if path.is_dir():
        return Folder(path, name)
    if not path.exists():
        raise ImageError(f"there is no video {path}: check the path")
    return Film(path, name)
