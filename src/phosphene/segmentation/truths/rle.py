"""Run-length encoded masks, as COCO writes them.

A mask is read column by column, from the top left; its counts are the lengths of its runs of 0 and
of 1 in turn, the first of 0 (which may be 0 pixels long). In a compressed string, a count from the
third run of 1s and 0s on is written as its difference from the one before the last; a number goes
in groups of 5 bits, the lowest first, each as the character 48 + group, with 32 more if another
group follows. The sign is the highest bit of the last group.

*Reference*: the COCO API's description of its format, `maskApi`, by P. Dollár and T.-Y. Lin.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from phosphene.errors import FormatError
from phosphene.segmentation.truths.record import Mask

LARGEST = 2**28
"""Most pixels of a mask: its counts say in few bytes what may not fit into memory."""


def decode(counts: str | bytes | Sequence[int], size: tuple[int, int]) -> Mask:
    """Turn counts into a mask.

    Args:
        counts: A compressed string, or the counts themselves.
        size: (h, w).

    Returns:
        (h, w) of 0 and 1.

    Raises:
        FormatError: The counts are not those of a mask of this size.
    """
    height, width = size
    if height < 1 or width < 1 or height * width > LARGEST:
        raise FormatError(f"a mask of {height} x {width} pixels cannot be: 1 to 2^28 are needed")
    runs = unpack(counts) if isinstance(counts, str | bytes) else list(counts)
    if not all(type(run) is int and 0 <= run <= height * width for run in runs):
        raise FormatError("a run of a mask is no length: the counts are damaged")
    if sum(runs) != height * width:
        raise FormatError(
            f"the runs of a mask have {sum(runs)} pixels in all, its {height} x {width} pixels are "
            f"{height * width}: the counts are damaged"
        )
    values = np.arange(len(runs)) % 2
    flat = np.repeat(values.astype(np.uint8), runs)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def encode(mask: Mask) -> list[int]:
    """Return the counts of a (h, w) mask; what is not 0 is foreground."""
    flat = (np.asarray(mask) != 0).T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ends = [0, *changes.tolist(), flat.size]
    runs = [after - before for before, after in pairwise(ends)]
    return [0, *runs] if flat.size and flat[0] else runs


def pack(counts: Sequence[int]) -> str:
    """Write counts as a compressed string."""
    written = []
    for index, count in enumerate(counts):
        number = count - counts[index - 2] if index > 2 else count
        while True:
            group, number = number & 31, number >> 5
            # Nothing is left if the sign, in the group's highest bit, says it all.
            last = number == (-1 if group & 16 else 0)
            written.append(chr(48 + group + (0 if last else 32)))
            if last:
                break
    return "".join(written)


def unpack(text: str | bytes) -> list[int]:
    """Read the counts in a compressed string.

    Raises:
        FormatError: A character cannot be in it, or it ends within a number.
    """
    counts: list[int] = []
    number = shift = 0
    for character in text.encode("utf-8", "replace") if isinstance(text, str) else text:
        group = character - 48
        if not 0 <= group < 64 or shift > 60:
            raise FormatError("a compressed mask has characters that cannot be: it is damaged")
        number |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            number -= 1 << shift
        counts.append(number + counts[-2] if len(counts) > 2 else number)
        number = shift = 0
    if shift:
        raise FormatError("a compressed mask ends within a number: it is cut off")
    return counts
