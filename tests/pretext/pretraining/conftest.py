"""A small world on disk, and a small backbone of one's own."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from phosphene.motion.sets import SetPlan, write_set
from phosphene.worlds.cubes import Scene, single_cube

BACKBONE = '''
import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing


def small():
    """No dropout: processes would draw it each for itself."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 8, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 1),
            nn.ReLU(),
        )
    return Network(module, Preprocessing((32, 32), mean=(0.5,) * 3, std=(0.25,) * 3))
'''


def scene(index: int, frames: int = 5) -> Scene:
    return single_cube(index, frames=frames, size=(40, 40))


def world(folder: Path, names: tuple[str, ...] = ("a", "b", "c"), frames: int = 5) -> Path:
    """Sequences of one cube each, 4 pairs a sequence, the last for testing."""
    plan = SetPlan(names, {"world": "test"}, {"train": names[:-1], "test": names[-1:]})
    write_set(folder, partial(scene, frames=frames), plan)
    return folder


@pytest.fixture(scope="session")
def cubes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(world(tmp_path_factory.mktemp("worlds") / "cubes"))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("nets") / "net.py"
    path.write_text(BACKBONE)
    return f"{path}:small"
