"""Which frames of a video make pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator


def drawn(seed: int, name: str, count: int) -> Iterator[int]:
    """Draw the numbers below `count` in a random order, each once.

    The i-th draw is SHA-256 of `seed/name/i`, so that it is the same on every machine and with
    every version, and depends on no other video. What comes twice is left out.

    >>> list(drawn(0, "cows", 5)), list(drawn(1, "cows", 5))
    ([2, 1, 0, 3, 4], [3, 4, 2, 0, 1])
    """
    known: set[int] = set()
    start = hashlib.sha256(f"{seed}/{name}/".encode(errors="surrogateescape"))
    draw = 0
    while len(known) < count:
        state = start.copy()
        state.update(str(draw).encode())
        number = int.from_bytes(state.digest()[:8]) % count
        draw += 1
        if number not in known:
            known.add(number)
            yield number
