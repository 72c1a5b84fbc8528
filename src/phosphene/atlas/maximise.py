"""Images that excite every unit of a layer most, as picture files.

`"quick"` descends the spectrum with decorrelated colors, a few long steps, on canvases no larger
than what the network is shown; `"fine"` is the best recipe of `preimage.activate`, on canvases
somewhat larger than the receptive field.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from phosphene.atlas.album import Album
from phosphene.atlas.plan import Cells, Plan
from phosphene.core.network import Network
from phosphene.core.seed import as_maps
from phosphene.preimage.activate import RECIPES, activate
from phosphene.preimage.maxima import Maxima
from phosphene.preimage.phi import cut_at, field_of
from phosphene.preimage.quick import QUICK, quick_size, quick_strength
from phosphene.preimage.recipe import Recipe
from phosphene.preimage.viewing import size_for
from phosphene.preimage.watch import Watch, forget
from phosphene.survey.dissection.concepts import digest

Tick = Callable[[int, int, str], None]

_LARGEST = 224
# Pixels of all canvases of a batch, about; images of a batch, at least and at most.
_PIXELS, _LEAST, _MOST, _MOST_ON_GPU = 65536, 8, 64, 128


def maximised_file(plan: Plan, layer: str, unit: int, seed: int) -> str:
    """Return the path of an image that excites a unit."""
    return f"{plan.folder_of(layer)}/{unit}/maximised{seed}.webp"


def canvas_of(net: Network, layer: str, plan: Plan) -> tuple[int, int]:
    """Return (h, w) of the images that units of a layer are maximised on."""
    if plan.maximise == "fine" and not is_scores(net, layer):
        return size_for(net, layer, field_of(cut_at(net, layer))).size
    return quick_size(net, layer)


def strength_of(net: Network, layer: str, plan: Plan) -> float:
    """Return C of a layer."""
    return 1.0 if plan.maximise == "fine" else quick_strength(net, layer)


def is_scores(net: Network, layer: str) -> bool:
    """Tell whether a layer's units are classes."""
    scores = net.scores.layer
    return bool(scores) and net.address(layer) == net.address(scores)


def maximise(
    net: Network,
    layer: str,
    units: list[int],
    maxima: Maxima,
    plan: Plan,
    album: Album,
    cells: Cells,
    tick: Tick,
) -> dict[int, list[float]]:
    """Make the images of some units of a layer, those that are there already left out.

    Args:
        net: The network.
        layer: The layer.
        units: Its channels, of which each was active at some time.
        maxima: How active each got.
        plan: What is wanted.
        album: Where pictures go.
        cells: Where is noted what is done.
        tick: Told how many units are done, of how many.

    Returns:
        By unit, the activation of each of its images over its largest one on real images.

    Raises:
        KeyboardInterrupt: It was asked to stop; what is done stays.
        OutputError: A picture cannot be written.
    """
    size, recipe = canvas_of(net, layer, plan), _recipe(plan)
    many = _many(net, size)
    # Batches are the same in every run, so that what comes out is, too.
    together = max(1, round(many / plan.seeds))
    reached: dict[int, list[float]] = {}
    for start in range(0, len(units), together):
        some = units[start : start + together]
        about = (layer, some, size, str(recipe), plan.seeds, strength_of(net, layer, plan))
        name = f"maximised/{digest(about)}"
        tick(start, len(units), f"maximising {layer or 'output'}")
        kept = cells.load(name)
        if kept is None:

            def within(done: int, total: int, before: int = start, count: int = len(some)) -> None:
                now = before + count * done // max(total, 1)
                tick(now, len(units), f"maximising {layer or 'output'}")

            states = cells.folder / "descents"
            kept = _batch(net, layer, some, maxima, plan, size, recipe, album, states, within)
            cells.keep(name, kept)
            forget(states)
        reached |= {int(unit): list(values) for unit, values in kept.items()}
    return reached


def _batch(
    net: Network,
    layer: str,
    units: list[int],
    maxima: Maxima,
    plan: Plan,
    size: tuple[int, int],
    recipe: Recipe,
    album: Album,
    states: Path,
    tick: Callable[[int, int], None],
) -> dict[str, list[float]]:
    found = activate(
        net, units, layer, maxima, repeats=plan.seeds, size=size, quality=recipe,
        strength=strength_of(net, layer, plan), everywhere=is_scores(net, layer),
        batch=len(units) * plan.seeds, watch=Watch(tick, states=states),
    )  # fmt: skip
    if found.interrupted:
        raise KeyboardInterrupt
    with torch.no_grad():
        codes = as_maps(cut_at(net, layer)(found.image.to(net.dtype)))[0]
    reached = codes.flatten(2).amax(2).float().cpu()
    values: dict[str, list[float]] = {}
    for index, picture in enumerate(found.image):
        unit, seed = units[index // plan.seeds], index % plan.seeds
        album.write(maximised_file(plan, layer, unit, seed), picture, _LARGEST)
        share = float(reached[index, unit]) / maxima.of(unit)
        values.setdefault(str(unit), []).append(round(share, 4))
    return values


def _recipe(plan: Plan) -> Recipe:
    return QUICK if plan.maximise == "quick" else RECIPES["best"]


def _many(net: Network, size: tuple[int, int]) -> int:
    if net.device.type != "cpu":
        return _MOST_ON_GPU
    return min(max(_PIXELS // (size[0] * size[1]), _LEAST), _MOST)


def facts_of_maximisation(plan: Plan) -> dict[str, str]:
    """Say how units are maximised."""
    if plan.maximise == "none":
        return {"maximisation": "none"}
    seeds = f"{plan.seeds} image{'s' * (plan.seeds > 1)} of each unit"
    return {"maximisation": f"{plan.maximise}: {_recipe(plan)}; {seeds}"}
