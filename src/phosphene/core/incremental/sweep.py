"""A network swept by windows: recorded, checked against itself, and run batch by batch.

Three engines give the same numbers. *Incremental* runs the recorded operations on what a window
changes; *full* runs the same operations on whole maps, in channels-last order; *module* calls the
model itself and is what remains where it cannot be recorded. Before the first batch three windows
are run by the engine and by the model, and where they disagree the model has the last word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from phosphene.core.graph import Graph, Recording
from phosphene.core.incremental.engine import Batch, Engine, Value, Windows
from phosphene.core.incremental.patches import Patches
from phosphene.core.network import Network
from phosphene.core.record import output_tensor, record

# How far the check's values may lie apart, relative to the largest: rounding, and nothing else.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Engagement:
    """Which engine ran, and why no faster one.

    Attributes:
        engine: `"incremental"`, `"full"` or `"module"`.
        crops: How many operations were run on crops.
        whole: How many were run on whole maps, by operator.
        reason: Why the model itself had to run; empty otherwise.
    """

    engine: str
    crops: int = 0
    whole: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""

    def __str__(self) -> str:
        """Say it in one line."""
        if self.engine == "module":
            return f"module, whole passes: {self.reason}"
        if self.engine == "full":
            return f"full, {sum(self.whole.values())} operations on whole maps, channels last"
        names = ", ".join(f"{n} {name}" for name, n in sorted(self.whole.items()))
        end = f", whole maps for {names}" if names else ""
        return f"incremental, {self.crops} operations on crops{end}"


class Sweep:
    """A network and one image, ready for windows.

    To be made and used inside `net.running(gradients=False)`.

    Args:
        net: The network.
        x: (1, c, h, w) its own input, clean.
        fill: (1, c, h, w) what the windows show.
        windows: The windows.
        layers: Names of layers whose values are wanted; `""` is the output. Nothing behind the
            last of them runs.
        incremental: Whether to run only on what changes, where that is possible.

    Attributes:
        clean: Values of the clean image by layer, (1, ...).
        engagement: Which engine runs.

    Raises:
        LayerNeverRan, UnknownLayer, NetworkError: As they say.
    """

    def __init__(
        self,
        net: Network,
        x: Tensor,
        fill: Tensor,
        windows: Windows,
        layers: Sequence[str],
        incremental: bool = True,
    ) -> None:
        self._net, self._x, self._fill, self._windows = net, x, fill, windows
        self._layers = tuple(dict.fromkeys(layers))
        self._alone = False
        middle = Batch((len(windows.rows) // 2,), (len(windows.columns) // 2,))
        one, clean = self._recorded(x)
        two, both = self._recorded(torch.cat([x, self._images(middle)]))
        self.clean = clean
        self._graph = Graph.of(one, two)
        self._engine: Engine | None = None
        reason = self._graph.reason
        if any(not _close(both[name][:1], clean[name]) for name in self._layers):
            self._alone = True
            reason = "images of one batch influence each other, so that each is run by itself"
        if not reason:
            self._engine = Engine(self._graph, x, fill, windows, incremental)
            if not self._agrees(middle, {n: v[1:] for n, v in both.items()}) or any(
                not _close(self._engine.clean[number], clean[name])
                for name, number in zip(self._layers, self._graph.wanted, strict=True)
            ):
                self._engine = None
                reason = "what was recorded does not give what the model gives"
        if self._engine is None:
            self.engagement = Engagement("module", reason=reason)
        else:
            name = "incremental" if self._engine.crops else "full"
            self.engagement = Engagement(name, self._engine.crops, self._engine.whole)

    def batches(self, most: int) -> list[Batch]:
        """Group the windows into batches of at most so many."""
        if self._engine is not None:
            return self._engine.batches(most)
        columns = range(len(self._windows.columns))
        return [
            Batch((i,), tuple(columns[j : j + most]))
            for i in range(len(self._windows.rows))
            for j in range(0, len(columns), most)
        ]

    def run(self, batch: Batch) -> dict[str, Value]:
        """Run the network on a batch of windows; return its values by layer."""
        if self._engine is not None:
            values = self._engine.run(batch)
            pairs = zip(self._layers, self._graph.wanted, strict=True)
            return {name: values[number] for name, number in pairs}
        images = self._images(batch).contiguous(memory_format=torch.channels_last)
        parts = [self._pass(part) for part in (torch.split(images, 1) if self._alone else [images])]
        return {name: torch.cat([part[name] for part in parts]) for name in self._layers}

    def _agrees(self, middle: Batch, values: Mapping[str, Tensor]) -> bool:
        """Compare the engine with the model: in the middle, and for two windows at a border.

        One window alone would not show what images of a batch do to each other.
        """
        border = Batch((0,), tuple(sorted({0, len(self._windows.columns) // 2})))
        images = self._images(border)
        pairs = ((middle, values), (border, self._pass(images)))
        return all(
            _close(in_full(found), wanted[name])
            for batch, wanted in pairs
            for name, found in self.run(batch).items()
        )

    def _recorded(self, x: Tensor) -> tuple[Recording, dict[str, Tensor]]:
        recording = Recording(x)
        with recording:
            values = self._pass(x)
        recording.want(values[name] for name in self._layers)
        return recording, values

    def _pass(self, x: Tensor) -> dict[str, Tensor]:
        addresses = {name: self._net.address(name) for name in self._layers if name}
        through = "" in self._layers
        output, captures = record(
            self._net.module, x, addresses.values(), stop=not through, run=self._net.run
        )
        values = {name: captures[address].value for name, address in addresses.items()}
        found = {name: value for name, value in values.items() if value is not None}
        return found | ({"": output_tensor(output)} if through else {})

    def _images(self, batch: Batch) -> Tensor:
        """Put every window of a batch on the clean image: (b, c, h, w)."""
        images = self._x.repeat(len(batch), 1, 1, 1)
        boxes = ((i, j) for i in batch.rows for j in batch.columns)
        for image, (i, j) in zip(images, boxes, strict=True):
            rows, columns = slice(*self._windows.rows[i]), slice(*self._windows.columns[j])
            image[:, rows, columns] = self._fill[0, :, rows, columns]
        return images


def in_full(value: Value) -> Tensor:
    """Return a batch's values as one tensor, (b, ...)."""
    return value.whole() if isinstance(value, Patches) else value


def _close(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.is_floating_point():
        return bool(torch.equal(one, other))
    scale = float(other.abs().max()) if other.numel() else 0.0
    most = max(TOLERANCE, 20 * torch.finfo(one.dtype).eps) * scale
    difference = (one.double() - other.double()).abs()
    # What is not finite is said by whoever reads the values.
    return not bool((difference > most).any())
