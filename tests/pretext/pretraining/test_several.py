"""Several processes learn what one learns, are interrupted together, and fail with a sentence."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from phosphene.errors import FlowError, SettingError
from phosphene.pretext.pretraining import CrossPixel, How, run_with
from tests.pretext.pretraining.conftest import world
from tests.pretext.pretraining.test_running import QUIET, told


def test_a_batch_has_to_be_shared_evenly(cubes: str, tmp_path: Path):
    with pytest.raises(SettingError, match="batch of 5 cannot be shared evenly by 2"):
        run_with([CrossPixel(data=cubes, batch=5)], tmp_path, workers=2)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path: Path, cubes: str, small: str) -> None:
    setting = told(CrossPixel, cubes, small, epochs=3, held_out=0.3, learn_sigma=True)
    one = run_with([setting], tmp_path / "one", how=QUIET)
    two = run_with([setting], tmp_path / "two", how=QUIET, workers=2)
    assert two.ended == "done"
    assert two.facts["processes"] == "2"
    for ours, theirs in zip(one.history, two.history, strict=True):
        assert theirs.loss == pytest.approx(ours.loss, abs=1e-5)
        assert theirs.measured == pytest.approx(ours.measured, abs=1e-5)
    assert two.network["4"](two.network.blank()).shape == (1, 16, 16, 16)


@pytest.mark.slow
def test_what_fails_in_a_process_is_said_here(tmp_path: Path, small: str) -> None:
    setting = told(CrossPixel, str(tmp_path / "nowhere"), small)
    with pytest.raises(FlowError, match="no folder"):
        run_with([setting], tmp_path / "run", how=QUIET, workers=2)


@pytest.mark.slow
def test_interrupted_together_they_go_on(tmp_path: Path, small: str) -> None:
    data = world(tmp_path / "cubes", frames=9)
    setting = told(CrossPixel, str(data), small, epochs=400, patience=None)
    log = tmp_path / "run" / "log.csv"

    def press() -> None:
        while not log.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    found = run_with([setting], tmp_path / "run", how=How(pictures=0), workers=2)
    assert found.ended == "interrupted"
    assert 1 <= len(found.history) < 400
