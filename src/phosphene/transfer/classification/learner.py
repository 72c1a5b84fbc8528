"""A copy of a network that learns classes: one of its layers, averaged, and a new one behind it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from phosphene.core.copies import copied
from phosphene.core.network import Network
from phosphene.errors import UnknownLayer
from phosphene.pretext.rotation import Classifier
from phosphene.transfer.classification.settings import ClassificationSetting
from phosphene.zoo.fcn import pad_first


class Learner(nn.Module):
    """Scores of crops.

    Attributes:
        network: The copy, as a network: what it does changes while it learns.
        classifier: Its layer, averaged over its map, and the new linear layer behind it.
        frozen: Whether the copy stays as the network was.

    Args:
        net: The network, which stays as it is.
        classes: How many there are.
        size: (h, w) of the crops.
        setting: How it begins.

    Raises:
        UnknownLayer: The layer puts out neither maps nor vectors, or one that is to begin anew has
            no weights.
        NetworkError: The network does not take crops of this size.
    """

    def __init__(
        self, net: Network, classes: int, size: tuple[int, int], setting: ClassificationSetting
    ) -> None:
        super().__init__()
        own = copied(net)
        if setting.padding is not None:
            pad_first(own.module, setting.padding)
        code = _code(own, setting.layer, size)
        if code.ndim not in (2, 4):
            raise UnknownLayer(
                f"layer {setting.layer!r} puts out {tuple(code.shape[1:])}, neither maps nor a "
                "vector: choose another layer"
            )
        self.network, self.frozen = own, setting.frozen
        self.classifier = Classifier(own, setting.layer, classes, setting.seed)
        generator = torch.Generator().manual_seed(setting.seed)
        for layer in (self.classifier.scores, *(_weighted(own, n) for n in setting.renewed)):
            _renew(layer, setting, generator)
        for weight in own.module.parameters():
            if weight.is_floating_point():
                weight.requires_grad_(not setting.frozen)
        self._leave_unused(own.blank(size).detach())
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        """Return scores, (b, classes), of (b, c, h, w), the network's input."""
        scores: Tensor = self.classifier(x)
        return scores

    def train(self, mode: bool = True) -> Learner:
        """Learn, or stop learning; what is frozen does as if it were tested."""
        super().train(mode)
        if self.frozen:
            self.classifier.trunk.eval()
        return self

    def _leave_unused(self, blank: Tensor) -> None:
        """Leave out what the scores do not hang on: sharing processes would wait for gradients."""
        self.eval()
        self.zero_grad(set_to_none=True)
        self(blank).sum().backward()
        for weight in self.parameters():
            if weight.grad is None:
                weight.requires_grad_(False)
        self.zero_grad(set_to_none=True)


def _code(net: Network, layer: str, size: tuple[int, int]) -> Tensor:
    with net.running(gradients=False):
        return net[layer].of_input(net.blank(size).detach())


def _weighted(net: Network, layer: str) -> nn.Module:
    found = net.module.get_submodule(net.address(layer).path)
    if not isinstance(getattr(found, "weight", None), nn.Parameter):
        raise UnknownLayer(f"layer {layer!r} has no weights that could begin anew: leave it out")
    return found


@torch.no_grad()
def _renew(layer: nn.Module, setting: ClassificationSetting, generator: torch.Generator) -> None:
    assert isinstance(layer.weight, Tensor)
    drawn = torch.randn(layer.weight.shape, generator=generator) * setting.deviation
    layer.weight.copy_(drawn)
    bias = getattr(layer, "bias", None)
    if isinstance(bias, Tensor):
        bias.fill_(setting.bias)
