"""Texture and style: eq. 5.8 literally, its derivative, and images that have it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene import Network, open_network
from phosphene.errors import ImageError, SettingError, UnknownLayer
from phosphene.preimage.energy import Objective
from phosphene.preimage.texture import (
    Gram,
    correlations,
    default_layers,
    style,
    style_of,
    texture,
)
from phosphene.zoo.demo import demo_scenes
from tests.reference.texture import texture_term


@pytest.fixture(scope="module")
def net() -> Network:
    return open_network("demo")


def codes(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_the_term_is_the_formula() -> None:
    code, other = codes(0, 2, 3, 4, 5), codes(1, 1, 3, 4, 5)
    found = Gram.of(other).loss(code)
    want = [texture_term(code[i].numpy(), other[0].numpy()) for i in range(2)]
    np.testing.assert_allclose(found.numpy(), want, rtol=1e-10)
    assert float(Gram.of(other).loss(other)) == 0
    assert float(Gram.of(other).loss(torch.zeros_like(other))) == pytest.approx(1)


def test_its_derivative_is_autograds() -> None:
    code = codes(0, 2, 3, 4, 5)
    for wanted in (codes(1, 2, 3, 6, 7), codes(1, 1, 3, 4, 5)):
        loss, slope = Gram.of(wanted).judge(code, 2.5)
        want_loss, want = Objective.judge(Gram.of(wanted), code, 2.5)
        torch.testing.assert_close(loss, want_loss)
        torch.testing.assert_close(slope, want)


def test_places_do_not_matter() -> None:
    code = codes(0, 1, 3, 4, 5)
    moved = code.flatten(2)[..., torch.randperm(20)].view_as(code)
    torch.testing.assert_close(correlations(moved), correlations(code))


def test_textures_have_the_statistics_and_not_the_image(net: Network) -> None:
    scene = demo_scenes()[2].image
    result = texture(net, scene, steps=60, repeats=2, seed=3)
    energy = style_of(net, net.prepare(scene)[0])
    assert len(result) == 2
    assert result.reference is not None

    def cost(image: torch.Tensor) -> float:
        with torch.no_grad():
            parts = [w * t.loss(net[t.layer](image)).mean() for w, t in energy.objectives]
        return float(sum(parts))

    gray = torch.full_like(result.image, 0.5)
    assert cost(result.image) < 0.25 * cost(gray)
    assert not torch.allclose(result.image[0], result.image[1], atol=0.05)
    pair = torch.stack([result.image[0].flatten(), result.reference[0].flatten()])
    assert torch.corrcoef(pair)[0, 1] < 0.9


def test_a_texture_of_another_size(net: Network) -> None:
    result = texture(net, demo_scenes()[2].image, ["conv1", "pool1"], size=(80, 120), steps=3)
    assert result.image.shape == (1, 3, 80, 120)
    assert "texture at conv1" in result.facts["energy"]


def test_style_keeps_the_content_and_takes_the_statistics(net: Network) -> None:
    content, painting = demo_scenes()[0].image, demo_scenes()[5].image
    layers = ["conv1", "conv2"]
    result = style(net, content, painting, "conv3", layers, strength=1, weight=100, steps=40)
    energy = style_of(net, net.prepare(painting)[0], ["conv1", "conv2"])
    assert result.reference is not None
    assert result.error is not None
    with torch.no_grad():
        before, after = (
            float(sum(w * t.loss(net[t.layer](image)) for w, t in energy.objectives))
            for image in (result.reference, result.image)
        )
    assert after < 0.3 * before
    assert float(result.error) < 1
    gentle = style(net, content, painting, "conv3", layers, steps=40)
    assert gentle.error is not None
    assert float(gentle.error) < 0.7 * float(result.error)
    noise = style(net, content, painting, "conv3", layers, steps=3, from_noise=True)
    assert noise.error is not None
    assert float(noise.error) > float(gentle.error)


def test_the_default_layers_are_the_first_of_every_stride(net: Network) -> None:
    layers = {layer.name: layer for layer in net.layers()}
    strides = [max(layers[name].field.stride) for name in default_layers(net)]  # type: ignore[union-attr]
    assert strides == sorted(set(strides))
    assert len(strides) >= 3


def test_errors(net: Network) -> None:
    with pytest.raises(ImageError, match="no texture"):
        texture(net, [])
    with pytest.raises(UnknownLayer):
        texture(net, demo_scenes()[0].image, ["conv99"])
    with pytest.raises(SettingError, match="weights above 0"):
        style(net, demo_scenes()[0].image, demo_scenes()[1].image, "conv2", weight=0)
