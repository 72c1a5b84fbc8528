"""Pre-images of descriptors: which photographs do HOG and SIFT not tell apart?

The one energy of all pre-images, with C = 100, no jitter and 300 iterations (thesis 2018, section
5.4.1.1).

*Departures*, for all but `quality="paper"`. Adam takes the place of Algorithm 1: descriptors divide
by the contrast, so that gradients differ by orders of magnitude between flat and steep places,
which is what it evens out. Images are held flat where the code says that they are (`flat`), which
no descent could reach. And hard binning is given a derivative: that of the papers flows
through the magnitude of each image gradient alone, and nothing tells the solver where to turn one.
With a share of the bilinear derivative in its place (`HOG.surrogate`) the same HOG comes out at
less than half the error: it was the derivative that made it hard to invert, more than what HOG
forgets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.photographs import of_one_size, prepared, several
from phosphene.descriptors.dsift import DSIFT
from phosphene.descriptors.flat import Level, flat_regions
from phosphene.descriptors.hog import HOG
from phosphene.descriptors.network import as_network, named
from phosphene.preimage import caricature as _caricature
from phosphene.preimage import invert as _invert
from phosphene.preimage.codes import Codes
from phosphene.preimage.recipe import Recipe, chosen
from phosphene.preimage.result import PreImage, joined
from phosphene.preimage.solvers import Torch
from phosphene.preimage.watch import Watch

STRENGTH = 100.0
"""C of the match against the priors (thesis 2018, section 5.4.1; IJCV 2016 says 20)."""

BEND = 0.3
"""`HOG.surrogate` of pre-images: of 0.15 to 1, what gave the least error on photographs."""

_ON_GPU = 32


def _adam(steps: int, name: str) -> Recipe:
    """Go fast at first and slowly at the end: faint places need steps of a fraction of a gray."""
    solver = Torch("Adam", {"lr": 8.0, "betas": (0.9, 0.9)}, halving=steps / 5)
    return Recipe(name, solver, steps, jitter=1, convergence=None)


USUAL = _adam(300, "Adam")
RECIPES = {
    "fast": _adam(100, "fast"),
    "paper": Recipe("papers'", steps=300, jitter=1, convergence=None),
    "best": _adam(1000, "best"),
}


def network_for(descriptor: HOG | DSIFT | str, literal: bool = False) -> Network:
    """Return the network to find a pre-image with: with a derivative that helps, where allowed.

    Args:
        descriptor: It, or its name.
        literal: Leave the true derivative.
    """
    module = named(descriptor)
    label = descriptor if isinstance(descriptor, str) else ""
    if not literal and isinstance(module, HOG) and module.binning == "hard":
        module = module.bent(BEND)
    return as_network(module, name=label)


def literal(recipe: Recipe) -> bool:
    """Whether a recipe is the papers', and to be taken to the letter."""
    return recipe.name == RECIPES["paper"].name


def invert(
    descriptor: HOG | DSIFT | str,
    photo: Any,
    *,
    strength: float = STRENGTH,
    repeats: int = 1,
    quality: Recipe | str | None = None,
    steps: int | None = None,
    batch: int | None = None,
    watch: Watch | None = None,
    **more: Any,
) -> PreImage:
    """Find images that a descriptor takes for the given ones.

    Args:
        descriptor: HOG or SIFT, or one of the papers' by name: `"hog"`, `"hogb"`, `"dsift"`.
        photo: A photograph, or several of one size, at their own size and in gray; or `Codes`.
        strength: C, the weight of the match against the priors.
        repeats: How many pre-images of each photograph, from different noise.
        quality: `"fast"`, `"paper"` (Algorithm 1, the true derivative, nothing held flat),
            `"best"`, or a `Recipe`; Adam, 300 iterations, if `None`.
        steps: In place of the recipe's iterations.
        batch: Most images at a time; one after another on a CPU, 32 on a GPU if `None`.
        watch: Progress, snapshots, and where to keep the state.
        more: What else `phosphene.invert` takes: `mask`, `priors`, `seed`.

    Returns:
        Gray pre-images, with the relative error of each: `||phi(x) - phi0|| / ||phi0||`.

    Raises:
        ImageError: A photograph cannot be read, is too small, or they are not of one size.
    """
    recipe = chosen(RECIPES, quality, USUAL, steps)
    net = network_for(descriptor, literal(recipe))
    asked = {"strength": strength, "repeats": repeats, **more}
    most = max(1, (batch or (1 if net.device.type == "cpu" else _ON_GPU)) // repeats)
    chunks = list(_codes(photo, most) if isinstance(photo, Codes) else _images(net, photo, most))
    found: list[PreImage] = []
    for number, (names, given, size) in enumerate(chunks):
        how = recipe
        if not literal(recipe) and recipe.parameters == "pixels" and not recipe.transforms:
            how = levelled(net, given, size, recipe, repeats)
        part = (watch or Watch()).part(number, len(chunks))
        result = _invert.invert(net, given, "", quality=how, batch=batch, watch=part, **asked)
        named = tuple(name for name in names for _ in range(repeats))
        found.append(replace(result, names=named[: len(result)]) if names else result)
        if result.interrupted:
            break
    return joined(found)


Chunk = tuple[tuple[str, ...], Any, tuple[int, int]]
"""Names, images or codes, and (h, w) of the images."""


def _images(net: Network, photo: Any, most: int) -> Iterator[Chunk]:
    ready = list(prepared(net, several(photo)))
    size = of_one_size(net, ready)
    for start in range(0, len(ready), most):
        some = ready[start : start + most]
        seen = [net.preprocessing.in_own_channels(p.image) for p in some]
        yield tuple(p.name for p in some), torch.cat(seen), size


def _codes(codes: Codes, most: int) -> Iterator[Chunk]:
    size = codes.size or as_network("hog").preprocessing.input_size
    for start in range(0, len(codes.values), most):
        values = codes.values[start : start + most]
        names = tuple(codes.name(i) for i in range(start, start + len(values)))
        yield names, Codes(values, size=size, layer=codes.layer), size


def levelled(
    net: Network, given: Tensor | Codes, size: tuple[int, int], recipe: Recipe, repeats: int = 1
) -> Recipe:
    """Hold images flat where the descriptor says they are; see `flat`.

    Args:
        net: From `network_for`.
        given: Images (b, c, h, w), or codes of them.
        size: (h, w) of the images.
        recipe: How the energy is descended.
        repeats: How many pre-images of each.
    """
    assert isinstance(net.module, HOG | DSIFT)
    with torch.no_grad():
        code = given.values if isinstance(given, Codes) else net.output(given)
    regions = flat_regions(net.module, code, size).repeat_interleave(repeats, 0)
    if not regions.any():
        return recipe
    return replace(recipe, operators=(*recipe.operators, Level(regions.to(net.device))))


def caricature(
    descriptor: HOG | DSIFT | str,
    photo: Any,
    *,
    strength: float = STRENGTH,
    quality: Recipe | str | None = None,
    **more: Any,
) -> PreImage:
    """Exaggerate what a descriptor sees in photographs.

    Args:
        descriptor: HOG or SIFT, or one of the papers' by name.
        photo: A photograph, or several of one size, at their own size and in gray.
        strength: C. Descriptors are bounded: at the 1 that suits networks the priors win.
        quality: As `phosphene.caricature` has it.
        more: What else that takes.

    Returns:
        One gray image for each photograph.
    """
    net = network_for(descriptor)
    more = {"batch": 1 if net.device.type == "cpu" else None, **more}
    how = {"strength": strength, "quality": quality, "jitter": 1, **more}
    return _caricature.caricature(net, photo, "", **how)
