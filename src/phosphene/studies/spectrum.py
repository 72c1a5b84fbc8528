"""How fine an image is: which share of its spectrum lies at high frequencies.

The image is taken as gray, its mean is subtracted and it fades to the border under a Hann window,
so that the jump from one border to the other counts for nothing. Then

```text
share(f0) = sum of |F(f)|^2 over |f| > f0 / sum of |F(f)|^2
```

with f the length of the frequency in cycles a pixel. By default f0 = 1/8: structures of which a
period takes less than 8 pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

FINE = 0.125
"""Cycles a pixel above which a structure counts as fine."""


def fine_share(image: Tensor, above: float = FINE) -> float:
    """Return which share of an image's spectral energy is at high frequencies.

    Args:
        image: (c, h, w), of any scale.
        above: f0, in cycles a pixel; 0.5 is one change from pixel to pixel.

    Returns:
        0 to 1; 0 for an image of one color.

    >>> fine_share(torch.ones(3, 8, 8))
    0.0
    """
    gray = image.detach().cpu().double().mean(0)
    height, width = gray.shape
    down = torch.hann_window(height, dtype=gray.dtype)[:, None]
    window = down * torch.hann_window(width, dtype=gray.dtype)
    # The mean under the window: what is left of it would leak into the lowest frequencies.
    gray = (gray - (gray * window).sum() / window.sum().clamp(min=1e-30)) * window
    energy = torch.fft.fft2(gray).abs().square()
    rows, columns = torch.fft.fftfreq(height), torch.fft.fftfreq(width)
    fine = torch.hypot(rows[:, None], columns.expand(height, -1)) > above
    whole = float(energy.sum())
    return float(energy[fine].sum()) / whole if whole > 1e-20 else 0.0
