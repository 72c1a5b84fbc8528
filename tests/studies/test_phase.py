"""Phase and amplitude, of images and of networks; and what happens when they are swapped."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from phosphene.core.reversal import backward
from phosphene.core.rules import GUIDED
from phosphene.core.tape import Tape
from phosphene.core.unit import Unit
from phosphene.errors import ImageError
from phosphene.studies import phase as study
from phosphene.studies.edges import edge_correlation
from phosphene.studies.findings import Findings
from phosphene.studies.phase import phase
from phosphene.studies.phase_judged import CODE, WAYS, Source, verdict
from phosphene.studies.plan import Plan
from tests.studies.plans import demo, planned, scenes


@pytest.fixture(scope="module")
def found() -> Findings:
    return phase(planned(4))


def by_source(found: Findings) -> dict[str, dict[str, Any]]:
    return {source["source"]: source for source in found.data["sources"]}


def mean(source: dict[str, Any], way: str, of: str = "own") -> float:
    return float(source["ways"][way][of]["mean"])


def test_structure_is_in_the_phase(found: Findings) -> None:
    sources = by_source(found)
    assert list(sources) == [
        "image",
        "SaliNet from class scores",
        "DeConvNet from class scores",
        "DeSaliNet from class scores",
    ]
    image, guided = sources["image"], sources["DeSaliNet from class scores"]
    assert mean(image, "as it is") > 0.99
    for of in (image, guided):
        assert of["judgement"] == "confirmed"
        assert mean(of, "amplitudes random") > 0.3
        assert mean(of, "amplitudes other") > mean(of, "amplitudes other", "other") + 0.3
        assert abs(mean(of, "phase random")) < 0.1
        assert mean(of, "phase other", "other") > mean(of, "phase other") + 0.3
    assert mean(image, CODE) > 0.3
    assert CODE not in guided["ways"]
    assert guided["share"] > 0.9 > image["share"]
    assert "DeSaliNet from class scores: confirmed" in found.data["verdict"]


def test_swapped_bottlenecks_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    # Seeds of one photograph sent through the masks and switches of the next pass.
    tapes: list[Tape] = []

    def swapped(tape: Tape, seed: torch.Tensor, rule: Any) -> torch.Tensor:
        if len(seed) > 1:  # the photograph's own, which are three
            blank = torch.rand(tape.x.shape, generator=torch.Generator().manual_seed(1))
            tapes.append(demo().scores.tape(blank))
            tape = tapes[-1]
        return backward(tape, seed, rule)

    monkeypatch.setattr(study, "backward", swapped)
    sources = by_source(phase(planned(4)))
    assert sources["image"]["judgement"] == "confirmed"
    assert sources["DeSaliNet from class scores"]["judgement"] != "confirmed"


def test_another_rule_is_found_out(found: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "RULES", ("identity/centre/identity",))
    (image, linear) = phase(planned(4)).data["sources"]
    assert image == found.data["sources"][0]
    # Nothing from the forward pass is left: no edges, whatever the seed.
    assert linear["judgement"] != "confirmed"
    assert abs(mean(linear, "amplitudes random")) < 0.1


def test_numbers_are_those_of_the_signals() -> None:
    net = demo()
    plan = Plan(net, scenes()[:2])
    images = [net.prepare(photo)[0] for photo in plan.photos]
    tapes = [net.scores.tape(image) for image in images]
    grays = [image[0].mean(0, keepdim=True) for image in images]
    crossed = []
    for mine, other in ((0, 1), (1, 0)):
        seed = tapes[other].activation.clamp(min=0)
        signal = net.preprocessing.pull_back(backward(tapes[mine], seed, GUIDED))
        crossed.append(edge_correlation(signal[0].mean(0, keepdim=True), grays[mine]))
    guided = phase(plan).data["sources"][3]
    expected = pytest.approx(sum(crossed) / 2, abs=1e-5)
    assert mean(guided, "amplitudes other") == expected
    assert mean(guided, "phase other", "other") == expected  # the same two signals


def test_verdicts_follow_the_numbers() -> None:
    def made(*own: float) -> Source:
        ways = zip(WAYS, own, strict=True)
        values = {way: {"own": value, "other": 0.2} for way, value in ways}
        return Source(
            "rule",
            [{w: {k: v + 0.001 * i for k, v in of.items()} for w, of in values.items()}
             for i in range(4)],
        )  # fmt: skip

    kept, lost, nothing = (
        made(0.6, 0.5, 0.5, 0.0, 0.0),
        made(0.6, 0.1, 0.1, 0.5, 0.0),
        made(-0.1, -0.1, -0.1, 0.0, 0.0),
    )
    assert [s.judgement for s in (kept, lost, nothing)] == [
        "confirmed",
        "contradicted",
        "cannot tell",
    ]
    assert "83 % of what it has" in verdict([kept])
    assert "shows no edges for sure" in verdict([nothing])


def test_a_sheet(found: Findings) -> None:
    assert [len(tiles) for _, tiles in found.rows[:4]] == [2 + len(WAYS) + 1, 7, 7, 7]
    assert [table.title for table in found.tables] == [
        "edge correlation with two photographs",
        "is structure in the phase?",
    ]
    assert found.picture().size[0] > 100


def test_a_layer_and_a_silent_one() -> None:
    found = phase(planned(2, layers=("pool5",)))
    assert list(by_source(found))[1] == "SaliNet from pool5"
    silent = study._code(-torch.ones(1, 4, 1, 1))
    assert torch.equal(silent, Unit.strongest().plant(-torch.ones(1, 4, 1, 1)).p)


def test_too_few_photographs() -> None:
    with pytest.raises(ImageError, match="the study phase needs photographs"):
        phase(Plan(demo()))
    for photos in (scenes()[:1], (scenes()[0], scenes()[0])):
        with pytest.raises(ImageError, match="2 different ones or more"):
            phase(Plan(demo(), photos))
    sizes = (torch.rand(3, 96, 96), torch.rand(3, 96, 112))
    with pytest.raises(ImageError, match="photographs of one size, and there are 96x96 and 112x96"):
        phase(Plan(demo(), sizes))
