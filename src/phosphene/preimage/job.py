"""What every verb does once it knows what to descend: batches, the descent, the result."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import Tensor

from phosphene.core.receptive_field import ReceptiveField
from phosphene.core.representation import Representation
from phosphene.errors import OutOfMemory, out_of_memory
from phosphene.preimage.canvas import Canvas, canvas_for
from phosphene.preimage.energy import Energy
from phosphene.preimage.facts import facts_of
from phosphene.preimage.objectives import Match
from phosphene.preimage.phi import field_of
from phosphene.preimage.recipe import Recipe
from phosphene.preimage.result import PreImage, joined
from phosphene.preimage.solve import Found, Start, solve
from phosphene.preimage.watch import Watch

Item = TypeVar("Item")
_ON_CPU, _ON_GPU = 8, 32
_COARSE = 16
"""Stride from which on a CPU does several images faster together."""


def together(phi: Representation) -> int:
    """Return how many images go well together.

    On a CPU the large maps of early layers fall out of the caches, and a batch of them is slower
    than its images one after another (`bench/preimage.py`).
    """
    if phi.network.device.type != "cpu":
        return _ON_GPU
    seen = field_of(phi)
    return 1 if seen is not None and max(seen.stride) < _COARSE else _ON_CPU


@dataclass(frozen=True, eq=False)
class Pose:
    """A descent of several images together.

    Attributes:
        energy: What to descend.
        start: Where from.
        names: What each image is the pre-image of.
        reference: (b, c, h, w) images they are made from, RGB in [0, 1].
        match: What the relative error is measured by; `None` for none.
    """

    energy: Energy
    start: Start
    names: tuple[str, ...]
    reference: Tensor | None = None
    match: Match | None = None


@dataclass(frozen=True, eq=False)
class Job:
    """How a verb was asked to work.

    Attributes:
        phi: The representation.
        recipe: How to descend.
        seed: Start of the random numbers.
        batch: Most images at a time; as many as go well together if `None`.
        watch: Progress, snapshots, states.
        warnings: What is already known to be otherwise than asked for.
        facts: What else to say of how it was done.
    """

    phi: Representation
    recipe: Recipe
    seed: int = 0
    batch: int | None = None
    watch: Watch = field(default_factory=Watch)
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    def canvas(self, size: tuple[int, int], seen: ReceptiveField | None) -> Canvas:
        """Return the canvas for a layer of that receptive field."""
        return canvas_for(size, seen, self.recipe.jitter, self.recipe.transforms)

    def run(self, items: Sequence[Item], pose: Callable[[Sequence[Item]], Pose]) -> PreImage:
        """Find the images of all items.

        Args:
            items: What images are wanted of.
            pose: Makes the descent of some of them.

        Returns:
            The images in the order of the items; fewer, if it was interrupted.

        Raises:
            OutOfMemory: They do not fit into memory together: with the number that does.
        """
        most = self.batch or min(len(items), together(self.phi))
        count = math.ceil(len(items) / most)
        results: list[PreImage] = []
        for number in range(count):
            chunk = items[number * most : (number + 1) * most]
            posed = pose(chunk)
            watch = self.watch.part(number, count)
            try:
                results.append(self._told(posed, self._solve(posed, self.recipe, watch)))
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                raise OutOfMemory(self._advice(chunk, pose)) from error
            if results[-1].interrupted:
                break
        return joined(results)

    def _solve(self, posed: Pose, recipe: Recipe, watch: Watch) -> Found:
        return solve(self.phi, posed.energy, recipe, posed.start, self.seed, watch)

    def _told(self, posed: Pose, found: Found) -> PreImage:
        error = None
        if posed.match is not None:
            with torch.no_grad():
                code = self.phi(found.rgb.to(self.phi.network.dtype))
                error = posed.match.relative_error(code.to(found.rgb))
        canvas = posed.start.canvas
        facts = facts_of(self.phi, posed.energy, canvas, self.recipe, self.seed, **self.facts)
        return PreImage(
            found.rgb.clamp(0, 1),
            posed.names,
            found.trace,
            self.phi.network.name,
            facts["layer"],
            posed.reference,
            error,
            facts,
            (*self.warnings, *found.notes),
            found.frames,
            found.interrupted,
        )

    def _advice(self, chunk: Sequence[Item], pose: Callable[[Sequence[Item]], Pose]) -> str:
        """Find by trial how many images fit."""
        once = replace(self.recipe, steps=1, second=0)
        count = len(chunk)
        said = f"there is not enough memory for {count} images at a time"
        while count > 1:
            count //= 2
            try:
                self._solve(pose(chunk[:count]), once, Watch())
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                continue
            return f"{said}: {count} fit, so give a batch of {count}"
        return f"{said}: give a smaller image, or a layer nearer to the input"
