"""Small sets of pairs on disk, in the layouts of their makers."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from phosphene.motion.flow import Flow
from phosphene.motion.flow_files import write_flow
from phosphene.motion.flow_files.kitti import encode_png
from phosphene.motion.shards import writing


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (24, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (*size, 3)).astype(np.uint8)).save(path)


def flow_of(number: float, size: tuple[int, int] = (24, 32)) -> Flow:
    return Flow.of(np.full((*size, 2), (number, -number)))


def flow_file(path: Path, number: float, size: tuple[int, int] = (24, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_flow(flow_of(number, size), path)


def mask(path: Path, size: tuple[int, int] = (24, 32)) -> None:
    """White in the upper half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros(size, np.uint8)
    pixels[: size[0] // 2] = 255
    Image.fromarray(pixels).save(path)


def sintel(root: Path, names: tuple[str, ...] = ("alley_1", "market_2", "temple_2")) -> None:
    for number, name in enumerate(names):
        for frame in range(1, 4):
            stem = f"frame_{frame:04d}"
            for rendering in ("clean", "final"):
                picture(root / "training" / rendering / name / f"{stem}.png", frame)
            if frame < 3:
                flow_file(root / "training" / "flow" / name / f"{stem}.flo", 10 * number + frame)
                mask(root / "training" / "invalid" / name / f"{stem}.png")
                mask(root / "training" / "occlusions" / name / f"{stem}.png")


def kitti(root: Path, frames: str = "image_2") -> None:
    for number in range(3):
        for frame in (10, 11):
            picture(root / "training" / frames / f"{number:06d}_{frame}.png", frame)
        for flow, more in (("occ", 0), ("noc", 100)):
            name = f"{number:06d}_10.png"
            flow_file(root / "training" / f"flow_{flow}" / name, number + more)


def hd1k(root: Path) -> None:
    for sequence, count in ((0, 3), (4, 2)):
        for frame in range(10, 10 + count):
            name = f"{sequence:06d}_{frame:04d}.png"
            picture(root / "hd1k_input" / "image_2" / name, frame)
            flow_file(root / "hd1k_flow_gt" / "flow_occ" / name, sequence + frame / 100)


def chairs(root: Path, count: int = 4) -> None:
    for number in range(1, count + 1):
        picture(root / "data" / f"{number:05d}_img1.ppm", number)
        picture(root / "data" / f"{number:05d}_img2.ppm", number + 100)
        flow_file(root / "data" / f"{number:05d}_flow.flo", number)
    (root / "FlyingChairs_train_val.txt").write_text("1\n2\n1\n1\n")


def youtube(root: Path) -> None:
    for of_class, video, shot, count in (
        ("cat", "0001", "001", 8),
        ("cat", "0001", "002", 3),
        ("dog", "0007", "001", 6),
    ):
        folder = root / of_class / "data" / video / "shots" / shot
        for frame in range(1, count + 1):
            picture(folder / f"frame{frame:04d}.jpg", frame)


def davis(root: Path, frames: str = "JPEGImages/480p", masks: str = "Annotations/480p") -> None:
    for sequence in ("bear", "camel"):
        for frame in range(3):
            picture(root / frames / sequence / f"{frame:05d}.jpg", frame)
            mask(root / masks / sequence / f"{frame:05d}.png")
    folder = root / "ImageSets" / "2016"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.txt").write_text(
        "".join(f"/{frames}/bear/{f:05d}.jpg /{masks}/bear/{f:05d}.png\n" for f in range(3))
    )
    (folder / "val.txt").write_text("camel\nlucia\n")


def jpeg(seed: int, size: tuple[int, int] = (24, 32)) -> bytes:
    """A smooth picture, as JPEG."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = [np.sin(rows / (3 + seed % 5 + c) + columns / 7) for c in range(3)]
    held = io.BytesIO()
    Image.fromarray(np.uint8(127 + 100 * np.stack(waves, 2))).save(held, "JPEG", quality=95)
    return held.getvalue()


def shards(
    root: Path,
    counts: tuple[int, ...] = (5, 3, 4),
    change: Callable[[int, dict[str, bytes]], None] | None = None,
) -> None:
    """Pairs whose flow says which they are."""
    number = 0
    for shard, count in enumerate(counts):
        with writing(root / f"pairs-{shard:06d}.tar") as tar:
            for _ in range(count):
                members = {
                    "jpg": jpeg(number),
                    "flow.png": encode_png(flow_of(number)),
                    "json": b"{}",
                    "second.jpg": jpeg(number + 1),
                }
                if change:
                    change(number, members)
                tar.add(f"v-{number:04d}", members)
                number += 1
