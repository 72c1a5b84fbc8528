r"""How alike two maps are: by the order of their pixels, and as pictures.

The *rank correlation* of Spearman is Pearson's correlation of the ranks of all pixels, equal values
sharing their mean rank: 1 where both order the pixels alike, whatever their scales.

The *structural similarity* (Wang et al. 2004), for maps in [0, 1], is the mean over pixels of

    SSIM = (2 m_a m_b + C1) (2 s_ab + C2) / ((m_a^2 + m_b^2 + C1) (s_a^2 + s_b^2 + C2)),

with means m, variances s^2 and the covariance s_ab under a Gaussian of 1.5 pixels cut to 11 x 11,
`C1 = 0.01^2`, `C2 = 0.03^2`; only where that lies in the image. Maps are scaled to [0, 1] before,
so that their 99.5 % quantile is 1. Where both maps are empty it is 1: two maps that are dark but
for a small place are alike by this measure whatever that place is, which a control must show.

*Reference.* Both are the measures of Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018,
section 3; Z. Wang et al., Image Quality Assessment, IEEE TIP 2004, equation 13.
"""

from __future__ import annotations

import torch
from torch import Tensor

from phosphene.core import ranks
from phosphene.display import normalize_map
from phosphene.studies.magnification import blurred

_SIGMA, _REACH = 1.5, 5
_C1, _C2 = 0.01**2, 0.03**2


def rank_correlation(a: Tensor, b: Tensor) -> float | None:
    """Correlate the orders of two maps' pixels.

    Args:
        a: (h, w), finite.
        b: (h, w), finite.

    Returns:
        -1 to 1; `None` where one of them is the same everywhere.

    >>> rank_correlation(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 8.0, 27.0]]))
    1.0
    """
    one, other = (m.detach().cpu().flatten()[:, None].numpy() for m in (a, b))
    found = float(ranks.rank_correlation(one, other)[0])
    return max(-1.0, min(1.0, found)) if found == found else None


def structural_similarity(a: Tensor, b: Tensor) -> float | None:
    """Compare two maps as pictures.

    Args:
        a: (h, w), at least zero; 11 pixels a side or more.
        b: (h, w).

    Returns:
        -1 to 1; `None` where one of them is zero everywhere.
    """
    if not float(a.abs().max()) > 0 or not float(b.abs().max()) > 0:
        return None
    one, other = (normalize_map(m[None]).double() for m in (a, b))
    # One call for the five local means.
    stack = torch.stack([one, other, one * one, other * other, one * other])
    means = blurred(stack, _SIGMA)[:, 0, _REACH:-_REACH, _REACH:-_REACH]
    mean_a, mean_b = means[0], means[1]
    var_a, var_b = means[2] - mean_a**2, means[3] - mean_b**2
    both = means[4] - mean_a * mean_b
    top = (2 * mean_a * mean_b + _C1) * (2 * both + _C2)
    bottom = (mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2)
    return float((top / bottom).mean())
