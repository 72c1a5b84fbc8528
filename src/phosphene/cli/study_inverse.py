"""What the study `informed` can be asked for besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from phosphene.cli import grouped

_PANEL = "Learning (informed)"


@dataclass(frozen=True)
class StudyInverse:
    """How inverse networks are learned; `None` if not said."""

    crop: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", min=8, help="Side of the crops that inverses learn from.",
                     show_default="the least for which the layer's map is 3x3",
                     rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    rate: Annotated[
        float | None,
        typer.Option(metavar="R", help="Step length of Adam.", show_default="0.003",
                     rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    held_out: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Of the photographs, which are only tested with.",
                     show_default="0.2", rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    bias: Annotated[
        bool, typer.Option("--bias", help="Let layers learn biases.", rich_help_panel=_PANEL)
    ] = False
    linear: Annotated[
        bool,
        typer.Option("--linear", help="Do not rectify on the way down: Network Saliency in place "
                     "of guided backpropagation.", rich_help_panel=_PANEL),
    ] = False  # fmt: skip

    def given(self) -> list[str]:
        """Return the options that were given."""
        return [f"--{name.replace('_', '-')}" for name in grouped.said(self)]

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of the study."""
        said = {name: getattr(self, name) for name in ("crop", "rate", "held_out")}
        known = {name: value for name, value in said.items() if value is not None}
        return {**known, "bias": self.bias, "rectified": not self.linear}
