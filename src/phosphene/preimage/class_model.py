"""Class models: an image that a network takes for a class above all others.

`argmax over I of S_c(I) - lambda || I ||^2`, with S_c the score before the softmax, from the mean
image (Simonyan, Vedaldi & Zisserman 2014, section 2 and eq. 1).

The posterior instead of the score is there for comparison: it can be raised by making all other
classes less likely, and the paper found its images not prominent.

*Departures.* The paper gives neither lambda nor the steps. Here there are 200 steps of one length,
a root mean square change of 0.2 gray levels, with momentum, and lambda is the share by which the
image fades at each: 3 %. (Steps of length 1 over the whole image and 0.1 % leave the image within
two levels of gray.) Under normalised steps the posterior and its logarithm lead along one path;
the logarithm is taken, whose derivative does not vanish. The images keep little contrast:
`PreImage.stretched` shows them as the paper does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.seed import as_maps
from phosphene.core.shapes import output_shape
from phosphene.errors import SettingError
from phosphene.preimage.canvas import Canvas, PixelSpace
from phosphene.preimage.energy import Energy, Objective, Term
from phosphene.preimage.job import Job, Pose
from phosphene.preimage.objectives import Maximize
from phosphene.preimage.operators import Decay
from phosphene.preimage.recipe import VISUALIZATION, Recipe, chosen
from phosphene.preimage.result import PreImage
from phosphene.preimage.solve import Start
from phosphene.preimage.solvers import Momentum
from phosphene.preimage.watch import Watch

USUAL = Recipe(
    "Simonyan et al. 2014",
    Momentum(rate=0.2),
    200,
    jitter=1,
    operators=(Decay(0.03),),
    radius=float("inf"),
    convergence=None,
)
RECIPES = {
    "fast": replace(USUAL, name="fast", steps=100, solver=Momentum(rate=0.4)),
    "paper": USUAL,
    "best": VISUALIZATION,
}


@dataclass(frozen=True, eq=False)
class Posterior(Objective):
    """The probability of a class, in the logarithm: `-log softmax(s)_c`.

    Attributes:
        classes: (b,) index of the class of each image.
    """

    classes: Tensor

    @property
    def targets(self) -> tuple[Tensor, ...]:
        """The classes."""
        return (self.classes,)

    def loss(self, code: Tensor) -> Tensor:
        """Return (b,) minus the log-probabilities; maps of scores are averaged first."""
        scores = as_maps(code)[0].mean((2, 3))
        chosen = self.classes.to(code.device)[:, None]
        logs: Tensor = -scores.log_softmax(1).gather(1, chosen)[:, 0]
        return logs

    def __str__(self) -> str:
        """Return `log-posterior`."""
        return "log-posterior"


def class_model(
    net: Network,
    classes: str | int | Sequence[str | int],
    *,
    posterior: bool = False,
    repeats: int = 1,
    size: tuple[int, int] | None = None,
    priors: Sequence[Term] | Energy = (),
    quality: Recipe | str | None = None,
    steps: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> PreImage:
    """Find the image that scores highest for classes.

    Args:
        net: The network.
        classes: Names or indices.
        posterior: Raise the probability instead of the score, for comparison.
        repeats: How many images of each; they differ only under recipes that start from noise.
        size: (h, w) of the image; the network's own if `None`.
        priors: Terms beside the score; the fading image is the paper's.
        quality: `"fast"`, `"paper"`, `"best"` (the spectrum with decorrelated colours, seen
            through jitter, scale and rotation), or a `Recipe`; the paper's if `None`.
        steps: In place of the recipe's iterations.
        batch: Most images at a time; as many as go well together if `None`.
        seed: Start of the random numbers.
        watch: Progress, snapshots, states.

    Returns:
        The images, class by class.

    Raises:
        UnknownClass: There is no such class.
    """
    asked = [classes] if isinstance(classes, str | int) else list(classes)
    if not asked or repeats < 1:
        raise SettingError("there is nothing to model: give a class and at least one repeat")
    indices = [net.class_index(name) for name in asked]
    phi, size = net.scores, size or net.preprocessing.input_size
    shape = output_shape(phi, size)
    recipe = chosen(RECIPES, quality, USUAL, steps)
    job = Job(phi, recipe, seed, batch, watch or Watch())
    blank = net.blank(size).detach()
    space = PixelSpace.of(net.preprocessing, blank)

    def pose(chunk: Sequence[tuple[int, int]]) -> Pose:
        which = torch.tensor([index for index, _ in chunk])
        maps, back = as_maps(blank.new_zeros(len(chunk), *shape[1:]))
        for row, index in enumerate(which.tolist()):
            maps[row, index] = 1 / (maps.shape[2] * maps.shape[3])
        objective: Objective = Posterior(which) if posterior else Maximize(back(maps))
        gray = space.mean.expand(len(chunk), -1, *size)
        canvas = Canvas(size, recipe.jitter or 1, recipe.transforms)
        # From noise where the recipe's images have no pixels; else from the mean, as the paper.
        rgb = None if recipe.parameters == "spectrum" else gray
        start = Start(canvas, [number for _, number in chunk], rgb)
        names = tuple(net.label(index) for index, _ in chunk)
        return Pose(objective.as_energy().plus(priors), start, names)

    return job.run([(index, seed + r) for index in indices for r in range(repeats)], pose)
