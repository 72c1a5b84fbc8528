"""Eight architectures: numbers, main effects, verdicts; and what swapped rules do to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from phosphene import open_network
from phosphene.core.network import Network
from phosphene.core.rules import ARCHITECTURES, Reversal
from phosphene.core.tape import Census
from phosphene.errors import ImageError, NothingToReverse, UnknownLayer
from phosphene.saliency.explain import explain
from phosphene.studies import architectures as study
from phosphene.studies.architectures import architectures, deep_pool, rules_for
from phosphene.studies.architectures_judged import Grid, claims, corner
from phosphene.studies.findings import Findings
from phosphene.studies.plan import Plan
from tests.reference import edges as literal
from tests.studies.plans import demo, planned, scenes


@pytest.fixture(scope="module")
def found() -> Findings:
    return architectures(planned(4))


def by_rule(found: Findings) -> dict[str, dict[str, Any]]:
    return {row["rule"]: row for row in found.data["layers"][0]["rules"]}


def verdicts(found: Findings) -> dict[str, str]:
    return {claim["text"]: claim["verdict"] for claim in found.data["layers"][0]["claims"]}


def test_structure_comes_of_rectification(found: Findings) -> None:
    rows, layer = by_rule(found), found.data["layers"][0]
    assert layer["layer"] == "pool5"
    assert len(rows) == 16  # the demo network has LRN
    assert rows["guided"]["edges"]["mean"] > rows["mask/switches/identity"]["edges"]["mean"] + 0.1
    assert rows["deconvnet"]["edges"]["mean"] > rows["saliency"]["edges"]["mean"] + 0.1
    assert abs(rows["identity/centre/identity"]["edges"]["mean"]) < 0.1
    assert all(abs(row["chance"]["mean"]) < 0.15 for row in rows.values())
    assert layer["effects"]["edges"]["polarity"]["mean"] > 0.1
    assert layer["effects"]["sign"]["polarity"]["mean"] > 0.1
    assert layer["effects"]["sharpness"]["masks"]["mean"] > 0.01
    assert verdicts(found)["edges need rectification"].startswith("confirmed")
    assert "main effect of polarity" in found.data["verdict"]


def test_swapped_rules_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    swaps = {
        "rectify": "identity",
        "identity": "rectify",
        "mask": "mask+rectify",
        "mask+rectify": "mask",
    }

    def swapped(net: Any, photo: Any, unit: Any, rules: Any, **more: Any) -> Any:
        wrong = [replace(rule, relu=swaps[rule.relu], name="") for rule in rules]
        return explain(net, photo, unit, wrong, **more)

    monkeypatch.setattr(study, "explain", swapped)
    found = architectures(planned(4))
    assert found.data["layers"][0]["effects"]["edges"]["polarity"]["mean"] < -0.1
    assert verdicts(found)["edges need rectification"] == "contradicted"


def test_numbers_are_those_of_the_signal() -> None:
    # The literal measure is slow: a signal and a photograph on a small network.
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 3), nn.ReLU()
    )
    net = Network(module, name="small")
    photos = tuple(torch.rand(3, 12, 12) for _ in range(2))
    found = architectures(Plan(net, photos, layers=("4",)))
    rows = by_rule(found)
    assert list(rows) == [str(rule) for rule in ARCHITECTURES]
    for rule in ARCHITECTURES:
        each = []
        for photo in photos:
            signal = explain(net, photo, None, rule, layer="4", top=0)[0].signal[0]
            each.append(literal.edge_correlation(signal.numpy(), photo.numpy()))
        assert rows[str(rule)]["edges"]["mean"] == pytest.approx(sum(each) / 2, abs=1e-6)
    assert any("no LRN lies in front of 4" in warning for warning in found.warnings)
    assert any("give 5 or more" in warning for warning in found.warnings)


def test_a_sheet(found: Findings) -> None:
    assert [heading for heading, _ in found.rows][:4] == [
        "image 0: switches",
        "image 0: centre",
        "image 0: switches, LRN by its derivative",
        "image 0: centre, LRN by its derivative",
    ]
    assert [len(tiles) for _, tiles in found.rows] == [5] * 12
    assert [table.title for table in found.tables] == [
        "architectures, from pool5",
        "main effects, from pool5",
        "what the paper says, from pool5",
    ]
    assert found.picture().size[0] > 100


def test_corners() -> None:
    assert len({corner(rule) for rule in ARCHITECTURES}) == 8
    assert [corner(Reversal.parse(name)) for name in ("deconvnet", "guided", "saliency")] == [
        (True, False, True),
        (True, True, True),
        (False, True, True),
    ]
    assert len(rules_for(Census({"relu": 3}))) == 8
    assert len(rules_for(Census({"relu": 3, "lrn": 1}))) == 16
    assert {rule.include for rule in rules_for(Census({"relu6": 2}))} == {("relu6",)}


def made(edges: dict[tuple[bool, bool, bool], float], sharp: float) -> Grid:
    """Five photographs that differ by a little."""
    photos = [
        {
            "rules": {
                str(rule): {
                    "edges": edges[corner(rule)] + 0.001 * i * (i % 2),  # type: ignore[index]
                    "sharpness": sharp * corner(rule)[1] + 0.1 * corner(rule)[2] + 0.001 * i,
                    "sign": 0.0,
                }
                for rule in ARCHITECTURES
            }
        }
        for i in range(5)
    ]
    return Grid("layer", ARCHITECTURES, photos)


def test_verdicts_follow_the_numbers() -> None:
    corners = [corner(rule) for rule in ARCHITECTURES]
    needed = made({at: 0.4 * at[0] + 0.05 for at in corners}, 0.2)  # type: ignore[misc]
    helpful = made({at: 0.1 * at[0] + 0.3 * at[2] for at in corners}, 0.05)  # type: ignore[misc]
    harmful = made({at: -0.4 * at[0] for at in corners}, 0.2)  # type: ignore[misc]
    first = [claims(grid)[0].verdict for grid in (needed, helpful, harmful)]
    assert first == ["confirmed", "confirmed in part: it helps", "contradicted"]
    switches = [claims(grid)[1].verdict for grid in (needed, helpful)]
    assert switches == ["confirmed", "contradicted"]
    order = [claims(grid)[3].verdict for grid in (needed, helpful)]
    assert order == ["confirmed", "contradicted"]


def test_layers() -> None:
    assert deep_pool(demo()) == "pool5"
    straight = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten())
    with pytest.raises(NothingToReverse, match="no ReLU lies in front of 0"):
        architectures(Plan(Network(straight), (torch.rand(3, 8, 8),), layers=("0",)))
    with pytest.raises(UnknownLayer):
        planned(1, layers=("pool55",))
    assert open_network("demo") is not None
    with pytest.raises(ImageError, match="the study architectures needs photographs"):
        architectures(Plan(demo()))


def test_a_single_photograph_has_no_verdict() -> None:
    found = architectures(Plan(demo(), scenes()[:1], layers=("pool2",)))
    assert {v.split(":")[0] for v in verdicts(found).values()} == {"cannot tell"}
    assert by_rule(found)["guided"]["chance"]["mean"] is None
