"""Batches for collectors, made without a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from phosphene.core.preprocessing import Frame
from phosphene.survey.collector import Batch

LAYER = "layer"


def batch_of(
    codes: Sequence[NDArray[Any]], keys: Sequence[int], by_position: bool = False
) -> Batch:
    """Make a batch of codes, (c, h, w) each; `by_position` as networks shown channels last do."""
    tensor = torch.from_numpy(np.stack(codes))
    if by_position:
        tensor = tensor.contiguous(memory_format=torch.channels_last)
    frame = Frame((8, 8), (8, 8), (0, 0, 8, 8))
    names = [f"image {key}" for key in keys]
    image = torch.zeros(len(codes), 3, 8, 8)
    return Batch(torch.tensor(keys), image, {LAYER: tensor}, [frame] * len(codes), names)


def fed(
    make: Any,
    codes: Sequence[NDArray[Any]],
    keys: Sequence[int],
    order: Any = None,
    by_position: bool = False,
) -> Any:
    """Let one collector see all images, in batches of three."""
    collector = make()
    order = list(range(len(codes))) if order is None else list(order)
    for start in range(0, len(order), 3):
        chosen = order[start : start + 3]
        some = [codes[i] for i in chosen], [keys[i] for i in chosen]
        collector.see(batch_of(*some, by_position))
    return collector


def shared(
    make: Any, codes: Sequence[NDArray[Any]], keys: Sequence[int], shards: Sequence[Sequence[int]]
) -> Any:
    """Let several collectors see a part of the images each, and put them together."""
    whole = make()
    for shard in shards:
        whole.merge(fed(make, codes, keys, shard).state())
    return whole
