"""Pictures of what units answer to: images, dark where the unit is not above its threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from phosphene.core.network import Network
from phosphene.errors import ImageError
from phosphene.panel import Tile
from phosphene.survey.dissection.concepts import ConceptSet
from phosphene.survey.dissection.upsampling import Way, upsampling
from phosphene.survey.facts import LayerFacts
from phosphene.survey.sweeping.showing import Showing

DARK = 0.2
"""What is left of the light of pixels outside the mask."""
Wanted = Mapping[tuple[str, int], Sequence[int]]


def masked_tiles(
    net: Network,
    concepts: ConceptSet,
    wanted: Wanted,
    thresholds: Mapping[str, Tensor],
    facts: Mapping[str, LayerFacts],
    way: Way,
) -> dict[tuple[str, int], tuple[Tile, ...]]:
    """Draw images with the masks of units; one forward pass an image, whatever is wanted of it.

    Args:
        net: The network, as it was dissected.
        concepts: The images.
        wanted: The images of each layer and unit, by number.
        thresholds: (c,) of each layer.
        facts: Of the layers.
        way: How codes are brought to the size of the images.

    Returns:
        The tiles of each layer and unit, in the order of its images; those that can be read.
    """
    images = sorted({index for indices in wanted.values() for index in indices})
    layers = sorted({layer for layer, _ in wanted})
    ups = {}
    for layer in layers:
        fact = facts[layer]
        size = fact.height, fact.width
        ups[layer] = upsampling(way, size, concepts.image_size, fact.input_size, fact.field)
    showing = Showing(net, layers)
    drawn: dict[tuple[str, int, int], Tile] = {}
    for index in images:
        try:
            photo = concepts.image(index)
        except ImageError:
            continue
        codes = showing(net.prepare(photo)[0])
        shown = photo.resize(concepts.image_size[::-1])
        for (layer, unit), indices in wanted.items():
            if index in indices:
                limit = thresholds[layer][unit].to(codes[layer])[None]
                code = codes[layer].reshape(-1, facts[layer].height, facts[layer].width)[unit]
                mask = ups[layer].above(code[None], limit)[0]
                value = f"{concepts.name_of(index)}: {float(code.max()):.4g}"
                drawn[layer, unit, index] = Tile(_dark(shown, mask), "", value)
    return {
        (layer, unit): tuple(drawn[layer, unit, i] for i in indices if (layer, unit, i) in drawn)
        for (layer, unit), indices in wanted.items()
    }


def _dark(image: Image.Image, mask: Tensor) -> Image.Image:
    gain = torch.where(mask, 1.0, DARK).cpu().numpy()[..., None]
    return Image.fromarray(np.rint(np.asarray(image) * gain).astype(np.uint8))
