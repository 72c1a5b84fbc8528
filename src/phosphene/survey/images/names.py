"""Many names in little memory: one run of bytes, and where each name begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np


class Names(Sequence[str]):
    """Texts that are not changed any more; 8 bytes each, besides their own."""

    def __init__(self, names: Iterable[str]) -> None:
        text, ends = bytearray(), [0]
        for name in names:
            text += name.encode(errors="surrogateescape")
            ends.append(len(text))
        self._text, self._ends = bytes(text), np.array(ends, dtype=np.int64)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        """Return one, or several."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        start, end = self._ends[index], self._ends[index + 1]
        return self._text[start:end].decode(errors="surrogateescape")
