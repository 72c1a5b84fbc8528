"""Pre-images of descriptors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from phosphene.descriptors import DSIFT, HOG, as_network
from phosphene.descriptors.inversion import BEND, RECIPES, caricature, invert, network_for
from phosphene.errors import ImageError, SettingError
from phosphene.preimage.codes import Codes
from phosphene.worlds.shapes import scene


def photo(seed: int = 3, side: int = 96) -> Tensor:
    """A scene, (3, side, side) in [0, 1]."""
    image = torch.from_numpy(scene(seed).image).permute(2, 0, 1) / 255
    return image[:, :side, :side]


@pytest.mark.parametrize("name", ["hog", "hogb", "dsift"])
def test_an_inversion_finds_the_code(name: str) -> None:
    found = invert(name, photo(), steps=150)
    assert found.error is not None
    assert found.error.item() < {"hog": 0.3, "hogb": 0.2, "dsift": 0.15}[name]
    assert found.image.shape == (1, 1, 96, 96)
    assert found.reference is not None
    assert found.reference.shape == (1, 1, 96, 96)
    # The error is what it says: the pre-image is within what pixels may be.
    net = as_network(name)
    code, wanted = net(found.image), net(photo()[None])
    assert ((code - wanted).norm() / wanted.norm()).item() == pytest.approx(
        found.error.item(), abs=0.05
    )
    # It is no copy: HOG forgets contrast, and what is alike looks alike.
    flat = torch.stack([found.image.flatten(), found.reference.flatten()])
    assert torch.corrcoef(flat)[0, 1] > 0.3


def test_a_derivative_for_hard_bins_halves_the_error() -> None:
    image = photo(5)
    ours, papers = invert("hog", image, steps=200), invert("hog", image, quality="paper")
    assert ours.error is not None
    assert papers.error is not None
    assert ours.error.item() < 0.6 * papers.error.item()
    assert f"surrogate {BEND:g}" in ours.facts["network"]
    assert "surrogate" not in papers.facts["network"]
    assert "Algorithm 1" in papers.facts["recipe"]
    assert papers.facts["energy"].startswith("100 * match")
    assert papers.facts["jitter"] == "1"


def test_flat_places_are_held_flat() -> None:
    image = photo(7)
    image[:, :40] = 0.9
    found = invert("hogb", image, steps=60)
    top = found.image[0, 0, 8:30, 16:80]
    assert top.max() == top.min()
    assert "level where the code is 0" in found.facts["recipe"]
    assert found.error is not None
    free = invert("hogb", image, steps=60, quality="paper")
    assert free.error is not None
    assert found.error.item() < 0.7 * free.error.item()


def test_several_photographs_and_their_names(tmp_path: Path) -> None:
    from PIL import Image

    for name, seed in (("a", 1), ("b", 2)):
        Image.fromarray(scene(seed).image).resize((64, 64)).save(tmp_path / f"{name}.png")
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    found = invert(HOG(8), files, steps=5, repeats=2)
    assert found.names == ("a.png", "a.png", "b.png", "b.png")
    assert found.image.shape == (4, 1, 64, 64)
    alone = invert(HOG(8), files[1], steps=5, repeats=2)
    assert torch.allclose(found.image[2:], alone.image, atol=1e-4)
    together = invert(HOG(8), files, steps=5, repeats=2, batch=4)
    assert torch.allclose(found.image, together.image, atol=1e-3)


def test_codes_from_elsewhere() -> None:
    net = as_network("dsift")
    with torch.no_grad():
        code = net(photo()[None])
    found = invert("dsift", Codes(code, size=(96, 96)), steps=60)
    assert found.error is not None
    assert found.error.item() < 0.3
    assert found.reference is None


def test_photographs_of_several_sizes() -> None:
    with pytest.raises(ImageError, match=r"64x64, 96x96.*one at a time"):
        invert("hog", [photo(), photo(2, 64)])
    with pytest.raises(ImageError, match="there are none"):
        invert("hog", [])


def test_a_photograph_too_small() -> None:
    with pytest.raises(ImageError, match="at least 42x42 pixels"):
        invert("dsift", torch.rand(3, 30, 30))


def test_no_such_descriptor() -> None:
    with pytest.raises(SettingError, match=r"'hogg' is no descriptor.*hog"):
        invert("hogg", photo())


def test_a_caricature_is_more_of_the_same() -> None:
    image = photo(4)
    found = caricature("hogb", image, steps=30)
    net = as_network("hogb")
    before = net(image[None])
    gray = net.preprocessing.in_own_channels(image[None])
    after = net(found.image)
    assert (after * before).sum() > 1.05 * (before * before).sum()
    assert not torch.allclose(found.image, gray, atol=0.05)


def test_names_and_settings() -> None:
    assert as_network("hogb").module.binning == "bilinear"
    assert network_for(HOG(4)).module.surrogate == BEND
    assert network_for("hogb").module.surrogate == 0
    assert network_for("hog", literal=True).module.surrogate == 0
    assert as_network(DSIFT(5)).name == "DSIFT (5, 5, gaussian, 2)"
    assert set(RECIPES) == {"fast", "paper", "best"}
    with pytest.raises(SettingError, match="sees no colours"):
        as_network("hog", color=True)
    color = as_network(HOG(8), color=True)
    assert color(torch.rand(1, 3, 64, 64)).shape == (1, 31, 8, 8)
    assert "own size" in str(color.preprocessing)
