"""Running a user's model without leaving a trace on it.

What a pass may need changed for its length, and gets back afterwards: modules in training mode
run in evaluation mode (dropout and batch statistics would make every answer another one), and
compiled models run eagerly (a compiled pass leaves one opaque node on the tape).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.errors import NetworkError, first_line

_modes = threading.Lock()
# Modules switched to evaluation mode, and how many passes need them so.
_switched: weakref.WeakKeyDictionary[nn.Module, int] = weakref.WeakKeyDictionary()
_stance = threading.RLock()


@contextmanager
def in_evaluation(module: nn.Module) -> Iterator[None]:
    """Run a model in evaluation mode, and give its modules their own modes back.

    Several threads may be inside for one model, or for a model and a part of it: for each module
    the first switches, and the last switches back.
    """
    with _modes:
        training = [
            child
            for child in module.modules()
            if getattr(child, "training", False) or child in _switched
        ]
        for child in training:
            child.training = False
            _switched[child] = _switched.get(child, 0) + 1
    try:
        yield
    finally:
        with _modes:
            for child in training:
                _switched[child] -= 1
                if not _switched[child]:
                    del _switched[child]
                    child.training = True


def is_compiled(module: nn.Module) -> bool:
    """Whether `torch.compile` or `Module.compile` has been at work on a model or a part of it."""
    return any(
        type(child).__name__ == "OptimizedModule"
        or getattr(child, "_compiled_call_impl", None) is not None
        for child in module.modules()
    )


@contextmanager
def eager(compiled: bool) -> Iterator[None]:
    """Run compiled code eagerly; the switch is global to the process, hence the lock."""
    if not compiled:
        yield
        return
    with _stance, torch.compiler.set_stance("force_eager"):
        yield


def call(module: nn.Module, x: Tensor) -> Any:
    """Run a model, and put what goes wrong with a bad input into a sentence.

    Raises:
        NetworkError: The model does not take this input.
    """
    try:
        return module(x)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        if "DefaultCPUAllocator" in str(error):
            raise  # on a CPU, too, the memory has ended: no fault of the input
        shape = "x".join(str(n) for n in x.shape)
        raise NetworkError(
            f"the network does not take an input of {shape} (batch x channels x height x width): "
            f"{first_line(error)}"
        ) from error
