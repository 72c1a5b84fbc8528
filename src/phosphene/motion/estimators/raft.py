"""RAFT of torchvision, with weights that the user brings.

*Reference*: Teed & Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020.
Frames are scaled to [-1, 1] and continued by their outermost pixels, evenly on both sides, to
multiples of 8 and to 128 at least, below which its pyramid of correlations is empty.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phosphene.errors import FlowError, FormatError, SettingError, first_line, nearest
from phosphene.motion.estimators.estimator import Estimator, Pixels, checked
from phosphene.motion.flow import Flow

if TYPE_CHECKING:
    from torch import Tensor

SIZES = ("large", "small")
_STEP, _SIDE = 8, 128
_FIRST = "feature_encoder.convnormrelu.0.weight"
_CHANNELS = {64: "large", 32: "small"}
"""Channels of the first convolution, which tell the two networks apart."""


def opened(family: str, rest: str, *, device: str, limit: float) -> Estimator:
    """Open `raft:FILE`, `raft:large:FILE` or `raft:small:FILE`.

    Raises:
        SettingError: No weights are given, or the device cannot be.
        FlowError: torchvision is not installed.
        FormatError: The weights are missing, damaged, or of another network.
    """
    size, colon, file = rest.partition(":")
    if not colon or size not in SIZES:
        size, file = "", rest
    if not file or file in SIZES:
        raise SettingError(
            "RAFT comes without weights: name a file of them, as raft:large:WEIGHTS.pth"
        )
    if colon and not size and not Path(file).exists():
        offers = nearest(rest.partition(":")[0], SIZES)
        if offers:
            raise SettingError(f"there is no RAFT {rest.partition(':')[0]!r}{offers}")
    return Raft(Path(file), size, device)


class Raft:
    """RAFT, large or small.

    Attributes:
        name: What it was opened by.
    """

    def __init__(self, file: Path, size: str = "", device: str = "cpu", updates: int = 12) -> None:
        """Build the network and load its weights.

        Args:
            file: A state dict, as safetensors or as `torch.save` writes it.
            size: `large`, `small`, or empty for what the weights are of.
            device: Where to run.
            updates: How often the flow is refined; 12 as in torchvision, the paper takes up to 32.
        """
        self._arguments = (file, size, device, updates)
        state = _weights(file)
        found = _CHANNELS.get(len(state[_FIRST])) if _FIRST in state else None
        if found is None or (size and found != size):
            what = f"of RAFT {found}" if found else "none of torchvision's RAFT"
            raise FormatError(
                f"the weights in {file} are {what}"
                + (f", where {size} is asked for" if size else "")
                + ": give a state dict of torchvision.models.optical_flow"
            )
        self.name = f"raft:{found}:{file}"
        self._network = _network(found, state, file)
        self._device, self._updates = _device(device), updates
        self._network.to(self._device)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle where the weights are, not the weights."""
        return Raft, self._arguments

    def __call__(self, first: Pixels, second: Pixels) -> Flow:
        """Estimate the flow; see `Estimator`."""
        import torch

        first, second = checked(first, second)
        height, width = first.shape[:2]
        (top, bottom), (left, right) = _margins(height), _margins(width)

        def shown(frame: Pixels) -> Tensor:
            grown = np.pad(frame, [(top, bottom), (left, right), (0, 0)], mode="edge")
            pixels = torch.from_numpy(grown).to(self._device).permute(2, 0, 1)[None]
            return pixels.float() / 127.5 - 1

        with torch.inference_mode():
            found = self._network(shown(first), shown(second), num_flow_updates=self._updates)
        vectors = found[-1][0].permute(1, 2, 0).float().cpu().numpy()
        return Flow.of(vectors[top : top + height, left : left + width])


def _margins(side: int) -> tuple[int, int]:
    """Share what is missing from a side among its two ends."""
    whole = max(_SIDE, -(-side // _STEP) * _STEP)
    return (whole - side) // 2, whole - side - (whole - side) // 2


def _weights(file: Path) -> dict[str, Tensor]:
    import torch

    if not file.is_file():
        raise FormatError(f"there is no file {file}: RAFT needs its weights")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged file makes a reader raise can be anything
        if type(error).__name__ == "UnpicklingError":
            raise FormatError(
                f"{file} holds more than weights, or is damaged: save the state dict alone"
            ) from None
        raise FormatError(f"{file} cannot be read as weights: {first_line(error)}") from None
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise FormatError(f"{file} holds no state dict: save network.state_dict()")
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def _network(size: str, state: dict[str, Tensor], file: Path) -> Any:
    try:
        from torchvision.models import optical_flow
    except ImportError:
        raise FlowError(
            "RAFT needs torchvision, which is not installed: pip install 'phosphene[torchvision]'"
        ) from None
    network = getattr(optical_flow, f"raft_{size}")(weights=None, progress=False)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise FormatError(
            f"the weights in {file} do not fit RAFT {size}: {first_line(error)}"
        ) from None
    return network.eval()


def _device(name: str) -> Any:
    import torch

    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SettingError(f"RAFT cannot run on {name!r}: {first_line(error)}") from None
    return device
