"""What detection came to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.panel import Panel, Shows, Table, Tile
from phosphene.provenance import versions
from phosphene.transfer.detection.settings import DetectionSetting
from phosphene.transfer.detection.writing import write_coco, write_voc
from phosphene.transfer.scores.detections import ClassScore, Detections

_IN_A_ROW = 4


@dataclass(frozen=True, eq=False)
class Detected(Shows):
    """How well objects are detected from a network's features.

    Attributes:
        network: Its name.
        setting: How.
        classes: Scores by the name of the class.
        detections: All of them.
        names: Of the photographs.
        facts: What was done, and what it came to.
        notes: What a person should know.
        tiles: Some photographs with boxes.
        seconds: How long training took, in this part of the run.
        interrupted: Whether training was stopped by hand, and can go on; nothing was detected then.
    """

    network: str
    setting: DetectionSetting
    classes: Mapping[str, ClassScore] = field(default_factory=dict)
    detections: Detections = field(default_factory=lambda: Detections.together([]))
    names: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tiles: tuple[Tile, ...] = ()
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def score(self) -> float:
        """Mean of the classes' 11-point average precisions, as VOC 2007 has it; in [0, 1]."""
        return _mean([score.eleven_point for score in self.classes.values()])

    @property
    def all_point(self) -> float:
        """Mean of the classes' all-point average precisions, as VOC 2010 and later have it."""
        return _mean([score.all_point for score in self.classes.values()])

    @property
    def by_class(self) -> dict[str, float]:
        """11-point average precision by class; without those that have no objects."""
        scores = {name: score.eleven_point for name, score in self.classes.items()}
        return {name: value for name, value in scores.items() if not math.isnan(value)}

    def table(self) -> Table:
        """Give the scores of every class."""
        rows = [
            (
                name,
                _told(s.eleven_point),
                _told(s.all_point),
                s.objects,
                s.detections,
                round(s.right / s.objects, 3) if s.objects else None,
            )
            for name, s in self.classes.items()
        ]
        mean = ("mean", _told(self.score), _told(self.all_point), None, None, None)
        return Table(
            "Average precision",
            ("class", "11-point AP", "all-point AP", "objects", "detections", "recall"),
            (*rows, mean),
            "IoU 0.5; difficult objects do not count; recall is that of all detections",
        )

    def panel(self) -> Panel:
        """Show photographs with boxes, and the table."""
        rows = tuple(
            ("", self.tiles[at : at + _IN_A_ROW]) for at in range(0, len(self.tiles), _IN_A_ROW)
        )
        title = f"Objects detected by {self.network}"
        if self.classes:
            title += f": mAP {self.score:.1%}"
        facts = {**self.facts, **versions()}
        return Panel(title, rows, facts, self.notes, tables=(self.table(),) if self.classes else ())

    def as_json(self) -> dict[str, Any]:
        """Give all numbers but the detections, for scripts; what is not defined is `None`."""
        return {
            "protocol": "detection",
            "network": self.network,
            "score": _told(self.score, 6),
            "all_point": _told(self.all_point, 6),
            "by_class": {
                name: {
                    "eleven_point": _told(s.eleven_point, 6),
                    "all_point": _told(s.all_point, 6),
                    "objects": s.objects,
                    "detections": s.detections,
                    "right": s.right,
                }
                for name, s in self.classes.items()
            },
            "setting": self.setting.facts(),
            "facts": dict(self.facts),
            "notes": list(self.notes),
            "interrupted": self.interrupted,
        }

    def write_coco(self, path: str | Path, category_ids: Sequence[int] | None = None) -> Path:
        """Write the detections as COCO's evaluation takes them; see `writing.coco_results`."""
        return write_coco(self.detections, self.names, path, category_ids)

    def write_voc(self, folder: str | Path, split: str = "test") -> list[Path]:
        """Write the detections as VOC's development kit reads them; see `writing.write_voc`."""
        return write_voc(self.detections, self.names, tuple(self.classes), folder, split)


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _told(value: float, digits: int = 3) -> float | None:
    return None if math.isnan(value) else round(value, digits)
