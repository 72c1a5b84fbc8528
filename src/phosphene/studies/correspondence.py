"""Does a network know that two noses are the same thing?

The same part is hidden in several images of one class. What each layer loses, `eps_i = phi(x_i) -
phi(x_i without the part)`, is compared between images by sign, component by component:

    Delta = mean over pairs i != j of the share of components where sign(eps_i) != sign(eps_j).

If it is lower for a part than for places at random, the layer has an idea of what belongs where,
although nobody told it. A sign of 0 is one of its own: components that the part does not reach are
alike.

*Reference.* Zeiler & Fergus, ECCV 2014, section 4.3 and table 1: five dogs; eyes and nose against
random places; layers 5 and 7.

*Departures.* Parts come with their masks, so the study draws its own scenes
(`phosphene.worlds.shapes`) and needs a network that knows their classes, as the embedded one. Delta
is divided by the number of components, and averaged over classes with its 95 % interval. Places at
random have the form and area of the part, in the same image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations
from statistics import mean
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from phosphene.errors import ImageError
from phosphene.image import to_image
from phosphene.panel import Table, Tile
from phosphene.studies import tabulated
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.setting import deep_layers
from phosphene.worlds.shapes import CLASSES, Mask, Scene, scene

IMAGES = 5
"""Of each class, as in the paper."""
RANDOM = "random"
_TRIED = 400
_LEAST = 0.005


def correspondence(plan: Plan) -> Findings:
    """Compare what hiding a part does in scenes of one class; see `Plan`.

    Raises:
        ImageError: None of the classes has parts that are seen in enough scenes.
    """
    layers = plan.layers or deep_layers(plan.net)[-2:]
    classes = plan.classes or CLASSES
    cells: dict[str, Cell] = {}
    for number, name in enumerate(classes):
        plan.tick(number, len(classes), name)
        if name not in CLASSES:
            raise ImageError(f"there are no scenes of {name!r}: choose of {', '.join(CLASSES)}")
        key = {"class": name, "layers": list(layers)}
        cells[name] = plan.cell("correspondence", key, partial(_measured, plan, name, layers))
    plan.tick(len(classes), len(classes), "done")
    known = {name: cell for name, cell in cells.items() if cell.values["parts"]}
    if not known:
        raise ImageError("no part of these classes is seen in enough scenes: choose other classes")
    rows = []
    for name, cell in known.items():
        for part, found in {**cell.values["parts"], RANDOM: cell.values[RANDOM]}.items():
            rows.append((f"{name}: {part}", *(f"{found[layer]:.3f}" for layer in layers)))
    gains = {
        layer: tabulated.averaged(
            cell.values[RANDOM][layer] - mean(p[layer] for p in cell.values["parts"].values())
            for cell in known.values()
        )
        for layer in layers
    }
    verdict = "; ".join(
        f"at {layer} parts are alike by {tabulated.said(gain, 3)} more than places at random"
        for layer, gain in gains.items()
    )
    return Findings(
        "correspondence",
        f"{plan.net.name}: do parts correspond?",
        (Table("share of signs that differ", ("", *layers), tuple(rows), verdict),),
        rows=tuple((name, _tiles(cell)) for name, cell in list(known.items())[:4]),
        facts=tabulated.facts(plan, layers=", ".join(layers), images=IMAGES),
        warnings=_warnings(plan),
        data={
            "classes": {name: cell.values for name, cell in known.items()},
            "gains": gains,
            "verdict": verdict,
        },
    )


def _warnings(plan: Plan) -> tuple[str, ...]:
    if set(CLASSES) <= set(plan.net.labels):
        return ()
    return (
        f"{plan.net.name} does not know the classes of these scenes: what it makes of their parts "
        "says little",
    )


def _measured(plan: Plan, name: str, layers: Sequence[str]) -> Cell:
    """Return, by part and layer, the share of signs that differ; for random places likewise."""
    parts = _common_parts(name, plan.seed)
    values: dict[str, Any] = {"parts": {}, RANDOM: {}}
    images: dict[str, Image.Image] = {}
    rng = np.random.default_rng(plan.seed)
    at_random: list[dict[str, float]] = []
    for part, scenes in parts.items():
        masks = [s.parts[part] for s in scenes]
        values["parts"][part] = _difference(plan, scenes, masks, layers, images, part)
        moved = [_moved(mask, rng) for mask in masks]
        at_random.append(_difference(plan, scenes, moved, layers, images, RANDOM))
    if at_random:
        values[RANDOM] = {layer: mean(found[layer] for found in at_random) for layer in layers}
    return Cell(values, images)


def _common_parts(name: str, seed: int) -> dict[str, list[Scene]]:
    """Return, for each part of a class, scenes in which enough of it is seen."""
    found: dict[str, list[Scene]] = {}
    for drawn in _scenes(name, seed):
        for part, mask in drawn.parts.items():
            if mask.mean() >= _LEAST:
                found.setdefault(part, []).append(drawn)
        if found and all(len(scenes) >= IMAGES for scenes in found.values()):
            break
    return {part: scenes[:IMAGES] for part, scenes in found.items() if len(scenes) >= IMAGES}


def _scenes(name: str, seed: int) -> Iterator[Scene]:
    for number in range(_TRIED):
        yield scene(seed * _TRIED + number, label=CLASSES.index(name))


def _moved(mask: Mask, rng: np.random.Generator) -> Mask:
    """Put a part's form somewhere else in the image, whole."""
    rows, columns = np.nonzero(mask)
    top = int(rng.integers(-rows.min(), mask.shape[0] - rows.max()))
    left = int(rng.integers(-columns.min(), mask.shape[1] - columns.max()))
    moved = np.zeros_like(mask)
    moved[rows + top, columns + left] = True
    return moved


@torch.no_grad()
def _difference(
    plan: Plan,
    scenes: Sequence[Scene],
    masks: Sequence[Mask],
    layers: Sequence[str],
    images: dict[str, Image.Image],
    title: str,
) -> dict[str, float]:
    whole: list[Tensor] = []
    hidden: list[Tensor] = []
    for drawn, mask in zip(scenes, masks, strict=True):
        gray = drawn.image.copy()
        gray[mask] = drawn.image.reshape(-1, 3).mean(0).astype(np.uint8)
        for pixels, kept in ((drawn.image, whole), (gray, hidden)):
            kept.append(plan.net.prepare(Image.fromarray(pixels))[0])
    images.setdefault("image", to_image(whole[0][0]))
    images.setdefault(title, to_image(hidden[0][0]))
    _, before = plan.net.record(torch.cat(whole), layers)
    _, after = plan.net.record(torch.cat(hidden), layers)
    return {layer: _apart(before[layer] - after[layer]) for layer in layers}


def _apart(losses: Tensor) -> float:
    """Return the mean share of components whose signs differ, over all pairs of images."""
    signs = losses.flatten(1).sign()
    shares = [float((a != b).double().mean()) for a, b in combinations(signs, 2)]
    return mean(shares)


def _tiles(cell: Cell) -> tuple[Tile, ...]:
    tiles = []
    for name, image in cell.images.items():
        tiles.append(Tile(image, name if name in ("image", RANDOM) else f"without {name}"))
    return tuple(tiles)
