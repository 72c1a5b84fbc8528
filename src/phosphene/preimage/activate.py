"""Activation maximisation: which image excites a unit most?

The unit sits in the middle of a map a little larger than its receptive field, on an image just
large enough for that map; its activation is weighed by `w = 1e4 / (rho^2 M)`, with rho the side of
the receptive field and M its largest activation on real images, which brings units of all layers
to one scale.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 6; thesis 2018, section 5.4. *Departures.* IJCV
prints the weight upside down and the thesis without the 1e4 of the authors' code; the code gives
all units of a mosaic the M of one of them, and optimises them in one image: here each has its own
M and its own image, in one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.seed import as_maps
from phosphene.core.shapes import output_shape
from phosphene.errors import SettingError, UnitError
from phosphene.preimage.energy import Energy, Term
from phosphene.preimage.job import Job, Pose
from phosphene.preimage.maxima import Maxima
from phosphene.preimage.objectives import Maximize
from phosphene.preimage.phi import cut_at, field_of
from phosphene.preimage.priors import NATURAL
from phosphene.preimage.recipe import VISUALIZATION, Recipe, chosen
from phosphene.preimage.result import PreImage
from phosphene.preimage.solve import Start
from phosphene.preimage.viewing import Tiles, View, size_for
from phosphene.preimage.watch import Watch

USUAL = Recipe()
RECIPES = {
    "fast": replace(USUAL, name="fast", steps=100),
    "paper": replace(USUAL, name="papers'", convergence=None),
    "best": VISUALIZATION,
}


def activate(
    net: Network,
    units: int | Direction | Sequence[int | Direction],
    layer: str,
    maxima: Maxima,
    *,
    strength: float = 1.0,
    repeats: int = 1,
    size: tuple[int, int] | None = None,
    joint: bool = False,
    everywhere: bool = False,
    priors: Sequence[Term] | Energy = NATURAL,
    quality: Recipe | str | None = None,
    steps: int | None = None,
    jitter: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> PreImage:
    """Find images that excite units most.

    Args:
        net: The network.
        units: Channels of the layer, or directions in it (`Direction`).
        layer: The layer.
        maxima: M of its channels, from `measure_maxima`.
        strength: C.
        repeats: How many images of each unit, from different noise.
        size: (h, w) of the image; by the receptive field if `None` (`size_for`).
        joint: All units in one image, each in the middle of its own tile, as the authors' code
            has its mosaics; otherwise an image each.
        everywhere: The unit at all positions of the layer's map, each an equal share, instead of
            in the middle, on an image of the network's own size if `size` is `None`: the class
            scores of networks that average a map of them.
        priors: Terms beside the objective.
        quality: `"fast"`, `"paper"`, `"best"` (the spectrum with decorrelated colours, seen
            through jitter, scale and rotation), or a `Recipe`; the papers' settings, stopped when
            converged, if `None`.
        steps: In place of the recipe's iterations.
        jitter: T; a quarter of the layer's stride if `None`.
        batch: Most images at a time; as many as go well together if `None`.
        seed: Start of the random numbers; the r-th image of a unit starts from `seed + r`.
        watch: Progress, snapshots, states.

    Returns:
        The images, unit by unit.

    Raises:
        UnknownLayer: There is no such layer.
        UnitError: There is no such unit, it was never active, or the maxima are of another layer.
    """
    chosen_units = [units] if isinstance(units, int | Direction) else list(units)
    if not chosen_units or repeats < 1:
        raise SettingError("there is nothing to excite: give a unit and at least one repeat")
    maxima.check(net, layer)
    phi = cut_at(net, layer)
    field = field_of(phi)
    tiles = Tiles(len(chosen_units) if joint else 1)
    if everywhere:
        if joint:
            raise SettingError("units everywhere cannot share an image: leave out one of the two")
        size = size or net.preprocessing.input_size
    view = size_for(net, layer, field, tiles.side) if size is None else View.of(net, layer, size)
    rho = max(field.size) if field else max(view.size)
    code = output_shape(phi, view.size)
    blank = net.blank(view.size).detach()
    scale = 1e4 / (rho**2 * (tiles.count if joint else 1))
    recipe = chosen(RECIPES, quality, USUAL, steps, jitter)
    about = {"maxima": maxima.origin}
    job = Job(phi, recipe, seed, batch, watch or Watch(), facts=about)
    groups = [chosen_units] if joint else [[unit] for unit in chosen_units]
    items = [(group, seed + r) for group in groups for r in range(repeats)]

    def pose(chunk: Sequence[tuple[list[int | Direction], int]]) -> Pose:
        maps, back = as_maps(blank.new_zeros(len(chunk), *code[1:]))
        for index, (group, _) in enumerate(chunk):
            for number, unit in enumerate(group):
                weights = scale * _weights(unit, maxima, maps.shape[1]).to(maps)
                if everywhere:
                    maps[index] += weights[:, None, None] / maps[index, 0].numel()
                    continue
                row, column = tiles.centre(number, view)
                maps[index, :, row, column] += weights
        start = Start(job.canvas(view.size, field), [item[1] for item in chunk])
        names = tuple(", ".join(map(_name, group)) for group, _ in chunk)
        return Pose((strength * Maximize(back(maps))).plus(priors), start, names)

    return job.run(items, pose)


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction in the space of a layer's channels: a mixture of units.

    Attributes:
        weights: (c,) one number a channel, of either sign.
        name: What to call it.
    """

    weights: Tensor
    name: str = "direction"


def _weights(unit: int | Direction, maxima: Maxima, channels: int) -> Tensor:
    """Return (c,) what the channels count: 1 / M of a unit, or of all that a direction names."""
    weights = torch.zeros(channels)
    if isinstance(unit, int):
        weights[unit] = 1 / maxima.of(unit)
        return weights
    if tuple(unit.weights.shape) != (channels,) or not unit.weights.any():
        raise UnitError(
            f"{unit.name} has weights of shape {tuple(unit.weights.shape)}, and {channels} numbers "
            "are needed, not all 0: one for each channel of the layer"
        )
    # The direction's own M: no more than what its channels can reach together.
    given = unit.weights.detach().cpu().float()
    bound = float((given.abs() * maxima.values.clamp(min=0)).sum())
    if bound <= 0:
        raise UnitError(f"no channel of {unit.name} was ever active over {maxima.count} images")
    return given / bound


def _name(unit: int | Direction) -> str:
    return f"unit {unit}" if isinstance(unit, int) else unit.name
