"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real networks and photographs; tests that need it run where it is."""
    default = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("PHOSPHENE_SHARED", default))
    if not (folder / "data").is_dir():
        pytest.skip("the shared material is not here (PHOSPHENE_SHARED names its folder)")
    return folder


@pytest.fixture(autouse=True)
def _undisturbed():
    """No test may leave the global random state or the thread count changed."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
