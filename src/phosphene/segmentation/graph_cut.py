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

The flow itself is Boykov & Kolmogorov's, "An experimental comparison of min-cut/max-flow
algorithms", 2004, in PyMaxflow. It searches from every pixel that source or sink still feed and is
slow on plain areas, such as a sky, where each pixel has a little of its own and the way to the
other side is long. So `gathered` sends a feasible flow ahead, along columns and rows, after which
few pixels are fed. What remains is the same problem in other numbers: no labelling changes its
cost but by a constant, and the cut found is the same one, that of the smallest object, whichever
flow comes first.

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

# How far a pixel's own cost is sent ahead of the search, pixels.
GATHER = 128

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
        own, (right, left), (down, up) = self.gathered()
        pixels = own.size
        graph = maxflow.GraphInt(pixels, 2 * pixels)
        nodes = graph.add_grid_nodes(own.shape)
        for one, other, there, back in (
            (nodes[:, :-1], nodes[:, 1:], right, left),
            (nodes[:-1], nodes[1:], down, up),
        ):
            graph.add_edges(one.ravel(), other.ravel(), there.ravel(), back.ravel())
        # A pixel on the side of the sink is cut off from the source: that is the object's.
        graph.add_grid_tedges(nodes, np.maximum(own, 0), np.maximum(-own, 0))
        graph.maxflow()
        found: NDArray[np.bool_] = graph.get_grid_segments(nodes)
        return found

    def gathered(
        self, reach: int = GATHER
    ) -> tuple[Costs, tuple[Costs, Costs], tuple[Costs, Costs]]:
        """Bring the pixels' own costs together, without a change to which labellings are cheap.

        A flow of f from pixel i to its neighbour j takes f from i's own cost and gives it to j's;
        from then on f less is to be paid where i alone is background, and f more where j alone is.
        Columns are swept to the first row of every `reach`, then rows to the first column, as far
        as the costs between neighbours allow.

        Args:
            reach: Length and height of the squares that are gathered, pixels; 1 for none.

        Returns:
            (h, w) cost of calling a pixel object, less that of calling it background; the costs
            (h, w - 1) of having a pixel background and its right neighbour object, and of the
            converse; and (h - 1, w) the same for a pixel and the one below. Every labelling costs
            as much as before, less a constant.
        """
        own = self.foreground - self.background
        right, left, down, up = (
            self.right.copy(),
            self.right.copy(),
            self.down.copy(),
            self.down.copy(),
        )
        _swept(own.T, down.T, up.T, reach)
        _swept(own, right, left, reach)
        return own, (right, left), (down, up)


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


def _swept(own: Costs, there: Costs, back: Costs, reach: int) -> None:
    """Send the costs (h, w) of all columns, in place, to the first of every `reach`.

    Args:
        own: (h, w) costs of the pixels.
        there: (h, w - 1) what may flow from a pixel to the next column.
        back: (h, w - 1) what may flow to it from there.
        reach: How many columns are brought together.
    """
    for column in range(reach - 1, 0, -1):
        giving = own[:, column::reach]
        to = np.s_[:, column - 1 : own.shape[1] - 1 : reach]
        # What is negative flows the other way.
        flow = np.clip(giving, -there[to], back[to])
        giving -= flow
        own[to] += flow
        back[to] -= flow
        there[to] += flow


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
