"""Weights and pictures that come with phosphene."""

from __future__ import annotations

from importlib import resources

import safetensors
import safetensors.torch
from torch import nn

from phosphene.errors import NetworkError


def shipped(name: str) -> bytes:
    """Read a file of the package.

    Raises:
        NetworkError: It is not there.
    """
    try:
        return resources.files("phosphene.zoo").joinpath("data", name).read_bytes()
    except OSError as error:
        raise NetworkError(
            f"phosphene's own file {name!r} is missing from the installation ({error}); "
            "install phosphene again"
        ) from error


def damaged(name: str, error: Exception) -> NetworkError:
    """Say that a file of the package is not what it was."""
    return NetworkError(
        f"phosphene's own file {name!r} is damaged ({error}); install phosphene again"
    )


def load_shipped(module: nn.Module, name: str) -> None:
    """Give a module the weights of a file, whatever their precision, in single precision.

    Raises:
        NetworkError: The file is not there, or damaged.
    """
    stored = shipped(name)
    try:
        weights = {key: value.float() for key, value in safetensors.torch.load(stored).items()}
        module.load_state_dict(weights, assign=True)
    except (safetensors.SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise damaged(name, error) from error
