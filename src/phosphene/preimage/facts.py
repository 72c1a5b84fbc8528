"""What is said of how pre-images were found: enough to do it again."""

from __future__ import annotations

from phosphene.core.representation import Representation
from phosphene.preimage.canvas import Canvas
from phosphene.preimage.energy import Energy
from phosphene.preimage.recipe import Recipe
from phosphene.provenance import versions


def facts_of(
    phi: Representation, energy: Energy, canvas: Canvas, recipe: Recipe, seed: int, **more: str
) -> dict[str, str]:
    """Say by name what was descended, where and how, and by which versions."""
    return {
        "network": phi.network.name,
        "layer": phi.layer or ("class scores" if phi.rewind else "output"),
        "energy": str(energy),
        "jitter": str(canvas.jitter),
        "size": f"{canvas.size[0]}x{canvas.size[1]}",
        "recipe": str(recipe),
        "seed": str(seed),
        **more,
        **versions(),
    }
