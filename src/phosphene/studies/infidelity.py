"""Does a map foretell how the score drops, and does it hold still where the image hardly changes?

*Infidelity*: squares of the photograph are replaced by a baseline (or noise is subtracted from it),
and what the attribution foretells of the class's score is set against how much it drops. It is
given scaled to fit best, and relative to the drops (`faithfulness`): 0 is perfect, 1 is as bad as
to foretell nothing. A *random map* without sign does better than that: its sum is larger in larger
squares, and these make the score drop more. What a method foretells beyond the mere size of a
square is what it has less than that map.

*Sensitivity*: the largest change of the attribution in a small ball of images around the
photograph, relative to its length; and the same over how much the image itself has changed,
relative to its own length: how many times more.

What is foretold of a perturbation I of an image (section 2.2 of the paper):

- of reversed networks, whose signals are per unit of RGB, `I . Phi`, with `I = x - baseline` in the
  square: the paper's local explanations;
- of maps without sign or unit (attention, edges, the blob) the sum of the map in the square: the
  paper's global explanations, whose Phi is already times the image. *Noise* has no such square:
  there they are left out.

*Reference.* Yeh, Hsieh, Suggala, Inouye and Ravikumar, On the (In)fidelity and Sensitivity of
Explanations, NeurIPS 2019.

*Departures.* The paper's infidelity is not divided by the drops, and so not to be averaged over
photographs; `data.json` has it. Its squares have sides of 1 to 10 pixels of 28; here they have an
eighth to a half of the shorter side. Random maps, edges and the blob as controls are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from phosphene.core.unit import Unit
from phosphene.errors import SettingError
from phosphene.panel import Tile
from phosphene.studies import tabulated
from phosphene.studies.edges import edge_strength
from phosphene.studies.explained import (
    EDGES,
    METHODS,
    AnyMethod,
    Explained,
    Method,
    class_scores,
    controls,
    demand_classes,
    drawn,
    explained,
    fitting,
    mean_score,
    predicted,
    rules_key,
)
from phosphene.studies.faithfulness import (
    NOISE,
    PERTURBATIONS,
    SIDES,
    ball,
    best_scale,
    foretold,
    max_sensitivity,
    mean_infidelity,
    noise,
    squares,
)
from phosphene.studies.findings import Findings
from phosphene.studies.infidelity_judged import (
    CHANCES,
    RANDOM,
    SIGNED_RANDOM,
    left_out,
    measured,
    plots,
    tables,
    verdict,
)
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.removal import BASELINES, baseline
from phosphene.studies.setting import plural

SAMPLES = 64
"""Perturbations of a photograph, if no number is given."""
DRAWS = 8
"""Images drawn from the ball."""
RADIUS = 0.02
"""Of the ball, in RGB from 0 to 1: 5 of 255."""
SHOWN = 2


@dataclass(frozen=True)
class _Asked:
    samples: int
    perturbation: str
    deleted: str
    scaled: bool
    radius: float
    draws: int

    def facts(self) -> dict[str, str]:
        """Say what was asked."""
        low, high = (f"1/{round(1 / side)}" for side in SIDES)
        what = f"squares of {low} to {high} of the shorter side become {self.deleted}"
        if self.perturbation == "noise":
            what = f"Gaussian noise of {NOISE:g}"
        return {
            "explained": "score of the predicted class before the softmax, averaged over places",
            "perturbations": f"{self.samples} of every photograph: {what}",
            "scaled": "to fit best" if self.scaled else "not",
            "ball": f"{self.radius:g} in RGB from 0 to 1, {self.draws} draws",
        }


def infidelity(
    plan: Plan,
    *,
    methods: Sequence[AnyMethod] = METHODS,
    perturbation: str = "square",
    deleted: str = "mean",
    scaled: bool = True,
    radius: float = RADIUS,
    draws: int = DRAWS,
) -> Findings:
    """Measure infidelity and max-sensitivity.

    Args:
        plan: Photographs; perturbations of each (`steps`, 64 if not given).
        methods: Rules of `explain`, and `"occlusion"`; what does not fit the network is left out,
            by name.
        perturbation: `"square"` or `"noise"`.
        deleted: What is in a square instead, one of `removal.BASELINES`.
        scaled: Whether attributions are scaled to fit best, as in the authors' code.
        radius: Of the ball for sensitivity, in RGB from 0 to 1.
        draws: Images drawn from it.

    Raises:
        ImageError: There is no photograph.
        NetworkError: The network tells no classes apart.
        SettingError: There is no such perturbation or baseline, or a number is not positive.
    """
    demand_classes(plan, "infidelity")
    if perturbation not in PERTURBATIONS:
        raise SettingError(
            f"there is no perturbation {perturbation!r}: choose {', '.join(PERTURBATIONS)}"
        )
    if deleted not in BASELINES:
        raise SettingError(f"there is no baseline {deleted!r}: choose {', '.join(BASELINES)}")
    if radius <= 0 or draws < 1:
        raise SettingError(f"radius={radius:g} and draws={draws}: both must be positive")
    fit, warnings = fitting(plan, methods)
    asked = _Asked(plan.steps or SAMPLES, perturbation, deleted, scaled, radius, draws)
    cells = [_cell(plan, number, fit, asked) for number in plan.numbers()]
    found = measured(cells)
    verdicts = {name: verdict(own) for name, own in found.items() if name not in CHANCES}
    return Findings(
        "infidelity",
        f"{plan.net.name}: how well maps foretell drops of the score, and how steady they are, "
        f"{plural(len(cells), 'photograph')}",
        tables(found, verdicts, scaled=scaled, radius=radius),
        plots(found),
        tuple(_rows(plan, cells)),
        tabulated.facts(plan, methods=", ".join(fit), **asked.facts()),
        (*warnings, *tabulated.doubts(plan), *left_out(cells, list(fit))),
        {
            "methods": found,
            "photographs": [
                {"name": name, **cell.values} for name, cell in zip(plan.names, cells, strict=True)
            ],
            "verdicts": verdicts,
        },
    )


def _cell(plan: Plan, number: int, methods: Mapping[str, Method], asked: _Asked) -> Cell:
    shown = number < SHOWN

    def compute() -> Cell:
        net = plan.net
        image = net.preprocessing.in_own_channels(net.prepare(plan.photos[number])[0])
        index = predicted(net, image)
        unit = mean_score(net, image, index)
        sent = explained(net, image, unit, methods, shown=shown)
        local = {name: e.attribution[0] for name, e in sent.items() if e.signed}
        plain = {name: e.map for name, e in sent.items() if not e.signed}
        plain |= {name: m[None] for name, m in controls(image).items()}
        generator = torch.Generator().manual_seed(plan.seed + 1)
        shape = tuple(image.shape[1:])
        local[SIGNED_RANDOM] = torch.randn(shape, generator=generator)
        plain[RANDOM] = torch.rand((1, *shape[1:]), generator=generator)
        taken, where = _perturbed(plan, image, asked)
        drops = _drops(plan, image, taken, index)
        sums = {name: foretold(phi, taken) for name, phi in local.items()}
        if where is not None:
            sums |= {name: foretold(phi, where) for name, phi in plain.items()}
        values: dict[str, Any] = {
            "class": net.label(index),
            "infidelity": {name: _numbers(s, drops, asked.scaled) for name, s in sums.items()},
            "sensitivity": _sensitivities(plan, image, unit, methods, sent, asked),
        }
        pictures = {name: e.pictures[0] for name, e in sent.items() if e.pictures}
        if shown:
            worst = (image.float().cpu() - taken[int(drops.argmax())]).clamp(0, 1)
            pictures |= {"photograph": drawn(image), "largest drop": drawn(worst)}
        return Cell(values, pictures)

    key = {
        "photo": plan.photo_ids[number],
        "methods": rules_key(methods),
        **asdict(asked),
        "shown": shown,
    }
    return plan.cell("infidelity", key, compute)


def _perturbed(plan: Plan, image: Tensor, asked: _Asked) -> tuple[Tensor, Tensor | None]:
    """Return perturbations (n, c, h, w), and of squares where they are, (n, 1, h, w)."""
    own = image.float().cpu()
    if asked.perturbation == "noise":
        return noise(asked.samples, tuple(own.shape[1:]), plan.seed), None
    size = (int(own.shape[2]), int(own.shape[3]))
    where = squares(asked.samples, size, plan.seed)[:, None].float()
    gone = own - baseline(plan.net, image, asked.deleted).float().cpu()
    return where * gone, where


def _drops(plan: Plan, image: Tensor, taken: Tensor, index: int) -> Tensor:
    """Return (n,) f(x) - f(x - I)."""
    clean = class_scores(plan.net, image, index)
    parts = torch.split(taken, plan.batch)
    after = [class_scores(plan.net, image - p.to(image), index, plan.batch) for p in parts]
    return clean - torch.cat(after)


def _numbers(sums: Tensor, drops: Tensor, scaled: bool) -> dict[str, float | None]:
    return {
        "infidelity": mean_infidelity(sums, drops, scaled=scaled),
        "relative": mean_infidelity(sums, drops, scaled=scaled, relative=True),
        "scale": best_scale(sums, drops),
    }


def _sensitivities(
    plan: Plan,
    image: Tensor,
    unit: Unit,
    methods: Mapping[str, Method],
    sent: Mapping[str, Explained],
    asked: _Asked,
) -> dict[str, dict[str, float | None]]:
    """Return max-sensitivity by method, and how many times it is the image's own change."""
    near = ball(image, asked.radius, asked.draws, plan.seed)
    parts = [explained(plan.net, p, unit, methods) for p in torch.split(near, plan.batch)]
    around = {name: torch.cat([part[name].attribution for part in parts]) for name in sent}
    around[EDGES] = torch.stack([edge_strength(y)[None].float() for y in near])
    own = {name: e.attribution[0] for name, e in sent.items()}
    own[EDGES] = edge_strength(image[0])[None].float()
    change = max_sensitivity(image[0].cpu(), near.cpu())
    found = {}
    for name, phi in own.items():
        largest = max_sensitivity(phi, around[name])
        times = None if largest is None or not change else largest / change
        found[name] = {"max": largest, "times": times}
    return found


def _rows(plan: Plan, cells: Sequence[Cell]) -> list[tuple[str, tuple[Tile, ...]]]:
    rows = []
    for number, cell in enumerate(cells[:SHOWN]):
        first = ("photograph", "largest drop")
        tiles = [Tile(cell.images[name], name) for name in first]
        for name, image in ((n, i) for n, i in cell.images.items() if n not in first):
            value = cell.values["infidelity"].get(name, {}).get("relative")
            tiles.append(Tile(image, name if value is None else f"{name}: {value:.2f}"))
        heading = f"{plan.names[number]}: {cell.values['class'].split(',')[0]}; infidelity"
        rows.append((heading, tuple(tiles)))
    return rows
