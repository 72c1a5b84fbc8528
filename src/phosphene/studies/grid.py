"""The numbers of the eight architectures at a layer, and main effects of their three choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from phosphene.core.rules import Reversal
from phosphene.studies.factorial import Corner, main_effects
from phosphene.studies.tabulated import averaged

CHOICES = ("polarity", "masks", "switches")
MEASURES = {"edges": "edge correlation", "sign": "agreement of signs", "sharpness": "sharpness"}
"""What effects are given of, and what to call it."""
COLUMNS = {**MEASURES, "chance": "edges by chance", "plain": "plain edge correlation"}

Values = list[float | None]


@dataclass(frozen=True)
class Grid:
    """The numbers of one layer.

    Attributes:
        layer: Its name.
        rules: Those of LRN's identity first, then those of its derivative, if any.
        photos: What was measured of each photograph.
        pools: Whether there is a max-pool: without one switches change nothing.
    """

    layer: str
    rules: tuple[Reversal, ...]
    photos: Sequence[Mapping[str, Any]]
    pools: bool = True

    def values(self, rule: Reversal, measure: str) -> Values:
        """Return a measure by photograph."""
        return [photo["rules"][str(rule)][measure] for photo in self.photos]

    @property
    def plain(self) -> tuple[Reversal, ...]:
        """The eight of LRN's identity."""
        return tuple(rule for rule in self.rules if rule.lrn == "identity")

    @property
    def derived(self) -> tuple[Reversal, ...]:
        """The eight of LRN's derivative; none where the network has no LRN."""
        return tuple(rule for rule in self.rules if rule.lrn == "backprop")

    @cached_property
    def effects(self) -> dict[str, dict[str, Values]]:
        """Main effects by measure and choice, photograph by photograph; LRN's identity."""
        return {measure: self._effects(measure) for measure in MEASURES}

    def _effects(self, measure: str) -> dict[str, Values]:
        columns = {corner(rule): self.values(rule, measure) for rule in self.plain}
        each = [
            main_effects({at: column[i] for at, column in columns.items()}, CHOICES)
            for i in range(len(self.photos))
        ]
        return {choice: [effects[choice] for effects in each] for choice in CHOICES}

    def at(self, polarity: bool, masks: bool, switches: bool) -> Reversal:
        """Return the architecture of some choices."""
        return next(rule for rule in self.plain if corner(rule) == (polarity, masks, switches))

    def as_data(self) -> dict[str, Any]:
        """Return all numbers, averaged."""
        return {
            "layer": self.layer,
            "rules": [
                {
                    "rule": str(rule),
                    "lrn": rule.lrn,
                    **dict(zip(CHOICES, corner(rule), strict=True)),
                    **{what: averaged(self.values(rule, what)) for what in COLUMNS},
                }
                for rule in self.rules
            ],
            "effects": {
                measure: {choice: averaged(values) for choice, values in by.items()}
                for measure, by in self.effects.items()
            },
        }


def corner(rule: Reversal) -> Corner:
    """Say which of `CHOICES` a rule makes.

    >>> corner(Reversal("rectify", "centre"))
    (True, False, False)
    """
    return "rectify" in rule.relu, "mask" in rule.relu, rule.pool == "switches"
