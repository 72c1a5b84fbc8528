"""Images that were found, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from phosphene.image import to_image
from phosphene.panel import Panel, Shows, Tile


@dataclass(frozen=True, eq=False)
class Trace:
    """The energy on the way down, one row an iteration.

    Attributes:
        objective: (steps, b) weighted objectives at the crop that was seen.
        prior: (steps, b) weighted priors.
    """

    objective: Tensor
    prior: Tensor

    def __len__(self) -> int:
        return len(self.objective)

    def joined(self, other: Trace) -> Trace:
        """Return this trace with another one behind it."""
        return Trace(
            torch.cat([self.objective, other.objective]), torch.cat([self.prior, other.prior])
        )


@dataclass(frozen=True, eq=False)
class PreImage(Shows):
    """Images found by descending an energy.

    Attributes:
        image: (b, 3, h, w) RGB in [0, 1], clipped.
        names: (b) what each is the pre-image of.
        reference: (b, 3, h, w) the images they were made from; `None` where there is none.
        error: (b,) relative error of the code; `None` for what has no target.
        trace: The energy at every iteration.
        network: Name of the network.
        layer: Name of the layer.
        facts: Energy, settings, seeds and versions: enough to do it again.
    """

    image: Tensor
    names: tuple[str, ...]
    trace: Trace
    network: str
    layer: str
    reference: Tensor | None = None
    error: Tensor | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.image)

    def panel(self) -> Panel:
        """Lay out a row for each reference, with all pre-images of it behind."""
        rows: dict[str, list[Tile]] = {}
        for index, name in enumerate(self.names):
            tiles = rows.setdefault(name, [])
            if not tiles and self.reference is not None:
                tiles.append(Tile(to_image(self.reference[index].cpu()), "image"))
            error = "" if self.error is None else f"error {float(self.error[index]):.1%}"
            tiles.append(Tile(to_image(self.image[index].cpu()), error))
        return Panel(
            f"{self.network}, {self.layer or 'output'}",
            tuple((name, tuple(tiles)) for name, tiles in rows.items()),
            self.facts,
        )
