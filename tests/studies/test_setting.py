"""What studies take for granted."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from phosphene import Network, Preprocessing, open_network
from phosphene.errors import ImageError
from phosphene.preimage.result import PreImage, Trace
from phosphene.studies.curves import curve
from phosphene.studies.plan import STRENGTHS, Plan
from phosphene.studies.setting import (
    chosen_classes,
    demand_photos,
    finished,
    known_layers,
    strengths_at,
)
from tests.studies.plans import demo, planned


def labelled(*labels: str) -> Network:
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, len(labels), 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    return Network(module, Preprocessing((16, 16)), labels)


def test_strengths_are_the_papers_unless_some_are_given() -> None:
    known = known_layers(planned(), ("conv1", "fc8"))
    assert [strengths_at(planned(), layer) for layer in known.values()] == [(300.0,), (20.0,)]
    assert strengths_at(planned(strengths=(7.0, math.inf)), known["fc8"]) == (7.0, math.inf)
    same = tuple(float(c) for c in (1, 20, 100, 300))
    assert same == STRENGTHS
    assert strengths_at(planned(strengths=same), known["fc8"]) == same


def test_layers_go_by_their_other_names_too() -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    net = Network(module, Preprocessing((16, 16)), aliases={"first": "0"})
    known = known_layers(Plan(net), ("first", "1"))
    assert [layer.name for layer in known.values()] == ["0", "1"]
    assert known["first"].shape == (4, 14, 14)


def test_classes_of_the_papers_where_they_are_known() -> None:
    net = labelled("goose", "a", "black swan", "b", "tailed frog, tree frog")
    assert chosen_classes(Plan(net)) == [2, 0, 4]
    assert chosen_classes(Plan(net, classes=("b", "1", "b"))) == [3, 1]
    assert chosen_classes(Plan(labelled(*"abcdefghijklmn"))) == [0, 2, 4, 6, 9, 11, 13]
    assert chosen_classes(Plan(labelled("a", "b"))) == [0, 1]
    assert len(chosen_classes(Plan(demo()))) == 7


def test_what_a_person_has_stopped_stops_the_study() -> None:
    result = PreImage(torch.zeros(1, 3, 2, 2), ("one",), Trace.of([], 1), "net", "layer")
    assert finished(result) is result
    with pytest.raises(KeyboardInterrupt):
        finished(replace(result, interrupted=True))


def test_no_photographs() -> None:
    with pytest.raises(ImageError, match="study layers needs photographs"):
        demand_photos(Plan(open_network("demo")), "layers")


def test_curves_draw_means_and_intervals_worth_drawing() -> None:
    rows = [{"layer": "a", "v": v} for v in (1.0, 2.0, 3.0)]
    rows += [{"layer": "b", "v": 5.0}, {"layer": "b", "v": 6.0}, {"layer": "c", "v": None}]
    series = curve("name", rows, "layer", "v", 10)
    assert series.x == ("a", "b", "c")
    assert series.y[:2] == (20.0, 55.0)
    assert math.isnan(series.y[2])
    assert series.spread[0] > 0
    assert series.spread[1:] == (0.0, 0.0)
