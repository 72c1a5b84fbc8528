"""Making the features of a set once, and keeping them in files.

A set's folder holds, for each layer, a NumPy file of float16 that can be mapped into memory, and an
index. It is written beside its place and renamed when it is whole. What was stopped goes on where
the index says; bytes behind that are written again.

Features are multiplied by a power of two for each layer, chosen on the first images so that the
largest number is about 256: numbers up to 256 times larger still fit into float16, whose largest is
65504, and those down to four million times smaller than the largest keep all of its ten bits.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import torch
from numpy.lib import format as npy
from torch import Tensor

from phosphene.errors import FormatError, NotFinite, OutputError
from phosphene.image import replacing
from phosphene.interruption import interruptible
from phosphene.training.loop import Tick
from phosphene.training.made import in_turn
from phosphene.transfer import fingerprints
from phosphene.transfer.probing.crops import Crops
from phosphene.transfer.probing.features import FrozenFeatures
from phosphene.transfer.probing.kept import INDEX

_LARGEST = 256.0
_SPARE = 1 << 28
Say = Callable[[str], None]


def facts_of(frozen: FrozenFeatures, crops: Crops) -> dict[str, Any]:
    """Return all that the features of a set hang on."""
    return {
        "network": frozen.network.name,
        "weights": fingerprints.of_network(frozen.network),
        "layers": list(frozen.layers),
        "grids": [[*g.side, g.channels, g.way] for g in frozen.grids],
        "set": fingerprints.of_set(crops.photographs),
        "crops": f"the middle {crops.size} of {crops.side} px, {crops.fit}",
    }


def keep(
    frozen: FrozenFeatures,
    crops: Crops,
    root: Path,
    *,
    name: str,
    loaders: int = 0,
    every: float = 60.0,
    tick: Tick | None = None,
    say: Say = lambda text: None,
) -> Path | None:
    """Make the features of the middles of all photographs, unless they are there.

    Args:
        frozen: The network and its layers.
        crops: The photographs.
        root: Where folders of features are.
        name: What to call the set.
        loaders: Processes that read photographs.
        every: Seconds between two notes of how far it is.
        tick: Called with the photographs done, their number, and what is being done.
        say: Told how much room it takes, before it begins.

    Returns:
        The set's folder; `None` where it was stopped (Ctrl-C), and can go on.

    Raises:
        OutputError: There is not enough room, the folder cannot be written, or another process is
            writing to it.
        NotFinite: A feature is not finite, or does not fit into float16.
    """
    facts = facts_of(frozen, crops)
    folder = root / f"{name}-{fingerprints.of_facts(facts)}"
    if (folder / INDEX).is_file():
        return folder
    part = folder.with_name(f".{folder.name}.part")
    try:
        part.mkdir(parents=True, exist_ok=True)
        with _claimed(part):
            writing = _Writing(part, facts, frozen, len(crops.photographs))
            writing.check_room(say)
            ended = _write(writing, frozen, crops, name, loaders, every, tick)
            if ended:
                (part / _LOCK).unlink(missing_ok=True)
                os.replace(part, folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder if ended else None


def _write(
    writing: _Writing,
    frozen: FrozenFeatures,
    crops: Crops,
    name: str,
    loaders: int,
    every: float,
    tick: Tick | None,
) -> bool:
    first, count = writing.done, writing.count
    rest = in_turn(count - first, _From(crops, first), loaders)
    noted = time.monotonic()
    with interruptible() as stopping, writing.open() as files:
        while images := list(islice(rest, frozen.at_once)):
            writing.append(files, frozen(torch.stack(images)))
            if tick is not None:
                tick(writing.done, count, f"features of {name}")
            if stopping():
                break
            if time.monotonic() - noted > every:
                writing.note(files)
                noted = time.monotonic()
        writing.note(files)
    return writing.done == count


class _From:
    """Makes the images of a set from one on; it can be sent to other processes."""

    def __init__(self, crops: Crops, first: int) -> None:
        self._crops, self._first = crops, first

    def __call__(self, index: int) -> Tensor:
        return self._crops.middle(self._first + index)[0]


class _Writing:
    """A set's files under way, and how many rows of them are done."""

    def __init__(self, folder: Path, facts: dict[str, Any], frozen: FrozenFeatures, n: int) -> None:
        self.folder, self.count, self._facts = folder, n, facts
        self._grids, self._layers = frozen.grids, frozen.layers
        self.done = 0
        self._scales: list[float] = []
        if (folder / INDEX).is_file():
            try:
                index = json.loads((folder / INDEX).read_text())
                self.done = int(index["done"])
                self._scales = [float(entry["scale"]) for entry in index["layers"]]
            except (OSError, ValueError, KeyError, TypeError):
                raise FormatError(
                    f"{folder} is damaged: remove it, and the features are made anew"
                ) from None

    def check_room(self, say: Say) -> None:
        """Say how much is needed, and refuse if that is not there."""
        rest = 2 * sum(g.numbers for g in self._grids) * (self.count - self.done)
        free = shutil.disk_usage(self.folder).free
        told = (
            f"features of {len(self._grids)} layers of {self.count - self.done} photographs take "
            f"{rest / 1e9:.3g} GB in {self.folder.parent}"
        )
        if rest + _SPARE > free:
            raise OutputError(
                f"{told}, where {free / 1e9:.3g} GB are free: name another folder or fewer layers, "
                "or probe without keeping features"
            )
        say(told)

    @contextmanager
    def open(self) -> Iterator[list[BinaryIO]]:
        """Open the files where the rows that are done end."""
        with ExitStack() as stack:
            files: list[BinaryIO] = []
            for number, grid in enumerate(self._grids):
                path = self.folder / self._file(number)
                path.touch()
                file: BinaryIO = stack.enter_context(open(path, "r+b"))
                head = {"descr": "<f2", "fortran_order": False, "shape": self._shape(grid)}
                npy.write_array_header_1_0(file, head)
                file.seek(2 * grid.numbers * self.done, os.SEEK_CUR)
                file.truncate()
                files.append(file)
            yield files

    def append(self, files: list[BinaryIO], features: list[Tensor]) -> None:
        """Write some rows."""
        if not self._scales:
            self._scales = [_scale(values) for values in features]
        for layer, file, values, scale in zip(
            self._layers, files, features, self._scales, strict=True
        ):
            narrow = (values * scale).half()
            if not bool(narrow.isfinite().all()):
                largest = float(values.abs().max())
                raise NotFinite(
                    f"layer {layer!r} puts out {largest:.3g}, which cannot be kept in 16 bits "
                    "beside its other numbers: probe it without keeping features"
                )
            file.write(narrow.cpu().numpy().data)
        self.done += len(features[0])

    def note(self, files: list[BinaryIO]) -> None:
        """Write how far it is, when that is safely in the files."""
        if not self._scales:
            return
        for file in files:
            file.flush()
            os.fsync(file.fileno())
        layers = [
            {"name": name, "file": self._file(i), "shape": self._shape(grid), "scale": scale}
            for i, (name, grid, scale) in enumerate(
                zip(self._layers, self._grids, self._scales, strict=True)
            )
        ]
        index = {**self._facts, "count": self.count, "done": self.done, "layers": layers}
        with replacing(self.folder / INDEX) as out:
            out.write(json.dumps(index, indent=1).encode())

    def _shape(self, grid: Any) -> tuple[int, ...]:
        return (self.count, *grid.side, grid.channels)

    def _file(self, number: int) -> str:
        plain = "".join(c if c.isalnum() else "-" for c in self._layers[number])
        return f"{number:02d}-{plain}.npy"


def _scale(values: Tensor) -> float:
    """Return the power of two that brings the largest value near 256."""
    largest = float(values.abs().max())
    if not 0 < largest < math.inf:
        return 1.0
    return 2.0 ** round(math.log2(_LARGEST / largest))


_LOCK = "lock"


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Keep other processes off a folder; the lock ends with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # no locks on this system
        yield
        return
    with open(folder / _LOCK, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutputError(
                f"another process is making the features of {folder}: let it end first"
            ) from None
        yield
