"""`phosphene ablate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ran

Run = Callable[..., Ran]


def test_cuts_are_measured(run: Run, desk: Path) -> None:
    done = run("ablate", "-i", "demo:10", "-c", "conv4", "-c", "conv5:1,2", "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert [cut["layer"] for cut in found["cuts"]] == ["conv4", "conv5"]
    assert found["cuts"][1]["units"] == [1, 2]
    assert found["whole"]["accuracy"] > found["cuts"][0]["accuracy"]
    assert Path("ablation.html").exists()


def test_what_is_no_cut(run: Run, desk: Path) -> None:
    done = run("ablate", "-i", "demo:10", "-c", "conv5:one")
    assert done.code == 2
    assert "is no cut: give a layer" in done.err
    assert run("ablate", "-i", "demo:10", "-c", "conv9").code == 1


def test_retraining_is_of_the_demo_network(run: Run, desk: Path) -> None:
    assert run("ablate", "--retrain", "all", "-m", "nets.py:net").code == 2
    done = run("ablate", "--retrain", "cooarse first layer")
    assert done.code == 1
    assert "did you mean 'coarse first layer'" in done.err
