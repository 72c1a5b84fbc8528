"""Caricature: a photograph with what a layer sees in it exaggerated.

*Reference.* Mahendran & Vedaldi, IJCV 2016, section 7; thesis 2018, section 5.5. Algorithm 1 from
the photograph itself, 300 iterations, no second stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from phosphene.core.network import Network
from phosphene.core.photographs import prepared, several
from phosphene.errors import ImageError, UnitError
from phosphene.preimage.canvas import PixelSpace
from phosphene.preimage.descent import Settings
from phosphene.preimage.energy import Energy, Prior
from phosphene.preimage.objectives import Caricature
from phosphene.preimage.priors import NATURAL
from phosphene.preimage.result import PreImage
from phosphene.preimage.solve import canvas_for, facts_of, solve, sum_of


def caricature(
    net: Network,
    photo: Any,
    layer: str,
    *,
    strength: float = 1.0,
    priors: Sequence[Prior] | Energy = NATURAL,
    jitter: int | None = None,
    settings: Settings | None = None,
    seed: int = 0,
) -> PreImage:
    """Exaggerate what a layer sees in photographs.

    Args:
        net: The network.
        photo: A photograph (file, PIL image, array, tensor in [0, 1]), or a list of them.
        layer: The layer whose active components shall become more active.
        strength: C.
        priors: Terms beside the objective.
        jitter: T; a quarter of the layer's stride if `None`.
        settings: Constants of Algorithm 1; the papers' if `None`.
        seed: Start of the jitter's random numbers.

    Returns:
        One image for each photograph.

    Raises:
        ImageError: The photographs cannot be read.
        UnknownLayer: There is no such layer.
        UnitError: Nothing in the layer is active, so there is nothing to exaggerate.
    """
    photos = several(photo)
    if not photos:
        raise ImageError("there is nothing to exaggerate: give a photograph")
    settings = settings or Settings()
    ready = list(prepared(net, photos))
    image = torch.cat([p.image for p in ready])
    phi, space = net[layer], PixelSpace.of(net.preprocessing, image)
    with torch.no_grad():
        code = phi(image)
    silent = ~(code > 0).flatten(1).any(1)
    if silent.any():
        raise UnitError(
            f"no component of layer {layer!r} is positive in photograph "
            f"{int(silent.nonzero()[0])}: choose another layer"
        )
    size = (int(image.shape[2]), int(image.shape[3]))
    canvas = canvas_for(size, net.receptive_field(layer), jitter)
    energy = sum_of(strength * Caricature(code), priors)
    x = canvas.place(space.from_rgb(image))
    generator = torch.Generator().manual_seed(seed)
    trace = solve(energy, phi.of_input, x, canvas, space, settings, generator)
    found = space.to_rgb(canvas.crop(x, canvas.middle)).clamp(0, 1)
    names = tuple(p.name for p in ready)
    facts = facts_of(net, layer, energy, canvas, settings, seed)
    return PreImage(found, names, trace, net.name, layer, image, None, facts)
