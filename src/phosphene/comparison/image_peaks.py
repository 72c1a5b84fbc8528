"""How high every unit gets in an image, image by image: what is usual, and what is not.

A picture's response is held against those of other *images*, largest value against largest value:
the largest of thousands of positions is nearly always high among positions. So what is kept of an
image is the largest value of each map; of very many images a fair sample, chosen by random numbers
that hang on an image's key alone (as `survey.quantiles` chooses positions), the same in whatever
order they come and however they are shared out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from phosphene.errors import UnitError
from phosphene.survey.collector import Batch, State
from phosphene.survey.layered import check_same, entry, layers_of
from phosphene.survey.quantiles.sample import random_numbers
from phosphene.survey.summary import maxima

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST = 5000


class ImagePeaks:
    """Collects the largest value of every channel in each image.

    Attributes:
        layers: The layers.
        most: How many images are kept.
    """

    def __init__(self, layers: Sequence[str], most: int = MOST) -> None:
        self.layers = layers_of(layers)
        self.most = most
        self._keys: Ints = np.empty(0, np.int64)
        self._values: dict[str, NDArray[np.float32]] = {}

    def see(self, batch: Batch) -> None:
        """Take in a batch.

        Raises:
            NotFinite: A code is NaN or infinite.
        """
        found = {layer: maxima(batch, layer).float().numpy() for layer in self.layers}
        self._take(batch.keys.cpu().numpy(), found)

    def state(self) -> State:
        """Return all it knows."""
        kept: State = {"most": torch.tensor(self.most), "keys": torch.from_numpy(self._keys.copy())}
        for layer, values in self._values.items():
            kept[entry(layer, "values")] = torch.from_numpy(values.copy())
        return kept

    def merge(self, state: State) -> None:
        """Take in what another has seen of other images."""
        check_same(state, "most", self.most)
        keys = state["keys"].numpy()
        if len(keys):
            self._take(keys, {n: state[entry(n, "values")].numpy() for n in self.layers})

    @property
    def keys(self) -> Ints:
        """(n,) the images that are kept, in the order of the set."""
        return np.sort(self._keys)

    def of(self, layer: str) -> Floats:
        """Return (n, c) the largest values, in the order of `keys`.

        Raises:
            UnitError: Nothing was seen of the layer.
        """
        if layer not in self._values:
            raise UnitError(f"nothing was collected of layer {layer!r}: name it, and see images")
        return self._values[layer][np.argsort(self._keys)].astype(np.float64)

    def _take(self, keys: Ints, values: dict[str, NDArray[np.float32]]) -> None:
        together = np.concatenate([self._keys, keys])
        order = np.arange(len(together))
        if len(together) > self.most:
            order = np.argsort(random_numbers(together, 1)[:, 0], kind="stable")[: self.most]
        self._keys = together[order]
        for layer, new in values.items():
            old = self._values.get(layer)
            both = new if old is None else np.concatenate([old, new])
            self._values[layer] = both[order]


def share_below(values: Floats, response: Floats) -> Floats:
    """Return the share of images below a response; images that equal it count half.

    Args:
        values: (n, c) of the images.
        response: (c,).
    """
    below = (values < response).mean(0)
    equal = (values == response).mean(0)
    found: Floats = below + equal / 2
    return found


def excess(values: Floats, response: Floats) -> Floats:
    """Return how far a response is from the middle image to the highest: 1 is as high as that.

    (response - median) / (largest - median), (c,); 0 for units of one value on all images.
    """
    middle, top = np.median(values, 0), values.max(0)
    reach = top - middle
    found: Floats = np.where(reach > 0, (response - middle) / np.where(reach > 0, reach, 1), 0.0)
    return found
