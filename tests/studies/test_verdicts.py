"""Verdicts that numbers do not bear are not given: each case was once said for sure."""

from __future__ import annotations

from typing import Any

import pytest

from phosphene.core.rules import ARCHITECTURES
from phosphene.inverse.settings import TOLD
from phosphene.studies import tabulated
from phosphene.studies.architectures_judged import claims
from phosphene.studies.cascade_judged import grade
from phosphene.studies.dominance import verdicts_of as dominance
from phosphene.studies.grid import MEASURES, Grid, corner
from phosphene.studies.informed_judged import judged
from phosphene.studies.ledger import Cell
from phosphene.studies.on_objects import verdicts_of as on_objects
from phosphene.studies.weakened import verdicts_of as weakened

LACKS = "DeConvNet, pool5"


def lit(matched: list[float]) -> dict[str, Any]:
    numbers = tabulated.averaged(matched)
    return {
        "inside": numbers, "over_others": numbers, "over_field": numbers, "each": matched,
        "matched": matched,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("deconvnet", "word"),
    [
        ([0.5, -0.3, 0.4, -0.2], "cannot tell: SaliNet is selective, and not surely more so"),
        ([0.0, 0.01, -0.02, 0.01], "confirmed"),
        ([0.1, 0.12, 0.11, 0.09], "confirmed in part: it is selective, and surely less so"),
        ([0.4, 0.45, 0.5, 0.55], "contradicted"),
    ],
)
def test_a_lack_is_a_difference(deconvnet: list[float], word: str) -> None:
    found = {
        ("pool5", "deconvnet"): lit(deconvnet),
        ("pool5", "saliency"): lit([0.3, 0.35, 0.4, 0.3]),
    }
    said = on_objects(
        found, ["pool5"], ["deconvnet", "saliency"], "predicted class", "another class"
    )
    assert f"lacks selectivity for the object: {word}." in said[LACKS]


def test_a_wide_interval_is_no_yes() -> None:
    other = {"mean": 0.1}
    assert grade({"mean": 0.4, "interval": 0.5, "count": 3}, other) == "cannot tell"
    assert grade({"mean": 0.1, "interval": 0.2, "count": 3}, other) == "yes"


def test_without_a_pool_nothing_is_said_of_switches() -> None:
    def row(rule: Any, photo: int) -> dict[str, float]:
        polarity, masks, _ = corner(rule)
        return dict.fromkeys(
            (*MEASURES, "chance", "plain"), 0.3 * polarity + 0.1 * masks + photo / 99
        )

    photos = [{"rules": {str(r): row(r, n) for r in ARCHITECTURES}} for n in range(4)]
    for pools in (True, False):
        found = {c.text: c.verdict for c in claims(Grid("conv", ARCHITECTURES, photos, pools))}
        about = {text: word for text, word in found.items() if "switches" in text}
        assert len(about) == 3
        assert set(about.values()) == {
            "confirmed" if pools else "cannot tell, as there is no max-pool"
        }
        assert found["masks sharpen"] == "confirmed"


def noisy(signals: list[float], images: list[float]) -> str:
    rows = [
        {
            "layer": f"conv{n}", "rule": "guided", "seeds": tabulated.averaged([value] * 3),
            "photos": tabulated.averaged([0.1] * 3), "gap": tabulated.averaged([value - 0.1] * 3),
            "signed": tabulated.averaged([0.0] * 3), "each": [value] * 3,
        }
        for n, value in enumerate(signals)
    ]  # fmt: skip
    cells = {f"conv{n}": [Cell({"seeds": v, "start": 0.1})] for n, v in enumerate(images)}
    return dominance(rows, cells)["noise"]


def test_freedom_from_the_bottleneck_takes_layers_that_agree() -> None:
    assert "cannot tell for sure, of so few layers" in noisy([0.9, 0.8], [0.1, 0.2])
    assert ": confirmed." in noisy([0.9, 0.8, 0.9], [0.1, 0.2, 0.1])
    assert ": cannot tell for sure." in noisy([0.9, 0.2, 0.5], [0.3, 0.4, 0.6])
    assert "as signals differ as well" in noisy([0.3, 0.3, 0.3], [0.1, 0.2, 0.1])


def test_a_pool_that_few_photographs_do_not_fill_contradicts_nothing() -> None:
    def shares(count: int) -> dict[tuple[str, str], Any]:
        half = tabulated.averaged([0.5, 0.52, 0.51][:count])
        one = {"share": half, "together": 0.8, "outside": 0.0, "sides": [9.0] * count}
        return {("pool2", rule): one for rule in ("guided", "plain", "random")}

    words = [
        next(text for text in weakened(shares(n), ["pool2"], ["guided"], "plain", "random").values()
             if "larger than it looks" in text)
        for n in (1, 3)
    ]  # fmt: skip
    assert "not discarded: cannot tell." in words[0]
    assert "not discarded: contradicted." in words[1]


def test_one_training_each_orders_nothing() -> None:
    def value(error: float, seed: int) -> dict[str, Any]:
        errors = [error + n / 1000 for n in range(6)]
        return {
            "squared": error, "root": error**0.5, "untrained": 2.0, "losses": [error],
            "photographs": [f"{seed} {n}" for n in range(6)], "energies": [1.0] * 6,
            "errors": errors,
        }  # fmt: skip

    worse = {"both": 0.1, "switches": 0.2, "masks": 0.3, "neither": 0.4}
    for seeds, word in ((1, "cannot be told"), (2, "is confirmed")):
        found = judged({(t, s): value(worse[t], s) for t in TOLD for s in range(seeds)})
        assert word in found.verdict
