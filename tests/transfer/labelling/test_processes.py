"""Two processes find what one finds, and share the testing."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from phosphene.training.launching import quiet
from phosphene.training.processes import fabric_of, rank
from phosphene.transfer.labelling import run
from phosphene.transfer.labelling.videos import colors
from tests.transfer.labelling.test_running import QUICK, boxes

# Each process drops units of its own.
SETTING = replace(QUICK, dropout=0.0, levels=1, standardize=True)


def process(fabric: Any, folder: str) -> None:
    torch.set_num_threads(1)
    found = run(SETTING, colors(), boxes(20, 1), boxes(5, 2), Path(folder, "run"), fabric=fabric)
    assert len(found.shown) == (5 if rank() == 0 else 0)
    Path(folder, f"{rank()}.json").write_text(json.dumps(found.as_json()))


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with quiet():
        fabric_of("cpu", workers=2, start="spawn").launch(process, str(tmp_path))
    alone = run(SETTING, colors(), boxes(20, 1), boxes(5, 2))
    one, other = (json.loads((tmp_path / f"{n}.json").read_text()) for n in (0, 1))
    assert one == other
    assert one["falls"] == list(alone.falls)
    difference = np.abs(np.array(one["confusion"]) - alone.confusion.counts)
    assert difference.sum() <= 2e-3 * alone.confusion.counts.sum()  # sums are rounded otherwise
    losses = [[e["loss"] for e in one["history"][stage]] for stage in ("stage 1", "stage 2")]
    for own, wanted in zip(losses, alone.history.values(), strict=True):
        assert own == pytest.approx([epoch.loss for epoch in wanted], abs=1e-4)
