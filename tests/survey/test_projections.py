from __future__ import annotations

import pytest
import torch

import phosphene
from phosphene.core.network import Network
from phosphene.core.unit import Unit
from phosphene.errors import UnitError
from phosphene.survey import projections
from phosphene.survey.patches import field_box
from phosphene.survey.projections import Spot, project
from tests.survey.pictured import SIZE, network

RULES = ["saliency", "deconvnet", "guided"]


def _spots(net: Network, layer: str, channels: int, side: int, seed: int) -> list[Spot]:
    random = torch.Generator().manual_seed(seed)
    seen = net.receptive_field(layer)
    drawn = torch.randint(0, side, (12, 2), generator=random).tolist()
    return [
        Spot(layer, i % channels, (y, x), field_box(seen, (y, x), (SIZE, SIZE)))
        for i, (y, x) in enumerate(drawn)
    ]


def _alone(net: Network, image: torch.Tensor, spot: Spot, rule: str) -> torch.Tensor:
    unit = Unit(spot.channel, at=spot.at)
    (found,) = phosphene.explain(net, image, unit, rule, layer=spot.layer, top=0).saliencies
    return found.signal[0] * found.score[0].abs()


@pytest.mark.parametrize("gated", [False, True], ids=["plain", "gated"])
def test_together_they_are_what_each_is_alone(gated) -> None:
    net, image = network(gated), torch.rand(1, 3, SIZE, SIZE)
    spots = _spots(net, "1", 4, SIZE, 0) + _spots(net, "5", 6, SIZE // 2, 1)
    found = project(net, image, spots, RULES)
    assert len(found) == len(spots)
    for spot, signals in zip(spots, found, strict=True):
        for rule, signal in zip(RULES, signals, strict=True):
            wanted = _alone(net, image, spot, rule)
            assert torch.allclose(signal, wanted, rtol=1e-4, atol=1e-6), (spot, rule)


def test_fields_that_do_not_touch_share_a_pass(monkeypatch) -> None:
    net, image = network(), torch.rand(1, 3, SIZE, SIZE)
    seeds = []
    real = projections.backward

    def counted(tape, seed, rule):
        seeds.append(len(seed) if seed.dim() == 5 else 1)
        return real(tape, seed, rule)

    monkeypatch.setattr(projections, "backward", counted)
    spots = [Spot("5", 0, (y, x), (2 * y - 3, 2 * x - 3, 8, 8)) for y in (2, 8) for x in (2, 8, 14)]
    local: dict[str, bool] = {}
    project(net, image, spots, ["guided"], local)
    assert local == {"5": True}
    assert seeds == [1, 1]  # one of them to see that nothing leaves its field
    project(net, image, [*spots, spots[0]], ["guided"], local)
    assert seeds == [1, 1, 2]
    seeds.clear()
    gated: dict[str, bool] = {}
    project(network(gated=True), image, spots, ["guided"], gated)
    assert gated == {"5": False}
    assert sum(seeds) == 1 + len(spots)


def test_a_silent_unit_sends_nothing_back() -> None:
    net = network()
    with torch.no_grad():
        net.module[0].bias[:] = -100
    ((signal,),) = project(net, torch.rand(1, 3, SIZE, SIZE), [Spot("1", 0, (3, 3))], ["guided"])
    assert not signal.any()


def test_units_that_are_not_there_are_refused() -> None:
    net, image = network(), torch.rand(1, 3, SIZE, SIZE)
    with pytest.raises(UnitError, match="4 units on a map of 32x32, and so no unit 4"):
        project(net, image, [Spot("1", 4, (0, 0))], ["guided"])
    with pytest.raises(UnitError, match=r"no unit 0 at \(0, 32\)"):
        project(net, image, [Spot("1", 0, (0, 32))], ["guided"])
    assert project(net, image, [], ["guided"]) == []
