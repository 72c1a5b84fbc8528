"""RAFT where torchvision is not, and weights that are none; `tests/interop` runs it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from phosphene.errors import FlowError, FormatError
from phosphene.motion.estimators import open_estimator
from phosphene.motion.estimators.raft import _margins

FIRST = "feature_encoder.convnormrelu.0.weight"


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is here")
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_without_torchvision(tmp_path: Path, suffix: str) -> None:
    file, state = tmp_path / f"raft{suffix}", {FIRST: torch.zeros(64, 3, 7, 7)}
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    with pytest.raises(
        FlowError, match=r"needs torchvision.*pip install 'phosphene\[torchvision\]'"
    ):
        open_estimator(f"raft:large:{file}")


def _saved(tmp_path: Path, value: object) -> Path:
    torch.save(value, tmp_path / "raft.pth")
    return tmp_path / "raft.pth"


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (open, ("/tmp/never-opened-by-phosphene", "w"))  # type: ignore[return-value]


def test_weights_are_not_unpickled(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds more than weights"):
        open_estimator(f"raft:{_saved(tmp_path, {'a': Hostile()})}")
    assert not Path("/tmp/never-opened-by-phosphene").exists()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (torch.zeros(3), "holds no state dict"),
        ({"a": 3}, "holds no state dict"),
        ({"conv1.weight": torch.zeros(3)}, "are none of torchvision's RAFT"),
        ({FIRST: torch.zeros(32, 3, 7, 7)}, "are of RAFT small, where large is asked for"),
    ],
)
def test_weights_of_something_else(tmp_path: Path, value: object, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        open_estimator(f"raft:large:{_saved(tmp_path, value)}")


@pytest.mark.parametrize("name", ["raft.pth", "raft.safetensors"])
def test_damaged_weights(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"weights")
    with pytest.raises(FormatError, match="raft"):
        open_estimator(f"raft:{tmp_path / name}")


def test_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="there is no file"):
        open_estimator(f"raft:small:{tmp_path / 'none.pth'}")


@pytest.mark.parametrize("side", range(1, 300, 7))
def test_margins(side: int) -> None:
    before, after = _margins(side)
    whole = before + side + after
    assert whole % 8 == 0
    assert whole >= 128
    assert whole == 128 or whole - side < 8
    assert 0 <= after - before <= 1
