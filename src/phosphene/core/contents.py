"""What a module holds and computes, as hashes, by which kept results are found again."""

from __future__ import annotations

import hashlib
import inspect
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from phosphene.core.preprocessing import Preprocessing
from phosphene.provenance import sources


def weights_of(module: nn.Module) -> str:
    """Hash parameters and buffers, those too that are not saved; on no device, their shapes."""
    found = hashlib.sha256()
    held: dict[str, Tensor] = {**dict(module.named_buffers()), **dict(module.named_parameters())}
    for name, value in sorted(held.items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        flat = value.detach().flatten()
        if flat.numel() and flat.device.type != "meta":
            found.update(flat.cpu().contiguous().view(torch.uint8).numpy().data)
    return found.hexdigest()


def structure_of(module: nn.Module) -> str:
    """Hash how a module is put together and what it runs.

    Of programs (torch.fx, torch.export, TorchScript) that is their code, of classes the file they
    stand in and what of its folder has been imported. PyTorch's classes and ours count by their
    versions, which the caller adds where it matters.
    """
    found: dict[str, str] = {"": repr(module)}
    for part in module.modules():
        kind = type(part)
        name = f"{kind.__module__}.{kind.__qualname__}"
        program = getattr(part, "code", None)
        if isinstance(program, str):
            found[f"{name} {len(found)}"] = program
        elif name not in found and not name.startswith(("torch.", "phosphene.")):
            found[name] = _written(kind)
    return hashlib.sha256(str(sorted(found.items())).encode()).hexdigest()


def sight_of(preprocessing: Preprocessing) -> str:
    """Hash how images are shown, to the last digit, which its `repr` rounds."""
    said = {**vars(preprocessing), "mean_image": None}
    image = preprocessing.mean_image
    told = f"{sorted(said.items())} {image and image.shape}".encode()
    return hashlib.sha256(told + (b"" if image is None else image.data)).hexdigest()


def _written(kind: type) -> str:
    """Return the source of a class; empty where nobody knows it."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    try:
        return str(sorted(sources(Path(file)).values())) if file else inspect.getsource(kind)
    except (OSError, TypeError):
        return ""
