"""The colours of a region, as a mixture of Gaussians.

A region's pixels are split in two again and again (Orchard & Bouman, "Color quantization of
images", 1991): of all clusters the one with the most scatter along its leading axis, cut at its
mean. Each cluster becomes a Gaussian with its sample mean and covariance; nothing is iterated.

The density of a colour x is

    p(x) = 0.05 * 1 + 0.95 * sum_k w_k N(x; m_k, S_k + e I)

where 1 is the density of all colours alike over the cube of RGB in [0, 1], so that no colour is
impossible, and e the square of one gray level of 255, so that a flat cluster has a width.

*Reference.* Mahendran & Vedaldi, ECCV 2016, section 3.5: 5 Gaussians for the object and 5 for the
background, of full covariance, in the authors' code.

*Departures from the paper.* Neither the rule of the split nor e are stated there. Clusters of one
or two pixels are dropped, as there, but for the last one: a region always has a model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError

COMPONENTS = 5
UNIFORM = 0.05
_LEAST = 3
_WIDTH = (1 / 255) ** 2
# So many colours at a time stay in the processor's cache.
_STRIP = 8192

Pixels = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ColorModel:
    """A mixture of Gaussians over RGB in [0, 1].

    Attributes:
        weights: (k,) shares of the pixels, summing to 1.
        means: (k, 3).
        covariances: (k, 3, 3).
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]

    def density(self, colors: Pixels) -> Pixels:
        """Return the density (n,) of colours (n, 3), with the uniform part."""
        # N(x; m, S) = |det L^-1| exp(-|L^-1 (x - m)|^2 / 2) / (2 pi)^(3/2), with S = L L^T.
        whiten = np.linalg.inv(np.linalg.cholesky(self.covariances))
        heights = self.weights * np.linalg.det(whiten) / (2 * np.pi) ** 1.5
        found = np.full(len(colors), UNIFORM, np.float32)
        gaussians = [
            (np.float32((1 - UNIFORM) * height), mean.astype(np.float32)[:, None], matrix)
            for height, mean, matrix in zip(
                heights, self.means, whiten.astype(np.float32), strict=True
            )
        ]
        for start in range(0, len(colors), _STRIP):
            strip = np.ascontiguousarray(colors[start : start + _STRIP].T)
            for height, mean, matrix in gaussians:
                away = matrix @ (strip - mean)
                distance = np.square(away, out=away).sum(0)
                distance *= -0.5
                found[start : start + _STRIP] += height * np.exp(distance, out=distance)
        return found


def color_model(colors: Pixels, components: int = COMPONENTS) -> ColorModel:
    """Learn the colours of a region.

    Args:
        colors: (n, 3), RGB in [0, 1]; one at least.
        components: How many Gaussians at most.

    Raises:
        SettingError: There is no pixel, or no Gaussian, to make a model of.
    """
    if components < 1 or not len(colors):
        raise SettingError(
            f"a colour model of {components} Gaussians from {len(colors)} pixels cannot be: one of "
            "each is needed at least"
        )
    clusters = split(colors, components)
    kept = [c for c in clusters if len(c) >= _LEAST] or [max(clusters, key=len)]
    counts = np.array([len(c) for c in kept], np.float64)
    return ColorModel(
        counts / counts.sum(),
        np.stack([c.mean(0, dtype=np.float64) for c in kept]),
        np.stack([_scatter(c) / max(1, len(c) - 1) + _WIDTH * np.eye(3) for c in kept]),
    )


def split(colors: Pixels, count: int) -> list[Pixels]:
    """Divide colours (n, 3) into `count` clusters, or fewer where there are fewer colours."""
    clusters = [(colors, *_leading(colors))]
    while len(clusters) < count:
        index = max(range(len(clusters)), key=lambda i: clusters[i][1])
        widest, spread, axis = clusters[index]
        if spread <= 0:
            break
        along = widest @ axis
        upper = along > along.mean(dtype=np.float64)
        parts = widest[upper], widest[~upper]
        if not len(parts[0]) or not len(parts[1]):  # equal but for rounding
            clusters[index] = (widest, 0.0, axis)
            continue
        clusters[index : index + 1] = [(part, *_leading(part)) for part in parts]
    return [cluster for cluster, _, _ in clusters]


def _leading(colors: Pixels) -> tuple[float, Pixels]:
    """Return the scatter of colours along their leading axis, and that axis."""
    values, vectors = np.linalg.eigh(_scatter(colors))
    # Of colours that are all alike the rest is rounding.
    spread = float(values[-1]) if values[-1] > 1e-9 * len(colors) else 0.0
    return spread, vectors[:, -1].astype(np.float32)


def _scatter(colors: Pixels) -> NDArray[np.float64]:
    away = colors - colors.mean(0, dtype=np.float64)
    scatter: NDArray[np.float64] = away.T @ away
    return scatter
