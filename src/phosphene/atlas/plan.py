"""What an atlas is of, and its folder: claimed for one job, and gone on with only by the same.

Beside the pages, a folder `.work` keeps all that was computed, in cells: small JSON files that are
there as a whole or not at all. What is there is not computed again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from phosphene.core.network import Network
from phosphene.core.rules import Reversal
from phosphene.errors import OutputError, SettingError, UnknownLayer
from phosphene.image import replacing
from phosphene.survey.choice import default_layers
from phosphene.survey.dissection.concepts import ConceptSet
from phosphene.survey.images import ImageSet
from phosphene.survey.sweeping.folder_lock import locked
from phosphene.survey.sweeping.job import Job, differences, job_of

Maximise = Literal["none", "quick", "fine"]

WORK = ".work"
_MARK = "atlas.json"
_FORMAT = "1"
_FEW_CLASSES = 100
"""Class scores of no more than that are shown without being asked for."""


@dataclass(frozen=True)
class Plan:
    """What an atlas is made of.

    Attributes:
        layers: Names.
        count: How many strongest images a unit shows.
        maximise: How images are made that excite units: not at all, quickly, or well.
        seeds: How many of each unit.
        rules: Which reversed networks are shown beside the patches.
        limit: How many units of each layer there are at most; `None` for all.
    """

    layers: tuple[str, ...]
    count: int = 9
    maximise: Maximise = "quick"
    seeds: int = 2
    rules: tuple[Reversal, ...] = ()
    limit: int | None = None

    def units(self, channels: int) -> tuple[int, ...]:
        """Choose the units of a layer: all, or some, evenly over them."""
        if self.limit is None or channels <= self.limit:
            return tuple(range(channels))
        return tuple(int(u) for u in np.linspace(0, channels - 1, self.limit).round())

    def folder_of(self, layer: str) -> str:
        """Return the folder of a layer's pictures, from the site's root."""
        slug = re.sub(r"[^a-z0-9._]+", "-", layer.lower()[:60]).strip("-.")
        return f"pictures/{self.layers.index(layer):02d}-{slug or 'output'}"

    def job(self, net: Network, images: ImageSet, concepts: ConceptSet | None) -> Job:
        """Say all that the site depends on, but for how many units it shows."""
        rules = ", ".join(map(str, self.rules)) or "none"
        return {
            **job_of(net, images, {}, False),
            "layers": ", ".join(self.layers),
            "strongest images": f"{self.count}",
            "rules": rules,
            "maximisation": f"{self.maximise}, {self.seeds} seeds",
            "concepts": "none" if concepts is None else f"{concepts.name} {concepts.fingerprint}",
            "format": _FORMAT,
        }


def plan_of(
    net: Network,
    layers: Sequence[str] | None = None,
    count: int = 9,
    maximise: Maximise = "quick",
    seeds: int = 2,
    rules: Sequence[Reversal | str] = ("deconvnet",),
    limit: int | None = None,
) -> Plan:
    """Make a plan, every part of it checked.

    Without layers, it is those of a survey (`survey.choice`), and the class scores, where they have
    a layer and are not many.

    Raises:
        UnknownLayer: There is no such layer.
        SettingError: A number or a choice cannot be.
    """
    if maximise not in get_args(Maximise):
        offer = ", ".join(get_args(Maximise))
        raise SettingError(f"maximise={maximise!r} is none of {offer}")
    numbers = {"count": count, "seeds": seeds, "limit": 1 if limit is None else limit}
    for what, number in numbers.items():
        if number < 1:
            raise SettingError(f"{what} {number} cannot be: give 1 or more")
    named = dict.fromkeys(default_layers(net) if layers is None else layers)
    scores = net.scores.layer
    if layers is None and scores and net.labels and len(net.labels) <= _FEW_CLASSES:
        named[scores] = None
    if not named:
        raise UnknownLayer("no layers were named: name one or more, or leave the choice open")
    for layer in named:
        net.address(layer)
    parsed = tuple(dict.fromkeys(Reversal.parse(rule) for rule in rules))
    return Plan(tuple(named), count, maximise, seeds, parsed, limit)


class Cells:
    """What was computed, by name.

    Attributes:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, name: str) -> Any:
        """Return what was kept by a name; `None` where nothing was, or it is damaged."""
        try:
            return json.loads(self._path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def keep(self, name: str, value: Any) -> None:
        """Keep a value that JSON knows.

        Raises:
            OutputError: It cannot be written.
        """
        with replacing(self._path(name)) as file:
            file.write(json.dumps(value).encode(errors="replace"))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


@contextmanager
def claimed(folder: Path, job: Mapping[str, str], images: ImageSet) -> Iterator[Cells]:
    """Claim a folder for the length of a `with` block.

    Args:
        folder: The site's; it is made.
        job: What the site depends on.
        images: The image set, of which the folder must be no part.

    Raises:
        OutputError: It holds something else, another atlas, or is in use.
    """
    mark = folder / WORK / _MARK
    _check_apart(folder, images)
    if folder.is_dir() and not mark.is_file():
        others = [path.name for path in folder.iterdir() if path.name not in (WORK, ".lock")]
        if others:
            raise OutputError(
                f"{folder} holds other files ({min(others)}): give an empty or a new folder"
            )
    with locked(folder):
        cells = Cells(folder / WORK)
        kept = cells.load(mark.stem)
        if kept is None:
            cells.keep(mark.stem, dict(job))
        elif differing := differences(dict(job), kept):
            there = "; ".join(f"there it is {kept.get(name, 'none')}" for name in differing)
            raise OutputError(
                f"{folder} holds an atlas with other {' and '.join(differing)} ({there}): give "
                "another folder"
            )
        yield cells


def _check_apart(folder: Path, images: ImageSet) -> None:
    inside = folder.resolve()
    for source in images.source.get("paths", ()):
        path = Path(source)
        if path.is_dir() and inside.is_relative_to(path.resolve()):
            raise OutputError(
                f"{folder} lies in the images' own folder {path}, so that its pictures would be "
                "taken for images: give a folder elsewhere"
            )
