"""Ctrl-C at a step of one's choice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from phosphene.cli import steps

Tick = Callable[[int, int, str], None]


def press_at(monkeypatch: pytest.MonkeyPatch, step: int) -> list[tuple[int, int]]:
    """Press Ctrl-C at a step; return the list that all ticks go to."""
    seen: list[tuple[int, int]] = []

    @contextmanager
    def followed(what: str) -> Iterator[Tick]:
        def tick(done: int, total: int, now: str) -> None:
            seen.append((done, total))
            if len(seen) == step:
                os.kill(os.getpid(), signal.SIGINT)

        yield tick

    monkeypatch.setattr(steps, "followed", followed)
    return seen
