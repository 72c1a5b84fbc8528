"""What is found out of one layer of one network, as plain values and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

from phosphene.comparison.orientation import LEANING, Orientation
from phosphene.studies.tabulated import averaged


@dataclass(frozen=True)
class Label:
    """The concept that dissection gives a unit.

    Attributes:
        category: The concept's category.
        name: Its name.
        iou: Intersection over union, 0 to 1.
    """

    category: str
    name: str
    iou: float


@dataclass(frozen=True)
class Opinion:
    """What dissection, the maximised image and the strongest images say of a unit.

    Attributes:
        unit: The unit.
        label: Dissection's.
        imagined: The concept of that category that the other units see in the maximised image.
        seen: That which they see in most of the unit's strongest images.
        votes: In how many of these they see what dissection says.
        images: How many those are.
    """

    unit: int
    label: Label
    imagined: str
    seen: str
    votes: int
    images: int

    @property
    def disagrees(self) -> bool:
        """Whether the maximised image shows another concept than dissection says."""
        return bool(self.imagined) and self.imagined != self.label.name


@dataclass(frozen=True, eq=False)
class Answer:
    """A picture made of a photograph, or why there is none.

    Attributes:
        photograph: What the photograph is called.
        image: The picture; `None` where there is none.
        reference: The photograph as the network sees it.
        error: Relative error of an inversion's code.
        why: Why there is no picture.
    """

    photograph: str
    image: Image | None
    reference: Image | None = None
    error: float | None = None
    why: str = ""


@dataclass(frozen=True, eq=False)
class Entry:
    """One layer of one network.

    Attributes:
        network: What the network is called.
        layer: The layer.
        channels: How many units it has.
        dead: How many of them never changed or were never above zero.
        units: Those that are shown.
        maximised: An image that excites each most, by unit.
        reached: Its activation there over its largest on the image set.
        patches: What each sees in its strongest images, side by side.
        inversions: Of each photograph.
        caricatures: Of each photograph.
        imagined: How the maximised images run, by unit.
        seen: How strongest patches run, by unit; of more units than are shown.
        labels: What dissection says, by unit; all units of layers with maps.
        detectors: How many units detect a concept; `None` where nothing was dissected.
        unique: Concepts that any of them detects, by category.
        opinions: What is said of each unit that is shown and has a label.
    """

    network: str
    layer: str
    channels: int
    dead: int
    units: tuple[int, ...]
    maximised: Mapping[int, Image] = field(default_factory=dict)
    reached: Mapping[int, float] = field(default_factory=dict)
    patches: Mapping[int, Image] = field(default_factory=dict)
    inversions: tuple[Answer, ...] = ()
    caricatures: tuple[Answer, ...] = ()
    imagined: Mapping[int, Orientation] = field(default_factory=dict)
    seen: Mapping[int, Orientation] = field(default_factory=dict)
    labels: Mapping[int, Label] = field(default_factory=dict)
    detectors: int | None = None
    unique: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    opinions: tuple[Opinion, ...] = ()

    @property
    def horizontal(self) -> dict[str, dict[str, Any]]:
        """Mean share of horizontal energy with its 95 % interval over units, by kind of picture."""
        kinds = {"maximised": self.imagined, "patches": self.seen}
        return {
            name: averaged(one.horizontal for one in found.values())
            for name, found in kinds.items()
        }

    @property
    def leaning(self) -> tuple[int, int]:
        """How many units' maximised images are mostly horizontal, and how many vertical."""
        shares = [o.horizontal for o in self.imagined.values() if o.horizontal is not None]
        return sum(s >= LEANING for s in shares), sum(s <= 1 - LEANING for s in shares)

    @property
    def disagreeing(self) -> list[Opinion]:
        """Units whose maximised image and label disagree, those of the surest label first."""
        return sorted((o for o in self.opinions if o.disagrees), key=lambda o: -o.label.iou)

    def as_json(self) -> dict[str, Any]:
        """Say all numbers."""
        return {
            "network": self.network,
            "layer": self.layer,
            "channels": self.channels,
            "dead": self.dead,
            "units": list(self.units),
            "reached": {str(unit): value for unit, value in self.reached.items()},
            "inversion": {a.photograph: a.error for a in self.inversions},
            "blank": [a.why for a in (*self.inversions, *self.caricatures) if a.why],
            "horizontal": self.horizontal,
            "leaning": dict(zip(("horizontal", "vertical"), self.leaning, strict=True)),
            "orientations": {
                name: {
                    str(unit): {"horizontal": o.horizontal, "histogram": list(o.histogram)}
                    for unit, o in found.items()
                }
                for name, found in (("maximised", self.imagined), ("patches", self.seen))
            },
            "detectors": self.detectors,
            "unique": {name: list(found) for name, found in self.unique.items()},
            "labels": {str(unit): vars(label) for unit, label in self.labels.items()},
            "opinions": [
                {**vars(o), "label": vars(o.label), "disagrees": o.disagrees} for o in self.opinions
            ],
        }
