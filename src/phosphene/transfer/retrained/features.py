"""What a layer says of photographs, kept in memory, or in a file where that is too small.

Every photograph is shown once, as the network wants its photographs (the middle of it, not
mirrored), so that whatever is taught on top can look at the same numbers again and again.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phosphene.core.copies import copied
from phosphene.core.network import Network
from phosphene.core.recording import Recorder
from phosphene.errors import NotFinite, OutputError, UnknownLayer
from phosphene.image import replacing, to_tensor
from phosphene.training.made import in_turn
from phosphene.transfer.benchmarks.records import Photographs
from phosphene.transfer.retrained.settings import Reading

MEMORY = 1 << 31
"""Bytes of features above which they go to a file."""

_AT_ONCE = 32
Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Features:
    """Rows of numbers, one for each photograph that was asked for.

    Attributes:
        values: (n, d) float32; of a file only what is looked at is read.
        rows: (n,) which photographs they are of, in rising order.
    """

    values: Values
    rows: NDArray[np.int64]

    def places(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where the photographs' rows are."""
        return np.searchsorted(self.rows, indices)


def features_of(
    net: Network,
    layer: str,
    photographs: Photographs,
    rows: NDArray[np.int64],
    *,
    reading: Reading = "whole",
    at: Path | None = None,
    about: str = "",
    device: torch.device | str = "cpu",
    loaders: int = 0,
    memory: int = MEMORY,
    tick: Callable[[int, int, str], None] | None = None,
) -> Features:
    """Show photographs to a network, and note what one layer says.

    Args:
        net: The network; it stays where it is, and on another device a copy is asked.
        layer: Its layer; maps or vectors.
        photographs: The photographs.
        rows: Which of them, in rising order.
        reading: Of maps: all their numbers, or their means.
        at: A file (`.npy`) to keep them in, beside one (`.json`) that says what they are; used
            again where that says the same. `None`: in memory, or, if they are more than `memory`,
            in a file that ends with the process.
        about: What they hang on besides the layer: the network's weights, the photographs.
        device: Where the network runs.
        loaders: Processes that read photographs.
        memory: Bytes.
        tick: Called with the photographs done, their number, and what is done.

    Raises:
        ImageError: A photograph cannot be read.
        UnknownLayer: There is no such layer, or it puts out something else.
        NotFinite: A number is not finite.
        OutputError: The file cannot be written.
    """
    told = {
        "about": about, "layer": layer, "reading": reading, "rows": rows.tolist(),
        "preprocessing": str(net.preprocessing),
    }  # fmt: skip
    if at is not None and (kept := _kept(at, told)) is not None:
        return Features(kept, rows)
    shown = _Shown(net, photographs, rows)
    batches = _together(in_turn(len(rows), shown, loaders))
    device = torch.device(device)
    if device.type != net.device.type:
        net = copied(net)
        net.module.to(device)
    recorder = Recorder(net, [layer])
    values: Values | None = None
    store = _Store(at)
    done = 0
    try:
        for images in batches:
            code = _read(recorder(images.to(device))[layer], layer, reading)
            if not bool(code.isfinite().all()):
                name = photographs.name(int(rows[done]))
                raise NotFinite(f"layer {layer!r} says what is not finite of {name} or behind it")
            if values is None:
                values = store.made((len(rows), code.shape[1]), memory)
            values[done : done + len(code)] = code.numpy()
            done += len(code)
            if tick is not None:
                tick(done, len(rows), "features")
        assert values is not None
        return Features(store.closed(values, told), rows)
    except OSError as error:
        raise OutputError(f"features cannot be kept: {error.strerror or error}") from error
    finally:
        store.clear()


class _Shown:
    """Fits photographs to what the network is fed; sent to other processes."""

    def __init__(self, net: Network, photographs: Photographs, rows: NDArray[np.int64]) -> None:
        self._preprocessing, self._photographs, self._rows = net.preprocessing, photographs, rows

    def __call__(self, place: int) -> Tensor:
        photograph = self._photographs.image(int(self._rows[place]))
        return to_tensor(self._preprocessing.fit(photograph)[0])


def _together(images: Iterator[Tensor]) -> Iterator[Tensor]:
    several: list[Tensor] = []
    for image in images:
        # Photographs that stay as large as they are come one by one.
        if several and (len(several) == _AT_ONCE or image.shape != several[0].shape):
            yield torch.stack(several)
            several = []
        several.append(image)
    if several:
        yield torch.stack(several)


def _read(code: Tensor, layer: str, reading: Reading) -> Tensor:
    if code.ndim not in (2, 4):
        raise UnknownLayer(
            f"layer {layer!r} puts out {tuple(code.shape[1:])}, neither maps nor a vector: choose "
            "another layer"
        )
    made = code.float().mean((2, 3)) if code.ndim == 4 and reading == "mean" else code.flatten(1)
    return made.float().cpu()


class _Store:
    """Where features are written: memory, or a file that is in place when it is whole."""

    def __init__(self, at: Path | None) -> None:
        self._at, self._part = at, None if at is None else _beside(at)

    def made(self, shape: tuple[int, int], memory: int) -> Values:
        if self._part is None and 4 * shape[0] * shape[1] <= memory:
            return np.empty(shape, np.float32)
        if self._part is None:
            self._part = _beside(Path(tempfile.gettempdir()) / "phosphene-features.npy")
        self._part.parent.mkdir(parents=True, exist_ok=True)
        return np.lib.format.open_memmap(self._part, "w+", np.float32, shape)

    def closed(self, values: Values, told: dict[str, Any]) -> Values:
        if self._at is None or self._part is None:
            return values
        assert isinstance(values, np.memmap)
        values.flush()
        _said(self._at).unlink(missing_ok=True)
        os.replace(self._part, self._at)
        with replacing(_said(self._at)) as file:
            file.write(json.dumps(told).encode())
        return values

    def clear(self) -> None:
        # What is mapped stays so until it is let go of, with or without a name.
        if self._part is not None:
            with suppress(OSError):
                self._part.unlink()


def _kept(at: Path, told: dict[str, Any]) -> Values | None:
    try:
        if json.loads(_said(at).read_text()) != told:
            return None
        # Never written to; copied on write, as tensors are not made of what is read-only.
        values: Values = np.lib.format.open_memmap(at, "c")
    except (OSError, ValueError):
        return None
    fits = values.dtype == np.float32 and values.ndim == 2 and len(values) == len(told["rows"])
    return values if fits else None


def _said(at: Path) -> Path:
    return at.with_suffix(".json")


def _beside(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(6)}.part")
