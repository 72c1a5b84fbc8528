r"""How much of a photograph's edges a signal shows, with which sign, and how sharply.

Written for images `u` of any scale, (c, h, w), with `G_s * u` a Gaussian blur of s pixels (its
kernel cut at 3 s, the border replicated), the *edge strength* is

    e(u) = sqrt( sum over channels of |grad G_1 * u|**2 ),    grad by central differences,

and relative to its neighbourhood, with `s` a sixteenth of the shorter side,

    r(u) = e(u) / ( G_s * e(u) + floor ).

| number | of signal x^ and photograph x |
|---|---|
| `edge_correlation` | Pearson's correlation of r(x^) and r(x), weighted by `G_s * e(x^)` |
| `plain_edge_correlation` | Pearson's correlation of e(x^) and e(x) |
| `sign_agreement` | Pearson's correlation of G_1 * x^ and G_1 * (x - G_{s/4} * x), both as gray |
| `sharpness` | `1 - (E r)**2 / E r**2` of r(x^), with the same weights |

The first does not ask *where* the signal is, which for one unit is decided by its receptive field
and by where objects stand, but whether it is strong there just where the photograph has its edges:
a signal that is a cloud, of whatever place and form, has 0. The plain one rewards the place too.
The sharpness is that of thin strong lines on quiet ground; a field of noise has 0.1 to 0.2.

*Reference.* None: the papers judge by eye (Mahendran & Vedaldi, ECCV 2016, section 3.1: "image
edges are recovered"). The numbers are phosphene's own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.errors import ImageError
from phosphene.studies.magnification import blurred

SCALE = 1.0
"""Pixels that are blurred over before differences are taken."""
NEIGHBOURHOOD = 16
"""Into how many neighbourhoods the shorter side is cut."""
# Of the strongest neighbourhood of a signal, and of the mean edge of a photograph: what is fainter
# counts as nothing instead of being made as strong as the rest.
_FAINT, _FLAT = 1e-3, 0.1


def edge_strength(image: Tensor) -> Tensor:
    """Return e(u).

    Args:
        image: (c, h, w), of any scale and sign.

    Returns:
        (h, w), float64, per pixel.
    """
    around = F.pad(blurred(_read(image)[None], SCALE), (1, 1, 1, 1), mode="replicate")[0]
    right = (around[:, 1:-1, 2:] - around[:, 1:-1, :-2]) / 2
    down = (around[:, 2:, 1:-1] - around[:, :-2, 1:-1]) / 2
    return (right.square() + down.square()).sum(0).sqrt()


def edge_correlation(signal: Tensor, photo: Tensor) -> float:
    """Say how much a signal is strong where, in its neighbourhood, a photograph has its edges.

    Args:
        signal: (c, h, w) what came back from the network, of any scale; the sign does not count.
        photo: (c', h, w) the photograph.

    Returns:
        -1 to 1; 0 where one of the two has no edges at all.

    Raises:
        ImageError: They are of different sizes.
    """
    _alike(signal, photo)
    relative, weights = _relative(signal)
    edges = edge_strength(photo)
    ground = _around(edges) + _FLAT * edges.mean()
    return _pearson(relative, _divided(edges, ground), weights)


def plain_edge_correlation(signal: Tensor, photo: Tensor) -> float:
    """Say how much a signal's edges are strong where a photograph's are; see `edge_correlation`."""
    _alike(signal, photo)
    return _pearson(edge_strength(signal), edge_strength(photo))


def sign_agreement(signal: Tensor, photo: Tensor) -> float:
    """Say how much a signal is bright, and dark, where a photograph is so against its surroundings.

    Args:
        signal: (c, h, w), of any scale.
        photo: (c', h, w).

    Returns:
        -1 to 1: 1 where the signal is the photograph's own detail, -1 where it is its negative, 0
        where signs have nothing to do with each other.

    Raises:
        ImageError: They are of different sizes.
    """
    _alike(signal, photo)
    gray, given = (_read(image)[None].mean(1, keepdim=True) for image in (photo, signal))
    detail = gray - blurred(gray, _reach(gray) / 4)
    return _pearson(blurred(given, SCALE), blurred(detail, SCALE))


def sharpness(signal: Tensor) -> float | None:
    """Say how much a signal consists of thin strong lines on quiet ground.

    Args:
        signal: (c, h, w), of any scale and sign.

    Returns:
        0 (equally strong everywhere, as far as a neighbourhood reaches) to 1; `None` for a signal
        without edges.
    """
    relative, weights = _relative(signal)
    total = weights.sum()
    if not total > 0:
        return None
    first, second = ((weights * relative**power).sum() / total for power in (1, 2))
    return float(1 - first.square() / second)


def _relative(signal: Tensor) -> tuple[Tensor, Tensor]:
    """Return r(x^), and the weights G_s * e(x^)."""
    edges = edge_strength(signal)
    around = _around(edges)
    return _divided(edges, around + _FAINT * around.max()), around


def _divided(edges: Tensor, ground: Tensor) -> Tensor:
    return torch.where(ground > 0, edges / ground.clamp(min=torch.finfo(edges.dtype).tiny), 0.0)


def _around(edges: Tensor) -> Tensor:
    return blurred(edges[None, None], _reach(edges))[0, 0]


def _reach(image: Tensor) -> float:
    return min(image.shape[-2:]) / NEIGHBOURHOOD


def _pearson(a: Tensor, b: Tensor, weights: Tensor | None = None) -> float:
    weights = torch.ones_like(a) if weights is None else weights
    if not weights.sum() > 0:
        return 0.0
    weights = weights / weights.sum()
    a, b = a - (weights * a).sum(), b - (weights * b).sum()
    spread = (weights * a * a).sum() * (weights * b * b).sum()
    return float((weights * a * b).sum() / spread.sqrt()) if spread > 0 else 0.0


def _read(image: Tensor) -> Tensor:
    """Take an image as float64, its strongest value as 1: signals may be as small as 1e-30."""
    image = image.detach().cpu().double()
    if image.dim() != 3 or not image.numel():
        raise ImageError(f"an image (c, h, w) is needed, and {tuple(image.shape)} was given")
    most = float(image.abs().max())
    return image / most if most > 0 else image


def _alike(signal: Tensor, photo: Tensor) -> None:
    if signal.shape[-2:] != photo.shape[-2:]:
        given, wanted = tuple(signal.shape[-2:]), tuple(photo.shape[-2:])
        raise ImageError(f"a signal of {given} pixels does not lie over a photograph of {wanted}")
