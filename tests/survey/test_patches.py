from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.core.receptive_field import ReceptiveField
from phosphene.errors import SettingError, UnitError
from phosphene.survey.contrast import enhanced
from phosphene.survey.patches import cropped, field_box, patches
from tests.reference import survey as reference
from tests.survey.pictured import SIZE, Images, network, swept


@pytest.mark.parametrize(
    "box",
    [(2, 3, 4, 5), (-3, 2, 5, 20), (6, 8, 9, 9), (-2, -2, 30, 30), (-9, 0, 4, 4), (20, 20, 3, 3)],
)
def test_what_leaves_the_image_is_filled(box) -> None:
    image = torch.rand(3, 9, 11)
    assert np.array_equal(cropped(image, box).numpy(), reference.crop(image.numpy(), box, 0.0))
    ground = torch.full((3,), 0.25)
    wanted = reference.crop(image.numpy(), box, 0.25)
    assert np.array_equal(cropped(image, box, ground).numpy(), wanted)


def test_a_field_is_whole_pixels() -> None:
    seen = ReceptiveField((7.0, 7.0), (2.0, 2.0), (3.0, 3.0))
    assert field_box(seen, (0, 5), (32, 32)) == (0, 10, 7, 7)
    half = ReceptiveField((4.0, 4.0), (2.0, 2.0), (1.0, 1.0))
    assert field_box(half, (0, 0), (32, 32)) == (-1, -1, 5, 5)
    assert field_box(seen, (0, 0), (7, 7)) is None
    assert field_box(seen, (0, 0), (7, 40)) == (0, 0, 7, 7)
    assert field_box(None, (0, 0), (7, 7)) is None


def test_patches_are_the_fields_of_the_strongest_positions() -> None:
    net, images = network(), Images(7)
    top = swept(net, images, ["1", "5"], 4)
    units = {"1": [0, 3], "5": [5]}
    ticks: list[tuple[int, int, str]] = []
    found = list(patches(net, images, top, units, ["guided"], tick=lambda *t: ticks.append(t)))
    assert len(found) == 3 * 4
    assert images.read_keys == sorted(set(images.read_keys)), "an image was read twice"
    assert [t[0] for t in ticks] == list(range(len(images.read_keys) + 1))
    assert {t[1] for t in ticks} == {len(images.read_keys)}
    ground = np.array([0.4, 0.5, 0.6], np.float32)
    for patch in found:
        assert patch.peak == top.of(patch.layer, patch.channel)[patch.rank]
        assert patch.name == f"{patch.peak.key}.png"
        whole = images.pixels[patch.peak.key].transpose(2, 0, 1) / np.float32(255)
        inside = reference.crop(np.ones((3, SIZE, SIZE)), patch.box, 0.0)
        filled = reference.crop(whole, patch.box, 0.0) + (1 - inside) * ground[:, None, None]
        assert np.allclose(patch.image.numpy(), filled, atol=1e-6)
        signal = patch.signals["guided"].numpy()
        assert signal.shape == patch.image.shape
        assert not signal[inside == 0].any()
    # The patch alone makes the unit as strong as it was, but for what lies behind the border.
    inner = [p for p in found if p.layer == "1" and 0 < min(p.peak.at) <= max(p.peak.at) < SIZE - 1]
    assert inner
    for patch in inner:
        value = net["1"](patch.image[None])[0, patch.channel, 1, 1]
        assert float(value.detach()) == pytest.approx(patch.peak.value, rel=1e-4)


def test_a_unit_that_sees_everything_is_shown_the_whole_image() -> None:
    net, images = network(), Images(3)
    top = swept(net, images, ["7"])
    ((first, *_),) = [list(patches(net, images, top, {"7": [2]}, [], count=2))]
    assert first.box == (0, 0, SIZE, SIZE)
    assert first.signals == {}
    assert first.image.shape == (3, SIZE, SIZE)


def test_what_cannot_be_is_refused() -> None:
    net, images = network(), Images(2)
    top = swept(net, images, ["1"])
    with pytest.raises(UnitError, match="no unit 4"):
        list(patches(net, images, top, {"1": [4]}))
    with pytest.raises(SettingError, match="beyond='white' is none of mean, gray, black"):
        list(patches(net, images, top, {"1": [0]}, beyond="white"))


def test_contrast_rules() -> None:
    first, second = torch.tensor([[[1.0, -2.0]]]), torch.tensor([[[0.5, 8.0]]])
    zero = torch.zeros(1, 1, 2)
    each = enhanced([first, second, zero], "patch")
    assert each[0].flatten().tolist() == [0.75, 0.0]
    assert each[1].flatten().tolist() == [0.53125, 1.0]
    assert each[2].flatten().tolist() == [0.5, 0.5]
    common = enhanced([first, second, zero], "map")
    assert common[0].flatten().tolist() == [0.5625, 0.375]
    assert common[1].flatten().tolist() == [0.53125, 1.0]
    assert enhanced([first], "quantile")[0][0, 0, 1] == pytest.approx(0.01, abs=0.01)
    assert enhanced([], "map") == []
    with pytest.raises(SettingError, match="contrast='loud'"):
        enhanced([first], "loud")
