"""Estimates and known flow, shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import FlowError, SettingError
from phosphene.motion.estimate import estimate
from phosphene.motion.flow import Flow
from phosphene.motion.shown import ShownFlow
from phosphene.motion.tiles import errors, heat_tile, longest
from tests.motion.scenes import moved, texture

PAIR = moved(60, 80, 3, 1)
TRUTH = Flow.of(np.broadcast_to([3.0, 1.0], (60, 80, 2)))


def test_good_flow_leaves_little() -> None:
    found = estimate(*PAIR, ["dis", "farneback"], truth=TRUTH)
    assert found.still == pytest.approx(
        np.abs(PAIR[0].astype(float) - PAIR[1].astype(float)).mean(), rel=1e-5
    )
    for each in found.found:
        numbers = each.as_json()
        assert numbers["residual"] < 0.15 * found.still
        assert numbers["consistent"] > 0.7
        assert numbers["median_px"] == pytest.approx(10**0.5, abs=0.1)
        assert numbers["error_px"] < 0.5
        assert each.back.size == (60, 80)
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert [e["estimator"] for e in told["estimates"]] == ["dis:medium", "farneback"]
    assert told["facts"] == {"size": "80x60"}


def test_frames_that_have_nothing_in_common() -> None:
    found = estimate(texture(60, 80, 1), texture(60, 80, 2))
    assert found.found[0].as_json()["consistent"] < 0.5


def test_what_estimates_show(tmp_path: Path) -> None:
    found = estimate(*PAIR, ["dis", "dis:fast"], truth=TRUTH, facts={"frames": "a, b"})
    panel = found.panel()
    assert [name for name, _ in panel.rows] == ["", "dis:medium", "dis:fast"]
    assert len(panel.rows[0][1]) == 4
    assert all(len(tiles) == 5 for _, tiles in panel.rows[1:])
    assert panel.tables[0].columns[-3:] == ("error px", "Fl", "seconds")
    assert "error px" not in estimate(*PAIR).panel().tables[0].columns
    found.save(tmp_path / "flow.html")


def test_one_pixel(tmp_path: Path) -> None:
    frame = np.full((1, 1, 3), 7, np.uint8)
    found = estimate(frame, frame)
    found.save(tmp_path / "flow.png")
    json.dumps(found.as_json(), allow_nan=False)


def test_estimates_that_cannot_be() -> None:
    with pytest.raises(SettingError, match="name"):
        estimate(*PAIR, [])
    with pytest.raises(FlowError, match="one size"):
        estimate(PAIR[0], PAIR[1][:-1])
    with pytest.raises(FlowError, match="cannot be compared"):
        estimate(*PAIR, truth=Flow.of(np.zeros((3, 4, 2))))


def test_shown_flow(tmp_path: Path) -> None:
    vectors = np.zeros((60, 80, 2))
    vectors[:, 40:] = (3.0, 4.0)
    valid = np.ones((60, 80), bool)
    valid[:30] = False
    shown = ShownFlow(Flow.of(vectors, valid), PAIR[0], TRUTH, {"flow": "x.flo"})
    numbers = shown.numbers()
    assert numbers == {"valid": 0.5, "still": 0.5, "median_px": 2.5, "longest_px": 5.0}
    assert shown.error is not None
    assert shown.error.mean == pytest.approx((10**0.5 + 3) / 2)
    panel = shown.panel()
    assert [len(tiles) for _, tiles in panel.rows] == [4, 2]
    assert panel.facts["flow"] == "x.flo"
    shown.save(tmp_path / "flow.png")
    assert len(ShownFlow(TRUTH).panel().rows[0][1]) == 3


def test_flow_of_which_nothing_is_known() -> None:
    shown = ShownFlow(Flow.of(np.full((20, 30, 2), np.nan)), truth=Flow.of(np.zeros((20, 30, 2))))
    shown.picture()
    told = json.loads(json.dumps(shown.as_json(), allow_nan=False))
    assert told["valid"] == 0
    assert told["median_px"] is None
    assert told["error"]["mean"] is None


def test_shown_flow_that_cannot_be() -> None:
    with pytest.raises(FlowError, match="a frame of 80x59 does not fit a flow of 80x60"):
        ShownFlow(TRUTH, PAIR[0][:-1])
    with pytest.raises(FlowError, match="cannot be compared"):
        ShownFlow(TRUTH, truth=Flow.of(np.zeros((3, 4, 2))))


def test_errors_are_unknown_where_flow_is() -> None:
    found = Flow.of(np.array([[[3.0, 4.0], [np.nan, 0.0]]]))
    truth = Flow.of(np.zeros((1, 2, 2)))
    error = errors(found, truth)
    assert error[0, 0] == 5
    assert np.isnan(error[0, 1])
    pixels = np.asarray(heat_tile(error, 5.0, "").image)
    assert pixels[0, 1].tolist() == [110, 110, 110]
    assert pixels[0, 0].min() > 180


def test_longest_is_at_least_a_pixel() -> None:
    assert longest(Flow.of(np.zeros((4, 4, 2)))) == 1
    assert longest(Flow.of(np.full((4, 4, 2), np.nan))) == 1
    assert longest(TRUTH) == pytest.approx(10**0.5)
