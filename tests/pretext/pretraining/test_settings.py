"""Settings: the thesis's constants, kept as JSON, refused where they cannot be."""

from __future__ import annotations

import json

import pytest

from phosphene.errors import SettingError
from phosphene.pretext.pretraining.settings import (
    SYSTEMS,
    CrossPixel,
    FlowClasses,
    Grouping,
    Setting,
    Supervised,
    setting_of,
)


def test_the_thesis_holds_where_nothing_is_said():
    setting = CrossPixel(data="pairs")
    assert (setting.batch, setting.pixels, setting.dimensions, setting.size) == (96, 512, 16, None)
    assert (setting.rate, setting.sigma2, setting.learn_sigma) == (1e-4, 0.0036, False)
    assert (setting.backbone, setting.validate_on) == ("motion-alexnet", 5000)
    assert (FlowClasses(data="x").bins, FlowClasses(data="x").rate) == (16, 0.01)
    regions = Grouping(data="x")
    assert (regions.beta, regions.model, regions.regions, regions.backbone) == (
        10, "affine", 5, "vgg-vd-16",
    )  # fmt: skip
    assert not Supervised(data="x").flow


@pytest.mark.parametrize("system", SYSTEMS)
def test_settings_survive_json(system: str):
    setting = SYSTEMS[system](data="x", layers=("a", "b"), drops=(3,), seed=5)
    assert setting_of(json.loads(json.dumps(setting.facts()))) == setting
    assert "loaders" not in setting.learned()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"batch": 0}, "batch is 0"),
        ({"pixels": 1}, "pixels is 1"),
        ({"held_out": 1.0}, "share of 1"),
        ({"rate": 0.0}, "learns nothing"),
        ({"start": "warm"}, "none of random, rescaled"),
    ],
)
def test_what_cannot_be_is_refused(told, said):
    with pytest.raises(SettingError, match=said):
        CrossPixel(data="x", **told)


def test_no_system_is_no_setting():
    with pytest.raises(SettingError, match="of a system"):
        Setting(data="x")
    with pytest.raises(SettingError, match="did you mean 'grouping'"):
        setting_of({"system": "groupin", "data": "x"})
    with pytest.raises(SettingError, match="'colour' is nothing"):
        setting_of({"system": "grouping", "data": "x", "colour": 1})
