"""Texture and style: the statistics of a layer's channels, wherever on the image they stand.

`R_tex(x) = sum over layers l of w_l || G_l(x) - G_l(x_tex) ||^2`, with G_l the correlations of the
channels of layer l summed over all positions (thesis 2018, eq. 5.8; Gatys, Ecker & Bethge 2015,
2016). Alone it makes textures; beside the match of another image's code it makes that image in the
style of the first.

The thesis gives neither the weights nor the layers. Here `w_l = 1 / || G_l(x_tex) ||^2`, so that a
flat image costs about 1 in every layer, divided by their number; and by default the layers are the
first of every stride, which for VGG-16 are Gatys et al.'s conv1_1, pool1 ... pool4 and pool5. G is
divided by the number of positions, so that images of different sizes can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.photographs import prepared, several
from phosphene.core.seed import as_maps
from phosphene.errors import ImageError, SettingError, UnitError
from phosphene.preimage.canvas import Canvas
from phosphene.preimage.energy import Energy, Objective, Term
from phosphene.preimage.job import Job, Pose
from phosphene.preimage.lbfgs import LBFGS
from phosphene.preimage.objectives import Match
from phosphene.preimage.recipe import Recipe, chosen
from phosphene.preimage.result import PreImage
from phosphene.preimage.solve import Start
from phosphene.preimage.solvers import Torch
from phosphene.preimage.watch import Watch

USUAL = Recipe(
    "spectrum",
    Torch("Adam", {"lr": 0.1, "betas": (0.9, 0.9)}),
    200,
    parameters="spectrum",
    jitter=4,  # statistics do not mind, and early strides leave no grid
)
RECIPES = {
    "fast": replace(USUAL, name="fast", steps=80, convergence=None),
    "paper": Recipe("L-BFGS", LBFGS(), jitter=1, radius=float("inf"), convergence=None),
    "best": replace(USUAL, name="best", steps=600, convergence=None),
}


@dataclass(frozen=True, eq=False)
class Gram(Objective):
    """The channels of a layer shall go together as in a given image.

    `|| G - G_tex ||^2 / || G_tex ||^2`, `G_cd = 1 / (h w) sum over positions of phi_c phi_d`.

    Attributes:
        wanted: (b or 1, c, c) G_tex.
    """

    wanted: Tensor

    @classmethod
    def of(cls, code: Tensor) -> Gram:
        """Take the correlations of a code (b, c, h, w)."""
        return cls(correlations(code))

    @property
    def targets(self) -> tuple[Tensor, ...]:
        """G_tex."""
        return (self.wanted,)

    def loss(self, code: Tensor) -> Tensor:
        """Return (b,) squared relative distances."""
        difference = correlations(code) - self.wanted
        return difference.square().sum((1, 2)) / self._scale()

    def judge(self, code: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Return the losses and `weight * 4 (G - G_tex) phi / (h w || G_tex ||^2)`."""
        maps, back = as_maps(code)
        flat = maps.flatten(2)
        difference = flat @ flat.mT / flat.shape[2] - self.wanted
        scale = self._scale()
        loss = difference.square().sum((1, 2)) / scale
        factor = (4 * weight / flat.shape[2] / scale).view(-1, 1, 1)
        return loss, back((difference * factor @ flat).view_as(maps))

    def _scale(self) -> Tensor:
        return self.wanted.square().sum((1, 2)).clamp(min=1e-30)

    def __str__(self) -> str:
        """Return `texture`."""
        return "texture"


def correlations(code: Tensor) -> Tensor:
    """Return (b, c, c) correlations of the channels of (b, c, h, w), the mean over positions."""
    flat = as_maps(code)[0].flatten(2)
    return flat @ flat.mT / flat.shape[2]


def style_of(net: Network, image: Tensor, layers: Sequence[str] = ()) -> Energy:
    """Return the texture term of images, to be used alone or as a prior.

    Args:
        net: The network.
        image: (b, 3, h, w) RGB in [0, 1], of any size the network takes; one, or as many as are
            to be found.
        layers: Layers to compare; the first of every stride if empty.

    Returns:
        `1 / L * sum of texture at each of the L layers`.

    Raises:
        UnitError: A layer is silent on the image, or has no positions to sum over.
    """
    energy = Energy()
    names = list(layers) or default_layers(net)
    with torch.no_grad():
        for name in names:
            gram = Gram.of(net[name](image))
            if not bool((gram.wanted.flatten(1) != 0).any(1).all()):
                raise UnitError(f"layer {name!r} is silent on the image, and so has no texture")
            energy = energy + gram.at(name) * (1 / len(names))
    return energy


def default_layers(net: Network) -> list[str]:
    """Return the first layer of every stride, with a field larger than the stride, in order."""
    found: dict[float, str] = {}
    for layer in net.layers():
        field, shape = layer.field, layer.shape
        if field is None or len(shape) != 3 or min(shape[1:]) < 2 or min(field.size) <= 1:
            continue
        found.setdefault(max(field.stride), str(layer.name))
    if not found:
        raise UnitError(f"{net.name} has no layer with a map to take textures from: name layers")
    return list(found.values())


def texture(
    net: Network,
    photo: Any,
    layers: Sequence[str] = (),
    *,
    strength: float = 100.0,
    repeats: int = 1,
    size: tuple[int, int] | None = None,
    priors: Sequence[Term] | Energy = (),
    quality: Recipe | str | None = None,
    steps: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> PreImage:
    """Make new images of a photograph's texture.

    Args:
        net: The network.
        photo: A photograph, or a list of them.
        layers: Layers whose statistics are matched; the first of every stride if empty.
        strength: C.
        repeats: How many of each, from different noise.
        size: (h, w) of the images; the network's own if `None`.
        priors: Terms beside the texture; none, as Gatys et al., unless given.
        quality: `"fast"`, `"paper"` (L-BFGS on pixels, which Gatys et al. used and the thesis found
            better here than its own solver), `"best"`, or a `Recipe`; if `None` the spectrum with
            decorrelated colours, which comes far closer in the same time (study `solvers`).
        steps: In place of the recipe's iterations.
        batch: Most images at a time; as many as go well together if `None`.
        seed: Start of the random numbers.
        watch: Progress, snapshots, states.

    Returns:
        The images, photograph by photograph.

    Raises:
        ImageError: The photographs cannot be read.
        UnknownLayer: There is no such layer.
    """
    ready = list(prepared(net, several(photo)))
    if not ready or repeats < 1:
        raise ImageError("there is no texture to make: give a photograph and at least one repeat")
    names = list(layers) or default_layers(net)
    recipe = chosen(RECIPES, quality, USUAL, steps)
    layers_said = {"layer": ", ".join(names)}
    job = Job(net[names[-1]], recipe, seed, batch, watch or Watch(), facts=layers_said)
    canvas = Canvas(size or net.preprocessing.input_size, recipe.jitter or 1, recipe.transforms)

    def pose(chunk: Sequence[tuple[Any, int]]) -> Pose:
        image = torch.cat([photo.image for photo, _ in chunk])
        energy = (style_of(net, image, names) * strength).plus(priors)
        start = Start(canvas, [number for _, number in chunk])
        return Pose(energy, start, tuple(photo.name for photo, _ in chunk), image)

    return job.run([(photo, seed + r) for photo in ready for r in range(repeats)], pose)


def style(
    net: Network,
    photo: Any,
    painting: Any,
    layer: str,
    layers: Sequence[str] = (),
    *,
    strength: float = 10.0,
    weight: float = 10.0,
    from_noise: bool = False,
    priors: Sequence[Term] | Energy = (),
    quality: Recipe | str | None = None,
    steps: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> PreImage:
    """Make photographs in the style of another image.

    Args:
        net: The network.
        photo: The photograph to keep the content of, or a list of them.
        painting: The image to take the style of.
        layer: The layer whose code keeps the content.
        layers: Layers whose statistics are the style; the first of every stride if empty.
        strength: C of the content.
        weight: Of the style.
        from_noise: Start from noise instead of the photograph.
        priors: Terms beside both; none unless given.
        quality: As for `texture`, like everything behind.
        steps: In place of the recipe's iterations.
        batch: Most images at a time.
        seed: Start of the random numbers.
        watch: Progress, snapshots, states.

    Returns:
        One image for each photograph, with the relative error of its content's code.
    """
    ready = list(prepared(net, several(photo)))
    if not ready:
        raise ImageError("there is no photograph to give a style: give one")
    if strength <= 0 or weight <= 0:
        raise SettingError("content and style need weights above 0: use texture, or invert, alone")
    other = next(prepared(net, [painting])).image
    recipe = chosen(RECIPES, quality, USUAL, steps)
    job = Job(net[layer], recipe, seed, batch, watch or Watch())
    look = style_of(net, other, layers) * weight

    def pose(chunk: Sequence[Any]) -> Pose:
        image = torch.cat([photo.image for photo in chunk])
        with torch.no_grad():
            match = Match(net[layer](image))
        size = (int(image.shape[2]), int(image.shape[3]))
        canvas = Canvas(size, recipe.jitter or 1, recipe.transforms)
        # In the spectrum black and white hardly move: a little contrast is taken from the start.
        softer = 0.05 + 0.9 * image if recipe.parameters == "spectrum" else image
        start = Start(canvas, [seed] * len(chunk), None if from_noise else softer)
        energy = (strength * match + look).plus(priors)
        return Pose(energy, start, tuple(photo.name for photo in chunk), image, match)

    return job.run(ready, pose)
