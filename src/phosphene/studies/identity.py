"""What results depend on, as hashes: the network, photographs, our own code.

A cell of a ledger is found again by these, so that whatever changes a result has to be in them: a
number that is missing here is a stale picture that nobody notices.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.errors import ImageError
from phosphene.image import as_photograph
from phosphene.provenance import versions

if TYPE_CHECKING:
    from phosphene.core.network import Network

_HOUSE = Path(__file__).parents[1]
# What draws and prints what was computed.
_BESIDE = ("cli", "view")


def identity(net: Network) -> dict[str, Any]:
    """Tell a network by its contents: structure, weights, preprocessing, labels, and our code.

    Weights are hashed, so that a file that was trained on is another network under the same name;
    of what the network computes from them, the source files of its modules' classes are.
    """
    from phosphene.core.contents import sight_of, structure_of, weights_of

    return {
        "network": net.name,
        "structure": structure_of(net.module),
        "weights": weights_of(net.module),
        "sees": sight_of(net.preprocessing),
        "labels": hashlib.sha256("\n".join(net.labels).encode()).hexdigest(),
        "phosphene": f"{versions()['phosphene']} {source()}",
        "torch": versions()["torch"],
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
