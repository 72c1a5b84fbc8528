"""Whether shards are whole: what is damaged, and where."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from phosphene.errors import FlowError, PhospheneError, first_line
from phosphene.motion.flow_files.kitti import decode_png
from phosphene.motion.pair import Pair
from phosphene.motion.shards.index import ShardIndex, index_path
from phosphene.motion.shards.listing import shards_of

_FRAMES = ("jpg", "jpeg", "png", "webp")
_CHUNK = 1 << 20


@dataclass
class Checked:
    """What was found.

    Attributes:
        shards: How many shards were looked at.
        pairs: How many pairs are whole.
        damaged: What is wrong, by the shard's or the pair's name.
        failed: Why videos gave no pairs when the shards were built, by name.
    """

    shards: int = 0
    pairs: int = 0
    damaged: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def check(
    sources: str | Path | Sequence[str | Path],
    *,
    quick: bool = False,
    tick: Callable[[int, int], None] | None = None,
) -> Checked:
    """Check that shards are there, whole, and that all that they hold can be read.

    Args:
        sources: Shards, as `shards_of` takes them. Of a folder that `build` has made it is also
            checked that no shard is missing.
        quick: Whether to be content with each shard's length and its SHA-256, where its index has
            one, in place of decoding all that is in it.
        tick: Is called with how many shards are done, and of how many.

    Raises:
        FlowError: There are no shards.
    """
    shards = shards_of(sources)
    checked = Checked()
    folders = dict.fromkeys(shard.parent for shard in shards)
    for folder in folders:
        checked.damaged |= _missing(folder)
    for done, path in enumerate(shards, 1):
        _shard(path, quick, checked)
        checked.shards += 1
        if tick is not None:
            tick(done, len(shards))
    return checked


def _missing(folder: Path) -> dict[str, str]:
    """Name the shards that are to be in a folder that `build` has made, and are not."""
    try:
        plan = json.loads((folder / "pairs.json").read_bytes())
        count = -(-int(plan["videos"]["count"]) // int(plan["per_shard"]))
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, RecursionError):
        return {}
    names = (f"pairs-{number:06d}.tar" for number in range(count))
    return {name: "is missing: build on" for name in names if not (folder / name).exists()}


def _shard(path: Path, quick: bool, checked: Checked) -> None:
    try:
        index = ShardIndex.open(path)
    except FlowError as error:
        checked.damaged[path.name] = first_line(error, 300)
        if not index_path(path).exists():
            return
        try:  # what the headers lead to may be whole all the same
            index = ShardIndex.scan(path)
        except FlowError:
            return
    checked.failed |= index.failed
    if index.damage:
        checked.damaged.setdefault(path.name, index.damage)
    try:
        with open(path, "rb") as file:
            if index.digest and _digest(file) != index.digest:
                checked.damaged[path.name] = "is not what was written: its SHA-256 differs"
            if quick:
                checked.pairs += 0 if path.name in checked.damaged else len(index)
                return
            for key, why in _pairs(file, index):
                if why:
                    checked.damaged[f"{path.name}/{key}"] = why
                else:
                    checked.pairs += 1
    except OSError as error:
        checked.damaged[path.name] = f"cannot be read: {error.strerror}"


def _digest(file: BinaryIO) -> str:
    found = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK):
        found.update(chunk)
    return found.hexdigest()


def _pairs(file: BinaryIO, index: ShardIndex) -> Iterator[tuple[str, str]]:
    """Yield the key of each pair, and what is wrong with it; empty for nothing."""
    for number, key in enumerate(index.keys):
        contents: dict[str, bytes] = {}
        for suffix, places in index.members.items():
            offset, size = map(int, places[number])
            if offset >= 0:
                file.seek(offset)
                contents[suffix] = file.read(size)
        try:
            _decoded(contents, key)
            yield key, ""
        except PhospheneError as error:
            yield key, first_line(error, 300)


def _decoded(contents: dict[str, bytes], key: str) -> Pair:
    """Decode all of a pair.

    Raises:
        FlowError: Something is missing or damaged, or the sizes differ.
        ImageError: A frame is damaged.
    """
    from phosphene.motion.dataset.frames import decoded

    frame = next((contents[suffix] for suffix in _FRAMES if suffix in contents), None)
    if frame is None or "flow.png" not in contents:
        raise FlowError(f"{key} lacks its {'frame' if frame is None else 'flow (.flow.png)'}")
    later = (contents.get(f"second.{suffix}") for suffix in _FRAMES)
    second = next((content for content in later if content is not None), None)
    if "json" in contents:
        try:
            json.loads(contents["json"])
        except (ValueError, RecursionError):
            raise FlowError(f"the facts of {key} are no JSON") from None
    flow = decode_png(contents["flow.png"], f"the flow of {key}")
    kept = None if second is None else decoded(second, f"{key} (second frame)")
    return Pair(decoded(frame, key), flow, key, kept)
