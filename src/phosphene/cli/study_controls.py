"""What the sanity controls among the studies can be asked for besides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import grouped

if TYPE_CHECKING:
    from phosphene.cli.options import NetworkOptions

_PANEL = "Maps under test (cascade, labels, deletion, infidelity)"
# Which of the options a study takes, and what its own argument is called.
_TAKES = {
    "cascade": {"rule": "methods", "randomise": "how", "independent": "independent"},
    "labels": {"rule": "methods", "against": "against", "again": "again"},
    "deletion": {"rule": "methods", "deleted": "deleted", "inserted": "inserted"},
    "infidelity": {
        "rule": "methods",
        "deleted": "deleted",
        "perturbation": "perturbation",
        "unscaled": "scaled",
        "radius": "radius",
        "draws": "draws",
    },
}


@dataclass(frozen=True)
class StudyControls:
    """Which maps are put to the test, and how; `None` if not said."""

    rule: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="Maps: explain's rules, or occlusion. Repeatable.",
                     show_default="saliency, deconvnet, guided, excitation, contrastive, grad-cam",
                     rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    randomise: Annotated[
        str | None,
        typer.Option(metavar="HOW", help="How layers forget: permuted (their own weights) or "
                     "redrawn (of the same mean and spread).", show_default="permuted",
                     rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    independent: Annotated[
        bool,
        typer.Option("--independent", help="Let one layer forget at a time.",
                     rich_help_panel=_PANEL),
    ] = False  # fmt: skip
    against: Annotated[
        str | None,
        typer.Option(metavar="WEIGHTS", help="Of the same network, learned from permuted labels: "
                     "in place of --weights, or else of -m.", show_default="demo: its twin",
                     rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    again: Annotated[
        str | None,
        typer.Option(metavar="WEIGHTS", help="The same, learned alike from true labels.",
                     rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    deleted: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What pixels become: mean, gray, black, blur.",
                     show_default="mean", rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    inserted: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What insertion begins with, one of the same.",
                     show_default="blur", rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    perturbation: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What maps are to foretell: square, noise.",
                     show_default="square", rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    unscaled: Annotated[
        bool,
        typer.Option("--unscaled", help="Take infidelity of maps as they are, not scaled to fit.",
                     rich_help_panel=_PANEL),
    ] = False  # fmt: skip
    radius: Annotated[
        float | None,
        typer.Option(metavar="R", min=0, help="Of the ball for sensitivity, in RGB from 0 to 1.",
                     show_default="0.02", rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    draws: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Images drawn from the ball.", show_default="8",
                     rich_help_panel=_PANEL),
    ] = None  # fmt: skip

    def given(self, study: str = "") -> list[str]:
        """Return the options that were given, but for those that a study takes."""
        takes = _TAKES.get(study, {})
        return [f"--{name}" for name in grouped.said(self) if name not in takes]

    def arguments(self, study: str, network: NetworkOptions) -> dict[str, Any]:
        """Return the keyword arguments of a study, with the networks to compare with opened."""
        found: dict[str, Any] = {}
        for option, argument in _TAKES[study].items():
            value = getattr(self, option)
            if value is None or value is False:
                continue
            if option == "unscaled":
                value = False
            elif option in ("against", "again"):
                value = self._opened(value, network)
            found[argument] = tuple(value) if option == "rule" else value
        return found

    def _opened(self, weights: str, network: NetworkOptions) -> Any:
        if network.weights is not None:
            return replace(network, weights=Path(weights)).reopen()
        return replace(network, model=weights).reopen()
