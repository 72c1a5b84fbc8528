"""Networks on their way to other processes and devices."""

from __future__ import annotations

import importlib.util
import sys
from multiprocessing.reduction import ForkingPickler

import torch

from phosphene.core.copies import copied
from phosphene.core.network import Network
from phosphene.errors import NetworkError


def sendable(net: Network) -> Network:
    """Return a network as it can be sent to a process of this machine.

    Raises:
        NetworkError: It cannot: it holds a lambda or the like, is scripted, or is of a class that
            another process could not import.
    """
    for child in net.module.modules():
        home = type(child).__module__
        if not _importable(home):
            raise _unsendable(net, f"its class {type(child).__name__} is in no importable module")
    sent = moved(net, torch.device("cpu"))
    try:
        ForkingPickler.dumps(sent)
    except Exception as error:  # what cannot be sent says so in many ways
        raise _unsendable(net, str(error) or type(error).__name__) from error
    return sent


def moved(net: Network | None, device: torch.device) -> Network:
    """Return a network on a device: itself, or a copy."""
    assert net is not None
    found = net
    if found.device == device or found.device.type == device.type == "cpu":
        return found
    moved = copied(found)
    moved.module.to(device)
    return moved


def _importable(name: str) -> bool:
    if name == "__main__":
        return hasattr(sys.modules["__main__"], "__file__")
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def _unsendable(net: Network, why: str) -> NetworkError:
    return NetworkError(
        f"{net.name} cannot be sent to other processes ({why}): say how they open it themselves "
        "(reopen=...), or take one worker"
    )
