"""The pairs of one video."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from phosphene.errors import FlowError, ImageError, first_line
from phosphene.motion.building.rounding import Rounding
from phosphene.motion.building.settings import Settings
from phosphene.motion.estimators import Estimator
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files.kitti import encode_png
from phosphene.motion.video.cuts import cut_between, glance
from phosphene.motion.video.sampling import drawn
from phosphene.motion.video.source import Frame, Video

_TRIES = 8
"""How many pairs are looked at for each that is wanted."""
_LEVEL = 2
"""Of zlib, for flow: two thirds of the time of the usual 4, and 14 % more bytes."""
_NAME = 40
"""Letters of a video's name that its pairs' keys have."""

Two = tuple[Frame, Frame]


@dataclass
class Gathered:
    """What came of a video.

    Attributes:
        samples: Key and members of each pair, as they go into a shard.
        failed: Why there are none; empty if there are some.
        note: Why there are fewer than asked for, or what else is wrong; empty for nothing.
        sizes: How many pairs there are of each size ("428x240").
        rounding: What the 16 bits of the stored flow cost.
    """

    samples: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)
    failed: str = ""
    note: str = ""
    sizes: Counter[str] = field(default_factory=Counter)
    rounding: Rounding = field(default_factory=Rounding)


def gather(video: Video, number: int, settings: Settings, estimator: Estimator) -> Gathered:
    """Build the pairs of a video.

    Args:
        video: The video.
        number: Which it is in the plan; its keys begin with it.
        settings: What to build.
        estimator: What estimates the flow.
    """
    gathered = Gathered()
    try:
        chosen, refused = _chosen(video, settings)
        for first, second in chosen:
            flow = estimator(first.pixels, second.pixels)
            key = f"{number:06d}-{slug(video.name)}-{first.number:06d}"
            gathered.samples.append((key, _members(video, first, second, flow, settings)))
            gathered.sizes[f"{flow.size[1]}x{flow.size[0]}"] += 1
            gathered.rounding.add(flow)
    except (ImageError, FlowError) as error:
        return Gathered(failed=first_line(error, 300))
    except MemoryError:
        return Gathered(failed="it needs more memory than there is")
    why = "; ".join(part for part in (*refused, video.trouble) if part)
    if not chosen:
        gathered.failed = why or "it gave no pair"
    elif len(chosen) < settings.pairs:
        # Of a short clip there may be fewer pairs, all of which were taken.
        gathered.note = f"{len(chosen)} of {settings.pairs} pairs: {why}"
    else:
        gathered.note = video.trouble
    return gathered


def slug(name: str) -> str:
    """Return a video's name as it stands in keys: letters, digits and underscores.

    >>> slug("holiday/Day 1.final.mp4")
    'holiday_Day_1_final'
    """
    stem = re.sub(r"\.\w{1,5}$", "", name)
    plain = re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_")
    return plain[-_NAME:] or "video"


def _chosen(video: Video, settings: Settings) -> tuple[list[Two], list[str]]:
    """Return pairs of frames in their order, and why there are not more of them."""
    count, gap = len(video), settings.gap
    possible = count - gap
    if possible < 1:
        many = f"{count} frame{'s' if count > 1 else ''}" if count else "no frames"
        raise ImageError(f"it has {many}, and a pair {gap} apart needs {gap + 1}")
    starts = iter((0,)) if settings.first else drawn(settings.seed, video.name, possible)
    starts = itertools.islice(starts, _TRIES * settings.pairs)
    chosen: list[Two] = []
    refusals: Counter[str] = Counter()
    while len(chosen) < settings.pairs:
        wanted = sorted(itertools.islice(starts, settings.pairs - len(chosen)))
        if not wanted:
            break
        for pair, why in _read(video, wanted, settings):
            if pair is None:
                refusals[why] += 1
            else:
                chosen.append(pair)
    refused = [f"{why} ({many} tried)" for why, many in sorted(refusals.items())]
    if possible < settings.pairs and not settings.first:
        refused.insert(0, f"it has {count} frames, and so only {possible} pairs {gap} apart")
    return sorted(chosen, key=lambda pair: pair[0].number), refused


def _read(video: Video, starts: list[int], settings: Settings) -> Iterator[tuple[Two | None, str]]:
    """Read the pairs that begin at some frames, or say why one is none."""
    gap = settings.gap
    numbers = sorted({number for start in starts for number in (start, start + gap)})
    frames = {frame.number: frame for frame in video.frames(numbers, settings.short_side)}
    for start in starts:
        first, second = frames.get(start), frames.get(start + gap)
        if first is None or second is None:
            yield None, "a frame cannot be read"
        elif first.pixels.shape != second.pixels.shape:
            yield None, "the size changes in between"
        elif not settings.cuts and _cut(video, first, second):
            yield None, "a scene ends in between"
        else:
            yield (first, second), ""


def _cut(video: Video, first: Frame, second: Frame) -> bool:
    def between() -> Iterator[Any]:
        yield from video.glances(range(first.number, second.number + 1))

    return cut_between(glance(first.pixels), glance(second.pixels), between())


def _members(
    video: Video, first: Frame, second: Frame, flow: Flow, settings: Settings
) -> dict[str, bytes]:
    length = flow.magnitude[flow.valid]
    facts = {
        "video": video.name,
        "frame": first.number,
        "second_frame": second.number,
        "gap": second.number - first.number,
        "time": _rounded(first.time, 6),
        "second_time": _rounded(second.time, 6),
        "original": list(first.original),
        "estimator": settings.estimator,
        "mean": _rounded(float(length.mean(dtype=np.float64)) if length.size else 0.0, 3),
        "largest": _rounded(float(length.max(initial=0)), 3),
    }
    suffix, content = encoded(first, settings)
    members = {suffix: content, "flow.png": encode_png(flow, level=_LEVEL)}
    members["json"] = json.dumps(facts, separators=(",", ":")).encode(errors="replace")
    if settings.second:
        suffix, content = encoded(second, settings)
        members[f"second.{suffix}"] = content
    return members


def encoded(frame: Frame, settings: Settings) -> tuple[str, bytes]:
    """Return suffix and content of a frame's file; a JPEG that nothing was done to stays as is."""
    if frame.content:
        return "jpg", frame.content
    image, file = Image.fromarray(frame.pixels), io.BytesIO()
    if settings.lossless:
        image.save(file, "png", compress_level=4)
        return "png", file.getvalue()
    image.save(file, "jpeg", quality=settings.quality)
    return "jpg", file.getvalue()


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
