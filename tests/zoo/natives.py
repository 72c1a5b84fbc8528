"""What must hold of every network defined here, asked of one at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.rules import DECONVNET, GUIDED, SALIENCY
from phosphene.formats.layers import FullyConnected
from phosphene.saliency.explain import explain


def noise(network: Network, seed: int = 0, size: tuple[int, int] | None = None) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, *(size or network.preprocessing.input_size), generator=generator)


def check_census(network: Network, expected: str, layer: str | None = None) -> None:
    """Every rule runs, gives a signal, and has met the bottlenecks expected."""
    explanation = explain(network, noise(network), rules=[SALIENCY, DECONVNET, GUIDED], layer=layer)
    for saliency in explanation:
        assert str(saliency.census) == expected
        assert saliency.signal.abs().sum() > 0
        assert saliency.signal.isfinite().all()


def check_classifier(network: Network, side: int) -> None:
    """It ends in probabilities of one place, and of several where the image is larger."""
    preprocessing = network.preprocessing
    assert preprocessing.input_size == (side, side)
    assert (preprocessing.shorter_side, preprocessing.interpolation) == (256, "bicubic")
    assert not network.module.training
    with torch.no_grad():
        probabilities = network(noise(network))
        assert probabilities.shape == (1, 1000)
        torch.testing.assert_close(probabilities.sum(1), torch.ones(1))
        _, maps = network.record(noise(network), ["fc8"])
        torch.testing.assert_close(network.scores(noise(network)).flatten(), maps["fc8"].flatten())
        torch.testing.assert_close(probabilities, maps["fc8"].flatten(1).softmax(1))


def check_fully_convolutional(network: Network, larger: int) -> None:
    """On a larger image the head gives, at each place, what it gives on that window of pool5."""
    image = noise(network, size=(larger, larger))
    probabilities, maps = network.record(image, ["pool5", "fc8", "prob"])
    pool5, fc8 = maps["pool5"], maps["fc8"]
    head = network.module.get_submodule("fc6")
    assert isinstance(head, FullyConnected)
    side = head.kernel_size[0]
    places = pool5.shape[2] - side + 1
    assert places > 1
    assert fc8.shape == probabilities.shape == (1, 1000, places, places)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(1, places, places))
    layers = list(network.module.named_children())
    start = [name for name, _ in layers].index("fc6")
    for y, x in ((0, 0), (0, places - 1), (places - 1, places - 1)):
        window = pool5[:, :, y : y + side, x : x + side]
        with torch.no_grad():
            for _, layer in layers[start:-1]:
                window = layer(window)
        torch.testing.assert_close(window[..., 0, 0], fc8[..., y, x], rtol=1e-3, atol=1e-5)


def check_seeds(network: Network, again: Network, other: Network) -> None:
    """One seed, one network; no bias or weight was left as it lay in memory."""
    first, same = network.module.state_dict(), again.module.state_dict()
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other.module.state_dict()["conv1.weight"])


def names(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_children()]
