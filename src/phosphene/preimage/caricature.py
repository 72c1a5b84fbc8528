"""Caricature: a photograph with what a layer sees in it exaggerated.

Algorithm 1 from the photograph itself, 300 iterations, no second stage. As an option in octaves,
as in Google's deep dream: first on the photograph reduced, then on ever larger ones to which the
detail found so far is added.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 7; thesis 2018, section 5.5. Octaves:
Mordvintsev, Olah & Tyka, "Inceptionism", 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from phosphene.core.network import Network
from phosphene.core.photographs import Prepared, prepared, several
from phosphene.core.preprocessing import distortion
from phosphene.core.representation import Representation
from phosphene.errors import ImageError, SettingError, UnitError
from phosphene.preimage.energy import Energy, Term
from phosphene.preimage.job import Job, Pose
from phosphene.preimage.objectives import Caricature
from phosphene.preimage.phi import cut_at, field_of
from phosphene.preimage.priors import NATURAL
from phosphene.preimage.recipe import Recipe, chosen
from phosphene.preimage.result import PreImage
from phosphene.preimage.solve import Start
from phosphene.preimage.watch import Watch

USUAL = Recipe()
RECIPES = {
    "fast": replace(USUAL, name="fast", steps=60),
    "paper": replace(USUAL, name="papers'", convergence=None),
    "best": replace(USUAL, name="best", steps=500),
}


def caricature(
    net: Network,
    photo: Any,
    layer: str,
    *,
    strength: float = 1.0,
    octaves: int = 1,
    ratio: float = 1.4,
    priors: Sequence[Term] | Energy = NATURAL,
    quality: Recipe | str | None = None,
    steps: int | None = None,
    jitter: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> PreImage:
    """Exaggerate what a layer sees in photographs.

    Args:
        net: The network.
        photo: A photograph (file, PIL image, array, tensor in [0, 1]), or a list of them.
        layer: The layer whose active components shall become more active.
        strength: C.
        octaves: How many sizes to go through, the last of them the photograph's own.
        ratio: How much larger each is than the one before.
        priors: Terms beside the objective.
        quality: `"fast"`, `"paper"`, `"best"`, or a `Recipe`; the papers' settings, stopped when
            converged, if `None`.
        steps: In place of the recipe's iterations (in each octave).
        jitter: T; a quarter of the layer's stride if `None`.
        batch: Most images at a time; as many as go well together if `None`.
        seed: Start of the jitter's random numbers.
        watch: Progress, snapshots, states.

    Returns:
        One image for each photograph.

    Raises:
        ImageError: The photographs cannot be read.
        UnknownLayer: There is no such layer.
        UnitError: Nothing in the layer is active, so there is nothing to exaggerate.
    """
    if octaves < 1 or ratio <= 1:
        raise SettingError(
            f"{octaves} octaves of ratio {ratio:g} are none: give 1 or more, above 1"
        )
    ready = list(prepared(net, several(photo)))
    if not ready:
        raise ImageError("there is nothing to exaggerate: give a photograph")
    recipe = chosen(RECIPES, quality, USUAL, steps, jitter)
    warnings = tuple(said for said in (distortion(p.name, p.frame) for p in ready) if said)
    facts = {"octaves": f"{octaves}, ratio {ratio:g}"} if octaves > 1 else {}
    phi = cut_at(net, layer)
    job = Job(phi, recipe, seed, batch, watch or Watch(), warnings, facts)
    field = field_of(phi)

    def exaggerated(level: int, detail: Tensor | None) -> PreImage:
        """Go through one octave, from the photographs and the detail of the one before."""

        def pose(chunk: Sequence[tuple[int, Prepared]]) -> Pose:
            whole = torch.cat([photo.image for _, photo in chunk])
            image = _resized(whole, ratio**-level)
            start = image
            if detail is not None:
                found = detail[[number for number, _ in chunk]]
                start = image + _to(found, image)
            size = (int(image.shape[2]), int(image.shape[3]))
            names = tuple(photo.name for _, photo in chunk)
            energy = (strength * Caricature(_active(phi, image, names))).plus(priors)
            where = Start(job.canvas(size, field), [seed] * len(chunk), start)
            return Pose(energy, where, names, image)

        return job.run(list(enumerate(ready)), pose)

    result = exaggerated(octaves - 1, None)
    for level in reversed(range(octaves - 1)):
        if result.interrupted:
            break
        assert result.reference is not None
        own = net.preprocessing.in_own_channels(result.reference)
        before, result = result, exaggerated(level, result.image - own)
        result = replace(
            result,
            trace=before.trace.then(result.trace),
            frames=(*_enlarged(before.frames, result.image), *result.frames),
            warnings=tuple(dict.fromkeys(before.warnings + result.warnings)),
        )
    return result


@torch.no_grad()
def _active(phi: Representation, image: Tensor, names: Sequence[str]) -> Tensor:
    code = phi(image)
    silent = ~(code > 0).flatten(1).any(1)
    if silent.any():
        raise UnitError(
            f"no component of layer {phi.layer!r} is positive in {names[int(silent.nonzero()[0])]}:"
            " choose another layer"
        )
    return code


def _enlarged(frames: Sequence[Tensor], like: Tensor) -> list[Tensor]:
    return [interpolate(frame, list(like.shape[2:])) for frame in frames]


def _resized(image: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return image
    size = [max(1, round(side * scale)) for side in image.shape[2:]]
    return interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)


def _to(detail: Tensor, like: Tensor) -> Tensor:
    return interpolate(detail.to(like), list(like.shape[2:]), mode="bicubic", antialias=True)
