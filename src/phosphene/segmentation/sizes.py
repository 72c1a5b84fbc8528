"""The size that photographs are shown at as a whole."""

from __future__ import annotations

import copy
from dataclasses import replace

from phosphene.core.network import Network
from phosphene.errors import SettingError


def usual_side(net: Network) -> int:
    """Return the shorter side a photograph is shown at: 256 px for networks of 224 or 227 px.

    For others as much more than their input, to 32 px.
    """
    return max(32, round(min(net.preprocessing.input_size) * 256 / 224 / 32) * 32)


def resized_to(net: Network, shorter_side: int | None) -> tuple[Network, int]:
    """Return the network with another size of photographs, and that size."""
    side = usual_side(net) if shorter_side is None else shorter_side
    if side < 1:
        raise SettingError(f"a photograph cannot be shown at {side} px: give 1 at least")
    net.head  # noqa: B018 - found once, for the network and its copy
    sized = copy.copy(net)
    sized.preprocessing = replace(net.preprocessing, resize="shorter", resize_to=side)
    return sized, side
