"""Inversions as cells of a ledger: what several studies measure and show.

Every study asks for them by the same key, so that studies that share a ledger share the work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from phosphene.errors import PhospheneError, UnitError
from phosphene.image import to_image
from phosphene.preimage.invert import RECIPES, USUAL, invert, strength_for
from phosphene.preimage.priors import NATURAL
from phosphene.preimage.recipe import chosen
from phosphene.preimage.result import PreImage
from phosphene.studies.ledger import Cell
from phosphene.studies.plan import STRENGTHS, Plan
from phosphene.studies.setting import finished


def inversion(plan: Plan, number: int, layer: str, strength: float, repeat: int = 0) -> Cell:
    """Invert one photograph's code of one layer, or look the result up.

    Args:
        plan: The study's.
        number: Which of its photographs.
        layer: Whose code.
        strength: C; infinity leaves out priors, jitter and bound.
        repeat: Which noise to start from.

    Returns:
        Values `error` (relative), `stood` and `stands` (the class before and after), `probability`
        (of the class it stood for, after), `steps`, `mean` (RGB in [0, 1]), and `skipped`, which
        says why there is none; images `original` and `found`.
    """
    key = {
        "photo": plan.photo_ids[number],
        "layer": layer,
        "strength": "none" if math.isinf(strength) else strength,
        "repeat": repeat,
    }
    return plan.cell("inversion", key, lambda: _computed(plan, number, layer, strength, repeat))


def _computed(plan: Plan, number: int, layer: str, strength: float, repeat: int) -> Cell:
    try:
        result = inverted(plan, plan.photos[number], layer, strength, repeat)
    except UnitError as error:
        return Cell({"skipped": str(error)})
    assert result.error is not None
    assert result.reference is not None
    values = {
        "error": float(result.error[0]),
        "steps": len(result.trace),
        "mean": result.image[0].mean((1, 2)).tolist(),
        "mean_original": result.reference[0].mean((1, 2)).tolist(),
        **classes_of(plan, result),
    }
    images = {"original": to_image(result.reference[0]), "found": to_image(result.image[0])}
    return Cell(values, images)


def inverted(
    plan: Plan, photo: object, layer: str, strength: float, repeat: int = 0, **more: object
) -> PreImage:
    """Invert as a study does: one image, with or without regularisation.

    Args:
        plan: The study's.
        photo: The photograph.
        layer: Whose code.
        strength: C; infinity leaves out priors, jitter and bound (the thesis' "C = infinity": the
            authors' code has C = 1, and no bound).
        repeat: Which noise to start from.
        more: Further arguments of `invert`, or others than these.

    Raises:
        KeyboardInterrupt: The person has had enough.
    """
    recipe = chosen(RECIPES, plan.quality, USUAL, plan.steps)
    free = math.isinf(strength)
    if free:
        recipe = replace(recipe, jitter=1, radius=float("inf"))
    settings: dict[str, Any] = {
        "strength": 1.0 if free else strength,
        "priors": () if free else NATURAL,
        "quality": recipe,
        "seed": plan.seed + repeat,
        **more,
    }
    return finished(invert(plan.net, photo, layer, **settings))


def strength_of(plan: Plan, layer: str) -> float:
    """Return the C of a study that needs one: the first asked for, else the papers' for the layer.

    Args:
        plan: The study's.
        layer: The layer.
    """
    if plan.strengths is not STRENGTHS:  # by identity: to ask for just those four is to ask
        return plan.strengths[0]
    return strength_for(plan.net.receptive_field(layer))


def middle_of(plan: Plan) -> tuple[str, ...]:
    """Return the layers asked for, or one in the middle of the network."""
    return plan.layers or (plan.spread(3)[len(plan.spread(3)) // 2],)


def classes_of(plan: Plan, result: PreImage) -> dict[str, object]:
    """Classify the original and what was found of it; nothing for networks without classes."""
    assert result.reference is not None
    try:
        before = plan.net.probabilities(result.reference[:1])[0]
        after = plan.net.probabilities(result.image[:1])[0]
    except PhospheneError:
        return {}
    stood = int(before.argmax())
    return {
        "stood": stood,
        "stands": int(after.argmax()),
        "probability": float(after[stood]),
    }


def cells_of(
    plan: Plan, layers: Sequence[str], strengths: Sequence[float], repeats: int = 1
) -> dict[tuple[str, float], list[Cell]]:
    """Compute all inversions of a study, photograph by photograph within layers and strengths.

    Args:
        plan: The study's.
        layers: Names of layers.
        strengths: Values of C.
        repeats: From how many starts.

    Returns:
        By layer and strength: the cells, photographs first, then repeats; skipped ones left out.
    """
    found: dict[tuple[str, float], list[Cell]] = {}
    total = len(layers) * len(strengths) * len(plan.photos) * repeats
    done = 0
    for layer in layers:
        for strength in strengths:
            here = found.setdefault((layer, strength), [])
            for number in range(len(plan.photos)):
                for repeat in range(repeats):
                    plan.tick(done, total, f"{layer}, {plan.names[number]}")
                    cell = inversion(plan, number, layer, strength, repeat)
                    done += 1
                    if "skipped" not in cell.values:
                        here.append(cell)
    plan.tick(total, total, "done")
    return found
