"""How an image is found: the options that make a recipe and its priors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.errors import nearest

if TYPE_CHECKING:
    from phosphene.core.representation import Representation
    from phosphene.preimage.energy import Energy
    from phosphene.preimage.recipe import Recipe
    from phosphene.preimage.solvers import Solver
    from phosphene.preimage.transforms import Transform

_HOW, _PRIORS = "How it is found", "The priors: what images look like"
# What suits optimisers that bring every number's steps to one length.
_ADAPTIVE = "Adadelta Adagrad Adam AdamW Adamax NAdam RAdam RMSprop Rprop".split()
_PIXELS, _SPECTRUM = 1.0, 0.05

Quality = Annotated[
    str | None,
    typer.Option(
        metavar="fast|paper|best",
        help="Speed against care.",
        show_default="the papers' settings, stopped when converged",
        rich_help_panel=_HOW,
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Steps at most, in place of the quality's.",
                 show_default="those of the quality", rich_help_panel=_HOW),
]  # fmt: skip
Batch = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Images at a time.", show_default="8; 32 on a GPU",
                 rich_help_panel=_HOW),
]  # fmt: skip
Seed = Annotated[
    int,
    typer.Option(metavar="N", min=0, help="Start of the random numbers.", rich_help_panel=_HOW),
]
Jitter = Annotated[
    int | None,
    typer.Option(metavar="T", min=1, help="Move the image by up to T-1 pixels at each step; 1 is "
                 "not at all.", show_default="the verb's", rich_help_panel=_HOW),
]  # fmt: skip
SolverName = Annotated[
    str | None,
    typer.Option("--solver", metavar="NAME",
                 help="algorithm-1 (the papers'), l-bfgs, momentum, or a name of torch.optim.",
                 show_default="that of the quality", rich_help_panel=_HOW),
]  # fmt: skip
Rate = Annotated[
    float | None,
    typer.Option(metavar="R", help="Learning rate of the solver, in its own unit.",
                 show_default="the solver's", rich_help_panel=_HOW),
]  # fmt: skip
Spectrum = Annotated[
    bool,
    typer.Option("--spectrum", help="Change the image's spectrum with decorrelated colours, not "
                 "its pixels: all frequencies grow alike.", rich_help_panel=_HOW),
]  # fmt: skip
Transforms = Annotated[
    str | None,
    typer.Option(metavar="LIST", help="Look through these at each step, as in 'scale 0.9-1.1, "
                 "rotation 5'.", rich_help_panel=_HOW),
]  # fmt: skip
Blur = Annotated[
    float | None,
    typer.Option(metavar="SIGMA", help="Blur the image at every fourth step (Yosinski et al. "
                 "2015).", rich_help_panel=_HOW),
]  # fmt: skip
ClipNorm = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="At each step, blank this share of the pixels: the "
                 "smallest.", rich_help_panel=_HOW),
]  # fmt: skip
ClipContribution = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="At each step, blank this share: what contributes least.",
                 rich_help_panel=_HOW),
]  # fmt: skip
NoPriors = Annotated[
    bool,
    typer.Option("--no-priors", help="Anything goes that excites the network, noise included.",
                 rich_help_panel=_PRIORS),
]  # fmt: skip
Tv = Annotated[
    float | None,
    typer.Option("--tv", metavar="WEIGHT", min=0, help="Of total variation, which makes patches "
                 "smooth.", show_default="1; 0 for class models", rich_help_panel=_PRIORS),
]  # fmt: skip
Beta = Annotated[
    float | None,
    typer.Option(metavar="B", min=1, help="Exponent of total variation: 1 keeps edges and leaves "
                 "spikes, 2 is smooth.", show_default="2", rich_help_panel=_PRIORS),
]  # fmt: skip
Range = Annotated[
    float | None,
    typer.Option("--range", metavar="WEIGHT", min=0, help="Of the bounded range, which keeps "
                 "pixels from extremes.", show_default="1; 0 for class models",
                 rich_help_panel=_PRIORS),
]  # fmt: skip
Alpha = Annotated[
    float | None,
    typer.Option(metavar="A", min=2, help="Exponent of the bounded range: the higher, the harder "
                 "its bound.", show_default="6", rich_help_panel=_PRIORS),
]  # fmt: skip


@dataclass(frozen=True)
class Descending:
    """How an image is found, as the options say it."""

    quality: Quality = None
    steps: Steps = None
    batch: Batch = None
    seed: Seed = 0
    jitter: Jitter = None
    solver: SolverName = None
    rate: Rate = None
    spectrum: Spectrum = False
    transforms: Transforms = None
    blur: Blur = None
    clip_norm: ClipNorm = None
    clip_contribution: ClipContribution = None
    no_priors: NoPriors = False
    tv: Tv = None
    beta: Beta = None
    range_: Range = None
    alpha: Alpha = None

    def most(self, phi: Representation) -> int:
        """Return how many images go together: as many as asked for, or as go well."""
        from phosphene.preimage.job import together

        return self.batch or together(phi)

    def recipe(self, recipes: Mapping[str, Recipe], usual: Recipe) -> Recipe:
        """Make the recipe: that of the quality, with what the options change.

        Args:
            recipes: Those of the verb, by quality.
            usual: That without a quality.

        Raises:
            SettingError: There is no such quality, or settings contradict each other.
        """
        from phosphene.preimage.operators import Blur, ClipSmallContribution, ClipSmallNorm
        from phosphene.preimage.recipe import chosen

        recipe = chosen(dict(recipes), self.quality, usual, self.steps, self.jitter)
        operators = recipe.operators
        if self.spectrum and recipe.parameters == "pixels":
            operators = ()  # the recipe's own work on pixels
        operators += () if self.blur is None else (Blur(self.blur),)
        operators += () if self.clip_norm is None else (ClipSmallNorm(self.clip_norm),)
        if self.clip_contribution is not None:
            operators += (ClipSmallContribution(self.clip_contribution),)
        return replace(
            recipe,
            solver=self._solver(recipe, recipes),
            parameters="spectrum" if self.spectrum else recipe.parameters,
            operators=operators,
            transforms=read_transforms(self.transforms) or recipe.transforms,
        )

    def priors(self, natural: bool = True) -> Energy:
        """Make the priors, with the weights and exponents asked for.

        Args:
            natural: Whether the verb has the papers' by itself.
        """
        from phosphene.preimage.energy import Energy
        from phosphene.preimage.priors import BoundedRange, TotalVariation

        said = (self.tv, self.beta, self.range_, self.alpha)
        if self.no_priors:
            if said != (None,) * 4:
                raise typer.BadParameter(
                    "--no-priors leaves nothing for --tv, --beta, --range or --alpha to change"
                )
            return Energy()
        own_range = 1.0 if natural or self.alpha is not None else 0.0
        own_tv = 1.0 if natural or self.beta is not None else 0.0
        parts = (
            (own_range if self.range_ is None else self.range_, BoundedRange(self.alpha or 6.0)),
            (own_tv if self.tv is None else self.tv, TotalVariation(self.beta or 2.0)),
        )
        return Energy(tuple((weight, prior) for weight, prior in parts if weight))

    def _solver(self, recipe: Recipe, recipes: Mapping[str, Recipe]) -> Solver:
        from phosphene.preimage.lbfgs import LBFGS
        from phosphene.preimage.solvers import AlgorithmOne, Momentum, Torch

        if self.rate is not None and not 0 < self.rate < float("inf"):
            raise typer.BadParameter(f"--rate {self.rate:g} leads nowhere: give a positive number")
        name = (self.solver or "").lower()
        solver = recipe.solver
        if name:
            own: dict[str, Solver] = {
                "algorithm-1": AlgorithmOne(),
                "l-bfgs": LBFGS(),
                "lbfgs": LBFGS(),
                "momentum": Momentum(),
            }
            solver = own[name] if name in own else self._of_torch(recipe)
        elif self.spectrum and recipe.parameters == "pixels":
            # Rates for pixels say nothing of a spectrum: the verb's own recipe for one knows.
            known = [r.solver for r in recipes.values() if r.parameters == "spectrum"]
            solver = known[-1] if known else Torch("Adam", {"lr": _SPECTRUM})
        if self.rate is None:
            return solver
        if isinstance(solver, Torch):
            return replace(solver, options={**solver.options, "lr": self.rate})
        if isinstance(solver, LBFGS):
            return replace(solver, first=self.rate)
        assert isinstance(solver, AlgorithmOne | Momentum)
        return replace(solver, rate=self.rate)

    def _of_torch(self, recipe: Recipe) -> Solver:
        import torch

        from phosphene.preimage.solvers import Torch

        optimizer = torch.optim.Optimizer
        known = {
            name.lower(): name
            for name, kind in vars(torch.optim).items()
            if isinstance(kind, type) and issubclass(kind, optimizer) and kind is not optimizer
        }
        assert self.solver is not None
        if self.solver.lower() not in known:
            names = ("algorithm-1", "l-bfgs", "momentum", *known.values())
            offer = nearest(self.solver, names) or ": choose algorithm-1, l-bfgs or Adam"
            raise typer.BadParameter(f"there is no solver {self.solver!r}{offer}")
        name = known[self.solver.lower()]
        if self.rate is None and name not in _ADAPTIVE:
            raise typer.BadParameter(f"--solver {name} has no rate that suits images: give --rate")
        spectrum = self.spectrum or recipe.parameters == "spectrum"
        return Torch(name, {"lr": self.rate or (_SPECTRUM if spectrum else _PIXELS)})


def read_transforms(text: str | None) -> tuple[Transform, ...]:
    """Read transforms as in `scale 0.9-1.1, rotation 5, jitter 8`, in that order."""
    from phosphene.preimage.transforms import Jitter, Rotation, Scale

    number = r"(\d+(?:\.\d+)?)"
    kinds: dict[str, Any] = {
        rf"scale\s+{number}\s*-\s*{number}": lambda low, high: Scale(float(low), float(high)),
        rf"rotation\s+{number}°?": lambda degrees: Rotation(float(degrees)),
        r"jitter\s+(\d+)": lambda places: Jitter(int(places)),
    }
    found: list[Transform] = []
    for part in (text or "").split(","):
        matches = [(re.fullmatch(kind, part.strip()), make) for kind, make in kinds.items()]
        made = [make(*match.groups()) for match, make in matches if match]
        if text is not None and not made:
            raise typer.BadParameter(
                f"--transforms {part.strip()!r} is none: write a list as 'scale 0.9-1.1, rotation "
                "5, jitter 8'"
            )
        found += made
    return tuple(found)
