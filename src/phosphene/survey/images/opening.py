"""From what a set is named by to its parts."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from phosphene.errors import ImageError
from phosphene.image import SUFFIXES as IMAGES
from phosphene.survey.images import tar, video
from phosphene.survey.images.files import CHUNK, FileParts, listed, walk
from phosphene.survey.images.given import Drawn, Given
from phosphene.survey.images.image_set import Fingerprint, ImageSet
from phosphene.survey.images.part import Part

_LISTS = frozenset((".txt", ".lst", ".list"))
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_DEMO = re.compile(r"demo(?::(\d+))?")
_FIRST_SEED = 7_000_000
"""Far from the seeds of the scenes that the demo network was trained on."""


def open_images(
    source: str | Path | Sequence[Any], *, every_nth: int = 1, member: str = ""
) -> ImageSet:
    """Open an image set. Nothing is decoded; names are listed.

    Args:
        source: One of these, or a list of the first five:

            - a folder: all image files in it and the folders in it, or all `.tar`, or all videos;
            - a list (`.txt`, `.lst`): one path a line, relative to the list; blank lines and
              lines that begin with # are left out;
            - tar shards as webdataset writes them, `x-{000..009}.tar` for several; the images of
              their samples;
            - a video;
            - an image file;
            - `"demo"` for the dozen scenes of the demo network, `"demo:500"` for 500 others;
            - a sequence of arrays, PIL images or tensors (3, h, w) in [0, 1].
        every_nth: Of how many frames of a video one is taken.
        member: Which image of a sample in a tar is meant, by its suffix, where samples have more
            than one: "jpg", "seg.png".

    Raises:
        ImageError: There is no image, or what is named cannot be read.
    """
    if every_nth < 1:
        raise ImageError(f"every {every_nth}-th frame cannot be taken: give 1 or more")
    options = {"every_nth": every_nth, "member": member}
    if isinstance(source, str | Path):
        source = [source]
    source = list(source)
    if not source:
        raise ImageError("no images were given: give a folder, files or a list of images")
    if not all(isinstance(one, str | Path) for one in source):
        return _given(source)
    sources = [one for text in source for one in _expanded(str(text))]
    parts: list[Sequence[Part]] = []
    marks = Fingerprint()
    marks.add(f"{options}")
    singles: list[str] = []
    for text in sources:
        if Path(text).suffix.lower() in IMAGES and not os.path.isdir(text):
            singles.append(text)
            continue
        if singles:
            parts.append(_named(singles, marks))
            singles = []
        parts.append(_parts(text, marks, every_nth, member, alone=len(sources) == 1))
    if singles:
        parts.append(_named(singles, marks))
    name = Path(sources[0]).name or sources[0]
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    together: Sequence[Part] = parts[0] if len(parts) == 1 else list(chain.from_iterable(parts))
    absolute = [t if _DEMO.fullmatch(t) else str(Path(t).absolute()) for t in sources]
    return ImageSet(name + more, together, str(marks), {"paths": absolute, **options})


def _parts(
    text: str, marks: Fingerprint, every_nth: int, member: str, alone: bool
) -> Sequence[Part]:
    """Return the parts of one source, and note what tells it from another."""
    drawn = _DEMO.fullmatch(text)
    if drawn and not os.path.exists(text):
        marks.add(text)
        return _scenes(int(drawn[1]) if drawn[1] else None)
    path, suffix = Path(text), Path(text).suffix.lower()
    if not path.exists():
        raise ImageError(f"there is no file or folder {text}: check the path")
    if path.is_dir():
        return _folder(path, marks, every_nth, member, alone)
    if text.lower().endswith(tar.COMPRESSED):
        raise ImageError(tar.refusal(text))
    if suffix == ".tar":
        return _shards([(path.name, path)], marks, member)
    if suffix in video.SUFFIXES:
        return _videos([(path.name, path)], marks, every_nth)
    if suffix in _LISTS:
        return _list(path, marks)
    raise ImageError(
        f"{text} is no image set: give a folder, image files, a list (.txt), tar shards (.tar) or "
        "videos"
    )


def _folder(
    path: Path, marks: Fingerprint, every_nth: int, member: str, alone: bool
) -> Sequence[Part]:
    kinds = IMAGES | video.SUFFIXES | {".tar"}
    inside: dict[str, list[tuple[str, Path]]] = {"tar shards": [], "videos": []}
    many = 0

    def images() -> Iterator[str]:
        nonlocal many
        for name, size in walk(path, kinds):
            suffix = os.path.splitext(name)[1].lower()
            if suffix in IMAGES:
                many += 1
                marks.add(f"{name} {size}")
                yield name if alone else f"{path}/{name}"
            else:
                kind = "tar shards" if suffix == ".tar" else "videos"
                inside[kind].append((name, path / name))

    files = FileParts(path if alone else "", images())
    found = {kind: len(these) for kind, these in inside.items() if these}
    if many:
        found = {"images": many, **found}
    if len(found) > 1:
        listing = " and ".join(f"{count} {kind}" for kind, count in found.items())
        raise ImageError(f"the folder {path} holds {listing}: name those that are meant")
    if not found:
        raise ImageError(f"the folder {path} holds no image files, tar shards or videos")
    if inside["tar shards"]:
        return _shards(inside["tar shards"], marks, member)
    if inside["videos"]:
        return _videos(inside["videos"], marks, every_nth)
    return files


def _list(path: Path, marks: Fingerprint) -> Sequence[Part]:
    def names() -> Iterator[str]:
        for name in listed(path):
            marks.add(name)  # sizes are not asked for: the files may be many, and far away
            yield name

    files = FileParts(path.parent, names())
    if not files:
        raise ImageError(f"the list {path} names no images: give one path a line")
    return files


def _named(files: Sequence[str], marks: Fingerprint) -> Sequence[Part]:
    for file in files:
        try:
            # The base name: the same files may be named from elsewhere when they are opened again.
            marks.add(f"{Path(file).name} {os.stat(file).st_size}")
        except OSError:
            raise ImageError(f"there is no file {file}: check the path") from None
    return FileParts("", files)


def _shards(found: Iterable[tuple[str, Path]], marks: Fingerprint, member: str) -> list[Part]:
    shards = [tar.Shard(name, str(path), os.stat(path).st_size, member) for name, path in found]
    for shard in shards:
        marks.add(f"{shard.name} {shard.size}")
    shards[0].name_of(0)  # what is wrong with one is most likely wrong with all
    return list[Part](shards)


def _videos(found: Iterable[tuple[str, Path]], marks: Fingerprint, every_nth: int) -> list[Part]:
    videos = list(found)
    for name, path in videos:
        marks.add(f"{name} {os.stat(path).st_size}")
    return [video.Video(name, str(path), every_nth) for name, path in videos]


def _scenes(count: int | None) -> list[Part]:
    if count is None:
        from phosphene.zoo.demo import demo_scenes

        return [Given("demo scenes", [scene.image for scene in demo_scenes()])]
    if not count:
        raise ImageError("demo:0 are no scenes: give demo:1 or more")
    starts = range(0, count, CHUNK)
    return [
        Drawn("drawn scenes", _FIRST_SEED + start, min(CHUNK, count - start)) for start in starts
    ]


def _given(given: Sequence[Any]) -> ImageSet:
    marks = Fingerprint()
    starts = range(0, len(given), CHUNK)
    parts = [Given("images", given[start : start + CHUNK], start) for start in starts]
    for part in parts:
        for entry in part.images():
            try:
                image = entry.read()
                marks.add(
                    f"{entry.name} {image.size} {hashlib.sha256(image.tobytes()).hexdigest()}"
                )
            except ImageError as error:
                marks.add(str(error))
    return ImageSet(f"{len(given)} images", parts, str(marks))


def _expanded(text: str) -> Iterator[str]:
    """Write out `{000..009}`, as shells do; a file of that very name is taken as it is."""
    braces = _RANGE.search(text)
    if braces is None or os.path.exists(text):
        yield text
        return
    low, high = int(braces[1]), int(braces[2])
    if low > high:
        raise ImageError(f"{text} counts from {low} down to {high}: begin with the smaller number")
    for number in range(low, high + 1):
        filled = f"{number:0{len(braces[1])}d}"
        yield from _expanded(text[: braces.start()] + filled + text[braces.end() :])
