"""Networks by name.

| name | network |
|---|---|
| `demo` | the small network that comes with phosphene |
| `net.caffemodel` | a Caffe network, with `net.prototxt` (or `deploy.prototxt`) beside it |
| `file.py:factory` | what a function of the user's returns: a module, or a `Network` |
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.errors import FormatError, UnknownModel, nearest

if TYPE_CHECKING:
    from phosphene.core.network import Network
    from phosphene.core.preprocessing import Preprocessing

NAMES = ("demo",)


@dataclass(frozen=True)
class Overrides:
    """What a person says about a network's preprocessing, in place of what it says itself.

    Attributes:
        input_size: (h, w) of the input.
        mean: Per channel, in the network's order and scale.
        std: Likewise.
        scale: 1 or 255.
        order: `RGB`, `BGR` or `gray`.
        resize_to: Length of the shorter side after the resize.
        interpolation: `bilinear` or `bicubic`.
    """

    input_size: tuple[int, int] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    scale: float | None = None
    order: str | None = None
    resize_to: int | None = None
    interpolation: str | None = None

    def applied_to(self, preprocessing: Preprocessing) -> Preprocessing:
        """Return a preprocessing with everything that was said put in its place."""
        said = {name: value for name, value in vars(self).items() if value is not None}
        return replace(preprocessing, **said)


def open_network(
    name: str | Path,
    *,
    weights: str | Path | None = None,
    prototxt: str | Path | None = None,
    labels: str | Path | None = None,
    overrides: Overrides | None = None,
    device: str = "cpu",
) -> Network:
    """Open a network by its name.

    Args:
        name: See the table above.
        weights: A safetensors file or a state dict, for `file.py:factory`.
        prototxt: The description of a caffemodel, where it is not beside it.
        labels: File of class names: CSV with a column `name` (and `index`), or a name a line.
        overrides: Preprocessing to use in place of the network's own.
        device: `cpu`, `cuda`, `mps`, or `auto` for the best there is.

    Raises:
        UnknownModel: No network goes by that name.
        FormatError: Its files cannot be understood.
        NetworkError: It cannot be built.

    >>> open_network("demo").classes
    10
    """
    text = str(name)
    if text == "demo":
        from phosphene.zoo.demo import demo

        network = demo()
    elif text.lower().endswith(".caffemodel"):
        from phosphene.zoo.caffe import open_caffe

        network = open_caffe(Path(text), prototxt)
    elif ".py:" in text:
        from phosphene.zoo.factory import open_factory

        network = open_factory(text, weights)
    else:
        raise UnknownModel(_unknown(text))
    if labels is not None:
        network.labels = read_labels(labels)
    if overrides is not None:
        network.preprocessing = overrides.applied_to(network.preprocessing)
    network.module.to(_device(device))
    return network


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Read class names from a file.

    Args:
        path: CSV with a header that has `name`, and `index` if the rows are not in order; or
            plain text with one name a line.

    Raises:
        FormatError: The file is missing, no text, or its indices have gaps.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise FormatError(f"there is no file of labels {path}: check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is no text file of labels ({error})") from None
    header = next(csv.reader(lines[:1]), [])
    if "name" not in header:
        return tuple(line.strip() for line in lines if line.strip())
    rows = list(csv.DictReader(lines))
    if not all(row["name"] for row in rows):
        raise FormatError(f"{path} holds a row without a name")
    if "index" not in header:
        return tuple(row["name"] for row in rows)
    try:
        named = {int(row["index"]): row["name"] for row in rows}
    except (TypeError, ValueError):
        raise FormatError(f"{path} holds an index that is no number") from None
    if sorted(named) != list(range(len(rows))):
        raise FormatError(f"the indices in {path} do not run from 0 to {len(rows) - 1} in one row")
    return tuple(named[i] for i in range(len(named)))


def _device(name: str) -> Any:
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UnknownModel(f"there is no device {name!r} here: use cpu or auto") from error
    return device


def _unknown(name: str) -> str:
    path = Path(name)
    if path.suffix in (".safetensors", ".pt", ".pth"):
        return (
            f"{name} holds weights and no architecture: give --model file.py:factory and these "
            "as --weights"
        )
    return (
        f"there is no network {name!r}{nearest(name, NAMES)} (known: demo, a .caffemodel file, "
        "file.py:factory)"
    )
