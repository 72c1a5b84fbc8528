"""RAFT of torchvision: its own numbers, for frames of any size."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import optical_flow

from phosphene.errors import FormatError, SettingError
from phosphene.motion.estimators import open_estimator

SIZES = ("small", "large")


def network(size: str) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built: torch.nn.Module = getattr(optical_flow, f"raft_{size}")(weights=None).eval()
    return built


@pytest.fixture(scope="module", params=SIZES)
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file: Path = tmp_path_factory.mktemp("raft") / f"{request.param}.pth"
    torch.save(network(request.param).state_dict(), file)
    return file


def frames(height: int, width: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return tuple(rng.integers(0, 255, (height, width, 3), np.uint8) for _ in range(2))  # type: ignore[return-value]


def test_is_torchvisions(weights: Path) -> None:
    one, other = frames(128, 136)
    transforms = optical_flow.Raft_Small_Weights.DEFAULT.transforms()
    shown = transforms(*(torch.from_numpy(f).permute(2, 0, 1)[None] for f in (one, other)))
    with torch.inference_mode():
        expected = network(weights.stem)(*shown)[-1][0].permute(1, 2, 0).numpy()
    found = open_estimator(f"raft:{weights}")(one, other).vectors
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("size", [(1, 1), (37, 61), (129, 130)])
def test_any_size(weights: Path, size: tuple[int, int]) -> None:
    one, other = frames(*size)
    estimator = open_estimator(f"raft:{weights.stem}:{weights}")
    found = estimator(one, other)
    assert found.size == size
    again = pickle.loads(pickle.dumps(estimator))(one, other)
    assert np.array_equal(again.vectors, found.vectors)


def test_spellings_of_weights(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)
    save_file({f"module.{k}": v.clone() for k, v in state.items()}, tmp_path / "w.safetensors")
    torch.save({"model": state}, tmp_path / "w.pth")
    one, other = frames(128, 128)
    expected = open_estimator(f"raft:{weights}")(one, other).vectors
    for name in ("w.safetensors", "w.pth"):
        found = open_estimator(f"raft:{tmp_path / name}")
        assert found.name == f"raft:{weights.stem}:{tmp_path / name}"
        assert np.array_equal(found(one, other).vectors, expected)


def test_weights_that_do_not_fit(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)
    state.popitem()
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(FormatError, match="do not fit RAFT"):
        open_estimator(f"raft:{tmp_path / 'short.pth'}")


def test_device_that_cannot_be(weights: Path) -> None:
    with pytest.raises(SettingError, match="cannot run on 'abacus'"):
        open_estimator(f"raft:{weights}", device="abacus")
