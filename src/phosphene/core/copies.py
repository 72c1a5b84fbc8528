"""A network whose module is its own, for what changes weights: the user's is never changed."""

from __future__ import annotations

import copy

from phosphene.core.network import Network
from phosphene.errors import NetworkError


def copied(net: Network) -> Network:
    """Return a network with a module of its own.

    Raises:
        NetworkError: The module cannot be copied.
    """
    try:
        module = copy.deepcopy(net.module)
    except (RuntimeError, TypeError) as error:
        raise NetworkError(
            f"{net.name} cannot be copied ({error}), and its own weights are not to be changed"
        ) from error
    return Network(module, net.preprocessing, net.labels, net.name, net.aliases)
