"""What was cut out, and how it shows itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from phosphene import display
from phosphene.errors import OutputError
from phosphene.image import replacing, to_image, to_tensor
from phosphene.panel import Panel, Shows, Tile
from phosphene.segmentation.annotation import Masks, coco, voc
from phosphene.segmentation.region import Box, Mask, drawn_over
from phosphene.segmentation.trimap import Trimap


@dataclass(frozen=True, eq=False)
class Segmentation(Shows):
    """An object cut out of a photograph.

    Attributes:
        photograph: The photograph, (H, W) pixels.
        mask: (H, W), True for object.
        box: (x0, y0, x1, y1) around it in pixels of the photograph, right and bottom the first
            outside; `None` where there is no object.
        map: (h, w) non-negative map on the resized photograph; NaN where nothing is known.
        trimap: How the map was divided, (h, w).
        engine: What did the cut.
        label: Name of the class; empty where the map is of none.
        channel: Its number; -1 for none.
        score: The largest score of the class on the photograph, before any softmax.
        probability: Its probability, in the network's whole answer; NaN where it is not known.
        name: What to call the photograph.
        facts: Versions and arguments: enough to do it again.
        warnings: What a person should know.
        order: What the network ranks classes by: `"probability"`, or `"score"` where its answer is
            a map, of which the largest score anywhere decides.
    """

    photograph: Image.Image
    mask: Mask
    box: Box | None
    map: NDArray[np.float32]
    trimap: Trimap
    engine: str
    label: str = ""
    channel: int = -1
    score: float = math.nan
    probability: float = math.nan
    name: str = "image"
    facts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    order: Literal["probability", "score"] = "probability"

    @property
    def empty(self) -> bool:
        """Whether there is no object."""
        return self.box is None

    @property
    def title(self) -> str:
        """The class, and the number that ranks it, in a few words."""
        named = self.label.split(",")[0] or "object"
        if self.order == "score":
            return f"{named}, score {self.score:.2f}"
        return named if math.isnan(self.probability) else f"{named} {self.probability:.0%}"

    def overlay(self) -> Image.Image:
        """Draw mask and box over the photograph, in its own size."""
        return drawn_over(self.photograph, self.mask, self.box)

    def panel(self) -> Panel:
        """Lay out photograph, map, trimap and mask."""
        network = self.facts.get("network", "")
        title = f"{network}, {self.engine}" if network else self.engine
        return Panel(title, ((self.heading(), self.tiles()),), self.facts, self.warnings)

    def heading(self) -> str:
        """Say what the result shows."""
        where = "no object" if self.box is None else f"box {', '.join(map(str, self.box))}"
        return f"{self.name}: {self.title}, {where}"

    def tiles(self) -> tuple[Tile, ...]:
        """Draw photograph, map, trimap and mask, in the size of the map."""
        height, width = self.map.shape
        small = self.photograph.resize((width, height))
        values = torch.from_numpy(self.map)[None]
        heat = display.overlay(display.normalize_map(values), to_tensor(small))
        over = self.overlay().resize((width, height))
        return (
            Tile(small, self.name),
            Tile(to_image(heat), f"map of {self.facts.get('rule', '') or 'a map'}"),
            Tile(self.trimap.shown(), "trimap", "blue: object; cyan: background; red: unknown"),
            Tile(over, self.engine if self.box else "no object"),
        )

    def as_coco(self, masks: Masks = "rle") -> dict[str, Any]:
        """Return a COCO data set of the photograph, for `json.dump`; see `annotation.coco`."""
        return Localization(self.photograph, (self,), self.name).as_coco(masks)

    def as_voc(self) -> str:
        """Return PASCAL VOC's XML of the photograph."""
        return Localization(self.photograph, (self,), self.name).as_voc()

    def save_mask(self, path: str | Path) -> Path:
        """Write the mask as PNG, 255 for object and 0 elsewhere.

        Raises:
            OutputError: It cannot be written there, or the name does not end in `.png`.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise OutputError(f"{path} is no place for a mask: give a name that ends in .png")
        with replacing(path) as file:
            Image.fromarray(self.mask.astype(np.uint8) * 255).save(file, "PNG")
        return path


@dataclass(frozen=True, eq=False)
class Localization(Shows):
    """Masks and boxes of the classes a network finds most likely.

    A sequence of `Segmentation`, the likeliest class first.

    Attributes:
        photograph: The photograph.
        guesses: What was cut out for each class.
        name: What to call the photograph.
        facts: Versions and arguments: enough to do it again.
    """

    photograph: Image.Image
    guesses: tuple[Segmentation, ...]
    name: str = "image"
    facts: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.guesses)

    def __iter__(self) -> Iterator[Segmentation]:
        return iter(self.guesses)

    def __getitem__(self, index: int) -> Segmentation:
        return self.guesses[index]

    @property
    def boxes(self) -> tuple[tuple[int, Box], ...]:
        """Number of the class and box of each guess that has one."""
        return tuple((g.channel, g.box) for g in self.guesses if g.box is not None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know, each thing once."""
        return tuple(dict.fromkeys(w for guess in self.guesses for w in guess.warnings))

    def panel(self) -> Panel:
        """Lay out a row for each class."""
        rows = tuple((guess.heading(), guess.tiles()) for guess in self.guesses)
        title = ", ".join(self.facts[k] for k in ("network", "protocol") if k in self.facts)
        return Panel(title or "localization", rows, self.facts, self.warnings)

    def as_coco(self, masks: Masks = "rle") -> dict[str, Any]:
        """Return a COCO data set of the photograph, for `json.dump`; see `annotation.coco`."""
        found = [(g.label, g.channel, g.probability, g.mask, g.box) for g in self.guesses if g.box]
        return coco(self.name, (self.photograph.height, self.photograph.width), found, masks)

    def as_voc(self) -> str:
        """Return PASCAL VOC's XML of the photograph."""
        found = [(g.label or "object", g.box) for g in self.guesses if g.box]
        return voc(self.name, (self.photograph.height, self.photograph.width), found)
