"""What HOG and dense SIFT cost beside VLFeat, OpenCV and scikit-image, and what their gradients do.

    python bench/descriptors.py PHOTOGRAPH [--rounds 15] [--threads 1]

The photograph is brought to 512x512, gray, whole numbers.

1. HOG in cells of 8 pixels, and VLFeat's `vl_hog` (of Debian's libvlfeat, through ctypes), OpenCV's
   `HOGDescriptor` and scikit-image's `hog`. The last two compute other numbers: Dalal and Triggs'
   blocks, with their own binning.
2. SIFT in bins of 8 pixels, and `vl_dsift` with either window.
3. Forward and backward beside forward alone.
4. Sixteen images in one batch, and one after another, at 128x64 and 512x512.

All are measured in one run and take turns, the first of one round being the last of the next. Times
are minima over the rounds, ratios are medians of those within a round. The tables go to
`bench/results/descriptors.md`.
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from phosphene.descriptors import DSIFT, HOG

SIDE, CELL = 512, 8
OURS = "phosphene"
Call = Callable[[], object]
_FLOATS = ctypes.POINTER(ctypes.c_float)


def measured(calls: Mapping[str, Call], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every call in every round."""
    for call in calls.values():
        call()
    names, times = list(calls), {name: [0.0] * rounds for name in calls}
    for number in range(rounds):
        for name in names if number % 2 else names[::-1]:
            start = time.perf_counter()
            calls[name]()
            times[name][number] = time.perf_counter() - start
    return times


def ratio(above: list[float], below: list[float]) -> float:
    """Return the median of the ratios within a round."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


class _Geometry(ctypes.Structure):
    _fields_ = [(n, ctypes.c_int) for n in ("bins_t", "bins_x", "bins_y", "size_x", "size_y")]


class _Filter(ctypes.Structure):
    """The head of VLFeat's `VlDsiftFilter`: its setters are inline, and in no library."""

    _fields_ = [
        *((n, ctypes.c_int) for n in ("width", "height", "step_x", "step_y")),
        *((n, ctypes.c_int) for n in ("left", "top", "right", "bottom")),
        ("geometry", _Geometry),
        ("flat", ctypes.c_int),
        ("window_size", ctypes.c_double),
        ("frames", ctypes.c_int),
        ("size", ctypes.c_int),
        ("places", ctypes.c_void_p),
        ("descriptors", _FLOATS),
    ]


@dataclass(frozen=True)
class VLFeat:
    """VLFeat's library, through ctypes.

    Attributes:
        library: It.
    """

    library: ctypes.CDLL

    @classmethod
    def find(cls) -> VLFeat | None:
        """Load it, if it is on this machine."""
        name = ctypes.util.find_library("vl")
        if name is None:
            return None
        vl, size, pointer = ctypes.CDLL(name), ctypes.c_size_t, ctypes.c_void_p
        vl.vl_hog_new.restype = pointer
        vl.vl_hog_new.argtypes = [ctypes.c_int, size, ctypes.c_int]
        vl.vl_hog_set_use_bilinear_orientation_assignments.argtypes = [pointer, ctypes.c_int]
        vl.vl_hog_put_image.argtypes = [pointer, _FLOATS, size, size, size, size]
        vl.vl_hog_extract.argtypes = [pointer, _FLOATS]
        vl.vl_hog_delete.argtypes = [pointer]
        vl.vl_dsift_new_basic.restype = ctypes.POINTER(_Filter)
        vl.vl_dsift_process.argtypes = [ctypes.POINTER(_Filter), _FLOATS]
        return cls(vl)

    def hog(self, gray: np.ndarray, bilinear: bool) -> np.ndarray:
        """Describe a gray image whose sides are whole cells by `vl_hog`."""
        height, width = gray.shape
        found = np.empty((31, height // CELL, width // CELL), np.float32)
        one = self.library.vl_hog_new(1, 9, 0)
        self.library.vl_hog_set_use_bilinear_orientation_assignments(one, int(bilinear))
        pixels = gray.ctypes.data_as(_FLOATS)
        self.library.vl_hog_put_image(one, pixels, width, height, 1, CELL)
        self.library.vl_hog_extract(one, found.ctypes.data_as(_FLOATS))
        self.library.vl_hog_delete(one)
        return found

    def dsift(self, gray: np.ndarray, step: int, flat: bool) -> Callable[[], np.ndarray]:
        """Set `vl_dsift` up, and return what runs it."""
        height, width = gray.shape
        one = self.library.vl_dsift_new_basic(width, height, step, CELL)
        one.contents.flat = int(flat)
        pixels = gray.ctypes.data_as(_FLOATS)

        def run() -> np.ndarray:
            self.library.vl_dsift_process(one, pixels)
            shape = (one.contents.frames, one.contents.size)
            return np.ctypeslib.as_array(one.contents.descriptors, shape)

        return run


def peers_of_hog(gray: np.ndarray, vlfeat: VLFeat | None, bilinear: bool) -> dict[str, Call]:
    """Return the other implementations that are here, ready to be called."""
    calls: dict[str, Call] = {}
    if vlfeat is not None:
        calls["vl_hog"] = lambda: vlfeat.hog(gray, bilinear)
    try:
        import cv2
    except ImportError:
        pass
    else:
        cv2.setNumThreads(torch.get_num_threads())
        cells = (CELL, CELL)
        opencv = cv2.HOGDescriptor((SIDE, SIDE), (2 * CELL, 2 * CELL), cells, cells, 9)
        pixels = gray.astype(np.uint8)
        calls["OpenCV"] = lambda: opencv.compute(pixels)
    try:
        from skimage.feature import hog
    except ImportError:
        pass
    else:
        calls["scikit-image"] = lambda: hog(gray, 9, (CELL, CELL), (2, 2), block_norm="L2-Hys")
    return calls


def forward(net: HOG | DSIFT, image: torch.Tensor) -> Call:
    def run() -> torch.Tensor:
        with torch.no_grad():
            return net(image)

    return run


def both_ways(net: HOG | DSIFT, image: torch.Tensor) -> Call:
    leaf = image.clone().requires_grad_()
    signal = torch.randn(net(image).shape, generator=torch.Generator().manual_seed(0))
    return lambda: torch.autograd.grad(net(leaf), leaf, signal)


def hogs(gray: np.ndarray, vlfeat: VLFeat | None, rounds: int) -> list[str]:
    """Compare HOG with its peers."""
    image = torch.from_numpy(gray)[None, None]
    lines = [
        "HOG, forward (aims: at most 2 times `vl_hog`, at least 3 times faster than scikit-image):",
        "",
        "| binning | phosphene, ms | peer | ms | phosphene / peer | furthest from it |",
        "|---|---|---|---|---|---|",
    ]
    for binning in ("hard", "bilinear"):
        net = HOG(CELL, binning=binning)  # type: ignore[arg-type]
        peers = peers_of_hog(gray, vlfeat, binning == "bilinear")
        if binning == "bilinear":
            peers = {name: call for name, call in peers.items() if name == "vl_hog"}
        times = measured({OURS: forward(net, image), **peers}, rounds)
        for peer in peers:
            far = "other numbers"
            if vlfeat is not None and peer == "vl_hog":
                theirs = vlfeat.hog(gray, binning == "bilinear")
                far = f"{np.abs(net(image)[0].numpy() - theirs).max():.1e}"
            lines.append(
                f"| {binning} | {1e3 * min(times[OURS]):.1f} | {peer} "
                f"| {1e3 * min(times[peer]):.1f} | {ratio(times[OURS], times[peer]):.2f} | {far} |"
            )
    return lines


def sifts(gray: np.ndarray, vlfeat: VLFeat, rounds: int) -> list[str]:
    """Compare SIFT with its peer."""
    image = torch.from_numpy(gray)[None, None]
    lines = [
        "",
        "SIFT, forward (aims at step 4: faster than `vl_dsift` with the flat window, at least 4 "
        "times faster with the Gaussian one):",
        "",
        "| window | step | phosphene, ms | vl_dsift, ms | vl_dsift / phosphene "
        "| furthest from it, norms above 0.05 |",
        "|---|---|---|---|---|---|",
    ]
    for step in (4, 8):
        for window in ("flat", "gaussian"):
            net = DSIFT(CELL, step, window)  # type: ignore[arg-type]
            peer = vlfeat.dsift(gray, step, window == "flat")
            times = measured({OURS: forward(net, image), "VLFeat": peer}, rounds)
            ours = net(image)[0].flatten(1).T.numpy()
            seen = net.norms(image)[0].flatten().numpy() > 0.05
            lines.append(
                f"| {window} | {step} | {1e3 * min(times[OURS]):.1f} "
                f"| {1e3 * min(times['VLFeat']):.1f} | {ratio(times['VLFeat'], times[OURS]):.2f} "
                f"| {np.abs(ours - peer())[seen].max():.1e} |"
            )
    return lines


def slopes(gray: np.ndarray, rounds: int) -> list[str]:
    """Measure what the gradient costs."""
    image = torch.from_numpy(gray)[None, None]
    lines = [
        "",
        "Forward and backward beside forward (aim: at most 3.5):",
        "",
        "| descriptor | forward, ms | forward and backward, ms | ratio |",
        "|---|---|---|---|",
    ]
    nets = [HOG(CELL, binning=b) for b in ("hard", "bilinear", "relu")]  # type: ignore[arg-type]
    more = [HOG(CELL, variant="network", binning="bilinear"), DSIFT(CELL, window="network")]
    for net in (*nets, DSIFT(CELL, 4, "flat"), DSIFT(CELL, 4), DSIFT(CELL, 8), *more):
        times = measured({"one": forward(net, image), "both": both_ways(net, image)}, rounds)
        lines.append(
            f"| {net} | {1e3 * min(times['one']):.1f} | {1e3 * min(times['both']):.1f} "
            f"| {ratio(times['both'], times['one']):.2f} |"
        )
    return lines


def batched(gray: np.ndarray, rounds: int) -> list[str]:
    """Measure what a batch saves."""
    lines = [
        "",
        "Sixteen images one after another beside one batch of them (aim: at least 1.3):",
        "",
        "| descriptor | image | one after another, ms | batch, ms | ratio |",
        "|---|---|---|---|---|",
    ]
    whole = torch.from_numpy(gray)[None, None]
    for height, width, count in ((128, 64, rounds), (SIDE, SIDE, max(3, rounds // 3))):
        parts = [whole.roll((32 * i, 17 * i), (2, 3))[..., :height, :width] for i in range(16)]
        singles = [part.contiguous() for part in parts]
        batch = torch.cat(singles)
        for net in (HOG(CELL), HOG(CELL, binning="bilinear"), DSIFT(CELL, 8), DSIFT(CELL, 4)):
            calls = [forward(net, single) for single in singles]

            def apart(calls: list[Call] = calls) -> None:
                for call in calls:
                    call()

            times = measured({"apart": apart, "together": forward(net, batch)}, count)
            lines.append(
                f"| {net} | {height}x{width} | {1e3 * min(times['apart']):.1f} "
                f"| {1e3 * min(times['together']):.1f} "
                f"| {ratio(times['apart'], times['together']):.2f} |"
            )
    return lines


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photograph", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    with Image.open(asked.photograph) as photograph:
        gray = np.array(photograph.convert("L").resize((SIDE, SIDE)), np.float32)
    vlfeat = VLFeat.find()
    here = ", ".join(peers_of_hog(gray, vlfeat, False)) or "no peers"
    lines = [
        "# HOG and dense SIFT",
        "",
        f"Measured by `python bench/descriptors.py PHOTOGRAPH --rounds {asked.rounds} --threads "
        f"{asked.threads}`, torch {torch.__version__}, {SIDE}x{SIDE}, gray, cells and bins of "
        f"{CELL} pixels, beside {here}. `vl_hog` and `vl_dsift` have one thread.",
        "",
        *hogs(gray, vlfeat, asked.rounds),
    ]
    if vlfeat is None:
        lines += ["", "VLFeat's library (Debian's libvlfeat1) is not on this machine: left out."]
    else:
        lines += sifts(gray, vlfeat, asked.rounds)
    lines += [*slopes(gray, asked.rounds), *batched(gray, asked.rounds)]
    print("\n".join(lines))
    place = Path(__file__).with_name("results") / "descriptors.md"
    place.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
