"""How carefully the pictures of a comparison are found, the same for all of its networks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phosphene.core.network import Network
from phosphene.errors import SettingError, nearest
from phosphene.preimage import activate, caricature, invert
from phosphene.preimage.quick import QUICK, quick_size, quick_strength
from phosphene.preimage.recipe import Recipe

QUALITIES = ("quick", "fast", "paper", "best")


@dataclass(frozen=True)
class Recipes:
    """How each kind of picture is found.

    Attributes:
        name: Of the quality.
        activate: Recipe of activation maximisation.
        invert: Of inversion.
        caricature: Of caricatures.
    """

    name: str
    activate: Recipe
    invert: Recipe
    caricature: Recipe

    def canvas(self, net: Network, layer: str) -> tuple[tuple[int, int] | None, float]:
        """Return (h, w) of the images that units are maximised on, and C.

        In quick ones the image is no larger than what the network is shown.
        """
        if self.name != "quick":
            return None, 1.0
        return quick_size(net, layer), quick_strength(net, layer)


def recipes_of(quality: str = "quick", steps: int | None = None) -> Recipes:
    """Choose recipes.

    Args:
        quality: `"quick"` (20 to 40 steps: what is to be seen, in little time), `"fast"`,
            `"paper"` or `"best"`, as the single verbs have them.
        steps: In place of the iterations of each.

    Raises:
        SettingError: There is no such quality.
    """
    if quality not in QUALITIES:
        offer = nearest(quality, QUALITIES) or f": choose one of {', '.join(QUALITIES)}"
        raise SettingError(f"{quality!r} is no quality{offer}")
    if quality == "quick":
        found = Recipes(
            "quick",
            QUICK,
            replace(invert.RECIPES["fast"], name="quick", steps=40, second=0),
            replace(caricature.RECIPES["fast"], name="quick", steps=30),
        )
    else:
        rooms = activate.RECIPES, invert.RECIPES, caricature.RECIPES
        found = Recipes(quality, *(room[quality] for room in rooms))
    if steps is None:
        return found
    return Recipes(
        found.name,
        *(replace(r, steps=steps) for r in (found.activate, found.invert, found.caricature)),
    )
