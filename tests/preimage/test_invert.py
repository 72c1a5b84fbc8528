"""Inversion on the embedded network and on a real one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from phosphene import open_network
from phosphene.errors import ImageError, UnitError
from phosphene.preimage.descent import Settings
from phosphene.preimage.invert import invert
from phosphene.zoo.demo import demo_scenes

QUICK = Settings(steps=12)


@pytest.fixture(scope="module")
def net():
    return open_network("demo")


def test_an_early_layer_is_inverted(net) -> None:
    scene = demo_scenes()[2].image
    result = invert(net, scene, "conv2", strength=300, settings=Settings(steps=120))
    assert result.image.shape == (1, 3, 96, 96)
    assert result.error is not None
    assert result.error.item() < 0.25
    assert len(result.trace) == 170
    assert result.reference is not None
    gray = (result.image.mean(1).flatten(), result.reference.mean(1).flatten())
    assert torch.corrcoef(torch.stack(gray))[0, 1] > 0.9


def test_repeats_differ_and_do_not_depend_on_each_other() -> None:
    net = open_network("demo")
    net.module.double()  # rounding in single precision grows over the steps
    scenes = [scene.image for scene in demo_scenes()[:2]]
    together = invert(net, scenes, "conv3", repeats=2, settings=QUICK, seed=5, jitter=1)
    assert together.names == ("image 0", "image 0", "image 1", "image 1")
    alone = invert(net, scenes[1], "conv3", settings=QUICK, seed=6, jitter=1)
    assert not torch.equal(together.image[2], together.image[3])
    torch.testing.assert_close(together.image[3], alone.image[0], rtol=0, atol=1e-4)
    again = invert(net, scenes[1], "conv3", settings=QUICK, seed=6, jitter=1)
    assert torch.equal(alone.image, again.image)
    assert [len(tiles) for _, tiles in together.panel().rows] == [3, 3]


def test_a_mask_matches_that_part_alone(net) -> None:
    scene = demo_scenes()[0].image
    half = torch.zeros(64, 1, 1)
    half[:32] = 1
    result = invert(net, scene, "conv2", mask=half, strength=300, settings=Settings(steps=80))
    image = net.prepare(scene)[0]
    with torch.no_grad():
        code, found = net["conv2"](image), net["conv2"](result.image)

    def error(part: slice) -> float:
        return float((found[:, part] - code[:, part]).norm() / code[:, part].norm())

    assert error(slice(0, 32)) < 0.6 * error(slice(32, 64))


def test_the_model_and_the_random_state_stay(net) -> None:
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    invert(net, demo_scenes()[0].image, "pool1", settings=Settings(steps=2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(p.grad is None for p in net.module.parameters())


def test_errors(net) -> None:
    scene = demo_scenes()[0].image
    with pytest.raises(ImageError, match="nothing to invert"):
        invert(net, [], "conv1")
    with pytest.raises(UnitError, match=r"mask of shape \(7,\)"):
        invert(net, scene, "conv1", mask=torch.ones(7))
    with pytest.raises(UnitError, match="leaves nothing"):
        invert(net, scene, "conv1", mask=torch.zeros(1))


@pytest.mark.slow
def test_a_real_network_is_inverted(shared: Path) -> None:
    net = open_network(shared / "data" / "squeezenet" / "squeezenet.caffemodel")
    photograph = shared / "data" / "imagenet_sample" / "n01558993.jpg"
    result = invert(net, photograph, "pool1", strength=300, settings=Settings(steps=100))
    assert result.error is not None
    assert result.error.item() < 0.22
