"""The units of one layer: the image each wants most, what it sees at its strongest, its label.

Pieces are cells of a ledger (`studies.ledger`), each under a hash of all that it hangs on, so that
an interrupted comparison goes on, and networks added to one later cost no more than themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from phosphene.comparison.orientation import orientation
from phosphene.comparison.seen import Seen
from phosphene.core.network import Network
from phosphene.core.seed import as_maps
from phosphene.image import to_image
from phosphene.preimage.activate import activate
from phosphene.preimage.maxima import Maxima
from phosphene.preimage.phi import cut_at
from phosphene.preimage.recipe import Recipe
from phosphene.preimage.watch import Watch
from phosphene.studies.ledger import Cell
from phosphene.survey.figure2 import grid
from phosphene.survey.patches import Patch, patches
from phosphene.survey.sweeping.showing import Showing

TOGETHER = 8
"""Units that are maximised together, and are a cell."""
MEASURED = 64
"""Units of a layer whose strongest patches are measured, at most, evenly over them."""
Tick = Callable[[int, int], None]


def maximised(
    net: Network,
    layer: str,
    units: Sequence[int],
    maxima: Maxima,
    recipe: Recipe,
    canvas: tuple[tuple[int, int] | None, float],
    seed: int,
    tick: Tick | None = None,
) -> Cell:
    """Make the images that some units of a layer want most.

    Args:
        net: The network.
        layer: The layer.
        units: Its channels, each of which was active at some time.
        maxima: How active each got.
        recipe: How to find them.
        canvas: (h, w) of the images and C, from `Recipes.canvas`.
        seed: Start of the random numbers.
        tick: Told of progress.

    Returns:
        By unit the picture, and what it reaches (`reached`, over its maximum), how its structures
        run, and the layer's code (`code`, (c,)) at the unit's strongest place in it.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    size, strength = canvas
    found = activate(
        net, list(units), layer, maxima, strength=strength, size=size, quality=recipe,
        seed=seed, batch=len(units), watch=Watch(tick),
    )  # fmt: skip
    if found.interrupted:
        raise KeyboardInterrupt
    with torch.no_grad():
        codes = as_maps(cut_at(net, layer)(found.image.to(net.dtype)))[0].float().cpu()
    values: dict[str, Any] = {}
    for index, unit in enumerate(units):
        code = codes[index].flatten(1)
        place = int(code[unit].argmax())
        values[str(unit)] = {
            "reached": float(code[unit, place]) / maxima.of(unit),
            **vars(orientation(found.image[index])),
            "code": _short(code[:, place]),
        }
    pictures = {str(unit): to_image(found.image[i]) for i, unit in enumerate(units)}
    return Cell({"units": values}, pictures)


def strongest(seen: Seen, layer: str, units: Sequence[int], tick: Tick | None = None) -> Cell:
    """Cut out what units see in their strongest images.

    Args:
        seen: The pass over the images.
        layer: The layer.
        units: Those that are shown; how patches run is measured of more.
        tick: Told how many images are done, of how many.

    Returns:
        By unit the patches side by side; in `horizontal` by unit how its patches run on average;
        in `codes` by unit the layer's codes at the places of its peaks.
    """
    alive = seen.alive(layer)
    step = max(1.0, len(alive) / MEASURED)
    more = [alive[int(i * step)] for i in range(min(MEASURED, len(alive)))]
    wanted = sorted({*units, *more})
    shown: dict[int, list[Patch]] = {unit: [] for unit in units}
    shares: dict[int, list[tuple[float, tuple[float, ...]]]] = {unit: [] for unit in wanted}
    size = seen.facts[layer].input_size
    told = (lambda done, total, _: tick(done, 2 * total)) if tick else None
    for patch in patches(seen.net, seen.images, seen.top, {layer: wanted}, (), tick=told):
        own = orientation(_inside(patch, size))
        if own.horizontal is not None:
            shares[patch.channel].append((own.horizontal, own.histogram))
        if patch.channel in shown:
            shown[patch.channel].append(patch)
    pictures = {}
    for unit, found in shown.items():
        images = [p.image for p in sorted(found, key=lambda p: p.rank)]
        pictures[str(unit)] = grid(images, max(1, math.isqrt(max(len(images) - 1, 0)) + 1))
    codes = _codes(seen, layer, units, tick)
    runs = {str(unit): _averaged(found) for unit, found in shares.items()}
    return Cell({"runs": runs, "codes": codes}, pictures)


def blank_tile(size: int = 96) -> Image.Image:
    """Draw a light square, for what there is not."""
    return Image.new("RGB", (size, size), (238, 238, 238))


def _inside(patch: Patch, size: tuple[int, int]) -> Tensor:
    """Return the part of a patch that lies on the image: what is filled beyond it has an edge."""
    top, left, height, width = patch.box
    first, before = max(0, -top), max(0, -left)
    last, behind = min(height, size[0] - top), min(width, size[1] - left)
    return patch.image[:, first:last, before:behind]


def _averaged(found: Sequence[tuple[float, tuple[float, ...]]]) -> dict[str, Any]:
    if not found:
        return {"horizontal": None, "histogram": []}
    columns = zip(*(histogram for _, histogram in found), strict=True)
    return {
        "horizontal": sum(share for share, _ in found) / len(found),
        "histogram": [sum(column) / len(found) for column in columns],
    }


def _codes(
    seen: Seen, layer: str, units: Sequence[int], tick: Tick | None
) -> dict[str, list[list[float]]]:
    """Find the codes of a layer where units are strongest, image by image."""
    peaks = {unit: seen.top.of(layer, unit) for unit in units}
    keys = sorted({peak.key for own in peaks.values() for peak in own})
    showing = Showing(seen.net, [layer])
    found: dict[str, list[list[float]]] = {str(unit): [] for unit in units}
    for number, key in enumerate(keys):
        if tick:
            tick(len(keys) + number, 2 * len(keys))
        code = as_maps(showing(seen.net.prepare(seen.images.read(key))[0])[layer])[0][0]
        for unit, own in peaks.items():
            for peak in own:
                if peak.key == key:
                    found[str(unit)].append(_short(code[:, peak.at[0], peak.at[1]]))
    return found


def _short(code: Tensor) -> list[float]:
    """Write a code with as many digits as half precision has, and two more."""
    return [float(f"{value:.6g}") for value in code.float().cpu().tolist()]
