"""What networks of other packages have in common.

The package may not be installed; its weights come from its own cache or its own download, which
may fail; and it draws random weights from PyTorch's global generator, which is not ours to move.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from phosphene.errors import NetworkError, first_line
from phosphene.zoo.catalogue import BORROWED
from phosphene.zoo.catalogue import RANDOM as RANDOM

# Seed of random weights: the same name is the same network everywhere.
SEED = 0


def package(name: str, module: str = "") -> Any:
    """Import an optional package.

    Args:
        name: The package, which is also the name of phosphene's extra.
        module: A module of it, `".models"`; the package itself by default.

    Raises:
        NetworkError: It is not installed, with the command that installs it.
    """
    try:
        return importlib.import_module(name + module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        prefix = next(prefix for prefix, package in BORROWED.items() if package == name)
        why = "is not installed" if missing else f"does not load ({error})"
        raise NetworkError(
            f"networks named {prefix}... need the package {name}, which {why}: "
            f"pip install 'phosphene[{name}]'"
        ) from error


@contextmanager
def seeded() -> Iterator[None]:
    """Draw random weights from one seed, and leave the global generators as they were."""
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(SEED)
        yield


@contextmanager
def downloading(name: str, place: str, instead: str) -> Iterator[None]:
    """Turn what goes wrong in a package's own download into a sentence.

    Args:
        name: The network, as the user called it.
        place: Which file to put where, in words.
        instead: The name of the network with random weights.

    Raises:
        NetworkError: The weights are not here, and could not be fetched.
    """
    try:
        yield
    except Exception as error:
        if not _is_of_the_network(error):
            raise
        kind, said = type(error).__name__, first_line(error, 160)
        reason = kind if said == kind else f"{kind}: {said}"
        raise NetworkError(
            f"the files of {name} are not on this machine and could not be downloaded ({reason}): "
            f"{place}, or open {instead} for random weights"
        ) from error


def _is_of_the_network(error: BaseException) -> bool:
    """Whether an error, or what it arose from, is a failed download.

    Hubs have their own errors, which are no `OSError`; they are told by their names.
    """
    seen: BaseException | None = error
    while seen is not None:
        names = {kind.__name__ for kind in type(seen).__mro__}
        if isinstance(seen, OSError) or names & _HUB_ERRORS:
            return True
        seen = seen.__cause__ or seen.__context__
    return False


_HUB_ERRORS = {
    "HfHubHTTPError", "HTTPError", "HTTPStatusError", "LocalEntryNotFoundError",
    "OfflineModeIsEnabled", "RequestError", "RequestException", "TransportError",
}  # fmt: skip
