"""What the studies of `segmentation` and `localization` can be asked for besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from phosphene.cli import grouped
from phosphene.cli.cutting import SeedAt, check_quantiles
from phosphene.errors import SettingError

_PANEL = "Maps and cuts (segmentation, localization)"


@dataclass(frozen=True)
class StudyCuts:
    """Which maps are made and how they are cut, in the words of `segment`; `None` if not said."""

    method: Annotated[
        list[str] | None,
        typer.Option(metavar="METHOD", help="What makes the map: saliency, guided, deconvnet; or "
                     "a Gaussian in the middle: corners (with some in the corners taken off), "
                     "blob. Repeatable.", show_default="all five", rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    engine: Annotated[
        list[str] | None,
        typer.Option("--engine", "-e", metavar="ENGINE", help="What cuts: graph-cut, grab-cut, "
                     "threshold. Repeatable.",
                     show_default="all that are installed", rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    high: Annotated[
        float | None,
        typer.Option(metavar="Q", help="Quantile of the map from which a pixel is object.",
                     show_default="0.95 for saliency, 0.90 for all others",
                     rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    low: Annotated[
        float | None,
        typer.Option(metavar="Q", help="Quantile up to which it is background.",
                     show_default="0.30", rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    threshold: Annotated[
        float | None,
        typer.Option(metavar="Q", help="Quantile that the engine threshold cuts at; for Gaussians "
                     "at least 0.90.", show_default="0.80", rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    shorter_side: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", min=1, help="Of photographs as they are shown and cut.",
                     show_default="256 for networks of 224, others in proportion",
                     rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    seed_at: Annotated[
        SeedAt | None,
        typer.Option(help="Where the signal starts.", show_default="positive",
                     rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    smoothing: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Smooth the maps of rules by a Gaussian this wide, as a "
                     "share of the shorter side.", show_default="0", rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    fill: Annotated[
        bool, typer.Option("--fill", help="Fill holes of the object.", rich_help_panel=_PANEL)
    ] = False

    def given(self) -> list[str]:
        """Return the options that were given."""
        return [f"--{name.replace('_', '-')}" for name in grouped.said(self)]

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of the studies, once they make sense together."""
        from phosphene.studies.methods import METHODS, Constants, check, engines

        methods = tuple(dict.fromkeys(self.method or METHODS))
        by: tuple[Any, ...] = tuple(dict.fromkeys(self.engine or engines()))
        check_quantiles(by, self.high, self.low, self.threshold)
        chosen = ("high", "low", "threshold", "shorter_side", "smoothing", "fill")
        said = {name: getattr(self, name) for name in chosen} | {"seed": self.seed_at}
        constants = Constants(**{k: v for k, v in said.items() if v is not None})
        try:
            check(methods, by, constants)
        except SettingError as error:
            raise typer.BadParameter(str(error)) from None
        return {"constants": constants, "methods": methods, "by": by}
