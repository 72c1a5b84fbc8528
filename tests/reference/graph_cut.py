"""The colour cut, slow and literal: pixel by pixel, label by label, in float64.

Mahendran & Vedaldi, ECCV 2016, section 3.5, with the constants of the authors' code: mixtures of
Gaussians from binary splits, a posterior with a uniform part, a contrast term between neighbours in
rows and columns, energies in whole numbers; the minimum by trying all labellings, or by SciPy's
maximum flow.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Gaussian = tuple[float, Array, Array]
SURE_BACKGROUND, BACKGROUND, UNKNOWN, FOREGROUND, SURE_FOREGROUND = -2, -1, 0, 1, 2


def clusters(colors: Sequence[Array], count: int) -> list[list[Array]]:
    """Split the cluster of the largest scatter along its leading axis, at its mean."""
    found = [list(colors)]
    while len(found) < count:
        scatters = []
        for members in found:
            mean = sum(members) / len(members)
            matrix = sum(np.outer(c - mean, c - mean) for c in members)
            scatters.append((np.linalg.eigh(matrix), mean))
        index = max(range(len(found)), key=lambda i: scatters[i][0][0][-1])
        (values, vectors), mean = scatters[index]
        if values[-1] < 1e-9 * len(found[index]):
            return found
        above = [c for c in found[index] if vectors[:, -1] @ (c - mean) > 0]
        below = [c for c in found[index] if not vectors[:, -1] @ (c - mean) > 0]
        found[index : index + 1] = [above, below]
    return found


def mixture(colors: Sequence[Array], count: int) -> list[Gaussian]:
    every = clusters(colors, count)
    kept = [c for c in every if len(c) > 2] or [max(every, key=len)]
    total = sum(len(c) for c in kept)
    gaussians = []
    for members in kept:
        mean = sum(members) / len(members)
        covariance = sum(np.outer(c - mean, c - mean) for c in members) / max(1, len(members) - 1)
        gaussians.append((len(members) / total, mean, covariance + np.eye(3) / 255**2))
    return gaussians


def density(color: Array, gaussians: Iterable[Gaussian]) -> float:
    value = 0.0
    for weight, mean, covariance in gaussians:
        away = color - mean
        height = 1 / math.sqrt((2 * math.pi) ** 3 * np.linalg.det(covariance))
        value += weight * height * math.exp(-0.5 * away @ np.linalg.inv(covariance) @ away)
    return 0.05 + 0.95 * value


def whole(cost: float) -> int:
    return round(50 * cost)


class Cut:
    """What labellings of an image (h, w, 3) cost, by a trimap (h, w) of five levels."""

    def __init__(self, image: Array, levels: npt.NDArray[np.int8], count: int = 5) -> None:
        self.levels = levels
        self.height, self.width = levels.shape
        places = list(itertools.product(range(self.height), range(self.width)))
        object_ = mixture([image[p] for p in places if levels[p] > 0], count)
        ground = mixture([image[p] for p in places if levels[p] < 0], count)
        self.own = {}
        for p in places:
            one, other = density(image[p], object_), density(image[p], ground)
            # The logarithms of the shares of a pixel's two densities, of background and object.
            self.own[p] = tuple(
                whole(min(100.0, -math.log(max(d / (one + other), 1e-300)))) for d in (other, one)
            )
        pairs = [((y, x), (y, x + 1)) for y, x in places if x + 1 < self.width]
        pairs += [((y, x), (y + 1, x)) for y, x in places if y + 1 < self.height]
        squares = {(p, q): float(((image[p] - image[q]) ** 2).sum()) for p, q in pairs}
        mean = sum(squares.values()) / len(squares)
        beta = 1 / (0.5 * mean) if mean else 0.0
        self.pairs = {pair: whole(150 * math.exp(-beta * d)) for pair, d in squares.items()}

    def allowed(self, labels: npt.NDArray[np.bool_]) -> bool:
        return bool(
            labels[self.levels == SURE_FOREGROUND].all()
            and not labels[self.levels == SURE_BACKGROUND].any()
        )

    def cost(self, labels: npt.NDArray[np.bool_]) -> int:
        free = (p for p in self.own if abs(self.levels[p]) < 2)
        total = sum(self.own[p][int(labels[p])] for p in free)
        return total + sum(cost for (p, q), cost in self.pairs.items() if labels[p] != labels[q])

    def least(self) -> int:
        """Try every labelling."""
        best = None
        for bits in itertools.product((False, True), repeat=self.height * self.width):
            labels = np.array(bits).reshape(self.height, self.width)
            if self.allowed(labels):
                cost = self.cost(labels)
                best = cost if best is None else min(best, cost)
        assert best is not None
        return best

    def least_by_flow(self) -> int:
        """The largest flow from background to object, which is the cost of the cheapest cut."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import maximum_flow

        number = {p: i for i, p in enumerate(self.own)}
        source, sink, never = len(number), len(number) + 1, 10**7
        edges: dict[tuple[int, int], int] = {}
        for p, i in number.items():
            ground, object_ = self.own[p]
            if self.levels[p] == SURE_FOREGROUND:
                ground, object_ = never, 0
            if self.levels[p] == SURE_BACKGROUND:
                ground, object_ = 0, never
            edges[source, i], edges[i, sink] = object_, ground
        for (p, q), cost in self.pairs.items():
            edges[number[p], number[q]] = edges[number[q], number[p]] = cost
        rows, columns = zip(*edges, strict=True)
        shape = (len(number) + 2,) * 2
        graph = csr_matrix((np.array(list(edges.values()), np.int32), (rows, columns)), shape)
        return int(maximum_flow(graph, source, sink).flow_value)


def least(
    foreground: npt.NDArray[np.int32],
    background: npt.NDArray[np.int32],
    right: npt.NDArray[np.int32],
    down: npt.NDArray[np.int32],
) -> npt.NDArray[np.bool_]:
    """The cheapest labelling (h, w) by a plain flow; of several the one of the smallest object."""
    import maxflow

    graph = maxflow.GraphInt()
    nodes = graph.add_grid_nodes(foreground.shape)
    for (y, x), node in np.ndenumerate(nodes):
        graph.add_tedge(node, int(foreground[y, x]), int(background[y, x]))
        if x + 1 < nodes.shape[1]:
            graph.add_edge(node, nodes[y, x + 1], int(right[y, x]), int(right[y, x]))
        if y + 1 < nodes.shape[0]:
            graph.add_edge(node, nodes[y + 1, x], int(down[y, x]), int(down[y, x]))
    graph.maxflow()
    segments = [graph.get_segment(node) == 1 for node in nodes.ravel()]
    return np.array(segments).reshape(nodes.shape)
