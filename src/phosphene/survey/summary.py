"""What there is to say of every map of a batch, found once, for whoever asks.

Codes are large: reading them from memory costs more than adding them up. So what several collectors
need of them is found in one go, piece by piece while each piece is in the processor's cache, and
kept with the batch as long as that lives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phosphene.errors import NotFinite
from phosphene.survey.collector import Batch
from phosphene.survey.layout import by_position, flat_codes, lines_of

# Values looked at together: a megabyte of float32; half of it where sums run across the rows.
_TOGETHER = 1 << 18


@dataclass(frozen=True, eq=False)
class Summary:
    """What there is to say of every map; all are (b, c), on the CPU.

    Attributes:
        maxima: The largest value.
        minima: The least.
        sums: The sum of all values, in the codes' precision.
        norms: The root of the sum of their squares, likewise.
        positive: How many values are above zero, int64.
    """

    maxima: Tensor
    minima: Tensor
    sums: Tensor
    norms: Tensor
    positive: Tensor


_SUMMARIES: WeakKeyDictionary[Batch, dict[str, Summary]] = WeakKeyDictionary()
_EXTREMES: WeakKeyDictionary[Batch, dict[tuple[str, str], Tensor]] = WeakKeyDictionary()
_LINES: WeakKeyDictionary[Batch, dict[str, Tensor]] = WeakKeyDictionary()


def maxima(batch: Batch, layer: str) -> Tensor:
    """Return the largest value of every map, (b, c), on the CPU: quicker than all of `summary`.

    Raises:
        NotFinite: A map holds NaN, or infinity as its largest value.
    """
    return _one(batch, layer, "maxima", _largest)


def minima(batch: Batch, layer: str) -> Tensor:
    """Return the least value of every map, (b, c), on the CPU: quicker than all of `summary`.

    Raises:
        NotFinite: A map holds NaN, or minus infinity as its least value.
    """
    return _one(batch, layer, "minima", _least)


def line_maxima(batch: Batch, layer: str) -> Tensor:
    """Return the largest value of every line of every map, (b, lines, c), on the CPU.

    For codes that lie by position; see `layout.lines_of`. It is found on the way to `maxima`.
    """
    kept = _LINES.setdefault(batch, {})
    if layer not in kept:
        kept[layer] = lines_of(batch, layer).amax(2).cpu()
    return kept[layer]


def _largest(batch: Batch, layer: str) -> Tensor:
    flat = flat_codes(batch, layer)
    if flat.device.type == "cpu" and by_position(flat):
        return line_maxima(batch, layer).amax(1)
    return flat.amax(2).cpu()


def _least(batch: Batch, layer: str) -> Tensor:
    return flat_codes(batch, layer).amin(2).cpu()


def _one(batch: Batch, layer: str, what: str, find: Callable[[Batch, str], Tensor]) -> Tensor:
    whole = _SUMMARIES.get(batch, {}).get(layer)
    if whole is not None:
        return whole.maxima if what == "maxima" else whole.minima
    kept = _EXTREMES.setdefault(batch, {})
    if (layer, what) not in kept:
        found = find(batch, layer)
        check_finite_maps(batch, layer, found)
        kept[layer, what] = found
    return kept[layer, what]


def summary(batch: Batch, layer: str) -> Summary:
    """Return what there is to say of every map of a layer.

    Raises:
        NotFinite: A map holds NaN or infinity.
    """
    kept = _SUMMARIES.setdefault(batch, {})
    if layer not in kept:
        flat = flat_codes(batch, layer)
        if flat.device.type != "cpu":
            found = _at_once(flat)
        else:
            found = _across(flat) if by_position(flat) else _in_pieces(flat)
        check_finite_maps(batch, layer, found.maxima + found.minima)
        kept[layer] = found
    return kept[layer]


def check_finite_maps(batch: Batch, layer: str, values: Tensor) -> None:
    """Make sure that what was found of every map, (b, c), is finite.

    Raises:
        NotFinite: It is not; the sentence names the image and the layer.
    """
    wrong = ~values.isfinite()
    if not bool(wrong.any()):
        return
    image, unit = (int(n) for n in wrong.nonzero()[0])
    raise NotFinite(
        f"unit {unit} of {layer!r} is {float(values[image, unit])} on {batch.names[image]}: the "
        "network leaves the finite numbers there, so choose another precision, or other weights"
    )


def count_true(bits: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count what is true in each row: (n,) from (n, m)."""
    packed: NDArray[Any] = np.packbits(bits, axis=1)
    ones = np.bitwise_count(packed) if hasattr(np, "bitwise_count") else _ONES[packed]
    counts: NDArray[np.int64] = ones.sum(1, dtype=np.uint32).astype(np.int64)
    return counts


# For NumPy before 2.0, which cannot count bits.
_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1).astype(np.uint8)


def _at_once(flat: Tensor) -> Summary:
    return Summary(
        flat.amax(2).cpu(),
        flat.amin(2).cpu(),
        flat.sum(2).cpu(),
        torch.linalg.vector_norm(flat, dim=2).cpu(),
        (flat > 0).sum(2).cpu(),
    )


def _in_pieces(flat: Tensor) -> Summary:
    b, c, n = flat.shape
    rows = flat.view(b * c, n)
    high, low, sums, norms = (rows.new_empty(b * c) for _ in range(4))
    positive = torch.empty(b * c, dtype=torch.int64)
    step = max(1, _TOGETHER // max(n, 1))
    for start in range(0, b * c, step):
        piece, at = rows[start : start + step], slice(start, start + step)
        torch.amax(piece, 1, out=high[at])
        torch.amin(piece, 1, out=low[at])
        torch.sum(piece, 1, out=sums[at])
        torch.linalg.vector_norm(piece, dim=1, out=norms[at])
        positive[at] = torch.from_numpy(count_true(piece.numpy() > 0))
    return Summary(*(found.view(b, c) for found in (high, low, sums, norms, positive)))


def _across(flat: Tensor) -> Summary:
    """Do the same for codes that lie by position: channels side by side, down their rows."""
    step = max(1, _TOGETHER // 2 // flat.shape[1])
    images = []
    for rows in flat.transpose(1, 2):
        pieces = [
            (
                piece.amax(0),
                piece.amin(0),
                piece.sum(0),
                (piece * piece).sum(0),
                torch.from_numpy(np.add.reduce(piece.numpy() > 0, axis=0, dtype=np.int64)),
            )
            for piece in rows.split(step)
        ]
        high, low, sums, squares, counts = (torch.stack(all_) for all_ in zip(*pieces, strict=True))
        images.append(
            (high.amax(0), low.amin(0), sums.sum(0), squares.sum(0).sqrt(), counts.sum(0))
        )
    return Summary(*(torch.stack(each) for each in zip(*images, strict=True)))
