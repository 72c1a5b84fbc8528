"""Protocols in two processes, as `phosphene transfer --workers 2` starts them."""

from __future__ import annotations

import csv
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from phosphene.errors import SettingError
from phosphene.training.spawning import together
from phosphene.transfer.compared import Compared
from phosphene.transfer.protocols import compare, protocol
from phosphene.zoo.catalogue import open_network
from tests.transfer.drawn import drawn_set

TOLD: dict[str, dict[str, Any]] = {
    # Processes drop units of their own, so that none are dropped.
    "classification": {
        "layer": "relu5", "updates": 4, "tests": 1, "batch": 4, "rate": 0.01, "drop_every": 2,
    },
    "segmentation": {
        "layers": ("relu1", "relu3"), "crop": 64, "batch": 4, "points": 40, "buffer": 2,
        "hidden": 8, "falls": (3, 5), "stride": 8, "dropout": 0.0, "deviation": 0.1,
    },
}  # fmt: skip
LOGS = {"classification": "log.csv", "segmentation": "stage-2/log.csv"}


def work(fabric: Any, name: str, setting: Any, folder: Path) -> Compared:
    nets = {"demo": open_network("demo")}
    return compare(name, setting, nets, drawn_set(8, 0), drawn_set(3, 1), folder, fabric=fabric)


def losses(path: Path) -> list[float]:
    with open(path) as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.parametrize("name", TOLD)
def test_two_processes_find_what_one_finds(name: str, tmp_path: Path) -> None:
    setting = protocol(name).setting_type()(**TOLD[name])
    one, two = (
        together(work, name, setting, tmp_path / str(count), workers=count, device="cpu")
        for count in (1, 2)
    )
    told = [losses(tmp_path / n / "demo" / "seed-0" / LOGS[name]) for n in "12"]
    assert told[0]
    assert told[1] == pytest.approx(told[0], abs=1e-5)
    for column, (value, _) in one.scores["demo"].items():
        assert two.scores["demo"][column][0] == pytest.approx(value, abs=2e-3)
    result = json.loads((tmp_path / "2" / "demo" / "seed-0" / "result.json").read_text())
    assert result["facts"]["processes"] == "2"


@pytest.mark.slow
def test_stopped_together_they_go_on(tmp_path: Path) -> None:
    setting = protocol("segmentation").setting_type()(
        **{**TOLD["segmentation"], "falls": (4000,), "check": 1}
    )
    log = tmp_path / "demo" / "seed-0" / LOGS["segmentation"]

    def press() -> None:
        while not log.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        together(work, "segmentation", setting, tmp_path, workers=2, device="cpu")
    assert (log.parent / "state" / "state.safetensors").is_file()
    assert not (tmp_path / "compared.json").exists()


@pytest.mark.slow
def test_what_fails_in_a_process_is_said_here(tmp_path: Path) -> None:
    setting = protocol("classification").setting_type()(layer="relu5", batch=20, updates=2)
    with pytest.raises(SettingError, match="8 examples do not fill a batch of 20"):
        together(work, "classification", setting, tmp_path, workers=2, device="cpu")


def test_a_batch_has_to_be_shared_evenly() -> None:
    chosen = protocol("detection")
    with pytest.raises(SettingError, match=r"\(photographs\) of 2 cannot be shared evenly by 3"):
        chosen.check_shared(chosen.setting_type()(), 3)
    retrained = protocol("retrained")
    with pytest.raises(SettingError, match="runs in one process, and 2"):
        retrained.check_shared(retrained.setting_type()(layer="relu7"), 2)
    retrained.check_shared(retrained.setting_type()(layer="relu7"), 1)
