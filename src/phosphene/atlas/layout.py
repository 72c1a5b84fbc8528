"""A layered layout of a network: from top to bottom, branches side by side.

Every box stands one row below the lowest of its inputs. An edge that passes rows on its way gets a
narrow lane in each of them, so that it goes around boxes. The order in a row is found by sweeping
up and down and sorting by the mean place of the neighbours (*Reference*: Sugiyama, Tagawa, Toda,
Methods for visual understanding of hierarchical system structures, IEEE SMC 1981); places are the
least-squares solution that keeps this order and the distances, found row by row by pooling adjacent
violators. A long network is folded into columns to be set side by side or below one another: cut
behind boxes through which everything passes, which the next column repeats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

BETWEEN_ROWS, BETWEEN_BOXES, LANE = 26.0, 14.0, 8.0
TALLEST = 820.0
"""A column of this height still fits a screen or little more."""
REPEATED = 24.0
"""Height of a box that repeats the last of the column before."""
ACROSS, BETWEEN_COLUMNS = 1212.0, 30.0
"""The width of a page, which columns shall fill."""
_SWEEPS = 12
_STRAIGHT = 8.0
"""How much more a lane wants to be straight than a box wants to be in the middle."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Placed:
    """A box with its place in a column; (x, y) is its top left corner."""

    number: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Column:
    """A part of the drawing.

    Attributes:
        width: Of all of it.
        height: Of all of it.
        boxes: In order.
        before: Where the box that ends the column before is repeated; `None` in the first.
        edges: For every connection the points it passes, from the bottom of a box to the top of
            another, in pairs between which it is straight downwards: (out, in), (out, in), ...
    """

    width: float
    height: float
    boxes: tuple[Placed, ...]
    before: Placed | None
    edges: tuple[tuple[Point, ...], ...]


def layout(
    inputs: Sequence[Sequence[int]], sizes: Sequence[tuple[float, float]], tallest: float = TALLEST
) -> tuple[Column, ...]:
    """Lay a network out.

    Args:
        inputs: For every box the numbers of the boxes in front of it, all smaller than its own.
        sizes: (width, height) of every box.
        tallest: How high a column should be at most; one that cannot be cut is higher.
    """
    rows: list[int] = []
    for fed in inputs:
        rows.append(1 + max((rows[k] for k in fed), default=-1))
    columns: list[Column] = []
    before: int | None = None
    for numbers in _folded(inputs, sizes, rows, tallest):
        columns.append(_column(numbers, before, inputs, sizes, rows))
        before = max(numbers, key=lambda number: rows[number])
    return tuple(columns)


def _folded(
    inputs: Sequence[Sequence[int]],
    sizes: Sequence[tuple[float, float]],
    rows: Sequence[int],
    tallest: float,
) -> list[list[int]]:
    """Share the boxes out to columns of about equal height."""
    if not rows:
        return []
    count = max(rows) + 1
    heights = [0.0] * count
    for number, row in enumerate(rows):
        heights[row] = max(heights[row], sizes[number][1])
    whole = sum(heights) + BETWEEN_ROWS * (count - 1)
    ends = [*_cuts(inputs, rows), count - 1]
    wanted = _count(whole / tallest, _widest(inputs, sizes, rows))
    room = whole / wanted
    column_of = _filled(heights, ends, room)
    while column_of[-1] + 1 > wanted and room < whole:
        room *= 1.04
        column_of = _filled(heights, ends, room)
    columns: list[list[int]] = [[] for _ in range(column_of[-1] + 1)]
    for number, row in enumerate(rows):
        columns[column_of[row]].append(number)
    return columns


def _widest(
    inputs: Sequence[Sequence[int]], sizes: Sequence[tuple[float, float]], rows: Sequence[int]
) -> float:
    widths = [0.0] * (max(rows) + 1)
    for (width, _), row, fed in zip(sizes, rows, inputs, strict=True):
        widths[row] += width + BETWEEN_BOXES
        for before in fed:
            for between in range(rows[before] + 1, row):
                widths[between] += LANE + BETWEEN_BOXES
    return max(widths) - BETWEEN_BOXES


def _count(wanted: float, width: float) -> int:
    """Say how many columns there shall be: about as many as wanted, but whole lines of them."""
    line = max(1, int((ACROSS + BETWEEN_COLUMNS) // (width + BETWEEN_COLUMNS)))
    count = math.ceil(wanted - 0.2) if wanted > 1 else 1
    return count if count <= line else line * round(wanted / line)


def _cuts(inputs: Sequence[Sequence[int]], rows: Sequence[int]) -> list[int]:
    """List the rows behind which the network may be cut: all that follows sees their one box alone.

    If it can be, not inside a module: behind what joins branches, or feeds a single box.
    """
    count = max(rows) + 1
    held, entered, boxes = [0] * count, [0] * (count + 1), [0] * count
    readers = [0] * len(rows)
    for number, fed in enumerate(inputs):
        held[rows[number]] += 1
        boxes[rows[number]] = number
        for before in fed:
            readers[before] += 1
            entered[rows[before] + 1] += 1
            entered[rows[number]] -= 1
    found, passing = [], 0
    for row in range(count - 1):
        passing += entered[row]
        if held[row] == 1 and passing == 0:
            found.append(row)
    whole = [r for r in found if readers[boxes[r]] <= 1 or len(inputs[boxes[r]]) > 1]
    return whole or found


def _filled(heights: Sequence[float], ends: Sequence[int], room: float) -> list[int]:
    """Fill columns of some height one after another; returns the column of every row."""
    column_of, column, used, start = [0] * len(heights), 0, 0.0, 0
    for end in ends:
        part = sum(heights[start : end + 1]) + BETWEEN_ROWS * (end + 1 - start)
        if used and used + part - BETWEEN_ROWS > room:
            column, used = column + 1, 0.0
        column_of[start : end + 1] = [column] * (end + 1 - start)
        used, start = used + part, end + 1
    return column_of


@dataclass
class _Item:
    """What stands in a row: a box, or the lane of an edge that passes."""

    width: float
    box: int | None
    above: list[tuple[_Item, float]]
    below: list[tuple[_Item, float]]
    x: float = 0.0


def _column(
    numbers: Sequence[int],
    before: int | None,
    inputs: Sequence[Sequence[int]],
    sizes: Sequence[tuple[float, float]],
    rows: Sequence[int],
) -> Column:
    held = [*([] if before is None else [before]), *numbers]
    given = {n: (sizes[n][0], REPEATED) if n == before else sizes[n] for n in held}
    first = min(rows[n] for n in numbers) - (before is not None)
    at = {n: 0 if n == before else rows[n] - first for n in held}
    grid: list[list[_Item]] = [[] for _ in range(max(at.values()) + 1)]
    heights = [0.0] * len(grid)
    items: dict[int, _Item] = {}
    chains: list[tuple[int, int, list[_Item]]] = []
    for number in held:
        row = at[number]
        item = items[number] = _Item(given[number][0], number, [], [])
        heights[row] = max(heights[row], given[number][1])
        for fed in (k for k in inputs[number] if k in items):
            lanes = [_Item(LANE, None, [], []) for _ in range(at[fed] + 1, row)]
            for between, lane in enumerate(lanes, at[fed] + 1):
                grid[between].append(lane)
            chains.append((fed, number, [items[fed], *lanes, item]))
            _link(chains[-1][2])
        grid[row].append(item)
    _order(grid)
    _place(grid)
    left = min(item.x - item.width / 2 for row in grid for item in row)
    right = max(item.x + item.width / 2 for row in grid for item in row)
    tops = [sum(heights[:r]) + BETWEEN_ROWS * r for r in range(len(grid))]
    placed = {
        n: Placed(n, items[n].x - given[n][0] / 2 - left, tops[at[n]], *given[n]) for n in held
    }
    edges = []
    for fed, number, chain in chains:
        points: list[Point] = [(chain[0].x - left, placed[fed].y + placed[fed].height)]
        for row, lane in enumerate(chain[1:-1], at[fed] + 1):
            points += [(lane.x - left, tops[row]), (lane.x - left, tops[row] + heights[row])]
        points.append((chain[-1].x - left, tops[at[number]]))
        edges.append(tuple(points))
    repeated = None if before is None else placed.pop(before)
    return Column(
        right - left, tops[-1] + heights[-1], tuple(placed.values()), repeated, tuple(edges)
    )


def _link(chain: Sequence[_Item]) -> None:
    for upper, lower in pairwise(chain):
        lanes = (upper.box is None) + (lower.box is None)
        weight = (1.0, 2.0, _STRAIGHT)[lanes]
        upper.below.append((lower, weight))
        lower.above.append((upper, weight))


def _order(grid: Sequence[list[_Item]]) -> None:
    for row in grid:
        _spread(row)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in grid[1:] if down else grid[-2::-1]:
            row.sort(key=lambda item: _mean(item.above if down else item.below, item.x))
            _spread(row)


def _spread(row: Sequence[_Item]) -> None:
    for place, item in enumerate(row):
        item.x = place - (len(row) - 1) / 2


def _place(grid: Sequence[list[_Item]]) -> None:
    for row in grid:
        _pack(row, [0.0] * len(row), [1.0] * len(row))
    for sweep in range(2 * _SWEEPS):
        both = sweep >= _SWEEPS
        down = sweep % 2 == 0
        for row in grid if down else reversed(grid):
            sides = [
                item.above + item.below if both else item.above if down else item.below
                for item in row
            ]
            wanted = [_mean(side, item.x) for side, item in zip(sides, row, strict=True)]
            _pack(row, wanted, [max(1.0, sum(w for _, w in side)) for side in sides])


def _mean(neighbours: Sequence[tuple[_Item, float]], otherwise: float) -> float:
    weight = sum(w for _, w in neighbours)
    return sum(item.x * w for item, w in neighbours) / weight if weight else otherwise


def _pack(row: Sequence[_Item], wanted: Sequence[float], weights: Sequence[float]) -> None:
    """Put the items of a row where they want to be, in order and without touching."""
    offsets, total = [], 0.0
    for k, item in enumerate(row):
        total += (row[k - 1].width + item.width) / 2 + BETWEEN_BOXES if k else 0.0
        offsets.append(total)
    pools: list[list[float]] = []  # (mean, weight, count), means ascending
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        pools.append([want - offset, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, weight_, count = pools.pop()
            last = pools[-1]
            last[0] = (last[0] * last[1] + mean * weight_) / (last[1] + weight_)
            last[1] += weight_
            last[2] += count
    k = 0
    for mean, _, count in pools:
        for _ in range(int(count)):
            row[k].x = mean + offsets[k]
            k += 1
