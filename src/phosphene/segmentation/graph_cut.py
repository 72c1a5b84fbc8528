"""Object and background told apart by colour, in one minimum cut.

Over labels l of the pixels, with the object's and the background's colour models (`color_model`)
learned from the trimap, the energy

    E(l) = sum_i -log P(l_i | x_i) + sum_ij 150 exp(-beta |x_i - x_j|^2) [l_i != l_j]

is minimised exactly by a maximum flow. The posterior is P(object | x) = p_object(x) / (p_object(x)
+ p_background(x)), its -log capped at 100; the second sum goes over neighbours in rows and columns,
with beta = 1 / (0.5 mean |x_i - x_j|^2); both are multiplied by 50 and rounded, so that the flow is
one of whole numbers. Pixels that the trimap fixes keep their label.

*Reference.* Boykov & Jolly, "Interactive graph cuts", 2001, which Simonyan et al. 2014 (section
3.2) and Mahendran & Vedaldi (ECCV 2016, section 3.5) use; the constants are those of the latter's
code. Though called "GrabCut" there, it is cut once and nothing is learned again.

*Departures from the paper.* The authors' code ends with a post-processing that is not published.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import SettingError
from phosphene.segmentation.color_model import COMPONENTS, color_model
from phosphene.segmentation.trimap import SURE_BACKGROUND, SURE_FOREGROUND, Trimap

CAP = 100.0
CONTRAST = 150.0
SCALE = 50
# Dearer than all that can be gained around a pixel: four neighbours and its own colour.
FIXED = int(SCALE * (4 * CONTRAST + CAP)) + 1

Costs = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Energy:
    """What every labelling of an image costs, in whole numbers.

    Attributes:
        foreground: (h, w) cost of calling a pixel object.
        background: (h, w) cost of calling it background.
        right: (h, w - 1) cost of telling a pixel from its right neighbour.
        down: (h - 1, w) cost of telling it from the one below.
    """

    foreground: Costs
    background: Costs
    right: Costs
    down: Costs

    def of(self, mask: NDArray[np.bool_]) -> int:
        """Return what a labelling (h, w) costs."""
        own = np.where(mask, self.foreground, self.background)
        across = self.right[mask[:, 1:] != mask[:, :-1]]
        along = self.down[mask[1:] != mask[:-1]]
        return int(own.sum(dtype=np.int64) + across.sum(dtype=np.int64) + along.sum(dtype=np.int64))

    def minimum(self) -> NDArray[np.bool_]:
        """Return the labelling (h, w) that costs least, True for object.

        Raises:
            SettingError: PyMaxflow, which finds it, is not installed.
        """
        try:
            import maxflow
        except ImportError as error:
            raise SettingError(
                "engine='graph-cut' needs the package PyMaxflow, which is not installed: "
                "pip install 'phosphene[segmentation]', or choose engine='threshold'"
            ) from error
        height, width = self.foreground.shape
        pixels = height * width
        graph = maxflow.GraphInt(pixels, 2 * pixels)
        nodes = graph.add_grid_nodes((height, width))
        for name, costs, ends in (
            ("right", self.right, (height, width)),
            ("down", self.down, (height, width)),
        ):
            weights = np.zeros(ends, np.int32)
            weights[: costs.shape[0], : costs.shape[1]] = costs
            step = np.zeros((3, 3), np.int32)
            step[(1, 2) if name == "right" else (2, 1)] = 1
            graph.add_grid_edges(nodes, weights, structure=step, symmetric=True)
        # A pixel on the side of the sink is cut off from the source: that is the object's.
        graph.add_grid_tedges(nodes, self.foreground, self.background)
        graph.maxflow()
        found: NDArray[np.bool_] = graph.get_grid_segments(nodes)
        return found


def energy(image: NDArray[np.float32], known: Trimap, components: int = COMPONENTS) -> Energy:
    """Work out what labellings cost.

    Args:
        image: (h, w, 3) RGB in [0, 1].
        known: The trimap, with some object and some background.
        components: How many Gaussians each of the two colour models has at most.
    """
    flat = image.reshape(-1, 3)
    density = {
        "foreground": color_model(image[known.foreground], components).density(flat),
        "background": color_model(image[known.background], components).density(flat),
    }
    both = density["foreground"] + density["background"]
    shape = image.shape[:2]
    costs = {}
    for name, of in density.items():
        # The smallest share whose logarithm is finite lies below the cap already.
        share = np.maximum(of / both, np.float32(1e-38))
        costs[name] = _whole(np.minimum(-np.log(share), CAP)).reshape(shape)
    costs["foreground"][known.levels == SURE_BACKGROUND] = FIXED
    costs["background"][known.levels == SURE_BACKGROUND] = 0
    costs["foreground"][known.levels == SURE_FOREGROUND] = 0
    costs["background"][known.levels == SURE_FOREGROUND] = FIXED
    right, down = _contrast(image)
    return Energy(costs["foreground"], costs["background"], right, down)


def graph_cut(
    image: NDArray[np.float32], known: Trimap, components: int = COMPONENTS
) -> NDArray[np.bool_]:
    """Cut an object out of an image.

    Args:
        image: (h, w, 3) RGB in [0, 1].
        known: What the map says about its pixels.
        components: How many Gaussians each of the two colour models has at most.

    Returns:
        (h, w), True for object; nowhere if the trimap holds no object.

    Raises:
        SettingError: PyMaxflow is not installed.
    """
    if known.empty:
        return np.zeros(image.shape[:2], np.bool_)
    return energy(image, known, components).minimum()


def _contrast(image: NDArray[np.float32]) -> tuple[Costs, Costs]:
    """Return what it costs to tell pixels (h, w, 3) from their right and lower neighbours."""
    steps = [np.square(np.diff(image, axis=axis)).sum(-1) for axis in (1, 0)]
    count = sum(s.size for s in steps)
    mean = sum(float(s.sum(dtype=np.float64)) for s in steps) / max(1, count)
    beta = 1 / (0.5 * mean) if mean > 0 else 0.0
    right, down = (_whole(CONTRAST * np.exp(-beta * s)) for s in steps)
    return right, down


def _whole(costs: NDArray[np.floating]) -> Costs:
    whole: Costs = np.rint(SCALE * costs).astype(np.int32)
    return whole
