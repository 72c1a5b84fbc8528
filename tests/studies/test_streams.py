"""Groups of channels alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from phosphene import Network, Preprocessing
from phosphene.errors import UnitError
from phosphene.studies.plan import Plan
from phosphene.studies.streams import Streams, _division, streams, streams_of
from tests.studies.plans import demo, planned


def net(*layers: nn.Module) -> Network:
    torch.manual_seed(0)
    return Network(nn.Sequential(*layers), Preprocessing((16, 16)))


def test_streams_end_where_all_channels_meet() -> None:
    found = streams_of(demo())
    assert found.count == 2
    assert found.layers == tuple("conv1 relu1 norm1 pool1 conv2 relu2 norm2 pool2".split())
    grouped = net(
        nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 1), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=3), nn.ReLU()
    )
    assert streams_of(grouped) == Streams(3, ("1", "2", "3", "4"))
    assert streams_of(net(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))) == Streams(2)
    depthwise = net(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 1))
    assert streams_of(depthwise) == Streams(2)


def test_each_stream_is_matched_alone_and_measured() -> None:
    plan = planned(layers=("conv1", "conv3"), steps=25)
    found = streams(plan)
    rows = found.data["inversions"]
    assert [(row["group"], row["layer"]) for row in rows] == [
        (0, "conv1"),
        (0, "conv3"),
        (1, "conv1"),
        (1, "conv3"),
    ]
    assert all(0 < row["error"] < 0.6 for row in rows)
    assert all(0 < row["chroma_share"] < 1.5 for row in rows)
    one, _, other, _ = rows
    assert one["chroma"] != other["chroma"]
    assert [heading for heading, _ in found.rows] == ["stream 1", "stream 2"]
    assert [t.caption for t in found.rows[0][1]] == ["photograph", "conv1", "conv3 (mixed)"]
    # The verdict goes by conv1 alone, where streams are apart.
    assert (
        f"Stream 1 keeps {100 * one['chroma_share']:.0f} % of the colour" in found.data["verdict"]
    )
    assert [row[4] for row in found.tables[0].rows] == ["yes", "no", "yes", "no"]
    assert not found.warnings
    made = plan.ledger.made
    streams(plan)
    assert plan.ledger.made == made == 4


def test_halves_are_not_called_streams() -> None:
    ungrouped = net(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3))
    found = streams(Plan(ungrouped, (torch.rand(3, 16, 16),), layers=("0", "2"), steps=2))
    assert "no streams" in found.warnings[0]
    assert found.warnings[1] == "no 2 groups of channels, left out: 2"
    assert found.rows[0][0] == "part 1"
    with pytest.raises(UnitError, match="divide into 2 groups"):
        streams(Plan(ungrouped, (torch.rand(3, 16, 16),), layers=("2",)))


def test_a_group_that_is_silent_is_left_out() -> None:
    silent = net(nn.Conv2d(3, 4, 3), nn.ReLU())
    convolution = silent.module[0]  # type: ignore[index]
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.bias is not None
    with torch.no_grad():
        convolution.bias[:] = torch.tensor([1.0, 1.0, -100.0, -100.0])
    found = streams(Plan(silent, (torch.rand(3, 16, 16),), layers=("1",), steps=2))
    assert "the part of 1 that is left by the mask is 0" in found.warnings[1]
    assert [row["group"] for row in found.data["inversions"]] == [0]
    assert found.data["verdict"] == "There are no two groups to compare."


def test_who_leads_has_to_lead_clearly() -> None:
    said = [
        _division({0: first, 1: second}, "stream")
        for first, second in (
            ((0.9, 0.5), (0.5, 0.9)),
            ((0.9, 0.8), (0.5, 0.5)),
            ((0.9, 0.8), (0.88, 0.82)),
            ((0.88, 0.5), (0.9, 0.9)),
        )
    ]
    assert said == [
        "stream 1 leads in colour and stream 2 leads in edges",
        "stream 1 leads in both, so colour and edges are not divided",
        "about the same",
        "stream 2 leads in edges",
    ]
