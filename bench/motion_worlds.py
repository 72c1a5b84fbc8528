"""How exact worlds in motion are, and how fast they are drawn.

    python bench/motion_worlds.py [--photographs FOLDER --frames FOLDER --masks FOLDER]

*Residuals*: the model that the motion of a segment obeys, fitted to the flow of every segment of at
least 16 pixels by least squares in float64, and the largest distance in pixels from it. Faces of a
single cube and moving photographs: the affine model. Faces of several cubes: the homography. Whole
cubes among several: the fundamental matrix (normalised eight-point), by the Sampson distance.

*Warping back*: the mean absolute difference, of 255, between a frame and the next one brought back
by the flow, over the pixels that are not occluded; over those inside segments, whose neighbors
(5x5) are of the same segment, too, now and where they go; and between the frames as they are.
*Reading* is what bilinear reading does to those of a frame by itself: read half a pixel off, and
from there half a pixel back. *Smooth* are the same worlds with blurred textures.

*Time*: frames for a second of the processor, drawn with all of their truth, and written as a set.

The results go to `bench/results/motion_worlds.md`.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image, ImageFilter

from phosphene.motion.flow import Flow
from phosphene.motion.sets import SetPlan, write_set
from phosphene.motion.warping import warped
from phosphene.worlds.cubes import multi_cube, single_cube
from phosphene.worlds.instant import Instant
from phosphene.worlds.moving_photographs import moving_photographs, open_cutouts

SEEDS = range(5)
TIMES = (0, 6, 12)
SMALLEST = 16
Make = Callable[[int], Any]


def segments(labels: np.ndarray) -> Iterator[np.ndarray]:
    """Give the masks of the segments that are large enough."""
    for label in np.unique(labels):
        mask = labels == label
        if mask.sum() >= SMALLEST:
            yield mask


def matched(instant: Instant, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points (n, 2) of a segment, and where they go."""
    rows, columns = np.nonzero(mask)
    here = np.stack([columns, rows], 1).astype(np.float64)
    return here, here + instant.flow[mask]


def affine(here: np.ndarray, there: np.ndarray) -> float:
    design = np.column_stack([here - here.mean(0), np.ones(len(here))])
    fit, *_ = np.linalg.lstsq(design, there, rcond=None)
    return float(np.abs(design @ fit - there).max())


def normalised(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = points.mean(0)
    scale = np.sqrt(2) / max(1e-12, np.hypot(*(points - middle).T).mean())
    matrix = np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]])
    return (points - middle) * scale, matrix


def homography(here: np.ndarray, there: np.ndarray) -> float:
    (a, to_a), (b, to_b) = normalised(here), normalised(there)
    x, y, one, zero = a[:, 0], a[:, 1], np.ones(len(a)), np.zeros(len(a))
    u, v = b[:, 0], b[:, 1]
    rows = np.concatenate([
        np.stack([x, y, one, zero, zero, zero, -u * x, -u * y, -u], 1),
        np.stack([zero, zero, zero, x, y, one, -v * x, -v * y, -v], 1),
    ])  # fmt: skip
    fit = np.linalg.svd(rows, full_matrices=False)[2][-1].reshape(3, 3)
    matrix = np.linalg.inv(to_b) @ fit @ to_a
    mapped = np.column_stack([here, np.ones(len(here))]) @ matrix.T
    return float(np.abs(mapped[:, :2] / mapped[:, 2:] - there).max())


def epipolar(here: np.ndarray, there: np.ndarray) -> float:
    (a, to_a), (b, to_b) = normalised(here), normalised(there)
    a1, b1 = (np.column_stack([p, np.ones(len(p))]) for p in (a, b))
    rows = (b1[:, :, None] * a1[:, None, :]).reshape(len(a), 9)
    fit = np.linalg.svd(rows, full_matrices=False)[2][-1].reshape(3, 3)
    matrix = to_b.T @ fit @ to_a
    p, q = (np.column_stack([points, np.ones(len(points))]) for points in (here, there))
    ahead, back = p @ matrix.T, q @ matrix
    offset = np.abs((q * ahead).sum(1))
    slope = np.sqrt((ahead[:, :2] ** 2).sum(1) + (back[:, :2] ** 2).sum(1))
    return float((offset / np.maximum(slope, 1e-30)).max())


def settled(now: Instant, then: Instant, flow: Flow) -> np.ndarray:
    """Find pixels that are of one segment with their neighbors, now and where they go."""

    def even(labels: np.ndarray) -> np.ndarray:
        steps = (-2, -1, 0, 1, 2)
        rolled = [np.roll(labels, (i, j), (0, 1)) == labels for i in steps for j in steps]
        result = np.all(rolled, axis=0)
        result[[0, 1, -2, -1]] = False
        result[:, [0, 1, -2, -1]] = False
        return result

    parts, inside = warped(then.parts, flow)
    whole, _ = warped(even(then.parts).astype(np.float32), flow)
    same = np.abs(parts - now.parts) < 1e-3
    return even(now.parts) & ~now.occluded & inside & same & (whole > 1 - 1e-6)


def reread(image: np.ndarray) -> np.ndarray:
    """Read a frame half a pixel off, and back: the mean of four, twice."""
    frame = np.pad(image.astype(np.float32), ((1, 1), (1, 1), (0, 0)), "edge")
    for _ in range(2):
        frame = (frame[1:, 1:] + frame[:-1, 1:] + frame[1:, :-1] + frame[:-1, :-1]) / 4
    return frame


def warping(make: Make) -> tuple[float, ...]:
    """Measure differences: unoccluded, settled, their largest, reading, and without the flow."""
    found = []
    for seed in SEEDS:
        world = make(seed)
        for t in TIMES:
            now, then = world.instant(t), world.instant(t + 1)
            flow = Flow.of(now.flow)
            back, inside = warped(then.image, flow)
            error = np.abs(back - now.image).mean(2)
            seen, calm = ~now.occluded & inside, settled(now, then, flow)
            still = np.abs(then.image.astype(np.float32) - now.image).mean(2)
            reading = np.abs(reread(now.image) - now.image).mean(2)
            own = [error[seen].mean(), error[calm].mean(), reading[calm].mean(), still.mean()]
            found.append([*own, error[calm].max()])
    each = np.array(found)
    return (*each[:, :4].mean(0).tolist(), float(each[:, 4].max()))


def residual(make: Make, kind: str, fit: Callable[..., float]) -> tuple[int, float]:
    """Count segments, and return the largest distance from the model."""
    found = []
    for seed in SEEDS:
        world = make(seed)
        for t in TIMES:
            now = world.instant(t)
            found += [fit(*matched(now, mask)) for mask in segments(getattr(now, kind))]
    return len(found), max(found)


def smooth(photo: Any, radius: float) -> np.ndarray:
    image = Image.open(photo).convert("RGB") if isinstance(photo, Path) else Image.fromarray(photo)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)))


def drawn(make: Make) -> float:
    make(0).instant(0)
    begin, count = time.process_time(), 0
    for seed in SEEDS:
        world = make(seed)
        for t in range(20):
            world.instant(t)
            count += 1
    return count / (time.process_time() - begin)


def written(make: Make) -> float:
    plan = SetPlan(tuple(map(str, SEEDS)), {}, {})
    with tempfile.TemporaryDirectory() as folder:
        begin = time.process_time()
        write_set(Path(folder), make, plan)
        return len(SEEDS) * 20 / (time.process_time() - begin)


def photographs_world(
    seed: int, photos: Any, cutouts: Any, size: tuple[int, int] = (240, 320)
) -> Any:
    return moving_photographs(photos, cutouts, seed, frames=20, size=size)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--frames", type=Path)
    parser.add_argument("--masks", type=Path)
    given = parser.parse_args()
    bundled = (skimage.data.coffee(), skimage.data.chelsea(), skimage.data.astronaut())
    photos: Any = bundled
    if given.photographs:
        photos = sorted(given.photographs.glob("*.jpg"))[:40]
    soft = tuple(smooth(photo, 24) for photo in photos[:8])
    worlds: dict[str, tuple[Make, str]] = {
        "single cube, 128x128": (partial(single_cube, frames=20), "parts"),
        "several cubes, 128x128": (partial(multi_cube, frames=20), "parts"),
        "photographs, pieces, 240x320": (
            partial(photographs_world, photos=photos, cutouts=None), "parts"),
        "photographs, drawn, 240x320": (
            partial(photographs_world, photos=None, cutouts=None), "parts"),
    }  # fmt: skip
    if given.frames and given.masks:
        cutouts = open_cutouts(given.frames, given.masks, skip_empty=True)
        worlds["photographs, films' cut-outs, 240x320"] = (
            partial(photographs_world, photos=photos, cutouts=cutouts), "parts")  # fmt: skip
    smooths: dict[str, Make] = {
        "single cube, smooth": partial(single_cube, frames=20, photographs=soft),
        "several cubes, smooth": partial(multi_cube, frames=20, photographs=soft),
        "photographs, smooth": partial(photographs_world, photos=soft, cutouts=None),
    }
    lines = [
        "# Worlds in motion: exactness and speed", "",
        f"`python bench/motion_worlds.py`, {platform.machine()}, Python "
        f"{platform.python_version()}, NumPy {np.__version__}, one thread; {len(SEEDS)} sequences, "
        f"frames {', '.join(map(str, TIMES))} of each.", "",
        "## Residuals of the model that the motion of a segment obeys, in pixels", "",
        "| world | segments | model | count | largest residual |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, (make, kind) in worlds.items():
        if "several" in name:
            cases = [("parts", "homography", homography), ("objects", "epipolar", epipolar)]
        else:
            cases = [(kind, "affine", affine)]
        for labels, model, fit in cases:
            count, worst = residual(make, labels, fit)
            lines.append(f"| {name} | {labels} | {model} | {count} | {worst:.1e} |")
            print(lines[-1], flush=True)
    lines += [
        "", "## The next frame warped back, mean absolute difference of 255", "",
        "| world | unoccluded | inside segments | reading | without the flow | largest inside |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, make in {**{n: m for n, (m, _) in worlds.items()}, **smooths}.items():
        found = warping(make)
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in found) + " |")
        print(lines[-1], flush=True)
    lines += [
        "",
        "Rounding two frames to 8 bits alone leaves about 0.3 on average and 1 at most; means over "
        "channels are less. Reading alone is there and back, twice what it does on the way.",
        "", "## Frames for a second of one processor, staging included", "",
        "| world | drawn | written |",
        "|---|---|---|",
    ]  # fmt: skip
    for name, (make, _) in worlds.items():
        rates = (drawn(make), written(make))
        lines.append(f"| {name} | " + " | ".join(f"{rate:.1f}" for rate in rates) + " |")
        print(lines[-1], flush=True)
    out = Path(__file__).parent / "results" / "motion_worlds.md"
    out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
