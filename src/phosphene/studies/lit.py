"""The signals of one photograph, and how much of each lies on its object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from phosphene.core.network import Network
from phosphene.core.unit import Unit
from phosphene.image import to_image
from phosphene.saliency.explain import AnyRule, explain
from phosphene.saliency.result import Saliency
from phosphene.segmentation.baseline import gaussian_blob
from phosphene.studies.inside import Shares, averaged_over, energy_of, share_inside, summed
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.reversed_layers import Reversible
from phosphene.studies.similarity import Box, clipped

PREDICTED, ANOTHER = "predicted class", "another class"
"""Starts that are classes; all others are layers."""


def lit(
    plan: Plan,
    number: int,
    inside: Shares,
    starts: Mapping[str, Reversible],
    rules: Sequence[AnyRule],
    shown: bool,
) -> Cell:
    """Send signals back and measure them.

    Args:
        plan: The study's.
        number: The photograph.
        inside: Its object, as the network sees it.
        starts: Layers, and the class scores under the names of classes.
        rules: The reversed networks.
        shown: Whether pictures are kept.

    Returns:
        Values `area` and `blob` (shares of the image and of a blob that are object), `object` (the
        object on a grid), by start and rule `inside`, `field` and `spread`, and the classes' names;
        images by start and rule.
    """

    def compute() -> Cell:
        size = (int(inside.shape[0]), int(inside.shape[1]))
        blob = energy_of(torch.from_numpy(gaussian_blob(size, corners=False)))
        values: dict[str, Any] = {
            "area": float(inside.mean()),
            "blob": share_inside(blob, inside),
            "object": np.round(averaged_over(inside), 4).ravel().tolist(),
            "starts": {},
        }
        images: dict[str, Image.Image] = {}
        for start, (unit, layer) in _units(plan, number, starts).items():
            sent = explain(plan.net, plan.photos[number], unit, list(rules), layer=layer, top=0)
            own = values["starts"][start] = {}
            box = None if unit.kind == "given" else starts[start].box
            for rule, saliency in zip(map(str, rules), sent, strict=True):
                own[rule] = _shares(saliency, inside, box)
                if shown:
                    images[f"{start}, {rule}"] = to_image(saliency.shown()[0])
            values["starts"][start] = own
            if start in (PREDICTED, ANOTHER):
                name = unit.name
                values[start] = name if isinstance(name, str) else plan.net.label(name)
            if shown and "photograph" not in images:
                image = sent.image[0].float().cpu().expand(3, -1, -1)
                images["photograph"] = _outlined(to_image(image), inside > 0)
        return Cell(values, images)

    key = {
        "photo": plan.photo_ids[number],
        "object": sha256(inside.astype(np.uint8).tobytes()).hexdigest(),
        "starts": list(starts),
        "rules": [repr(rule) for rule in rules],
        "shown": shown,
    }
    return plan.cell("inside", key, compute)


def _units(
    plan: Plan, number: int, starts: Mapping[str, Reversible]
) -> dict[str, tuple[Unit, str | None]]:
    """Say where signals of a photograph start."""
    units: dict[str, tuple[Unit, str | None]] = {
        start: (Unit.strongest(at="centre"), start) for start in starts
    }
    if PREDICTED in starts:
        image, _ = plan.net.prepare(plan.photos[number])
        order = plan.net.probabilities(image)[0].argsort(descending=True).tolist()
        generator = torch.Generator().manual_seed(plan.seed_of(number))
        chance = 1 + int(torch.randint(len(order) - 1, (1,), generator=generator))
        for start, index in ((PREDICTED, order[0]), (ANOTHER, order[chance])):
            units[start] = everywhere(plan.net, index, starts[start].sites), None
    return units


def everywhere(net: Network, index: int, sites: tuple[int, int]) -> Unit:
    """Seed a class at all positions alike, as a network does that averages a map of scores.

    A single position of such a map sees a part of the image, and is not the class's score. Where
    there is but one position it is that.
    """
    if sites == (1, 1):
        return Unit.of_class(index)
    p = torch.zeros(1, net.classes, *sites)
    p[0, index] = 1
    return replace(Unit.given(p), name=net.label(index))


def _shares(saliency: Saliency, inside: Shares, box: Box | None) -> dict[str, Any]:
    energy = energy_of(saliency.map[0, 0])
    field = inside[clipped(box, (int(inside.shape[0]), int(inside.shape[1])))]
    grid = summed(energy)
    return {
        "inside": share_inside(energy, inside),
        "field": float(field.mean()) if field.size else None,
        # Shares of the energy by cells of a grid, to be laid over the masks of others.
        "spread": [float(f"{share:.4g}") for share in grid.ravel()],
    }


def _outlined(image: Image.Image, inside: NDArray[np.bool_]) -> Image.Image:
    """Draw the border of the object in red."""
    drawn = np.array(image.convert("RGB"))
    padded = np.pad(inside, 1, mode="edge")
    around = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    drawn[inside & ~around] = (226, 35, 26)
    return Image.fromarray(drawn)
