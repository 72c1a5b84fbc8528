"""Pairs whose frames and flow are files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from phosphene.errors import FlowError
from phosphene.motion.dataset.frames import read_frame, read_labels
from phosphene.motion.dataset.pair_sets import Labels
from phosphene.motion.estimators import DEFAULT, Estimator, open_estimator
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files import read_flow
from phosphene.motion.pair import Pair


class Files(NamedTuple):
    """The files of a pair.

    Attributes:
        name: What to call it.
        first: The frame.
        second: The later frame; empty where there is none.
        flow: Its flow; empty to have it estimated.
        invalid: Images that are not 0 where the flow does not hold.
        labels: An image of which object is seen where; empty where there is none.
    """

    name: str
    first: str
    second: str = ""
    flow: str = ""
    invalid: tuple[str, ...] = ()
    labels: str = ""


class FilePairs:
    """Pairs in files of their own.

    Args:
        files: Of each pair.
        skipped: What was left out, for whom it may concern.
        estimator: What estimates flow that is in no file: `open_estimator`'s name of it, or it
            itself. Whatever is estimated is estimated anew each time a pair is read.
        second: Whether the later frames are given as well.

    Attributes:
        parts: All pairs lie together, as any file is as near as any other.
        skipped: As given.
    """

    def __init__(
        self,
        files: Sequence[Files],
        skipped: Sequence[str] = (),
        estimator: str | Estimator = DEFAULT,
        second: bool = False,
    ) -> None:
        self._files = tuple(files)
        self._estimator = estimator
        self._second = second
        self.skipped = tuple(skipped)
        self.parts = (len(self._files),) if self._files else ()
        if isinstance(estimator, str) and any(not each.flow for each in self._files):
            _opened(estimator)  # what cannot be opened is better known now

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self._files)

    def __getitem__(self, index: int) -> Pair:
        """Read a pair, its flow estimated where no file has it."""
        if not 0 <= index < len(self):
            raise IndexError(f"pair {index} of {len(self)}")
        files = self._files[index]
        first = read_frame(files.first)
        needed = files.second and (self._second or not files.flow)
        second = read_frame(files.second) if needed else None
        if files.flow:
            flow = read_flow(files.flow)
        elif second is not None:
            flow = self._estimated(first, second, files)
        else:
            raise FlowError(f"{files.name} has neither flow nor a later frame to estimate it from")
        for path in files.invalid:
            flow = _without(flow, path, files.name)
        return Pair(first, flow, files.name, second if self._second else None)

    def name(self, index: int) -> str:
        """Say what to call a pair."""
        return self._files[index].name

    def labels(self, index: int) -> Labels | None:
        """Read which object is seen where, if a file says so."""
        path = self._files[index].labels
        return read_labels(path) if path else None

    def _estimated(self, first: np.ndarray, second: np.ndarray, files: Files) -> Flow:
        chosen = self._estimator
        estimator = _opened(chosen) if isinstance(chosen, str) else chosen
        try:
            return estimator(first, second)
        except FlowError as error:
            raise FlowError(f"{files.name}: {error}") from None


@lru_cache(maxsize=8)
def _opened(spec: str) -> Estimator:
    """Open an estimator once a process."""
    return open_estimator(spec)


def _without(flow: Flow, path: str, name: str) -> Flow:
    mask = read_labels(path) != 0
    if mask.shape != flow.size:
        raise FlowError(f"{name}: the mask {path} of {mask.shape} does not fit its flow")
    return Flow.of(flow.vectors, flow.valid & ~mask)
