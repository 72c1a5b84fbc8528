"""Networks, layers and regions: what is side by side, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from phosphene.comparison.levels import read_levels, shared_levels
from phosphene.comparison.networks import compared
from phosphene.comparison.recipes import recipes_of
from phosphene.comparison.region import Region, looking_at
from phosphene.core.network import Network
from phosphene.core.preprocessing import Frame
from phosphene.core.receptive_field import ReceptiveField
from phosphene.errors import ImageError, SettingError, UnknownLayer
from phosphene.survey.facts import LayerFacts
from phosphene.training.free_norm import FreeNorm
from phosphene.zoo.motion_small import motion_small
from tests.comparison.planted import SIZE, striped


def test_normalization_is_absorbed_in_a_copy() -> None:
    given = motion_small(batch_norm=True)
    for name, buffer in given.module.named_buffers():
        if name.endswith("running_var"):
            buffer.fill_(4.0)
    before = [name for name, _ in given.module.named_modules()]
    own = compared([given, motion_small()])
    x = torch.rand(1, 3, 32, 32)
    assert own[0].absorbed[:2] == ("conv1_1", "conv1_2")
    assert not own[1].absorbed
    assert torch.allclose(own[0].net(x), given(x), atol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in own[0].net.module.modules())
    assert before == [name for name, _ in given.module.named_modules()]
    assert [one.name for one in own] == ["motion-small", "motion-small (2)"]


def test_what_cannot_be_absorbed_is_said() -> None:
    odd = Network(nn.Sequential(nn.ReLU(), FreeNorm(3)), SIZE, name="odd")
    (one, _) = compared([odd, striped("horizontal")])
    assert "odd: normalization was not absorbed" in one.note
    with pytest.raises(SettingError, match="1 network was given: name 2 or more"):
        compared([odd])


def test_levels() -> None:
    one, two = striped("horizontal"), striped("vertical")
    two.module = nn.Sequential()
    two.module.add_module("first", one.module.conv)
    two.module.add_module("act", nn.ReLU())
    nets = compared([one, two])
    assert [n.short for n in nets] == ["horizontal", "vertical"]
    assert [level.layers for level in read_levels(["act"], nets)] == [("act", "act")]
    paired = read_levels(["A=conv,B=first", "horizontal=conv"], nets)
    assert [level.layers for level in paired] == [("conv", "first"), ("conv", None)]
    assert paired[0].title == "conv / first"
    assert [level.title for level in shared_levels(nets)] == ["act"]
    with pytest.raises(UnknownLayer, match="as --layers horizontal=conv,vertical=LAYER"):
        read_levels(["conv"], nets)
    with pytest.raises(UnknownLayer, match="no network has a layer 'cnv'; did you mean 'conv'"):
        read_levels(["cnv"], nets)
    with pytest.raises(SettingError, match="'C' is none of the networks: A "):
        read_levels(["C=conv"], nets)
    with pytest.raises(SettingError, match="cannot be read"):
        read_levels(["A=conv,act"], nets)
    with pytest.raises(SettingError, match="is no quality"):
        recipes_of("fine")


def test_regions() -> None:
    assert str(Region.parse("1,2,30,40")) == "1,2,30,40"
    for text in ("1,2,3", "5,5,5,9", "a,b,c,d", "-1,0,4,4"):
        with pytest.raises(SettingError, match="is no region"):
            Region.parse(text)
    # A photograph of 100 rows and 200 columns, halved, of which the middle 50 x 50 are seen.
    frame = Frame((100, 200), (50, 100), (0, 25, 50, 50))
    assert Region.parse("60,20,100,60").on(frame, "p") == (10, 5, 30, 25)
    with pytest.raises(ImageError, match="its crop is 50,0,150,100"):
        Region.parse("0,0,40,40").on(frame, "p")
    fact = LayerFacts("l", 4, 5, 5, ReceptiveField((9, 9), (10, 10), (4.5, 4.5)), (50, 50))
    inside = looking_at(fact, (10, 5, 30, 25))
    assert np.argwhere(inside).tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    assert np.argwhere(looking_at(fact, (11, 11, 13, 12))).tolist() == [[1, 1]]
    assert looking_at(fact, None).all()
