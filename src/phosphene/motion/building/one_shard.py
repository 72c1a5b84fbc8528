"""One shard, from its first video to its last, and on from where it was interrupted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from phosphene.errors import FlowError, ImageError, OutputError, first_line
from phosphene.motion.building.one_video import Gathered, gather
from phosphene.motion.building.plan import Plan
from phosphene.motion.building.rounding import Rounding
from phosphene.motion.estimators import Estimator
from phosphene.motion.shards.index import ShardIndex, index_path
from phosphene.motion.shards.writing import ShardWriter, writing
from phosphene.motion.video.opening import open_video

Tell = Callable[[str, Gathered], None]
"""Is called with the name of each video, and what came of it."""


def build_shard(
    plan: Plan, shard: int, estimator: Estimator, stop: Callable[[], bool], tell: Tell
) -> bool:
    """Build a shard.

    Args:
        plan: What is built.
        shard: Which.
        estimator: What estimates the flow.
        stop: Whether to stop; asked before each video. What there is by then is kept beside, and
            the next call goes on from there.
        tell: Is called after each video.

    Returns:
        Whether it is there, whole.

    Raises:
        OutputError: It cannot be written.
    """
    place = plan.unfinished(shard)
    before, start = _before(plan, shard)
    if start >= len(plan.members(shard)):
        _put(plan, shard)
        return True
    with writing(place) as writer:
        counts = _Counts(writer)
        if before is not None:
            _copied(place, before, writer)
            counts.take(before)
        finished = True
        for done, number in enumerate(plan.members(shard)):
            if done < start:
                continue
            if stop():
                finished = False
                writer.facts |= {"next": done, "mark": plan.mark}
                break
            name = plan.videos.names[number]
            gathered = _gathered(plan, number, name, estimator)
            for key, members in gathered.samples:
                writer.add(key, members)
            counts.add(name, gathered)
            tell(name, gathered)
        counts.note(asdict(plan.settings))
    if finished:
        _put(plan, shard)
    return finished


def _gathered(plan: Plan, number: int, name: str, estimator: Estimator) -> Gathered:
    try:
        video = open_video(plan.videos.paths[number], name)
    except ImageError as error:
        return Gathered(failed=first_line(error, 300))
    return gather(video, number, plan.settings, estimator)


def _before(plan: Plan, shard: int) -> tuple[ShardIndex | None, int]:
    """Return what there is of an unfinished shard, and which of its videos is next."""
    try:
        index = ShardIndex.read(plan.unfinished(shard))
        if "next" not in index.facts or index.facts["mark"] != plan.mark:
            return None, 0
        return index, int(index.facts["next"])
    except (FlowError, KeyError, TypeError, ValueError):
        return None, 0


def _copied(place: Path, index: ShardIndex, writer: ShardWriter) -> None:
    with open(place, "rb") as file:
        for i, key in enumerate(index.keys):
            there = {suffix: at[i] for suffix, at in index.members.items() if at[i, 0] >= 0}
            members = {}
            for suffix in sorted(there, key=lambda name: int(there[name][0])):
                offset, size = map(int, there[suffix])
                file.seek(offset)
                members[suffix] = file.read(size)
            writer.add(key, members)


def _put(plan: Plan, shard: int) -> None:
    """Put a finished shard in its place, its index last."""
    place, final = plan.unfinished(shard), plan.path(shard)
    try:
        with suppress(FileNotFoundError):
            index_path(final).unlink()
        os.replace(place, final)
        os.replace(index_path(place), index_path(final))
    except OSError as error:
        raise OutputError(f"{final} cannot be written: {error.strerror}") from error


class _Counts:
    """What an index says of its shard besides places."""

    def __init__(self, writer: ShardWriter) -> None:
        self._writer = writer
        self._videos: dict[str, int] = {}
        self._notes: dict[str, str] = {}
        self._sizes: Counter[str] = Counter()
        self._rounding = Rounding()

    def take(self, index: ShardIndex) -> None:
        """Go on from an index."""
        facts = index.facts
        self._writer.failed |= index.failed
        self._videos |= facts["videos"]
        self._notes |= facts["notes"]
        self._sizes.update(facts["sizes"])
        self._rounding = Rounding.of(facts["rounding"])

    def add(self, name: str, gathered: Gathered) -> None:
        """Count a video in."""
        if gathered.failed:
            self._writer.failed[name] = gathered.failed
        if gathered.note:
            self._notes[name] = gathered.note
        self._videos[name] = len(gathered.samples)
        self._sizes.update(gathered.sizes)
        self._rounding += gathered.rounding

    def note(self, settings: dict[str, Any]) -> None:
        """Write it down."""
        self._writer.facts |= {
            "settings": settings,
            "videos": self._videos,
            "notes": self._notes,
            "sizes": dict(self._sizes),
            "rounding": self._rounding.facts,
        }
