"""Exponents of the total variation, and spikes as a number."""

from __future__ import annotations

import pytest
import torch

from phosphene.studies.beta import _warnings, beta, spikes_of
from tests.studies.plans import planned


def flat() -> torch.Tensor:
    return torch.full((3, 32, 32), 0.5)


def test_nothing_but_lone_pixels() -> None:
    image = flat()
    image[:, 4::5, 4::5] = 0.8
    image[0, 2, 2] = 0.1  # dark ones count too
    assert spikes_of(image) == pytest.approx(1)
    assert spikes_of(image * 255) == pytest.approx(1)


def test_edges_ramps_and_lines_are_no_spikes() -> None:
    assert spikes_of(flat()) == 0
    for make in ("edge", "ramp", "line", "corner"):
        image = flat()
        if make == "edge":
            image[:, :, 16:] = 1
        elif make == "ramp":
            image += torch.linspace(0, 0.5, 32)
        elif make == "line":
            image[:, 10] = 1
        else:
            image[:, 16:, 16:] = 0
        assert spikes_of(image) == pytest.approx(0, abs=1e-12), make


def test_planted_spikes_are_seen() -> None:
    smooth = flat() + 0.3 * torch.sin(torch.arange(32) / 3.0)
    spiky = smooth.clone()
    spiky[:, 5::9, 7::9] += 0.4
    assert spikes_of(spiky) > 0.3 > 10 * spikes_of(smooth)


def test_all_exponents_with_and_without_jitter() -> None:
    plan = planned(1, layers=("conv3",), steps=6)
    found = beta(plan)
    settings = [(entry["beta"], entry["jitter"]) for entry in found.data["settings"]]
    assert settings == [(b, jitter) for b in (1.0, 1.5, 2.0) for jitter in (False, True)]
    assert plan.ledger.made == 6
    assert all(0 < entry["error"]["mean"] < 5 for entry in found.data["settings"])
    assert found.facts["C"] == "20"
    assert len(found.rows[0][1]) == 7
    assert found.data["verdict"].startswith("At conv3 without jitter lone pixels make ")
    pictures = {tile.image.tobytes() for tile in found.rows[0][1]}
    assert len(pictures) == 7  # neither the exponent nor the jitter is without effect


def test_what_makes_the_comparison_empty_is_said() -> None:
    assert not _warnings(planned(quality="paper"), ("conv3",))
    (spectrum,) = _warnings(planned(quality="fast"), ("conv3",))
    assert "smooths by itself" in spectrum
    (still,) = _warnings(planned(), ("conv1",))
    assert still.startswith("conv1: a quarter of its stride is no jitter")
