"""One process's pass over its share of the images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.seed import as_maps
from phosphene.errors import OutOfMemory, out_of_memory
from phosphene.survey.collector import Batch, Collector
from phosphene.survey.images import ImageSet
from phosphene.survey.sweeping.ahead import Group, groups
from phosphene.survey.sweeping.showing import Showing
from phosphene.survey.sweeping.standing import Standing


@dataclass(frozen=True)
class Watch:
    """What is wanted besides the numbers.

    Attributes:
        keep: Writes the state.
        every: Seconds between two states.
        told: Called after every batch.
        stopping: Whether to stop behind the batch that is under way.
    """

    keep: Callable[[], None]
    every: float
    told: Callable[[], None]
    stopping: Callable[[], bool]


def all_layers(collectors: Mapping[str, Collector]) -> tuple[str, ...]:
    """Return the layers that collectors need, each once."""
    return tuple(dict.fromkeys(name for c in collectors.values() for name in c.layers))


def pass_over(
    net: Network,
    images: ImageSet,
    shares: Iterable[tuple[int, int]],
    collectors: Mapping[str, Collector],
    standing: Standing,
    watch: Watch,
    *,
    batch: int,
    whole: bool,
) -> bool:
    """Show a network images, and the collectors what it made of them.

    Args:
        net: The network.
        images: The image set.
        shares: Parts by number, and the first image of each that is not done.
        collectors: Take in every batch.
        standing: Is kept up to date.
        watch: Looks on.
        batch: Images at a time.
        whole: Not cropped.

    Returns:
        Whether it came to its end.
    """
    showing = Showing(net, all_layers(collectors))
    before, began = standing.seconds, time.monotonic()
    kept = began
    ended = True
    with (
        groups(images, shares, net.preprocessing, batch, whole) as ready,
        net.running(gradients=False),
    ):
        for group in ready:
            if group.pixels:
                _see(net, showing, group, collectors)
            standing.note(group.part, group.end, len(group.pixels), group.failed, group.last)
            standing.seconds = before + time.monotonic() - began
            watch.told()
            if watch.stopping():
                ended = False
                break
            if time.monotonic() - kept > watch.every:
                watch.keep()
                kept = time.monotonic()
    return ended


def images_of(group: Group, net: Network) -> Tensor:
    """Return a group as the network is shown it: (b, 3, h, w) RGB in [0, 1], on its device.

    Like a photograph it lies in memory pixel by pixel, which `Showing` sees to.
    """
    # Bytes go to the device, a quarter of what floats would be.
    pixels = torch.from_numpy(np.stack(group.pixels)).to(net.device)
    return (pixels.permute(0, 3, 1, 2).float() / 255).to(net.dtype)


def _see(net: Network, showing: Showing, group: Group, collectors: Mapping[str, Collector]) -> None:
    try:
        image = images_of(group, net)
        codes = {name: as_maps(code)[0] for name, code in showing(image).items()}
        keys = torch.tensor(group.keys, dtype=torch.int64)
        batch = Batch(keys, image, codes, group.frames, group.names)
        for collector in collectors.values():
            collector.see(batch)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise OutOfMemory(
            f"{len(group.pixels)} images of {group.pixels[0].shape[0]}x{group.pixels[0].shape[1]} "
            "at a time are more than memory holds: give a smaller batch"
        ) from error
