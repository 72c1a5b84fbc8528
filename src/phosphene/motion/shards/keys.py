"""The names of many samples: one run of bytes, not millions of objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np


class Keys(Sequence[str]):
    """Names, made when they are asked for.

    >>> keys = Keys(["cows-0007", "dog-0003"])
    >>> keys[1], len(keys), "cows-0007" in keys
    ('dog-0003', 2, True)
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        text, ends = bytearray(), [0]
        for name in names:
            text += name.encode(errors="surrogateescape")
            ends.append(len(text))
        self._text, self._ends = bytes(text), np.array(ends, np.int64)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Keys: ...
    def __getitem__(self, index: int | slice) -> str | Keys:
        """Return one, or several."""
        if isinstance(index, slice):
            return Keys(self[i] for i in range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        start, end = self._ends[index], self._ends[index + 1]
        return self._text[start:end].decode(errors="surrogateescape")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Keys):
            return self._text == other._text and np.array_equal(self._ends, other._ends)
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"<{len(self)} keys{f', {self[0]!r} to {self[-1]!r}' if len(self) else ''}>"
