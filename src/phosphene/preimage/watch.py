"""Looking on while images are found: progress, snapshots, interruption, and taking up again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from phosphene.image import replacing

Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class Watch:
    """What is wanted while images are found, besides the images.

    Attributes:
        tick: Called with the steps done and their number, after every step.
        frames: How many snapshots to take on the way; the last is the result.
        states: Folder to keep the state in, so that an interrupted descent can go on; `None` for
            none.
        every: Seconds between two states.
    """

    tick: Tick | None = None
    frames: int = 0
    states: Path | None = None
    every: float = 30.0

    def part(self, number: int, count: int) -> Watch:
        """Return the watch over one of several descents, whose ticks count through all of them."""
        tick = self.tick
        if tick is None or count == 1:
            return self
        told: Tick = tick
        return replace(self, tick=lambda done, total: told(number * total + done, count * total))


class States:
    """Where descents stand, in files: one for each stage of each batch.

    A file is taken up only by the very descent that wrote it: energy, recipe, network, start and
    seed are part of its name.
    """

    def __init__(self, folder: Path | None, about: Mapping[str, str], every: float = 30.0) -> None:
        text = json.dumps(dict(about), sort_keys=True)
        self._name = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._folder, self._every, self._last = folder, every, time.monotonic()

    def load(self, stage: int) -> dict[str, Tensor] | None:
        """Return what was kept of a stage, if it is there and whole."""
        path = self._path(stage)
        if path is None or not path.is_file():
            return None
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (SafetensorError, OSError):
            return None  # half a file is as good as none

    def save(self, stage: int, state: Callable[[], Mapping[str, Tensor]], now: bool) -> None:
        """Keep a stage, if it is time for that.

        Args:
            stage: Its number.
            state: Makes what is to be kept.
            now: Whether it is time in any case.
        """
        path = self._path(stage)
        if path is None or not (now or time.monotonic() - self._last > self._every):
            return
        from safetensors.torch import save

        tensors = {name: value.detach().cpu().contiguous() for name, value in state().items()}
        with replacing(path) as file:
            file.write(save(tensors))
        self._last = time.monotonic()

    def _path(self, stage: int) -> Path | None:
        return self._folder / f"{self._name}-{stage}.safetensors" if self._folder else None


def forget(folder: Path | None) -> None:
    """Remove the states in a folder, and the folder if nothing else is in it."""
    if folder is None or not folder.is_dir():
        return
    for path in folder.glob("*.safetensors"):
        path.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


class Snapshots:
    """Snapshots, evenly over the steps."""

    def __init__(self, count: int, total: int) -> None:
        """Plan `count` of them over `total` steps; the last is the result."""
        share = [round(i * total / max(1, count - 1)) for i in range(count - 1)]
        self._due = sorted(set(share))
        self._taken: list[Tensor] = []
        self._wanted = count > 0

    def take(self, number: int, image: Callable[[], Tensor]) -> None:
        """Take one after step `number`, if it is time."""
        if self._due and number >= self._due[0]:
            self._taken.append(_as_bytes(image()))
            self._due = [due for due in self._due if due > number]

    def all(self, last: Tensor) -> tuple[Tensor, ...]:
        """Return all, with the result behind: (b, c, h, w) bytes each."""
        return (*self._taken, _as_bytes(last)) if self._wanted else ()


def _as_bytes(rgb: Tensor) -> Tensor:
    return (rgb.clamp(0, 1) * 255).round().to(torch.uint8).cpu()
