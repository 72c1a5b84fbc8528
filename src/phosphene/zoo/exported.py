"""Networks that were saved as programs: TorchScript (`.pt`, `.pth`) and `torch.export` (`.pt2`).

TorchScript keeps no modules that could be hooked into, so only the output of such a network can
be looked at. What PyTorch's executor would fuse after a few calls is kept apart here, so that
every rule works on it. An exported program is taken back to the modules it came from, so that its
layers have the names that printing the model showed.

*No code is unpickled.* TorchScript's loader knows no Python objects. `torch.export.load` does
unpickle, and evaluates expressions, so its archives are looked through first (`archive`).
"""

from __future__ import annotations

import logging
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Order, Preprocessing
from phosphene.errors import FormatError, first_line
from phosphene.zoo.archive import check_archive

_jit: Any = torch.jit  # most of it has no types


class Script(nn.Module):
    """A TorchScript program, run node by node.

    After a few calls PyTorch fuses a program, and its tape is one opaque node; that is not done
    here.
    """

    def __init__(self, program: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.program = program

    def forward(self, x: Tensor) -> Any:
        """Run the program on what the network takes, (b, c, h, w)."""
        with _jit.optimized_execution(False):
            return self.program(x)


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive (and no state dict)."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.split("/")[1:2] == ["code"] for name in archive.namelist())


def open_torchscript(path: Path) -> Network:
    """Open a scripted or traced model, saved by `torch.jit.save`.

    Raises:
        FormatError: The file is damaged, or needs operators that are not here.
    """
    try:
        with _quiet():
            program = _jit.load(path, map_location="cpu")
    except (RuntimeError, OSError, ValueError) as error:
        raise FormatError(
            f"{path} is no whole TorchScript file: {first_line(error, 200)}"
        ) from error
    return Network(Script(program).eval(), name=path.stem)


def open_exported(path: Path) -> Network:
    """Open a program saved by `torch.export.save`.

    Raises:
        FormatError: The file is damaged, or holds code.
    """
    check_archive(path)
    try:
        with _quiet():
            program = torch.export.load(path)
            module = _module(program)
    except Exception as error:
        raise FormatError(
            f"{path} is no program that torch {torch.__version__} can load: "
            f"{first_line(error, 200)}"
        ) from error
    return Network(module, _preprocessing(program, path), name=path.stem)


def _module(program: torch.export.ExportedProgram) -> nn.Module:
    try:
        return torch.export.unflatten(program)
    except Exception:  # the way back is young: without it there are no layers' names, and no more
        return program.module()


def _preprocessing(program: torch.export.ExportedProgram, path: Path) -> Preprocessing:
    """Read the size of the input; how it was normalized no program says."""
    inputs = program.graph_signature.user_inputs
    values = [n.meta.get("val") for n in program.graph.nodes if n.name in inputs]
    if len(values) != 1 or not isinstance(values[0], Tensor) or values[0].dim() != 4:
        raise FormatError(f"{path} takes other inputs than one tensor (batch, channels, h, w)")
    channels, height, width = values[0].shape[1:]
    orders: dict[Any, Order] = {3: "RGB", 1: "gray"}
    # A size that was left open is a symbol, and no number.
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else (224, 224)
    return Preprocessing(size, order=orders.get(channels, "any"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep PyTorch's news about its own formats away: that TorchScript is deprecated, and logs."""
    log = logging.getLogger("torch.export")
    disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = disabled
