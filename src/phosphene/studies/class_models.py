"""Is a class better shown by its score or by its probability?

Simonyan et al. raise the score S_c and not the posterior P_c, "as the maximisation of the class
posterior can be achieved by minimising the scores of other classes", and report that images of the
posterior "were not visually prominent". Both halves are measured here.

The first: the log-odds of a class are its score less what the others come to,

    log(P_c / (1 - P_c)) = S_c - R_c,    R_c = log(sum over j != c of exp S_j),

so that, from the mean image I_0 to the image I, the class's *own share* of the gain is

    own share = (S_c(I) - S_c(I_0)) / (gain of S_c - R_c from I_0 to I).

It is 1 where all was gained by the class itself, above 1 where other scores rose with it (and cost
some of the gain), below 1 where others were pushed down instead. The second: the contrast of the
picture, the root mean squared difference from its mean colour.

*Reference.* Simonyan, Vedaldi & Zisserman 2014, section 2 and figure 1.

*Departures.* As in `preimage.class_model`. Scores that are a map are averaged over it.
"""

from __future__ import annotations

from statistics import mean
from typing import Any

import torch
from torch import Tensor

from phosphene.core.seed import as_maps
from phosphene.image import to_image
from phosphene.panel import Plot, Table, Tile
from phosphene.preimage.class_model import RECIPES, USUAL, class_model
from phosphene.preimage.recipe import chosen
from phosphene.studies import tabulated
from phosphene.studies.appearance import contrast
from phosphene.studies.curves import curve
from phosphene.studies.findings import Findings
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import Plan
from phosphene.studies.setting import chosen_classes, finished, percent

_WAYS = {"score": False, "posterior": True}


def class_models(plan: Plan) -> Findings:
    """Model classes by score and by posterior.

    Args:
        plan: Classes (the papers', or some, if none is named) and repeats, which differ only
            where the quality starts from noise.

    Raises:
        NetworkError: The network has no class scores.
    """
    net, wanted = plan.net, chosen_classes(plan)
    # All others begin with the mean image, and end alike.
    noisy = chosen(RECIPES, plan.quality, USUAL).parameters == "spectrum"
    repeats = plan.repeats if noisy else 1
    total = len(wanted) * len(_WAYS) * repeats
    found: list[dict[str, Any]] = []
    rows: dict[tuple[str, int], list[Tile]] = {}
    done = 0
    for index in wanted:
        for way in _WAYS:
            for repeat in range(repeats):
                plan.tick(done, total, f"{net.label(index)}, {way}")
                done += 1
                cell = _cell(plan, index, way, repeat)
                values = {**cell.values, "contrast": contrast(cell.images["found"])}
                found.append({"class": net.label(index), "way": way, "repeat": repeat, **values})
                tile = Tile(cell.images["found"], _caption(found[-1]))
                rows.setdefault((way, repeat), []).append(tile)
    plan.tick(total, total, "done")
    verdict = _verdict(found)
    return Findings(
        "class-models",
        f"{net.name}: class models by score and by posterior",
        (_table(found, verdict),),
        (
            _plot(found, "own_share", "own share of the gained log-odds", ""),
            _plot(found, "contrast", "contrast of the picture", "gray levels"),
        ),
        tuple((f"by {way}", tuple(tiles)) for (way, _), tiles in rows.items()),
        tabulated.facts(plan, quality=plan.quality or USUAL.name),
        (),
        {"models": found, "verdict": verdict},
    )


def own_share(before: Tensor, after: Tensor, index: int) -> float | None:
    """Return which share of the log-odds that a class gained came from its own score.

    Args:
        before: (k,) scores of all classes at the image that was begun with.
        after: (k,) at the image that was found.
        index: The class.

    Returns:
        `(S_c' - S_c) / ((S_c' - R_c') - (S_c - R_c))`; `None` where nothing was gained.
    """

    def log_odds(scores: Tensor) -> float:
        others = torch.cat([scores[:index], scores[index + 1 :]])
        return float(scores[index] - others.logsumexp(0))

    gained = log_odds(after.double()) - log_odds(before.double())
    rise = float(after[index].double() - before[index].double())
    return rise / gained if gained > 0 else None


@torch.no_grad()
def scores_of(plan: Plan, image: Tensor) -> Tensor:
    """Return the (k,) class scores of an image (1, 3, h, w); maps are averaged."""
    return as_maps(plan.net.scores(image))[0].mean((2, 3))[0].float().cpu()


def _cell(plan: Plan, index: int, way: str, repeat: int) -> Cell:
    net = plan.net

    def compute() -> Cell:
        result = finished(
            class_model(
                net,
                index,
                posterior=_WAYS[way],
                quality=plan.quality,
                steps=plan.steps,
                seed=plan.seed + repeat,
            )
        )
        # The mean image, which is zero to the network: what the paper begins with.
        nothing = torch.zeros_like(net.blank()).detach()
        start = net.preprocessing.denormalize(nothing).clamp(0, 1)
        before, after = scores_of(plan, start), scores_of(plan, result.image)
        values = {
            "score_before": float(before[index]),
            "score": float(after[index]),
            "probability": float(net.probabilities(result.image)[0, index]),
            "own_share": own_share(before, after, index),
        }
        return Cell(values, {"found": to_image(result.image[0])})

    key = {"class": index, "way": way, "repeat": repeat}
    return plan.cell("class model", key, compute)


def _caption(row: dict[str, Any]) -> str:
    return f"{row['class']}: S {row['score']:.3g}, P {row['probability']:.0%}"


def _means(found: list[dict[str, Any]], what: str) -> dict[str, float | None]:
    return {
        way: tabulated.averaged(row[what] for row in found if row["way"] == way)["mean"]
        for way in _WAYS
    }


def _verdict(found: list[dict[str, Any]]) -> str:
    shares, contrasts = _means(found, "own_share"), _means(found, "contrast")
    sure = {way: mean(row["probability"] for row in found if row["way"] == way) for way in _WAYS}
    said = (
        f"Images of the score reach a mean probability of {percent(sure['score'])}, images of the "
        f"posterior {percent(sure['posterior'])}"
    )
    if shares["score"] is not None and shares["posterior"] is not None:
        said += (
            f"; of the log-odds gained, the class's own score makes {shares['score']:.2f} and "
            f"{shares['posterior']:.2f}"
        )
    if contrasts["score"] and contrasts["posterior"] is not None:
        ratio = contrasts["posterior"] / contrasts["score"]
        said += f"; images of the posterior have {percent(ratio)} of the contrast"
    return said + "."


def _table(found: list[dict[str, Any]], verdict: str) -> Table:
    columns: tuple[str, ...] = (
        "class",
        "by",
        "score at the mean image",
        "score reached",
        "probability, %",
    )
    columns += ("own share", "contrast")
    rows = []
    for row in found:
        share = None if row["own_share"] is None else round(row["own_share"], 3)
        scores = float(f"{row['score_before']:.4g}"), float(f"{row['score']:.4g}")
        sure = round(100 * row["probability"], 1)
        rows.append((row["class"], row["way"], *scores, sure, share, round(row["contrast"], 2)))
    return Table("score against posterior", columns, tuple(rows), verdict)


def _plot(found: list[dict[str, Any]], what: str, title: str, unit: str) -> Plot:
    series = tuple(
        curve(f"by {way}", [row for row in found if row["way"] == way], "class", what)
        for way in _WAYS
    )
    return Plot(title, series, "", unit, "bars")
