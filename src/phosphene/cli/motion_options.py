"""Options of verbs that estimate flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from phosphene.motion.estimators import Estimator

_HOW = "How flow is estimated"


@dataclass(frozen=True)
class Estimating:
    """Which estimators, and where they run."""

    estimator: Annotated[
        list[str] | None,
        typer.Option("--estimator", "-e", metavar="NAME", rich_help_panel=_HOW,
                     help="One of those above. Repeatable.", show_default="dis:medium"),
    ] = None  # fmt: skip
    device: Annotated[
        str,
        typer.Option(metavar="NAME", rich_help_panel=_HOW, help="Where RAFT runs: cpu, cuda, mps."),
    ] = "cpu"
    limit: Annotated[
        float,
        typer.Option(min=0.001, metavar="SECONDS", rich_help_panel=_HOW,
                     help="What a program of yours may take for two frames."),
    ] = 600.0  # fmt: skip
    jobs: Annotated[
        int | None,
        typer.Option("--threads", min=1, metavar="N", rich_help_panel=_HOW,
                     help="Threads of OpenCV and PyTorch.", show_default="all; 1 with --rank"),
    ] = None  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """Estimators asked for, each once."""
        return tuple(dict.fromkeys(self.estimator or ("dis",)))

    def open(self, *otherwise: str) -> list[Estimator]:
        """Open the estimators asked for.

        Args:
            otherwise: What to open where none were asked for; `dis` if that is empty.

        Raises:
            typer.BadParameter: An estimator is unknown.
        """
        from phosphene.errors import SettingError
        from phosphene.motion.estimators import open_estimator

        names = otherwise if otherwise and not self.estimator else self.names
        try:
            opened = [open_estimator(name, device=self.device, limit=self.limit) for name in names]
        except SettingError as error:
            raise typer.BadParameter(str(error)) from None
        return list({estimator.name: estimator for estimator in opened}.values())

    @contextmanager
    def threads(self, otherwise: int | None = None) -> Iterator[None]:
        """Let OpenCV and PyTorch take so many threads within a `with` block.

        Args:
            otherwise: How many if it was not said; as many as they take by themselves if `None`.
        """
        count = self.jobs or otherwise
        if count is None:
            yield
            return
        settings = _counters()
        before = [get() for get, _ in settings]
        try:
            for _, put in settings:
                put(count)
            yield
        finally:
            for (_, put), threads in zip(settings, before, strict=True):
                put(threads)


def _counters() -> list[tuple[Callable[[], int], Callable[[int], None]]]:
    import torch

    found: list[tuple[Callable[[], int], Callable[[int], None]]] = [
        (torch.get_num_threads, torch.set_num_threads)
    ]
    if find_spec("cv2") is not None:
        import cv2

        found.append((cv2.getNumThreads, cv2.setNumThreads))
    return found
