"""Images of classes with and without jitter, and how fine they are."""

from __future__ import annotations

import pytest
import torch

from phosphene.errors import ImageError, PhospheneError
from phosphene.preimage.maxima import measure_maxima
from phosphene.studies.jitter import jitter
from phosphene.studies.plan import Plan
from phosphene.studies.spectrum import fine_share
from tests.studies.plans import demo, planned


def wave(period: float, size: int = 64) -> torch.Tensor:
    return 0.5 + 0.2 * torch.sin(2 * torch.pi * torch.arange(size) / period).expand(3, size, size)


def test_fine_waves_are_fine() -> None:
    assert fine_share(wave(16)) < 0.01
    assert fine_share(wave(4)) > 0.99
    assert fine_share(wave(4), above=0.3) < 0.01
    half = fine_share(wave(16) + wave(4).mT)
    assert half == pytest.approx(0.5, abs=0.02)
    assert fine_share(torch.full((3, 16, 16), 0.3)) == 0


def test_a_gradient_over_the_image_is_not_fine() -> None:
    """Without a window the jump at the border would count."""
    assert fine_share(torch.linspace(0, 1, 64).expand(3, 64, 64)) < 0.01


def test_every_class_with_every_jitter() -> None:
    plan = planned(2, steps=3, quality=None, repeats=1)
    found = jitter(plan)
    assert [entry["jitter"] for entry in found.data["jitters"]] == [1, 4, 8]  # the stride is 16
    classes = found.data["classes"]
    assert plan.ledger.made == 3 * len(classes)
    assert [heading for heading, _ in found.rows] == classes
    for entry in found.data["jitters"]:
        assert 0 <= entry["probability"]["mean"] <= 1
        assert 0 < entry["fine"]["mean"] < 1
        assert entry["fine"]["count"] == len(classes)
    assert "With jitter (T = 4) the share of fine structures" in found.data["verdict"]
    none, usual, _ = found.rows[0][1]
    assert none.image.tobytes() != usual.image.tobytes()


def test_classes_that_are_never_active_are_left_out() -> None:
    maxima = measure_maxima(demo(), "fc8", planned().photos).values
    silent = [demo().label(i) for i in range(10) if maxima[i] <= 0]
    active = demo().label(int(maxima.argmax()))
    found = jitter(planned(1, steps=1, quality=None, classes=(active, silent[0])))
    assert found.data["classes"] == [active]
    assert f"{silent[0]} is never active" in found.warnings[0]
    with pytest.raises(PhospheneError, match="no photograph activates these classes"):
        jitter(planned(1, steps=1, quality=None, classes=(silent[0],)))


def test_without_photographs() -> None:
    with pytest.raises(ImageError, match="the study jitter needs photographs"):
        jitter(Plan(demo()))
