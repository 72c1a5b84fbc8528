"""A piece of shared memory on which workers write how far they are, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene import errors
from phosphene.errors import PhospheneError

_LONGEST = 2000


@dataclass(frozen=True, eq=False)
class Board:
    """What workers and their parent tell each other.

    Attributes:
        done: (workers, 2) images and parts that are done.
        stopping: (1,) whether the parent wants them to stop.
        texts: (workers, longest) bytes of an error: its class, a line's end, what it says.
    """

    done: Tensor
    stopping: Tensor
    texts: Tensor

    @classmethod
    def of(cls, workers: int) -> Board:
        """Make an empty one."""
        board = cls(
            torch.zeros(workers, 2, dtype=torch.int64),
            torch.zeros(1, dtype=torch.int64),
            torch.zeros(workers, _LONGEST, dtype=torch.uint8),
        )
        for shared in (board.done, board.stopping, board.texts):
            shared.share_memory_()  # type: ignore[no-untyped-call]
        return board

    def tell(self, rank: int, figures: tuple[int, int]) -> None:
        """Say how far a worker is."""
        self.done[rank] = torch.tensor(figures)

    def figures(self) -> list[tuple[int, int]]:
        """Return how far each worker is."""
        return [(images, parts) for images, parts in self.done.tolist()]

    def stop(self) -> None:
        """Ask all workers to stop behind the batch that is under way."""
        self.stopping.fill_(1)

    @property
    def stopped(self) -> bool:
        """Whether they are asked to stop."""
        return bool(self.stopping)

    def fail(self, rank: int, error: PhospheneError) -> None:
        """Say what went wrong, and stop the others."""
        text = f"{type(error).__name__}\n{error}".encode()[:_LONGEST]
        self.texts[rank, : len(text)] = torch.tensor(list(text), dtype=torch.uint8)
        self.stop()

    def reraise(self) -> None:
        """Raise what went wrong first, if anything did."""
        for row in self.texts:
            kind, _, text = (
                bytes(row.tolist()).rstrip(b"\0").decode(errors="ignore").partition("\n")
            )
            if kind:
                found = getattr(errors, kind, PhospheneError)
                raise found(text)
