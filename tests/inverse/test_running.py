"""Learning an inverse: what is told lowers the error, runs go on, photographs are held out."""

from __future__ import annotations

import math
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.rules import Reversal
from phosphene.errors import ImageError, SettingError
from phosphene.inverse.photographs import Crops, divided
from phosphene.inverse.running import run
from phosphene.inverse.settings import InverseSetting
from phosphene.worlds.shapes import scene
from phosphene.zoo.demo import demo
from tests.inverse.test_network import squeezed

SETTING = InverseSetting("5", "both", 32, updates=4, batch=2)


def photographs(count: int = 8, size: int = 40) -> list[Any]:
    return [scene(seed, size=(size, size + 8)).image for seed in range(count)]


def test_errors_are_those_of_the_formula() -> None:
    photos = photographs()
    found = run(SETTING, squeezed(), photos)
    train, held = divided(8, 0.2, 0)
    assert found.held_out == tuple(held)
    assert len(train) + len(held) == 8
    inverse = found.inverse
    crops = Crops([photos[n] for n in held], inverse.network.preprocessing, 32)
    above = below = 0.0
    for number in range(len(held)):
        image = crops.middle(number)[None].float() / 255
        with torch.no_grad():
            estimate = inverse(image)[0].numpy()
        x = (image[0].numpy() - inverse.mean.numpy()) / float(inverse.deviation)
        for c in range(3):
            for i in range(32):
                for j in range(32):
                    above += float(estimate[c, i, j] - x[c, i, j]) ** 2
                    below += float(x[c, i, j]) ** 2
    assert found.squared == pytest.approx(above / below, rel=1e-4)
    assert found.root == pytest.approx(math.sqrt(above / below), rel=1e-4)
    assert found.untrained > found.squared
    assert [number for number, _, _ in found.pictures] == list(held)


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    net, photos = squeezed(), photographs()
    whole = run(SETTING, net, photos)

    def stopping(done: int, total: int, what: str) -> None:
        if done == 2:
            signal.raise_signal(signal.SIGINT)

    part = run(SETTING, net, photos, tmp_path, tick=stopping)
    assert part.interrupted
    assert part.errors == ()
    rest = run(SETTING, net, photos, tmp_path)
    assert rest.errors == whole.errors
    for one, other in zip(rest.inverse.filters, whole.inverse.filters, strict=True):
        assert torch.equal(one, other)
    with pytest.raises(SettingError, match="holds another training run"):
        run(replace(SETTING, told="masks"), net, photos, tmp_path)


def test_what_is_told_is_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """On drawn scenes masks tell more than switches; where the two are swapped this fails."""

    def errors() -> dict[str, float]:
        setting = InverseSetting("pool5", "masks", 48, updates=16, batch=6, rate=0.01)
        photos = [scene(seed, size=(96, 96)).image for seed in range(30)]
        told = ("masks", "switches")
        return {t: run(replace(setting, told=t), net, photos).squared for t in told}

    net = demo()
    found = errors()
    assert found["masks"] < 0.9 * found["switches"]
    own = InverseSetting.rule
    other = {"masks": "switches", "switches": "masks"}

    def swapped(setting: InverseSetting) -> Reversal:
        rule = own.fget(replace(setting, told=other[setting.told]))  # type: ignore[attr-defined]
        assert isinstance(rule, Reversal)
        return rule

    monkeypatch.setattr(InverseSetting, "rule", property(swapped))
    again = errors()
    assert again["switches"] == found["masks"]
    assert again["masks"] == found["switches"]


def test_crops() -> None:
    image = np.arange(40 * 48 * 3, dtype=np.uint32).reshape(40, 48, 3).astype(np.uint8)
    preprocessing = replace(squeezed().preprocessing, resize="native")
    crops = Crops([image, Image.fromarray(image)], preprocessing, 32)
    middle = crops.middle(0).numpy().transpose(1, 2, 0)
    np.testing.assert_array_equal(middle, image[4:36, 8:40])
    drawn = [crops.drawn(1, np.random.default_rng(seed)).numpy() for seed in range(40)]
    windows = {
        (top, left, turn): image[top : top + 32, left : left + 32][:, ::turn].transpose(2, 0, 1)
        for top in range(9)
        for left in range(17)
        for turn in (1, -1)
    }
    found = [[at for at, w in windows.items() if np.array_equal(w, crop)] for crop in drawn]
    assert all(found)
    assert {at[0][2] for at in found} == {1, -1}
    assert len({at[0] for at in found}) > 20
    with pytest.raises(ImageError, match="at 48x40 px, which holds no crop of 41x41"):
        Crops([image], preprocessing, 41).middle(0)


def test_division() -> None:
    seeds = [divided(20, 0.2, seed) for seed in range(4)]
    for train, held in seeds:
        assert sorted(train + held) == list(range(20))
        assert len(held) == 4
    assert len({tuple(held) for _, held in seeds}) > 1
    assert len(divided(5, 0.01, 0)[1]) == 1
    assert len(divided(5, 0.99, 0)[0]) == 1
    with pytest.raises(SettingError, match="4 were given: give 5 or more"):
        divided(4, 0.2, 0)
