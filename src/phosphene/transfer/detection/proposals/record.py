"""Boxes that may hold objects, of many photographs."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from phosphene.image import SUFFIXES, replacing

Floats = NDArray[np.float64]


class Proposals:
    """Boxes by the name of their photograph, with or without the suffix of its file.

    They are held in single precision behind each other, as there may be millions.

    Args:
        boxes: (n, 4) of every photograph: left, top, right, bottom in pixels from its upper left
            edge; see `benchmarks.records.Boxes`.
    """

    def __init__(self, boxes: Mapping[str, NDArray[np.floating]]) -> None:
        self._places: dict[str, tuple[int, int]] = {}
        at = 0
        for name, own in boxes.items():
            self._places[_key(name)] = (at, at + len(own))
            at += len(own)
        self._corners = np.empty((at, 4), np.float32)
        for (start, end), own in zip(self._places.values(), boxes.values(), strict=True):
            self._corners[start:end] = own

    def __len__(self) -> int:
        """Return of how many photographs there are boxes."""
        return len(self._places)

    def __contains__(self, name: str) -> bool:
        """Tell whether there are boxes of a photograph, be it none that holds an object."""
        return _key(name) in self._places

    def of(self, name: str) -> Floats:
        """Return the boxes of a photograph, (n, 4); none where nothing is known of it."""
        start, end = self._places.get(_key(name), (0, 0))
        return self._corners[start:end].astype(np.float64)

    @property
    def count(self) -> int:
        """How many boxes there are in all."""
        return len(self._corners)

    def save(self, path: str | Path) -> Path:
        """Write them as a `.npz` file that `read_proposals` reads, whole or not at all.

        It holds `names`, how many boxes each has (`counts`), and all of them (`boxes`).

        Raises:
            OutputError: It cannot be written there.
        """
        held = io.BytesIO()
        counts = np.array([end - start for start, end in self._places.values()], np.int64)
        names = np.array(list(self._places), np.str_)
        np.savez_compressed(held, names=names, counts=counts, boxes=self._corners)
        with replacing(path) as file:
            file.write(held.getvalue())
        return Path(path)


def _key(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in SUFFIXES else str(path)
