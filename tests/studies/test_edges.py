"""Edge correlation, agreement of signs and sharpness against the literal ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from phosphene.errors import ImageError
from phosphene.studies import edges
from phosphene.studies.magnification import blurred
from phosphene.worlds.shapes import scene
from tests.reference import edges as literal


def noise(seed: int, shape: tuple[int, ...] = (3, 18, 16)) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def square() -> np.ndarray:
    image = np.zeros((3, 18, 16))
    image[:, 5:12, 4:11] = np.array([1.0, 0.5, 0.2])[:, None, None]
    return image


SIGNALS = {
    "noise": noise(0),
    "tiny": 1e-28 * noise(1),
    "corner": noise(2) * (np.add.outer(np.arange(18), np.arange(16)) < 10),
    "square": square(),
    "gray": noise(3, (1, 18, 16)),
    "nothing": np.zeros((3, 18, 16)),
}


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)
@pytest.mark.parametrize("photo", [square(), square() + 0.2 * noise(4)], ids=["plain", "noisy"])
@pytest.mark.parametrize("number", ["edge_correlation", "plain_edge_correlation", "sign_agreement"])
def test_against_loops(number: str, signal: np.ndarray, photo: np.ndarray) -> None:
    found = getattr(edges, number)(torch.from_numpy(signal), torch.from_numpy(photo))
    assert found == pytest.approx(getattr(literal, number)(signal, photo), abs=1e-9)


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)
def test_sharpness_against_loops(signal: np.ndarray) -> None:
    found, expected = edges.sharpness(torch.from_numpy(signal)), literal.sharpness(signal)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-9))


def drawn(number: int) -> Tensor:
    return torch.from_numpy(scene(number).image.copy()).permute(2, 0, 1).double() / 255


def detail(photo: Tensor) -> Tensor:
    return photo - blurred(photo[None], 1.5)[0]


def test_what_the_numbers_say() -> None:
    photo, other = drawn(3), drawn(4)
    envelope = torch.zeros(96, 96, dtype=torch.float64)
    envelope[20:70, 30:80] = 1
    envelope = blurred(envelope[None, None], 6.0)[0]
    cloud = torch.from_numpy(noise(5, (3, 96, 96))) * envelope
    seen = detail(photo) * envelope
    for signal in (seen, -seen, 1e-20 * seen):
        assert edges.edge_correlation(signal, photo) > 0.7
    assert abs(edges.edge_correlation(cloud, photo)) < 0.1
    assert abs(edges.edge_correlation(detail(other) * envelope, photo)) < 0.2
    # The plain one rewards a cloud that lies in the right place; the sign decides the other.
    masked = (
        torch.from_numpy(noise(5, (3, 96, 96)))
        * blurred(edges.edge_strength(photo)[None, None], 8.0)[0]
    )
    assert edges.plain_edge_correlation(masked, photo) > 2 * edges.edge_correlation(masked, photo)
    assert edges.sign_agreement(seen, photo) > 0.4
    assert edges.sign_agreement(-seen, photo) == pytest.approx(-edges.sign_agreement(seen, photo))
    lines = edges.sharpness(seen)
    blur = edges.sharpness(blurred(seen[None], 3.0)[0])
    speckle = edges.sharpness(cloud)
    assert lines is not None
    assert blur is not None
    assert speckle is not None
    assert lines > blur > 0
    assert lines > 2 * speckle > 0.1


@pytest.mark.parametrize(
    "measure", [edges.edge_correlation, edges.plain_edge_correlation, edges.sign_agreement]
)
def test_sizes(measure: Callable[[Tensor, Tensor], float]) -> None:
    with pytest.raises(ImageError, match="does not lie over a photograph"):
        measure(torch.ones(3, 8, 8), torch.ones(3, 8, 9))
    with pytest.raises(ImageError, match="an image \\(c, h, w\\) is needed"):
        measure(torch.ones(8, 8), torch.ones(8, 8))
