"""What a run's network is written as: for phosphene, for torchvision, for Caffe."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.errors import NetworkError, SettingError
from phosphene.formats.caffemodel_writing import write_caffemodel
from phosphene.image import replacing
from phosphene.zoo.catalogue import opens_by_name
from phosphene.zoo.packaged import write_package
from phosphene.zoo.vgg import BLOCKS

NETWORK, TORCHVISION, CAFFE = "network.safetensors", "torchvision.pth", "network.caffemodel"
# What torchvision subtracts from colours in [0, 1], and divides by.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def write_network(
    network: Network, folder: Path, architecture: str, caffe: bool = False
) -> dict[str, Path]:
    """Write a network whose normalization is absorbed.

    Args:
        network: The network.
        folder: Where to.
        architecture: Its name in the catalogue.
        caffe: Whether to write Caffe's weights as well.

    Returns:
        The files: `network`, and as far as they are `torchvision` and `caffe`.

    Raises:
        FormatError: Caffe has no such layers.
        OutputError: A file cannot be written.
    """
    known = architecture if opens_by_name(architecture) else ""
    write_package(network, folder / NETWORK, known)
    files = {"network": folder / NETWORK}
    if architecture == "vgg-vd-16":
        with replacing(folder / TORCHVISION) as file:
            torch.save(torchvision_vgg16(network), file)
        files["torchvision"] = folder / TORCHVISION
    if caffe:
        files["caffe"] = write_caffemodel(network, folder / CAFFE).path
    return files


@torch.no_grad()
def torchvision_vgg16(network: Network) -> dict[str, Tensor]:
    """Return the weights as `torchvision.models.vgg16` has them, for images as it wants them.

    x = (scale image - mean) / std here and z = (image - m) / s there: the first layer's weights
    are multiplied by scale s / std, and its bias takes up what is between scale m and mean. Padding
    by zeros stands for the color m there and for mean / scale here; of ImageNet's they are equal
    to five digits.

    Raises:
        SettingError: The network's channels are not red, green, blue.
    """
    own = network.preprocessing
    if own.order != "RGB":
        raise SettingError(f"torchvision's networks take RGB, and {network.name} takes {own.order}")
    names = [f"conv{b}_{i}" for b, (_, count) in enumerate(BLOCKS, 1) for i in range(1, count + 1)]
    made: dict[str, Tensor] = {}
    place = 0
    for number, name in enumerate(names):
        made |= _layer(network.module, name, f"features.{place}")
        # A ReLU behind each convolution, and a pool behind each block's last.
        last = number + 1 == len(names) or names[number + 1].endswith("_1")
        place += 3 if last else 2
    for name, to in (("fc6", 0), ("fc7", 3), ("fc8", 6)):
        layer = _layer(network.module, name, f"classifier.{to}")
        key = f"classifier.{to}.weight"
        made |= {**layer, key: layer[key].flatten(1)}
    weight = made["features.0.weight"].double()
    mean, std = (torch.tensor(v).double().expand(3) for v in (own.mean, own.std))
    m, s = torch.tensor(_MEAN).double(), torch.tensor(_STD).double()
    shift = (own.scale * m - mean) / std
    bias = made["features.0.bias"].double() + torch.einsum("oihw,i->o", weight, shift)
    made["features.0.bias"] = bias.float()
    made["features.0.weight"] = (weight * (own.scale * s / std)[:, None, None]).float()
    return made


def _layer(module: nn.Module, name: str, to: str) -> dict[str, Tensor]:
    state = module.get_submodule(name).state_dict()
    return {f"{to}.{leaf}": value.detach().cpu().clone() for leaf, value in state.items()}


def check_alike(before: Tensor, after: Tensor, most: float = 1e-4) -> float:
    """Compare what a network said before and after its normalization was absorbed.

    Returns:
        The largest difference, as a share of the largest value (or of 1, if that is more).

    Raises:
        NetworkError: It is more than `most`.
    """
    scale = max(1.0, float(before.abs().max()))
    apart = float((before - after).abs().max()) / scale
    if not apart <= most:
        raise NetworkError(
            f"with its normalization absorbed the network differs by {apart:.2g}, more than "
            f"{most:g}: some channel has hardly any variance; the run's state is kept"
        )
    return apart
