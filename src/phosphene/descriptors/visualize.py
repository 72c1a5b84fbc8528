"""What a linear detector looks for: the image that it would rather see than any other.

    argmin over x of -C 1e4 / (rho^2 M) score(x) + R_alpha(x) + R_TV(x),
    M = <|w|, Phi(white noise)>,

rho the longer side of the image in pixels. What w has against something counts, too, which is lost
where max(w, 0) is inverted as if it were the descriptor of an image.

*Reference.* Mahendran, thesis 2018, section 5.5.1 (eq. 5.9, fig. 5.14). *Departures.* The authors'
code takes w for |w| in M, and then leaves M out: the weight is 1. The thesis does not print the
1e4, which is that of units of networks (`preimage.activate`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from phosphene.core.network import Network
from phosphene.errors import SettingError
from phosphene.preimage.activate import RECIPES, USUAL
from phosphene.preimage.energy import Energy, Term
from phosphene.preimage.job import Job, Pose
from phosphene.preimage.objectives import Maximize
from phosphene.preimage.phi import cut_at
from phosphene.preimage.priors import NATURAL
from phosphene.preimage.recipe import Recipe, chosen
from phosphene.preimage.result import PreImage
from phosphene.preimage.solve import Start
from phosphene.preimage.watch import Watch


class Scorer(Protocol):
    """Whatever gives an image of some size a score: a template, or a detector of several."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the image, pixels."""

    def network(self) -> Network:
        """Return the network whose output, (b, 1, 1, 1), is the score."""

    def maximum(self, seed: int = 0) -> float:
        """Return M, an estimate of the scores' range."""


def visualize(
    scorer: Scorer,
    *,
    strength: float = 1.0,
    repeats: int = 1,
    priors: Sequence[Term] | Energy = NATURAL,
    quality: Recipe | str | None = None,
    steps: int | None = None,
    jitter: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> PreImage:
    """Find images that a detector scores highest.

    HOG hardly knows contrast, and the priors like little of it, so that the images are faint:
    `stretched()` shows them as the authors' code saves them.

    Args:
        scorer: A template, or a detector with parts (all of them in one image).
        strength: C.
        repeats: How many images, from different noise.
        priors: Terms beside the objective.
        quality: As for `activate`: `"fast"`, `"paper"`, `"best"`, or a `Recipe`; the papers'
            settings, stopped when converged, if `None`.
        steps: In place of the recipe's iterations.
        jitter: In place of its jitter; none if `None`, since a score belongs to a place.
        batch: Most images at a time; as many as go well together if `None`.
        seed: Start of the random numbers; the r-th image starts from `seed + r`.
        watch: Progress, snapshots, states.

    Returns:
        The images, (repeats, 1, h, w).

    Raises:
        SettingError: Fewer than one image, or no such quality.
    """
    if repeats < 1:
        raise SettingError(f"{repeats} images were asked for: give at least 1")
    largest = scorer.maximum()
    weight = 1e4 / (max(scorer.size) ** 2 * largest)
    recipe = chosen(RECIPES, quality, USUAL, steps, jitter)
    about = {"M": f"{largest:.4g}"}
    net = scorer.network()
    job = Job(cut_at(net, ""), recipe, seed, batch, watch or Watch(), facts=about)

    def pose(seeds: Sequence[int]) -> Pose:
        start = Start(job.canvas(scorer.size, None), seeds)
        score = Maximize(torch.full((1, 1, 1, 1), weight, device=net.device))
        return Pose((strength * score).plus(priors), start, (scorer.name,) * len(seeds))

    return job.run([seed + r for r in range(repeats)], pose)
