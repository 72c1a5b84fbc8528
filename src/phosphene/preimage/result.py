"""Images that were found, and how."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor

from phosphene.errors import OutputError
from phosphene.image import to_image
from phosphene.panel import Panel, Plot, Series, Shows, Tile, movie


@dataclass(frozen=True, eq=False)
class Trace:
    """The energy on the way down, one row an iteration.

    Attributes:
        objective: (steps, b) weighted objectives at the crop that was seen.
        prior: (steps, b) weighted priors.
    """

    objective: Tensor
    prior: Tensor

    def __len__(self) -> int:
        return len(self.objective)

    @classmethod
    def of(cls, steps: Sequence[tuple[Tensor, Tensor]], count: int) -> Trace:
        """Collect the (b,) objectives and priors of every step.

        Args:
            steps: Those.
            count: b, which no step tells where there is none.
        """
        if not steps:
            return cls(torch.zeros(0, count), torch.zeros(0, count))
        objective, prior = zip(*steps, strict=True)
        return cls(torch.stack(objective).cpu(), torch.stack(prior).cpu())

    def then(self, other: Trace) -> Trace:
        """Return this trace with that of a later descent behind it."""
        objective = torch.cat([self.objective, other.objective])
        return Trace(objective, torch.cat([self.prior, other.prior]))

    @classmethod
    def beside(cls, traces: Sequence[Trace]) -> Trace:
        """Put traces side by side; those that ended earlier hold NaN from there on."""
        most = max(map(len, traces))

        def longer(values: Tensor) -> Tensor:
            rest = values.new_full((most - len(values), values.shape[1]), float("nan"))
            return torch.cat([values, rest])

        return cls(
            torch.cat([longer(t.objective) for t in traces], 1),
            torch.cat([longer(t.prior) for t in traces], 1),
        )

    def plot(self) -> Plot:
        """Draw objective, priors and their sum, averaged over the images."""
        steps = tuple(float(n) for n in range(len(self)))
        curves = {
            "energy": self.objective + self.prior,
            "objective": self.objective,
            "priors": self.prior,
        }
        means = {name: tuple(values.nanmean(1).tolist()) for name, values in curves.items()}
        series = [Series(name, steps, mean) for name, mean in means.items()]
        falls = bool((self.objective > 0).all())
        return Plot("energy", tuple(series), "iteration", "mean over images", log=falls)


@dataclass(frozen=True, eq=False)
class PreImage(Shows):
    """Images found by descending an energy.

    Attributes:
        image: (b, 3, h, w) RGB in [0, 1], clipped.
        names: (b) what each is the pre-image of.
        reference: (b, 3, h, w) the images they were made from; `None` where there is none.
        error: (b,) relative error of the code; `None` for what has no target.
        trace: The energy at every iteration.
        network: Name of the network.
        layer: Name of the layer.
        facts: Energy, recipe, seeds and versions: enough to do it again.
        warnings: What went otherwise than asked for.
        frames: (b, c, h, w) 8-bit snapshots on the way, where they were asked for.
        interrupted: Whether it was stopped by hand: these are the images so far.
    """

    image: Tensor
    names: tuple[str, ...]
    trace: Trace
    network: str
    layer: str
    reference: Tensor | None = None
    error: Tensor | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    frames: tuple[Tensor, ...] = ()
    interrupted: bool = False

    def __len__(self) -> int:
        return len(self.image)

    def panel(self) -> Panel:
        """Lay out a row for each reference, with all pre-images of it behind."""
        rows: list[tuple[str, list[Tile]]] = []
        for index, name in enumerate(self.names):
            if not self._goes_on(index):
                rows.append((name, []))
                if self.reference is not None:
                    rows[-1][1].append(Tile(to_image(self.reference[index].cpu()), "image"))
            error = "" if self.error is None else f"error {float(self.error[index]):.1%}"
            rows[-1][1].append(Tile(to_image(self.image[index].cpu()), error))
        return Panel(
            f"{self.network}, {self.layer or 'output'}",
            tuple((name, tuple(tiles)) for name, tiles in rows),
            self.facts,
            self.warnings,
            (self.trace.plot(),) if len(self.trace) > 1 else (),
        )

    def _goes_on(self, index: int) -> bool:
        """Whether an image is a further pre-image of the same thing as the one before it."""
        if index == 0 or self.names[index] != self.names[index - 1]:
            return False
        same = self.reference
        return same is None or torch.equal(same[index], same[index - 1])

    def stretched(self) -> PreImage:
        """Return the images with the smallest value black and the largest white, each by itself.

        So the authors' code saves them. It shows faint images, and hides how faint they are.
        """
        low, high = (f(self.image, (1, 2, 3), keepdim=True) for f in (torch.amin, torch.amax))
        image = (self.image - low) / (high - low).clamp(min=1e-12)
        return replace(self, image=image, facts={**self.facts, "contrast": "stretched"})

    def movie(self, path: str | Path, fps: float = 12) -> Path:
        """Write how the images came about, side by side, as `.gif` or `.mp4`.

        Raises:
            OutputError: No snapshots were taken (`Watch(frames=...)`), or it cannot be written.
        """
        if not self.frames:
            raise OutputError("no snapshots were taken: ask for them with Watch(frames=48)")
        return movie(map(_side_by_side, self.frames), path, fps)


def joined(results: Sequence[PreImage]) -> PreImage:
    """Join results that differ in their images only: batches of one job."""
    first = results[0]
    if len(results) == 1:
        return first

    def together(parts: Sequence[Tensor | None]) -> Tensor | None:
        present = [part for part in parts if part is not None]
        return torch.cat(present) if present else None

    # Those that converged earlier stand still.
    most = max(len(r.frames) for r in results)
    frames = zip(*(r.frames + r.frames[-1:] * (most - len(r.frames)) for r in results), strict=True)
    image = together([r.image for r in results])
    assert image is not None
    return replace(
        first,
        image=image,
        names=tuple(name for r in results for name in r.names),
        trace=Trace.beside([r.trace for r in results]),
        reference=together([r.reference for r in results]),
        error=together([r.error for r in results]),
        warnings=tuple(dict.fromkeys(w for r in results for w in r.warnings)),
        frames=tuple(torch.cat(parts) for parts in frames),
        interrupted=any(r.interrupted for r in results),
    )


def _side_by_side(frame: Tensor) -> Image:
    columns = math.ceil(math.sqrt(len(frame)))
    rows = [frame[i : i + columns] for i in range(0, len(frame), columns)]
    lines = [torch.cat(list(row), -1) for row in rows]
    width = lines[0].shape[-1]
    lines = [torch.nn.functional.pad(line, (0, width - line.shape[-1])) for line in lines]
    return to_image(torch.cat(lines, -2) / 255)
