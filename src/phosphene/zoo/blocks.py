"""What the networks defined here share: how they run, begin, and see their images.

A network is a `Chain`: layers under the names that the papers give them, one after another. Its
definition reads like the papers' tables and nothing else has to be known about it.

Random weights come from a generator of their own and are drawn once: modules are laid out without
memory first, since PyTorch would otherwise fill them with numbers that are thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import Tensor, nn

from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import FormatError
from phosphene.formats.layers import FullyConnected
from phosphene.zoo.factory import read_state
from phosphene.zoo.transplant import transplant

# The mean of ImageNet's pixels, red, green, blue, as the VGG networks subtract it.
IMAGENET_MEAN = (123.68, 116.779, 103.939)

_NONE: Mapping[str, float] = MappingProxyType({})

M = TypeVar("M", bound=nn.Module)


class Chain(nn.Module):
    """Layers that run one after another, each a child under its own name.

    Args:
        flat: Whether an output of a single place leaves as a code, without it.
        layers: The layers by name, in order.
    """

    def __init__(self, flat: bool = True, /, **layers: nn.Module) -> None:
        super().__init__()
        self._flat = flat
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Run the layers.

        Args:
            x: (b, 3, h, w), normalized as the network's preprocessing says. Classifiers need it as
                large as they declare, and slide over what is larger.

        Returns:
            What the last layer makes: (b, k, h', w'), or (b, k) for the single place of a
            classifier on an input of the declared size.
        """
        for layer in self.children():
            x = layer(x)
        return x.flatten(1) if self._flat and x.shape[2:] == (1, 1) else x


def classifier(channels: int, side: int, classes: int) -> dict[str, nn.Module]:
    """Make the end that all these classifiers have: fc6, fc7, fc8 and a softmax over channels.

    Args:
        channels: Of the last pooled map.
        side: Of that map, at the declared size of the input.
        classes: How many there are.
    """
    return {
        "fc6": FullyConnected(channels, 4096, (side, side)),
        "relu6": nn.ReLU(),
        "drop6": nn.Dropout(0.5),
        "fc7": FullyConnected(4096, 4096, (1, 1)),
        "relu7": nn.ReLU(),
        "drop7": nn.Dropout(0.5),
        "fc8": FullyConnected(4096, classes, (1, 1)),
        "prob": nn.Softmax(dim=1),
    }


def response_norm(alpha: float = 5e-4, k: float = 2.0) -> nn.LocalResponseNorm:
    """Make Krizhevsky's normalization between five channels, beta 0.75.

    Args:
        alpha: PyTorch's, which weighs a mean over the five: Krizhevsky's 1e-4 weighs their sum.
        k: What is added to it.
    """
    return nn.LocalResponseNorm(5, alpha=alpha, beta=0.75, k=k)


def overlapping_pool() -> nn.MaxPool2d:
    """Make the pool of AlexNet's family: 3x3, every second place; Caffe's rounds sizes up."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def imagenet_preprocessing(side: int) -> Preprocessing:
    """Return the preprocessing of networks for ImageNet.

    RGB in 0..255 less the mean of ImageNet's pixels; shorter side 256, bicubic, centre crop.

    Args:
        side: Of the square input, pixels.
    """
    return Preprocessing(
        (side, side),
        mean=IMAGENET_MEAN,
        scale=255.0,
        order="RGB",
        resize_to=256,
        interpolation="bicubic",
    )


def build(
    make: Callable[[], M],
    initialize: Callable[[M, torch.Generator], None],
    seed: int,
    weights: str | Path | None,
) -> M:
    """Make a module with random weights, or with those of a file.

    Args:
        make: Makes the module.
        initialize: Fills its weights from a generator.
        seed: Of that generator; the global one is left alone.
        weights: A safetensors file or a state dict, of this network or of the same one from
            elsewhere (see `transplant`); `None` for random weights.

    Returns:
        The module in evaluation mode, in single precision, on the CPU.

    Raises:
        FormatError: The weights cannot be read or do not fit.
    """
    with torch.device("meta"):
        module = make()
    module.to_empty(device="cpu")
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.reset_running_stats()
    if weights is None:
        initialize(module, torch.Generator().manual_seed(seed))
    else:
        try:
            transplant(read_state(weights), module, strict=True)
        except FormatError as error:
            raise FormatError(f"{weights} does not fit: {error}") from None
    return module.eval()


@torch.no_grad()
def gaussian(
    module: nn.Module,
    generator: torch.Generator,
    std: float = 0.01,
    stds: Mapping[str, float] = _NONE,
    biases: Mapping[str, float] = _NONE,
) -> None:
    """Fill weights from N(0, std^2) and biases with constants, as Krizhevsky et al. did.

    Args:
        module: The network.
        generator: Where the numbers come from.
        std: Standard deviation of the weights.
        stds: Another one, for the layers named.
        biases: Constants by layer; 0 for all others.
    """
    for name, layer in module.named_children():
        if isinstance(layer, nn.Conv2d):
            layer.weight.normal_(0, stds.get(name, std), generator=generator)
            if layer.bias is not None:
                layer.bias.fill_(biases.get(name, 0.0))


@torch.no_grad()
def glorot(module: nn.Module, generator: torch.Generator) -> None:
    """Fill weights by Glorot & Bengio (AISTATS 2010), uniformly, and biases with zeros.

    Args:
        module: The network.
        generator: Where the numbers come from.
    """
    for layer in module.children():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()
