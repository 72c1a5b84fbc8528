"""How signals of patches become pictures around mid-gray.

Zeiler & Fergus say of theirs that the contrast was enhanced, and not how. Here are three rules:

- `"patch"`: `0.5 + x / max(2 max x, -2 min x)`, patch by patch, as in Yosinski et al.'s toolbox, so
  that the strongest value of each is black or white;
- `"map"`: the same with the extremes of all patches of a unit, so that they can be compared;
- `"quantile"`: the display map of Mahendran & Vedaldi, patch by patch (`phosphene.display`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from phosphene.display import show_signal
from phosphene.errors import SettingError

Contrast = Literal["patch", "map", "quantile"]


def enhanced(signals: Sequence[Tensor], contrast: Contrast = "patch") -> list[Tensor]:
    """Bring the signals of a unit's patches to [0, 1].

    Args:
        signals: (c, h, w) each, of any sizes.
        contrast: The rule.

    Returns:
        The same shapes; zero is 0.5, and so is a signal that is zero everywhere.

    Raises:
        SettingError: There is no such rule.
    """
    if contrast not in get_args(Contrast):
        raise SettingError(f"contrast={contrast!r} is none of {', '.join(get_args(Contrast))}")
    if contrast == "quantile":
        return [show_signal(signal) for signal in signals]
    reach = [_reach(signal) for signal in signals]
    if contrast == "map" and reach:
        reach = [torch.stack(reach).amax()] * len(reach)
    return [0.5 + s / torch.where(r > 0, r, 1) for s, r in zip(signals, reach, strict=True)]


def _reach(signal: Tensor) -> Tensor:
    if not signal.numel():
        return signal.new_zeros(())
    return torch.maximum(2 * signal.amax(), -2 * signal.amin())
