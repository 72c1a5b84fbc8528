"""Networks by name.

| name | network |
|---|---|
| `demo` | the small network that comes with phosphene |
| `alexnet`, `caffenet`, `vgg-m`, `vgg-vd-16`, `zfnet`, `simonyan`, `motion-alexnet` | the papers' |
| `motion-small` | learns from motion on a laptop |
| `motion-small:cross-pixel`, ... | with weights that come with phosphene |
| `torchvision:NAME[:WEIGHTS]` | a network of torchvision; `:random` for random weights |
| `timm:NAME` | a network of timm |
| `hf:NAME` | an image classifier of transformers: a repository, or a local folder |
| `net.caffemodel` | a Caffe network, with `net.prototxt` (or `deploy.prototxt`) beside it |
| `net.mat` | a MatConvNet network |
| `net.pt`, `net.pth` | a TorchScript program |
| `net.pt2` | a program of `torch.export` |
| `net.safetensors` | weights that know their network, from `phosphene convert` |
| `file.py:factory` | what a function of the user's returns: a module, or a `Network` |

With `:random` behind its name or file any of them is as it was before it learned, from one seed.
In place of a network's own weights a file of weights may be given, also for a borrowed name
with `:random`, or without a network to download from.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.errors import UnknownModel, nearest
from phosphene.zoo.labels import read_labels as read_labels

if TYPE_CHECKING:
    from phosphene.core.network import Network
    from phosphene.core.preprocessing import Preprocessing

# Networks of the papers, and where each is made: module and function of this room.
NATIVE = {
    "alexnet": ("alexnet", "alexnet"),
    "caffenet": ("alexnet", "caffenet"),
    "vgg-m": ("vgg", "vgg_m"),
    "vgg-vd-16": ("vgg", "vgg_vd_16"),
    "zfnet": ("zfnet", "zfnet"),
    "simonyan": ("simonyan", "simonyan"),
    "motion-alexnet": ("motion_alexnet", "motion_alexnet"),
    "motion-small": ("motion_small", "motion_small"),
}
# Weights of `motion-small` that come with phosphene.
SMALL = tuple(f"motion-small:{x}" for x in ("random", "cross-pixel", "rotation", "supervised"))
# Other packages, by what the names of their networks begin with.
BORROWED = {"torchvision:": "torchvision", "timm:": "timm", "hf:": "transformers"}
RANDOM = ":random"
"""Behind a name: random weights, and no download."""
NAMES = ("demo", *NATIVE, *SMALL)

# Endings of files that hold a network, or weights that may know theirs.
_FILES = (".mat", ".pt2", ".pt", ".pth", ".safetensors")


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
        weights: A safetensors file or a state dict, for networks that are made by code.
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
    size = overrides.input_size if overrides is not None else None
    network = _opened(str(name), weights, prototxt, size)
    if labels is not None:
        network.labels = read_labels(labels)
    if overrides is not None:
        network.preprocessing = overrides.applied_to(network.preprocessing)
    network.module.to(_device(device))
    return network


def _opened(
    name: str,
    weights: str | Path | None,
    prototxt: str | Path | None,
    size: tuple[int, int] | None,
) -> Network:
    borrowed = next((prefix for prefix in BORROWED if name.startswith(prefix)), None)
    network: Network
    if _before_learning(name) and not borrowed and name not in SMALL:
        if weights is not None:
            raise UnknownModel(f"{name} is drawn anew, and weights are given as well: say one")
        network = _opened(name.removesuffix(RANDOM), None, prototxt, size)
        network = _function("untrained", "untrained")(network)
    elif name in NATIVE:
        network = _with_metadata(_function(*NATIVE[name])(weights=weights), weights)
    elif borrowed:
        package = BORROWED[borrowed]
        opened = _function(f"from_{package}", f"open_{package}")(name, weights)
        network = _with_metadata(opened, weights)
    elif ".py:" in name:
        network = _function("factory", "open_factory")(name, weights)
    elif weights is not None and (
        name in SMALL or Path(name).suffix.lower() in (".caffemodel", *_FILES)
    ):
        raise UnknownModel(
            f"{name} brings its own weights: give others with a network that is made by code, "
            "such as file.py:factory"
        )
    elif name.lower().endswith(".caffemodel"):
        network = _function("caffe", "open_caffe")(Path(name), prototxt)
    elif name.startswith("motion-small:") and weights is None:
        network = _function("motion_small", "learned")(name.partition(":")[2])
    elif name == "demo":
        network = _function("demo", "demo")()
        if weights is not None:
            _function("factory", "load_weights")(network.module, weights)
            network = _with_metadata(network, weights)
    else:
        network = _from_file(name, size)
    return network


def _before_learning(name: str) -> bool:
    """Whether a name ends in `:random`, which a function of the user's may be called, too."""
    return name.endswith(RANDOM) and not name.removesuffix(RANDOM).endswith(".py")


def _with_metadata(network: Network, weights: str | Path | None) -> Network:
    if weights is not None and Path(weights).suffix == ".safetensors":
        _function("packaged", "restore")(network, weights)
    return network


def _from_file(name: str, size: tuple[int, int] | None) -> Network:
    path, suffix = Path(name), Path(name).suffix.lower()
    if suffix not in _FILES:
        raise UnknownModel(
            f"there is no network {name!r}{nearest(name, NAMES)} (known: {', '.join(NAMES)}, "
            "torchvision:NAME, timm:NAME, hf:NAME, a file, file.py:factory; `phosphene models` "
            "lists them)"
        )
    if not path.is_file():
        raise UnknownModel(f"there is no file {name}: check the path")
    network: Network
    if suffix == ".mat":
        network = _function("matconvnet", "open_matconvnet")(path, size)
    elif suffix == ".pt2":
        network = _function("exported", "open_exported")(path)
    elif suffix == ".safetensors":
        network = _function("packaged", "open_package")(path)
    elif _function("exported", "is_torchscript")(path):
        network = _function("exported", "open_torchscript")(path)
    else:
        raise UnknownModel(
            f"{name} holds weights and no architecture: give --model file.py:factory and these "
            "as --weights"
        )
    return network


def _function(module: str, name: str) -> Any:
    """Fetch what opens a network when it is asked for: each brings packages of its own."""
    return getattr(importlib.import_module(f"phosphene.zoo.{module}"), name)


def opens_by_name(name: str) -> bool:
    """Whether a name is all that is needed to make the network: no file of the user's."""
    if name.startswith("hf:") and Path(name.removeprefix("hf:")).exists():
        return False
    return name.removesuffix(RANDOM) in NAMES or name.startswith(tuple(BORROWED))


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
