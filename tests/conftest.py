"""What every test may ask for."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

# A shell's background jobs ignore Ctrl-C, and so would everything that tests start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
