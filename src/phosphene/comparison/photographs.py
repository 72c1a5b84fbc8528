"""What layers keep of photographs, and what they make more of: inversions and caricatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phosphene.comparison.entry import Answer
from phosphene.comparison.recipes import Recipes
from phosphene.core.network import Network
from phosphene.errors import UnitError
from phosphene.image import to_image
from phosphene.preimage.caricature import caricature
from phosphene.preimage.invert import invert
from phosphene.preimage.watch import Watch
from phosphene.studies.ledger import Cell

Tick = Callable[[int, int], None]
KINDS = ("inversion", "caricature")
STRENGTH = 10.0
"""C of caricatures. With the papers' 1 priors blur what first layers see."""


def made(
    kind: str, net: Network, layer: str, photo: Any, recipes: Recipes, seed: int, tick: Tick | None
) -> Cell:
    """Invert a layer's code of a photograph, or exaggerate what the layer sees in it.

    Returns:
        The pictures `found` and `reference`, and the relative `error` of an inversion; or `why`
        there is nothing to make of it.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    watch = Watch(tick)
    try:
        if kind == "inversion":
            found = invert(net, photo, layer, quality=recipes.invert, seed=seed, watch=watch)
        else:
            quality = recipes.caricature
            found = caricature(
                net, photo, layer, strength=STRENGTH, quality=quality, seed=seed, watch=watch
            )
    except UnitError as silence:
        return Cell({"why": str(silence)})
    if found.interrupted:
        raise KeyboardInterrupt
    assert found.reference is not None
    error = None if found.error is None else float(found.error[0])
    pictures = {"found": to_image(found.image[0]), "reference": to_image(found.reference[0])}
    return Cell({"error": error, "why": ""}, pictures)


def answer(cell: Cell, photograph: str) -> Answer:
    """Read what `made` has found."""
    pictures, values = cell.images, cell.values
    return Answer(
        photograph,
        pictures.get("found"),
        pictures.get("reference"),
        values.get("error"),
        values["why"],
    )
