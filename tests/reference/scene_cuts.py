"""How two frames differ, by loops, straight from the definitions."""

from __future__ import annotations


def colours(first, second) -> float:
    """Half the sum of the differences of two histograms of 8 x 8 x 8 bins."""
    counts = {}
    for sign, frame in ((1, first), (-1, second)):
        for row in frame:
            for red, green, blue in row:
                key = int(red) // 32, int(green) // 32, int(blue) // 32
                counts[key] = counts.get(key, 0) + sign
    return sum(map(abs, counts.values())) / (2 * len(first) * len(first[0]))


def luma(first, second) -> float:
    """The same of 32 bins of luma."""
    counts = [0] * 32
    for sign, frame in ((1, first), (-1, second)):
        for row in frame:
            for red, green, blue in row:
                shade = 0.299 * float(red) + 0.587 * float(green) + 0.114 * float(blue)
                counts[int(shade + 1e-4) // 8] += sign
    return sum(map(abs, counts)) / (2 * len(first) * len(first[0]))


def structure(first, second, block: int = 8, reach: int = 10) -> float:
    """The share of structure that is not found again, the larger of both directions."""
    return max(unfound(first, second, block, reach), unfound(second, first, block, reach))


def unfound(one, other, block: int, reach: int) -> float:
    """The share of one frame's structure that is nowhere near in the other."""
    height, width = len(one), len(one[0])
    rest = deviation = 0.0
    for top in range(0, height, block):
        for left in range(0, width, block):
            own = _block(one, top, left, block)
            deviation += sum(map(abs, own)) / len(own) + 1
            remains = [
                _difference(own, _block(other, top + y, left + x, block))
                for y in range(-reach, reach + 1)
                for x in range(-reach, reach + 1)
            ]
            rest += min(remains)
    return rest / deviation


def _difference(one: list[float], other: list[float]) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def _block(frame, top: int, left: int, block: int) -> list[float]:
    """A block, each channel less its mean; outside is as the nearest pixel inside."""
    height, width = len(frame), len(frame[0])
    values = []
    for channel in range(3):
        own = [
            float(frame[min(max(y, 0), height - 1)][min(max(x, 0), width - 1)][channel])
            for y in range(top, top + block)
            for x in range(left, left + block)
        ]
        mean = sum(own) / len(own)
        values += [value - mean for value in own]
    return values
