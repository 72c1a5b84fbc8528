"""What results depend on, as hashes: the network, photographs, our own code.

A cell of a ledger is found again by these, so that whatever changes a result has to be in them: a
number that is missing here is a stale picture that nobody notices.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.errors import ImageError
from phosphene.image import as_photograph

if TYPE_CHECKING:
    from torch import Tensor, nn

    from phosphene.core.network import Network
    from phosphene.core.preprocessing import Preprocessing

_HOUSE = Path(__file__).parents[1]
# What draws and prints what was computed.
_BESIDE = ("cli", "view")


def identity(net: Network) -> dict[str, Any]:
    """Tell a network by its contents: structure, weights, preprocessing, labels, and our code.

    Weights are hashed, so that a file that was trained on is another network under the same name;
    of what the network computes from them, the source files of its modules' classes are.
    """
    from phosphene.provenance import versions

    found = versions()
    return {
        "network": net.name,
        "structure": _hashed(repr(net.module), *_code(net.module), found["torch"]),
        "weights": _weights(net.module),
        "sees": _sees(net.preprocessing),
        "labels": _hashed("\n".join(net.labels)),
        "phosphene": f"{found['phosphene']} {source()}",
    }


def photo_id(photo: Any) -> str:
    """Tell a photograph by its contents, whatever its file is called.

    Args:
        photo: As for `Network.prepare`.

    Returns:
        32 hexadecimal digits.

    Raises:
        ImageError: It cannot be read.
    """
    if isinstance(photo, str | Path):
        try:
            return hashlib.sha256(Path(photo).read_bytes()).hexdigest()[:32]
        except OSError as error:
            raise ImageError(f"{photo} cannot be read: {error.strerror}") from None
    if hasattr(photo, "detach"):  # a tensor is shown to the network as it is
        array = photo.detach().cpu().double().contiguous().numpy()
        content = f"tensor {photo.dtype} {array.shape}".encode() + array.tobytes()
    else:
        image = as_photograph(photo)
        content = f"image {image.size}".encode() + image.tobytes()
    return hashlib.sha256(content).hexdigest()[:32]


@cache
def source() -> str:
    """Tell our code by its contents: between releases the version alone does not."""
    files = sorted(_HOUSE.rglob("*.py"))
    own = [file for file in files if file.relative_to(_HOUSE).parts[0] not in _BESIDE]
    return hashlib.sha256(b"".join(file.read_bytes() for file in own)).hexdigest()[:16]


def _hashed(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _weights(module: nn.Module) -> str:
    """Hash parameters and buffers, those too that are not saved."""
    import torch

    weights = hashlib.sha256()
    held: dict[str, Tensor] = {**dict(module.named_buffers()), **dict(module.named_parameters())}
    for name, value in sorted(held.items()):
        weights.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        flat = value.detach().cpu().contiguous().flatten()
        if flat.numel():
            weights.update(flat.view(torch.uint8).numpy().data)
    return weights.hexdigest()


def _code(module: nn.Module) -> list[str]:
    """Return what modules run: of programs their code, of classes the files they stand in."""
    found: dict[str, str] = {}
    for part in module.modules():
        kind = type(part)
        name = f"{kind.__module__}.{kind.__qualname__}"
        program = getattr(part, "code", None)
        if isinstance(program, str):  # of torch.fx, torch.export and TorchScript
            found[f"{name} {len(found)}"] = program
        elif name not in found and not name.startswith(("torch.", "phosphene.")):
            found[name] = _written(kind)
    return [f"{name}\n{text}" for name, text in sorted(found.items())]


def _written(kind: type) -> str:
    """Return the source file of a class; of one without a file, its own source if it is known."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    try:
        return Path(file).read_text("utf-8") if file else inspect.getsource(kind)
    except (OSError, TypeError, ValueError):
        return ""


def _sees(preprocessing: Preprocessing) -> str:
    """Say how images are shown, to the last digit."""
    said = {**vars(preprocessing), "mean_image": None}
    image = preprocessing.mean_image
    shown = "" if image is None else f" {image.shape} {hashlib.sha256(image.data).hexdigest()}"
    return f"{sorted(said.items())}{shown}"
