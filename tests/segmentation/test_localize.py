"""Boxes for the likeliest classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import ImageError, SettingError
from phosphene.saliency.ten_crop import ten_crop
from phosphene.segmentation.localize import localize
from phosphene.segmentation.segment import segment
from phosphene.worlds.shapes import scene
from phosphene.zoo.demo import demo
from tests.contract_networks import LABELS, plain


@pytest.fixture(scope="module")
def net() -> Network:
    return demo()


def test_guesses_are_segmentations_of_their_classes(net: Network) -> None:
    photo = scene(21, size=(110, 150)).image
    found = localize(net, photo, 3, rule="guided", fill=True)
    assert len(found) == 3
    assert found[0].label == segment(net, photo).label
    for guess in found:
        alone = segment(net, photo, guess.channel, "guided", fill=True)
        assert np.array_equal(guess.mask, alone.mask)
        assert guess.box == alone.box
    assert found.boxes == tuple((g.channel, g.box) for g in found if g.box)


def test_the_number_shown_is_the_one_that_ranks(net: Network) -> None:
    """The demo network answers with a map: its classes go by the largest score anywhere."""
    disordered = 0
    for seed in range(40, 60):
        found = localize(net, scene(seed, size=(110, 150)).image, 4, engine="threshold")
        shown = [float(guess.title.split(", score ")[1]) for guess in found]
        assert shown == sorted(shown, reverse=True)
        assert [guess.order for guess in found] == ["score"] * 4
        assert "largest score anywhere" in found.facts["classes in order of"]
        probable = [guess.probability for guess in found]
        disordered += probable != sorted(probable, reverse=True)
    assert disordered
    ten = localize(net, scene(40).image, 3, "simonyan", engine="threshold")
    assert ten.facts["classes in order of"] == "probability"
    assert all(guess.title.endswith("%") for guess in ten)


def test_simonyan_is_ten_crops_of_each_class(net: Network) -> None:
    photo = scene(22, size=(110, 150)).image
    found = localize(net, photo, 2, "simonyan", shorter_side=110)
    assert [g.probability for g in found] == sorted((g.probability for g in found), reverse=True)
    for guess in found:
        assert guess.mask.shape == (110, 150)
        assert guess.trimap.known.mean() == pytest.approx(110 / 150)
        # The map of a photograph that needs no resize is that of the ten crops.
        sized = Network(net.module, Preprocessing(
            (96, 96), net.preprocessing.mean, net.preprocessing.std, resize_to=110
        ), net.labels)  # fmt: skip
        wanted = ten_crop(sized, photo, guess.channel)
        np.testing.assert_allclose(guess.map, wanted[0].map[0, 0].numpy(), rtol=1e-5, atol=1e-7)
        assert guess.trimap.foreground.sum() == pytest.approx(0.05 * 110 * 110, rel=0.02)
    assert found.facts["protocol"] == "simonyan"
    assert net.labels[found[0].channel] == found[0].label


def test_classes_of_one_name_are_kept_apart() -> None:
    twins = Network(plain(), Preprocessing((20, 20), resize_to=24), ("crane",) * len(LABELS))
    found = localize(twins, scene(23).image, 4, "simonyan", engine="threshold", shorter_side=24)
    assert len({guess.channel for guess in found}) == 4
    assert {guess.label for guess in found} == {"crane"}


def test_more_classes_than_there_are() -> None:
    few = Network(plain(), Preprocessing((20, 20)), LABELS)
    for protocol in ("fully-convolutional", "simonyan"):
        found = localize(few, scene(24).image, 50, protocol, engine="threshold", shorter_side=24)  # type: ignore[arg-type]
        assert len(found) == len(LABELS)
    # Said once, and not for each class.
    assert len(localize(few, scene(24).image, engine="threshold").warnings) == 1


def test_how_it_shows_itself(net: Network) -> None:
    found = localize(net, Image.fromarray(scene(25).image), 2)
    panel = found.panel()
    assert [len(tiles) for _, tiles in panel.rows] == [4, 4]
    assert panel.facts["protocol"] == "fully-convolutional"
    assert found.as_voc().count("<object>") == len(found.boxes)
    assert len(found.as_coco()["annotations"]) == len(found.boxes)


def test_what_cannot_be(net: Network) -> None:
    photo = scene(26).image
    with pytest.raises(SettingError, match="'zisserman' is no protocol"):
        localize(net, photo, protocol="zisserman")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="0 classes"):
        localize(net, photo, 0)
    with pytest.raises(ImageError, match="ten crops are taken of photographs"):
        localize(net, torch.rand(3, 96, 96), protocol="simonyan")
