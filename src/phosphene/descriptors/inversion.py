"""Pre-images of descriptors: which photographs do HOG and SIFT not tell apart?

The one energy of all pre-images, with C = 100, no jitter and 300 iterations (thesis 2018, section
5.4.1.1).

*Departures*, for all but `quality="paper"`. Adam takes the place of Algorithm 1: descriptors divide
by the contrast, so that gradients differ by orders of magnitude between flat and steep places,
which is what it evens out. And hard binning is given a derivative: that of the papers flows
through the magnitude of each image gradient alone, and nothing tells the solver where to turn one.
With a share of the bilinear derivative in its place (`HOG.surrogate`) the same HOG comes out at
less than half the error: it was the derivative that made it hard to invert, more than what HOG
forgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phosphene.core.network import Network
from phosphene.descriptors.dsift import DSIFT
from phosphene.descriptors.hog import HOG
from phosphene.descriptors.network import as_network, named
from phosphene.preimage import caricature as _caricature
from phosphene.preimage import invert as _invert
from phosphene.preimage.recipe import Recipe, chosen
from phosphene.preimage.result import PreImage
from phosphene.preimage.solvers import Torch

STRENGTH = 100.0
"""C of the match against the priors (thesis 2018, section 5.4.1; IJCV 2016 says 20)."""

BEND = 0.3
"""`HOG.surrogate` of pre-images: of 0.15 to 1, what gave the least error on photographs."""

_ADAM = Torch("Adam", {"lr": 2.0, "betas": (0.9, 0.99)})
USUAL = Recipe("Adam", _ADAM, 250, 50, jitter=1, convergence=None)
RECIPES: Mapping[str, Recipe] = {
    "fast": Recipe("fast", _ADAM, 100, 30, jitter=1, convergence=None),
    "paper": Recipe("papers'", steps=300, jitter=1, convergence=None),
    "best": Recipe("best", _ADAM, 800, 150, jitter=1, convergence=None),
}


def network_for(descriptor: HOG | DSIFT | str, quality: Recipe | str | None = None) -> Network:
    """Return the network to find a pre-image with: with a derivative that helps, where allowed.

    Args:
        descriptor: It, or its name.
        quality: `"paper"` leaves the true derivative.
    """
    chosen_one = named(descriptor)
    label = descriptor if isinstance(descriptor, str) else ""
    if quality != "paper" and isinstance(chosen_one, HOG):
        chosen_one = chosen_one.bent(BEND)
    return as_network(chosen_one, name=label)


def invert(
    descriptor: HOG | DSIFT | str,
    photo: Any,
    *,
    strength: float = STRENGTH,
    quality: Recipe | str | None = None,
    steps: int | None = None,
    batch: int | None = None,
    **more: Any,
) -> PreImage:
    """Find images that a descriptor takes for the given ones.

    Args:
        descriptor: HOG or SIFT, or one of the papers' by name: `"hog"`, `"hogb"`, `"dsift"`.
        photo: A photograph, or several of one size, at their own size and in gray; or `Codes`.
        strength: C, the weight of the match against the priors.
        quality: `"fast"`, `"paper"` (Algorithm 1 and the true derivative), `"best"`, or a
            `Recipe`; Adam, 300 iterations, if `None`.
        steps: In place of the recipe's iterations.
        batch: Most images at a time; one after another on a CPU if `None`.
        more: What else `phosphene.invert` takes: `repeats`, `mask`, `priors`, `seed`, `watch`.

    Returns:
        Gray pre-images, with the relative error of each: `||phi(x) - phi0|| / ||phi0||`.

    Raises:
        ImageError: A photograph cannot be read, is too small, or they are not of one size.
    """
    net = network_for(descriptor, quality)
    recipe = chosen(dict(RECIPES), quality, USUAL, steps)
    batch = batch or (1 if net.device.type == "cpu" else None)
    return _invert.invert(net, photo, "", strength=strength, quality=recipe, batch=batch, **more)


def caricature(
    descriptor: HOG | DSIFT | str, photo: Any, *, quality: Recipe | str | None = None, **more: Any
) -> PreImage:
    """Exaggerate what a descriptor sees in photographs.

    Args:
        descriptor: HOG or SIFT, or one of the papers' by name.
        photo: A photograph, or several of one size, at their own size and in gray.
        quality: As `phosphene.caricature` has it.
        more: What else that takes.

    Returns:
        One gray image for each photograph.
    """
    net = network_for(descriptor, quality)
    return _caricature.caricature(net, photo, "", quality=quality, jitter=1, **more)
