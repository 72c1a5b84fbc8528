"""Features that were made before, in memory or mapped from their files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from phosphene.errors import FormatError

INDEX = "index.json"
_SHARE = 0.5
_ROWS = 16
"""Photographs whose features are read together, so that they stay in a processor's cache."""

Batch = tuple[list[Tensor], Tensor]
"""Features of each layer, (b, rows, columns, channels) float32, and (b,) classes."""


@dataclass(frozen=True, eq=False)
class KeptFeatures:
    """Features of all photographs of a set.

    Attributes:
        tensors: (n, rows, columns, channels) for each layer, float16.
        scales: What those of each layer are divided by, a power of two, to be features.
        labels: (n,) classes.
        mapped: Whether they are read from their files, as they do not fit into memory.
    """

    tensors: tuple[Tensor, ...]
    scales: tuple[float, ...]
    labels: Tensor
    mapped: bool

    @classmethod
    def opened(cls, folder: Path, classes: Sequence[int], processes: int = 1) -> KeptFeatures:
        """Open what `keeping.keep` wrote.

        Args:
            folder: The set's.
            classes: Of the photographs.
            processes: How many open it on this machine; together they take half of the memory that
                is free at most.

        Raises:
            FormatError: It is damaged.
        """
        try:
            index = json.loads((folder / INDEX).read_text())
            files = [folder / entry["file"] for entry in index["layers"]]
            # Private pages: PyTorch has no read-only tensors, and nothing is written to these.
            maps = [np.load(file, mmap_mode="c", allow_pickle=False) for file in files]
            scales = tuple(float(entry["scale"]) for entry in index["layers"])
            whole = all(
                entry["shape"] == list(array.shape) and len(array) == len(classes)
                for entry, array in zip(index["layers"], maps, strict=True)
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FormatError(
                f"{folder} holds damaged features ({error}): remove it, and they are made anew"
            ) from None
        if not whole:
            raise FormatError(
                f"{folder} holds features of another size than its index says: remove it, and they "
                "are made anew"
            )
        mapped = sum(array.nbytes for array in maps) * processes > _SHARE * free_memory()
        tensors = tuple(torch.from_numpy(array if mapped else np.array(array)) for array in maps)
        return cls(tensors, scales, torch.tensor(classes, dtype=torch.int64), mapped)

    def __len__(self) -> int:
        """Return of how many photographs they are."""
        return len(self.labels)

    def together(self, rows: Sequence[int] | Tensor, into: Sequence[Tensor] = ()) -> Batch:
        """Return a batch of photographs; in ascending order, in which files are read sooner.

        Args:
            rows: Numbers of the photographs.
            into: What earlier features were returned in, to be written over; new memory, which
                costs as much time as reading does, where it does not fit.
        """
        wanted = torch.as_tensor(rows, dtype=torch.int64).sort().values
        return self._read(wanted, into), self.labels[wanted]

    def between(self, start: int, stop: int) -> Batch:
        """Return a batch of photographs that follow one another."""
        wanted = torch.arange(start, min(stop, len(self)))
        return self._read(wanted), self.labels[wanted]

    def _read(self, wanted: Tensor, into: Sequence[Tensor] = ()) -> list[Tensor]:
        shapes = [(len(wanted), *values.shape[1:]) for values in self.tensors]
        if [made.shape for made in into] != shapes:
            into = [torch.empty(shape) for shape in shapes]
        for values, scale, made in zip(self.tensors, self.scales, into, strict=True):
            for rows, part in zip(
                torch.split(wanted, _ROWS), torch.split(made, _ROWS), strict=True
            ):
                part.copy_(values.index_select(0, rows))
                if scale != 1:
                    part.div_(scale)
        return list(into)


def free_memory() -> int:
    """Return how many bytes of memory can be had, also where a container has fewer."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(x.split()[1]) << 10 for x in lines if x.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    group = Path("/sys/fs/cgroup")
    try:
        most = int((group / "memory.max").read_text())
        free = min(free, most - int((group / "memory.current").read_text()))
    except (OSError, ValueError):  # no such group, or no limit
        pass
    return free
