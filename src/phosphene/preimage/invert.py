"""Inversion: which images does a layer not tell from this one?

The image is found that matches the code of a given one under the priors of natural images, by
Algorithm 1 in two stages: 300 iterations with jitter, then 50 without, at a tenth of the rate,
from the middle of the canvas.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 5; thesis 2018, section 5.4. The second stage
is the authors' code's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.photographs import Prepared, of_one_size, prepared, several
from phosphene.core.preprocessing import distortion
from phosphene.core.receptive_field import ReceptiveField
from phosphene.core.representation import Representation
from phosphene.core.shapes import output_shape
from phosphene.errors import ImageError, SettingError, UnitError
from phosphene.preimage.codes import Codes
from phosphene.preimage.energy import Energy, Term
from phosphene.preimage.job import Job, Pose
from phosphene.preimage.masks import Mask, fitted
from phosphene.preimage.objectives import Match
from phosphene.preimage.phi import cut_at, field_of
from phosphene.preimage.priors import NATURAL
from phosphene.preimage.recipe import Convergence, Recipe, chosen
from phosphene.preimage.result import PreImage
from phosphene.preimage.solve import Start
from phosphene.preimage.solvers import Torch
from phosphene.preimage.watch import Watch

USUAL = Recipe(second=50)
RECIPES = {
    "fast": Recipe(
        "fast",
        Torch("Adam", {"lr": 0.12, "betas": (0.85, 0.9)}),
        105,
        30,
        parameters="spectrum",
        jitter=1,
        convergence=Convergence(10, 0.01),
    ),
    "paper": replace(USUAL, name="papers'", convergence=None),
    "best": Recipe(
        "best",
        Torch("Adam", {"lr": 0.1, "betas": (0.9, 0.9)}),
        600,
        150,
        parameters="spectrum",
        convergence=None,
    ),
}


def strength_for(field: ReceptiveField | None) -> float:
    """Return the papers' C for a layer, by the size of its receptive field.

    300 up to 100 pixels, 100 up to 135, 20 up to 200, then 1: this gives what the thesis (2018,
    section 5.4.2.1) chose by hand for every layer of AlexNet, VGG-M and VGG-VD-16, but for
    AlexNet's pool5 (1).

    >>> strength_for(ReceptiveField((92, 92), (8, 8), (4, 4)))
    300.0
    """
    size = max(field.size) if field else float("inf")
    return next((c for most, c in ((100, 300.0), (135, 100.0), (200, 20.0)) if size <= most), 1.0)


@dataclass(frozen=True, eq=False)
class Target:
    """One image to find.

    Attributes:
        name: What it is the pre-image of.
        code: (1, ...) phi0.
        seed: Start of its noise.
        size: (h, w) of the image to find.
        image: (1, c, h, w) what the code was taken of; `None` if that is not known.
    """

    name: str
    code: Tensor
    seed: int
    size: tuple[int, int]
    image: Tensor | None = None


def invert(
    net: Network,
    photo: Any,
    layer: str,
    *,
    strength: float | None = None,
    repeats: int = 1,
    mask: Mask | None = None,
    priors: Sequence[Term] | Energy = NATURAL,
    quality: Recipe | str | None = None,
    steps: int | None = None,
    jitter: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> PreImage:
    """Find images that a layer takes for the given ones.

    Args:
        net: The network.
        photo: A photograph (file, PIL image, array, tensor in [0, 1]), or a list of them; or
            `Codes` of the layer that come from elsewhere.
        layer: The layer whose code is matched; the network's output if empty.
        strength: C, the weight of the match against the priors; the papers' for a layer of that
            depth if `None` (`strength_for`).
        repeats: How many pre-images of each photograph, from different noise.
        mask: Which components of the code count: (c, h, w) or broadcastable, or a function of the
            code that makes it (see `masks`); all if `None`.
        priors: Terms beside the match, or an energy of them; a style (`texture.style`) is one.
        quality: `"fast"`, `"paper"` (to the letter, without stopping early), `"best"`, or a
            `Recipe`; the papers' settings, stopped when converged, if `None`.
        steps: In place of the recipe's iterations.
        jitter: T; a quarter of the layer's stride if `None`, 1 for none.
        batch: Most images at a time; as many as go well together if `None`.
        seed: Start of the random numbers. The r-th pre-image of the i-th photograph starts from
            `seed + r`, so that it does not depend on what is found beside it.
        watch: Progress, snapshots, and where to keep the state.

    Returns:
        The pre-images, photograph by photograph, with the relative error of each code. Stopped
        with Ctrl-C, what was found so far (`interrupted`).

    Raises:
        ImageError: The photographs cannot be read.
        UnknownLayer: There is no such layer.
        UnitError: The mask or the codes do not fit the layer, or nothing is left to match.
        NotFinite: The energy is no finite number from the start.
        OutOfMemory: The batch is too large; with the one that fits.
    """
    recipe = chosen(RECIPES, quality, USUAL, steps, jitter)
    phi = cut_at(net, layer)
    if repeats < 1:
        raise SettingError(f"{repeats} repeats find nothing: give at least 1")
    if isinstance(photo, Codes):
        targets, warnings = list(_of_codes(phi, photo)), []
    else:
        ready = list(prepared(net, several(photo)))
        if not ready:
            raise ImageError("there is nothing to invert: give a photograph")
        of_one_size(net, ready)
        targets = [_of_photograph(phi, p) for p in ready]
        warnings = [said for said in (distortion(p.name, p.frame) for p in ready) if said]
    targets = [replace(target, seed=seed + r) for target in targets for r in range(repeats)]
    field = field_of(phi)
    weight = strength_for(field) if strength is None else strength
    job = Job(phi, recipe, seed, batch, watch or Watch(), tuple(warnings))

    def pose(chunk: Sequence[Target]) -> Pose:
        code = torch.cat([target.code for target in chunk])
        match = Match(code, None if mask is None else fitted(mask, code))
        if not (match.norm > 0).all():
            raise UnitError(
                f"the part of {layer or 'the output'} that is left by the mask is 0 on "
                f"{chunk[int((match.norm > 0).int().argmin())].name}: choose another part"
            )
        images = [target.image for target in chunk if target.image is not None]
        start = Start(job.canvas(chunk[0].size, field), [target.seed for target in chunk])
        names = tuple(target.name for target in chunk)
        reference = torch.cat(images) if images else None
        return Pose((weight * match).plus(priors), start, names, reference, match)

    return job.run(targets, pose)


@torch.no_grad()
def _of_photograph(phi: Representation, photo: Prepared) -> Target:
    size = (int(photo.image.shape[2]), int(photo.image.shape[3]))
    code = phi(photo.image)
    if not code.any():
        where, other = (f"layer {phi.layer!r}", "layer") if phi.layer else ("the output", "image")
        raise UnitError(f"every component of {where} is 0 on {photo.name}: choose another {other}")
    return Target(photo.name, code, 0, size, photo.image)


def _of_codes(phi: Representation, codes: Codes) -> Iterator[Target]:
    size = codes.size or phi.network.preprocessing.input_size
    if codes.layer and codes.layer != phi.layer:
        raise UnitError(
            f"these codes are of layer {codes.layer!r}, and {phi.layer!r} was asked for: invert "
            "them from their own"
        )
    given, wanted = tuple(codes.values.shape), tuple(output_shape(phi, size)[1:])
    if given[1:] != wanted or not given[0]:
        raise UnitError(
            f"codes of shape {given} were given, and {phi.layer or 'the output'} makes "
            f"{('b', *wanted)} of images of {size[0]}x{size[1]}: are they codes of another layer "
            "or input size?"
        )
    values = codes.values.to(phi.network.device, phi.network.dtype)
    for index in range(len(values)):
        yield Target(codes.name(index), values[index : index + 1], 0, size)
