"""Inversion: which images does a layer not tell from this one?

The image is found that matches the code of a given one under the priors of natural images, by
Algorithm 1 in two stages: 300 iterations with jitter, then 50 without, at a tenth of the rate,
from the middle of the canvas.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 5; thesis 2018, section 5.4. The second stage
is the authors' code's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.photographs import prepared, several
from phosphene.errors import ImageError, UnitError
from phosphene.preimage.canvas import Canvas, PixelSpace
from phosphene.preimage.descent import Settings
from phosphene.preimage.energy import Energy, Prior
from phosphene.preimage.objectives import Match
from phosphene.preimage.priors import NATURAL
from phosphene.preimage.result import PreImage
from phosphene.preimage.solve import canvas_for, facts_of, solve, sum_of

SECOND_STAGE = 50
"""Iterations of the second stage."""


def invert(
    net: Network,
    photo: Any,
    layer: str,
    *,
    strength: float = 100.0,
    repeats: int = 1,
    mask: Tensor | None = None,
    priors: Sequence[Prior] | Energy = NATURAL,
    jitter: int | None = None,
    settings: Settings | None = None,
    seed: int = 0,
) -> PreImage:
    """Find images that a layer takes for the given ones.

    Args:
        net: The network.
        photo: A photograph (file, PIL image, array, tensor in [0, 1]), or a list of them.
        layer: The layer whose code is matched.
        strength: C, the weight of the match against the priors: the papers use 300 for early
            layers, 100 and 20 further up, 1 for the deepest.
        repeats: How many pre-images of each photograph, from different noise.
        mask: (c, h, w) or broadcastable: which components of the code count; all if `None`.
        priors: Terms beside the match, or an energy of them.
        jitter: T; a quarter of the layer's stride if `None`, none for 1.
        settings: Constants of Algorithm 1; the papers' if `None`.
        seed: Start of the random numbers. The r-th pre-image of the i-th photograph starts from
            `seed + r`, so that it does not depend on what is found beside it.

    Returns:
        The pre-images, photograph by photograph, with the relative error of each code.

    Raises:
        ImageError: The photographs cannot be read.
        UnknownLayer: There is no such layer.
        UnitError: The mask does not fit the layer's code, or leaves nothing of it.
        NotFinite: The energy left the finite numbers.
    """
    photos = several(photo)
    if not photos or repeats < 1:
        raise ImageError("there is nothing to invert: give a photograph and at least one repeat")
    settings = settings or Settings()
    ready = list(prepared(net, photos))
    image = torch.cat([p.image for p in ready]).repeat_interleave(repeats, 0)
    phi, space = net[layer], PixelSpace.of(net.preprocessing, image)
    with torch.no_grad():
        code = phi(image)
    match = Match(code, _fitted(mask, code))
    size = (int(image.shape[2]), int(image.shape[3]))
    canvas = canvas_for(size, net.receptive_field(layer), jitter)
    energy = sum_of(strength * match, priors)
    seeds = [seed + i % repeats for i in range(len(image))]
    x = canvas.noise(seeds, image.shape[1]).to(image)
    generator = torch.Generator().manual_seed(seed)
    first = solve(energy, phi.of_input, x, canvas, space, settings, generator)
    x = canvas.crop(x, canvas.middle).clone()
    fine = replace(settings, steps=SECOND_STAGE, rate=settings.rate / 10)
    second = solve(energy, phi.of_input, x, Canvas(size), space, fine, generator)
    with torch.no_grad():
        found = space.to_rgb(x)
        error = match.relative_error(phi(found))
    return PreImage(
        found.clamp(0, 1),
        tuple(p.name for p in ready for _ in range(repeats)),
        first.joined(second),
        net.name,
        layer,
        image,
        error,
        facts_of(net, layer, energy, canvas, settings, seed, SECOND_STAGE),
    )


def _fitted(mask: Tensor | None, code: Tensor) -> Tensor | None:
    if mask is None:
        return None
    try:
        full = mask.to(code).expand(code.shape[1:])
    except RuntimeError:
        raise UnitError(
            f"a mask of shape {tuple(mask.shape)} does not fit a code of shape "
            f"{tuple(code.shape[1:])}"
        ) from None
    if not full.any():
        raise UnitError("the mask leaves nothing of the code to match")
    return full
