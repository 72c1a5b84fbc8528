"""What collectors of several layers have in common: names, entries of a state, checks."""

from __future__ import annotations

from collections.abc import Sequence

from phosphene.errors import FormatError, SettingError
from phosphene.survey.collector import State


def layers_of(layers: Sequence[str]) -> tuple[str, ...]:
    """Return names of layers, each once.

    Raises:
        SettingError: There are none, or one name was given in place of several.
    """
    if isinstance(layers, str):
        raise SettingError(
            f"a list of layers is needed, and {layers!r} was given: give [{layers!r}]"
        )
    if not layers:
        raise SettingError("no layers were given to collect anything of: name one or more")
    return tuple(dict.fromkeys(layers))


def entry(layer: str, what: str) -> str:
    """Name an entry of a state."""
    return f"{layer}|{what}"


def check_same(state: State, what: str, own: float) -> None:
    """Make sure that two collectors were made alike.

    Raises:
        FormatError: They were not.
    """
    other = state.get(what)
    if other is None or float(other) != own:
        given = "nothing of it" if other is None else f"{float(other):g}"
        raise FormatError(
            f"a state with {what} {given} does not go together with {what} {own:g}: collect both "
            "with the same settings"
        )


def units_match(layer: str, own: int, other: int) -> None:
    """Make sure that a layer has as many channels as before.

    Raises:
        FormatError: It has not.
    """
    if own != other:
        raise FormatError(
            f"layer {layer!r} had {own} units so far, and has {other} now: survey one network at a "
            "time"
        )
