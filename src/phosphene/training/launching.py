"""Processes that torchrun or SLURM has started, and Lightning Fabric's silence about them."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Where Fabric tells the terminal that it starts, in between our progress. Importing Fabric sets the
# level of the logger above these, and leaves theirs alone.
_TALKERS = ("lightning_fabric.utilities.distributed", "lightning_fabric.utilities.rank_zero")


def launched() -> tuple[int, int] | None:
    """Return how many processes torchrun or SLURM has started, here and in all, if it has."""
    known = os.environ
    if {"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"} <= known.keys():
        many, here = int(known["WORLD_SIZE"]), int(known["LOCAL_WORLD_SIZE"])
    elif {"SLURM_PROCID", "SLURM_NTASKS"} <= known.keys():
        if known.get("SLURM_JOB_NAME") in ("bash", "interactive"):
            return None
        many = int(known["SLURM_NTASKS"])
        here = many // int(known.get("SLURM_NNODES", 1))
    else:
        return None
    return (here, many) if many > 1 else None


def leads() -> bool:
    """Tell whether this process speaks for all: the first, or the only one."""
    if launched() is None:
        return True
    return int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", 0))) == 0


def hush() -> dict[logging.Logger, int]:
    """Let Fabric only warn; return what levels its loggers had."""
    before = {logging.getLogger(name): logging.getLogger(name).level for name in _TALKERS}
    for logger in before:
        logger.setLevel(logging.WARNING)
    return before


@contextmanager
def quiet() -> Iterator[None]:
    """Let Fabric only warn, and say nothing of what we know and mean."""
    before = hush()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message=".*optimizer contains parameters that are not"
            )
            yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)
