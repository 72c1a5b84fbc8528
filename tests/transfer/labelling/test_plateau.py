"""The rule that lets the rate fall: fed numbers, it decides."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch.optim import SGD

from phosphene.errors import SettingError
from phosphene.transfer.labelling.plateau import Given, Plateau, Watched


def fed(rule: Plateau, values: list[float], every: int = 1000, start: int = 0) -> list[int]:
    told = enumerate(values, 1)
    return [n * every + start for n, value in told if rule.tell(n * every + start, value)]


def test_it_falls_where_a_window_is_not_above_the_one_before() -> None:
    rule = Plateau(window=2000, first=0, levels=3)
    #          .2        .5         .5         .6         .55        .55
    assert fed(rule, [0.1, 0.3, 0.6, 0.4, 0.2, 0.8, 0.6, 0.6, 0.5, 0.6, 0.6, 0.5]) == [
        6000,
        10000,
        12000,
    ]
    assert rule.falls == [6000, 10000, 12000]
    assert rule.ended


def test_windows_are_averages() -> None:
    rule = Plateau(window=5000, first=0, levels=1)
    # A single measurement that is worse does nothing while the mean rises.
    assert fed(rule, [0.5] * 5 + [0.9, 0.1, 0.6, 0.6, 0.6]) == []
    assert fed(rule, [0.9, 0.1, 0.5, 0.6, 0.6], start=10_000) == [15_000]


def test_nothing_is_decided_early() -> None:
    rule = Plateau()
    assert (rule.window, rule.first, rule.levels) == (5000, 35_000, 3)
    falling = [1 - n / 100 for n in range(60)]
    assert fed(rule, falling) == [35_000, 40_000, 45_000]


def test_what_rises_goes_on() -> None:
    rule = Plateau(window=10, first=0)
    assert fed(rule, [n / 1000 for n in range(500)], every=1) == []
    assert not rule.ended


def test_after_the_last_level_it_says_nothing() -> None:
    rule = Plateau(window=1, first=0, levels=1)
    assert fed(rule, [0.5] * 9, every=1) == [2]
    assert rule.falls == [2]


def test_measurements_rarer_than_windows_are_windows() -> None:
    rule = Plateau(window=10, first=0, levels=2)
    assert fed(rule, [0.1, 0.2, 0.2, 0.1], every=25) == [75, 100]


@pytest.mark.parametrize("at", range(1, 24))
def test_it_goes_on_where_it_stood(at: int) -> None:
    values = torch.rand(24, generator=torch.Generator().manual_seed(at)).tolist()
    whole, begun, later = (Plateau(window=3, first=4, levels=5) for _ in range(3))
    fed(whole, values, every=1)
    fed(begun, values[:at], every=1)
    later.restore(json.loads(json.dumps(begun.state())))
    fed(later, values[at:], every=1, start=at)
    assert later.falls == whole.falls
    assert later.state() == whole.state()


@pytest.mark.parametrize(("window", "first", "levels"), [(0, 0, 1), (1, -1, 1), (1, 0, 0)])
def test_what_cannot_be_is_said(window: int, first: int, levels: int) -> None:
    with pytest.raises(SettingError, match="must be 1 or more"):
        Plateau(window, first, levels)


def optimizer() -> SGD:
    weights, biases = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    return SGD([{"params": [weights], "lr": 0.5}, {"params": [biases], "lr": 1.0}])


def rates(of: SGD) -> list[float]:
    return [group["lr"] for group in of.param_groups]


def test_rates_fall_at_once_with_what_is_decided() -> None:
    of = optimizer()
    watched = Watched(of, Plateau(window=2, first=0, levels=2))
    seen = []
    for update, value in enumerate((0.1, 0.1, 0.1, 0.1, 0.0, 0.0), 1):
        of.step()
        watched.step()
        watched.tell(update, value)
        seen.append(rates(of))
    assert seen[2] == [0.5, 1.0]
    assert seen[3] == seen[4] == pytest.approx([0.05, 0.1])
    assert seen[5] == pytest.approx([0.005, 0.01])
    held = json.loads(json.dumps(watched.state_dict()))
    again = Watched(optimizer(), Plateau(window=2, first=0, levels=2))
    again.load_state_dict(held)
    assert again.rule.falls == [4, 6]
    assert again.get_lr() == pytest.approx([0.005, 0.01])
    assert again.last_epoch == 6


def test_given_updates_are_obeyed_also_by_a_run_taken_up_again() -> None:
    """As those that a rule has found, before the update that follows."""
    of, seen = optimizer(), []
    given = Given(of, (2, 4))
    for update in range(5):
        if update == 3:
            held = json.loads(json.dumps(given.state_dict()))
            kept = of.state_dict()
            of = optimizer()
            given = Given(of, (2, 4))
            of.load_state_dict(kept)
            given.load_state_dict(held)
        of.step()
        given.step()
        seen.append(rates(of)[0])
    assert seen == pytest.approx([0.5, 0.05, 0.05, 0.005, 0.005])
