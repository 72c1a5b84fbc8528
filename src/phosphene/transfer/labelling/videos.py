"""Frames of videos with masks, and features that are colors alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import ImageError
from phosphene.image import find, read


class VideoFrames:
    """Frames of sequences whose objects are known, in DAVIS's layout; a set of the kind `Labelled`.

    A sequence is a folder of frames, and one of the same name with a mask for each, in which all
    that is not 0 is an object.

    Attributes:
        classes: `foreground`.
        notes: Empty.

    Args:
        frames: Folder of folders of frames.
        masks: Folder of folders of masks.
        sequences: Names of the sequences; all that there are if empty.
        every: Every how many frames of each.

    Raises:
        ImageError: A sequence has no frames, or a frame no mask.
    """

    def __init__(
        self, frames: str | Path, masks: str | Path, sequences: Sequence[str] = (), every: int = 1
    ) -> None:
        self.classes: tuple[str, ...] = ("foreground",)
        self.notes: tuple[str, ...] = ()
        frames, masks = Path(frames), Path(masks)
        self._paths: list[tuple[Path, Path]] = []
        there = sorted(path.name for path in frames.iterdir()) if frames.is_dir() else []
        for name in sequences or there:
            if not (frames / name).is_dir():
                raise ImageError(f"there is no folder {frames / name}: check the sequence's name")
            for path in sorted(find([frames / name]))[::every]:
                mask = masks / name / f"{path.stem}.png"
                if not mask.is_file():
                    raise ImageError(f"{path} has no mask {mask}: give one for every frame")
                self._paths.append((path, mask))
        if not self._paths:
            raise ImageError(f"there are no sequences in {frames}: give a folder of folders")

    def __len__(self) -> int:
        """Return how many frames there are."""
        return len(self._paths)

    def name(self, index: int) -> str:
        """Say what to call one: its sequence and its own name."""
        path = self._paths[index][0]
        return f"{path.parent.name}/{path.stem}"

    def image(self, index: int) -> Image.Image:
        """Read one."""
        return read(self._paths[index][0])

    def labels(self, index: int) -> NDArray[np.uint8]:
        """Read its mask: (h, w), 1 where an object is."""
        with Image.open(self._paths[index][1]) as opened:
            return (np.array(opened.convert("L")) > 0).astype(np.uint8)


def colors(side: int = 224) -> Network:
    """Make a network whose only layer, `colors`, are the red, green and blue of its input.

    What labels can be told by from it is what they can be told by without any features.

    Args:
        side: Of the square input that it declares, pixels.
    """
    layer = nn.Conv2d(3, 3, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(3)[:, :, None, None])
    module = nn.Sequential()
    module.add_module("colors", layer)
    module.eval()
    seen = Preprocessing((side, side), mean=(0.5,) * 3, std=(0.25,) * 3)
    return Network(module, seen, name="colors alone")
