"""How much larger things are in one image than in another, as a number.

Two images that show the same kind of things at different places have nothing to lay over each
other; but a layer's units, wherever on the image they answer, tell what fine and coarse structures
there are. For an image the *signature* is

```text
v_c = log(mean over positions of phi_c^2 + epsilon), minus its mean over channels
```

with phi an early layer and epsilon a thousandth of the mean energy. The original is enlarged by
many factors s, and blurred by several sigma; the factor is that of the version whose signature is
nearest to the image's. Blur is tried for its own sake: inversions are smoother than photographs,
and without it smooth would be taken for large; blurs between those tried are those on the line
between their signatures. Between the factors tried, a parabola through the
three squared distances around the smallest gives the minimum.

Before anything else every image is softened by a Gaussian of one pixel: noise, of which inversions
are never free, would count as fine structure. The signature is blind to where things are, and
nearly to how many there are. It is not blind to colour: tints and a contrast far from the
original's make single answers scatter by a third.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from phosphene.core.network import Network
from phosphene.core.seed import as_maps
from phosphene.studies.depth import spread_layers

FACTORS = tuple(2 ** (k / 6) for k in range(-3, 8))
"""From 0.71 to 2.2, a sixth of an octave apart."""
BLURS = (0.0, 1.0, 2.0)
"""Standard deviations in pixels."""
SOFT = 1.0
"""Standard deviation in pixels by which all images are softened."""


@dataclass(frozen=True, eq=False)
class Scaled:
    """An image at many sizes and blurs, to find other images' scale by.

    Attributes:
        net: The network whose layer makes the signatures.
        layer: That layer.
        signatures: (len(FACTORS), len(BLURS), c).
    """

    net: Network
    layer: str
    signatures: Tensor

    @classmethod
    def of(cls, net: Network, image: Tensor, layer: str) -> Scaled:
        """Take the signatures of an image.

        Args:
            net: The network.
            image: (1, 3, h, w) RGB in [0, 1].
            layer: An early layer with maps.
        """
        versions = [
            torch.stack([signature(net, blurred(resized(image, s), b), layer) for b in BLURS])
            for s in FACTORS
        ]
        return cls(net, layer, torch.stack(versions))

    def factor(self, image: Tensor) -> float:
        """Return how many times larger things are in an image than in the original.

        Args:
            image: (1, 3, h, w) RGB in [0, 1].
        """
        own = signature(self.net, image, self.layer)
        distances = _to_lines(own, self.signatures).amin(1)  # the best blur for each factor
        best = int(distances.argmin())
        if best in (0, len(FACTORS) - 1):
            return FACTORS[best]
        left, middle, right = distances[best - 1 : best + 2].tolist()
        bend = left - 2 * middle + right
        shift = 0.5 * (left - right) / bend if bend > 0 else 0.0
        return FACTORS[best] * 2 ** (shift / 6)


def _to_lines(point: Tensor, nodes: Tensor) -> Tensor:
    """Return (n, k - 1) squared distances of a point (c,) to lines with the nodes (n, k, c).

    Between two blurs that were tried lie those that were not. The first piece goes on for half its
    length on the sharp side: without that, a factor a little too small would fit with some blur,
    but none that is a little too large.
    """
    begin, along = nodes[:, :-1], nodes.diff(dim=1)
    place = ((point - begin) * along).sum(2) / along.square().sum(2).clamp(min=1e-30)
    least = torch.zeros_like(place)
    least[:, 0] = -0.5
    nearest = begin + place.clamp(max=1).maximum(least)[..., None] * along
    return (point - nearest).square().mean(2)


@torch.no_grad()
def signature(net: Network, image: Tensor, layer: str) -> Tensor:
    """Return (c,) the relative energies of a layer's channels, in the logarithm.

    Args:
        net: The network.
        image: (1, 3, h, w) RGB in [0, 1], of any size the layer takes.
        layer: The layer.
    """
    soft = blurred(image.to(net.device, net.dtype), SOFT)
    maps = as_maps(net[layer](soft))[0][0].double().cpu()
    # The outermost sites see the padding of the network, not the image.
    inner = maps[:, 1:-1, 1:-1] if min(maps.shape[1:]) > 4 else maps
    energy = inner.square().mean((1, 2))
    logs = (energy + 1e-3 * energy.mean().clamp(min=1e-30)).log()
    centred: Tensor = logs - logs.mean()
    return centred


def resized(image: Tensor, factor: float) -> Tensor:
    """Return (b, c, s h, s w): the image enlarged, or made smaller without aliasing."""
    if factor == 1:
        return image
    size = [max(8, round(factor * side)) for side in image.shape[2:]]
    larger = interpolate(image, size=size, mode="bicubic", antialias=True, align_corners=False)
    return larger.clamp(0, 1)


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Return the image under a Gaussian of that standard deviation in pixels."""
    if not sigma:
        return image
    reach = math.ceil(3 * sigma)
    places = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    kernel = (-places.square() / (2 * sigma**2)).exp()
    kernel = kernel / kernel.sum()
    channels = image.shape[1]
    padded = pad(image, (reach,) * 4, mode="replicate")
    across = conv2d(padded, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    down: Tensor = conv2d(
        across, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels
    )
    return down


def early_layer(net: Network) -> str:
    """Choose the layer for signatures: at a third of the depth, with maps of 8 sites or more.

    >>> from phosphene.zoo.demo import demo
    >>> early_layer(demo())
    'pool2'
    """
    names = spread_layers(net, 99)
    shapes = {layer.name: layer.shape for layer in net.layers()}
    wide = [n for n in names if len(shapes.get(n, ())) == 3 and min(shapes[n][1:]) >= 8]
    before = [name for name in wide if name in names[: max(1, round(len(names) / 3))]]
    return (before or wide or list(names))[-1 if before else 0]
