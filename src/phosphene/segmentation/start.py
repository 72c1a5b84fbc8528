"""Where the signal of a class starts, and what to try where none comes back."""

from __future__ import annotations

from typing import Literal, get_args

import torch

from phosphene.core.rules import Reversal
from phosphene.core.seed import Seed, as_maps
from phosphene.core.tape import Tape
from phosphene.core.unit import Unit
from phosphene.errors import SettingError

Start = Literal["positive", "strongest", "everywhere"]


def check_start(start: str) -> None:
    """Make sure that a signal can start there.

    Raises:
        SettingError: It cannot.
    """
    if start not in get_args(Start):
        known = ", ".join(get_args(Start))
        raise SettingError(f"no signal starts at {start!r}; choose one of {known}")


def planted(index: int, tape: Tape, start: Start) -> Seed:
    """Return the signal of a class at the end of a tape of class scores."""
    if start == "everywhere":
        maps, back = as_maps(tape.activation)
        p = torch.zeros_like(maps)
        p[:, index] = 1
        return Unit.given(back(p)).plant(tape.activation)
    return Unit(index, at=start).plant(tape.activation)


def advice_for(rule: Reversal, start: Start | None) -> str:
    """Say what to try where nothing came back to the image, to who writes options or Python.

    Args:
        rule: That was used.
        start: Where the signal started; `None` where this cannot be chosen.
    """
    if rule.relu in ("rectify", "mask+rectify"):
        # All positions together send back more that is negative than one of them does.
        other = "start at the strongest position (--seed-at strongest, or seed='strongest'), or "
        return (
            "rectifying left nothing of the signal; "
            f"{other if start not in ('strongest', None) else ''}take the rule saliency "
            "(--rule saliency, or rule='saliency')"
        )
    return "no pixel changes the score of this class; ask for another"
