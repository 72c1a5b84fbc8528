"""Rows of the two kernels as images: which pixels go with one pixel. Figure 3.2 of the thesis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from phosphene.display import heat
from phosphene.errors import SettingError
from phosphene.image import to_image
from phosphene.motion.dataset.sample import Batch
from phosphene.motion.normalization import normalized
from phosphene.motion.tiles import flow_tile, longest
from phosphene.panel import Panel, Shows, Tile
from phosphene.pretext.cross_pixel import CrossPixelLoss
from phosphene.pretext.learners import PixelLearner
from phosphene.pretext.pictures.embeddings import EVERY, embedded, projected
from phosphene.pretext.pictures.looked_at import first_of, flow_in, frame_tile

Point = tuple[int, int]
POINTS = 3
_QUARTER = 0.25
_SMOOTH = 5
_LEAST_SIDE = 200


@dataclass(frozen=True, eq=False)
class KernelRows(Shows):
    """Which pixels of frames go with some, by their flow and by their embeddings.

    Attributes:
        batch: The frames.
        colors: (b, 3, h, w), embeddings as colours.
        points: Of each frame, pixels as (x, y).
        by_flow: Of each frame (points, h, w): K_f(p, .) in [0, 1]; 0 where flow is not known.
        by_embedding: Of each frame (points, h, w): K_phi(p, .) in [-1/4, 1/4].
        facts: How they were made.
    """

    batch: Batch
    colors: Tensor
    points: tuple[tuple[Point, ...], ...]
    by_flow: tuple[Tensor, ...]
    by_embedding: tuple[Tensor, ...]
    facts: Mapping[str, str] = field(default_factory=dict)

    def panel(self) -> Panel:
        """Show, as the thesis, flow and embedding first, and then the rows of each pixel."""
        rows: list[tuple[str, tuple[Tile, ...]]] = []
        for place in range(len(self.batch)):
            flow, points = flow_in(self.batch, place), self.points[place]
            frame = frame_tile(self.batch, place)
            most = longest(flow)
            first, second = [flow_tile(flow, most, f"flow, to {most:.1f} px")], []
            second.append(Tile(to_image(self.colors[place]), "embedding"))
            for number, point in enumerate(points):
                alike = self.by_flow[place][number]
                first.append(_row_tile(alike, point, f"K_f, pixel {point}"))
                alike = (self.by_embedding[place][number] + _QUARTER) / (2 * _QUARTER)
                second.append(_row_tile(alike, point, f"K_phi, pixel {point}"))
            marked = _enlarged(frame.image)
            for point in points:
                _mark(marked, point, marked.width / frame.image.width)
            rows += [
                ("", (Tile(marked, frame.caption), *first)),
                ("", (Tile(frame.image, "frame"), *second)),
            ]
        facts = {**self.facts, "kernels": "black to yellow: K_f 0 to 1, K_phi -1/4 to 1/4"}
        return Panel("Which pixels go together", tuple(rows), facts)


def kernel_rows(
    learner: PixelLearner,
    batch: Batch,
    count: int = 1,
    points: Sequence[Point] | None = None,
    *,
    every: int = EVERY,
    seed: int = 0,
) -> KernelRows:
    """Show rows of both kernels.

    Args:
        learner: One that learns by `CrossPixelLoss`, whose sigma it has.
        batch: Frames with their flow.
        count: How many of them to show.
        points: Pixels as (x, y), the same in every frame; if `None`, three that move differently
            (`differing`).
        every: At every how many pixels embeddings are read.
        seed: Of the projection to colours.

    Raises:
        SettingError: It learns by another loss, or a pixel is not in the frame.
    """
    if not isinstance(learner.loss, CrossPixelLoss):
        raise SettingError(
            f"{type(learner.loss).__name__} compares no pixels: kernels are shown of learners by "
            "CrossPixelLoss"
        )
    some = first_of(batch, count, learner)
    h, w = some.image.shape[2:]
    for across, down in points or ():
        if not (0 <= across < w and 0 <= down < h):
            raise SettingError(
                f"pixel ({across}, {down}) is not in a frame of {w}x{h}: x goes first"
            )
    if points is not None and not points:
        raise SettingError("no pixels were given to be compared with: give one or more")
    flow = normalized(some.flow)
    made = embedded(learner, some, every)
    unit = F.normalize(made, dim=1)
    variance = float(learner.loss.log_variance.detach().exp())
    chosen, by_flow, by_embedding = [], [], []
    for place in range(len(some)):
        own = tuple(points or differing(flow[place], some.valid[place]))
        chosen.append(own)
        x, y = torch.tensor(own, device=flow.device).unbind(1)
        apart = (flow[place][:, y, x].mT[:, :, None, None] - flow[place]).square().sum(1)
        alike = torch.exp(-apart / (2 * variance)) * some.valid[place]
        by_flow.append((alike * some.valid[place][y, x][:, None, None]).cpu())
        cosine = torch.einsum("dp,dhw->phw", unit[place][:, y, x], unit[place])
        by_embedding.append(_QUARTER * cosine.cpu())
    facts = {"sigma^2": f"{variance:.4g}, of flow normalized to [-1, 1]"}
    return KernelRows(
        some, projected(made, seed), tuple(chosen), tuple(by_flow), tuple(by_embedding), facts
    )


def differing(flow: Tensor, valid: Tensor, count: int = POINTS) -> tuple[Point, ...]:
    """Choose pixels that move differently, the strongest difference first.

    The first departs most from the median flow, each further one most from all before it; flow is
    averaged over 5x5 pixels first, the rim is left out, and of pixels that move alike those that
    lie apart are taken.

    Args:
        flow: (2, h, w), normalized.
        valid: (h, w), where it is known.
        count: How many.

    Returns:
        (x, y) of each.
    """
    h, w = valid.shape
    weight = valid[None, None].to(flow.dtype)
    shares = F.avg_pool2d(weight, _SMOOTH, 1, _SMOOTH // 2)
    smooth = F.avg_pool2d(flow[None] * weight, _SMOOTH, 1, _SMOOTH // 2) / shares.clamp(min=1e-6)
    rim = max(1, min(h, w) // 16)
    usable = torch.zeros_like(valid)
    usable[rim:-rim, rim:-rim] = valid[rim:-rim, rim:-rim]
    if not bool(usable.any()):
        usable = torch.ones_like(valid)
    y, x = usable.nonzero().unbind(1)
    at = smooth[0][:, y, x]
    middle = at.median(1, keepdim=True).values
    scale = float((at - middle).norm(dim=0).max()) or 1.0
    # Place breaks ties only: all across the frame counts as much as a tenth of the motion.
    place = torch.stack((x, y)).to(flow) * (0.1 * scale / math.hypot(h, w))
    seen = torch.cat((at, place))
    off = (at - middle).norm(dim=0)
    chosen: list[int] = []
    for _ in range(min(count, len(x))):
        chosen.append(int(off.argmax()))
        apart = (seen - seen[:, chosen[-1], None]).norm(dim=0)
        off = apart if len(chosen) == 1 else torch.minimum(off, apart)
    return tuple((int(x[i]), int(y[i])) for i in chosen)


def _row_tile(alike: Tensor, point: Point, caption: str) -> Tile:
    image = to_image(heat(alike[None]))
    enlarged = _enlarged(image)
    _mark(enlarged, point, enlarged.width / image.width)
    return Tile(enlarged, caption)


def _enlarged(image: Image.Image) -> Image.Image:
    """Give marks room beside the pixels of a small frame."""
    times = math.ceil(_LEAST_SIDE / image.height)
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def _mark(image: Image.Image, point: Point, times: float) -> None:
    """Draw a ring around a pixel, seen on dark and on bright."""
    x, y = ((at + 0.5) * times for at in point)
    radius = max(5.0, image.height / 40)
    draw = ImageDraw.Draw(image)
    for more, color in ((1.5, "black"), (0, "white")):
        reach = radius + more
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=color, width=2)
