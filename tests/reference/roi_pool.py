"""Max-pooling of regions as Caffe's layer has it, one cell at a time."""

from __future__ import annotations

import math

import numpy as np

Map = list[list[list[list[float]]]]  # [b][c][h][w]


def away(value: float) -> int:
    """Round halves away from 0, as C's `round`."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def roi_pool(
    features: Map,
    rois: list[list[float]],
    size: tuple[int, int],
    scale: float,
    offset: tuple[float, float] = (0.0, 0.0),
    single: bool = False,
) -> tuple[Map, list[list[list[list[tuple[int, int] | None]]]]]:
    """Return pooled values, and for each the (row, column) it was read at.

    Args:
        features: Maps.
        rois: Number of the map, x0, y0, x1, y1.
        size: (h, w) of the result.
        scale: Cells per pixel.
        offset: Pixel of cell (0, 0).
        single: Whether bins are divided in single precision, as for float32 maps.
    """
    real = np.float32 if single else np.float64
    values, places = [], []
    for number, x0, y0, x1, y1 in rois:
        own = features[int(number)]
        h, w = len(own[0]), len(own[0][0])
        left, right = (away((x - offset[0]) * scale) for x in (x0, x1))
        top, bottom = (away((y - offset[1]) * scale) for y in (y0, y1))
        tall = real(max(bottom - top + 1, 1)) / real(size[0])
        wide = real(max(right - left + 1, 1)) / real(size[1])
        rows_v, rows_p = [], []
        for channel in own:
            maps_v, maps_p = [], []
            for i in range(size[0]):
                line_v, line_p = [], []
                for j in range(size[1]):
                    y_from = min(max(math.floor(real(i) * tall) + top, 0), h)
                    y_to = min(max(math.ceil(real(i + 1) * tall) + top, 0), h)
                    x_from = min(max(math.floor(real(j) * wide) + left, 0), w)
                    x_to = min(max(math.ceil(real(j + 1) * wide) + left, 0), w)
                    best, at = -math.inf, None
                    for y in range(y_from, y_to):
                        for x in range(x_from, x_to):
                            if at is None or channel[y][x] > best:
                                best, at = channel[y][x], (y, x)
                    line_v.append(0.0 if at is None else best)
                    line_p.append(at)
                maps_v.append(line_v)
                maps_p.append(line_p)
            rows_v.append(maps_v)
            rows_p.append(maps_p)
        values.append(rows_v)
        places.append(rows_p)
    return values, places


def backward(
    features: Map,
    rois: list[list[float]],
    places: list[list[list[list[tuple[int, int] | None]]]],
    signal: Map,
) -> Map:
    """Give what comes back to the cells that were read."""
    back = [[[[0.0] * len(row) for row in channel] for channel in own] for own in features]
    for n, (number, *_) in enumerate(rois):
        for k, channel in enumerate(places[n]):
            for i, line in enumerate(channel):
                for j, at in enumerate(line):
                    if at is not None:
                        back[int(number)][k][at[0]][at[1]] += signal[n][k][i][j]
    return back
