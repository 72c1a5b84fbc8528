"""Crops show what they should, and pixels are where and what they are said to be."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import ImageError
from phosphene.transfer.benchmarks.records import UNKNOWN, InMemory
from phosphene.transfer.labelling.examples import Cropped, fill_of, labels_of


def noise(sizes: list[tuple[int, int]], seed: int = 0) -> InMemory:
    """Photographs whose red says the class of a pixel, and green and blue where it is."""
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for h, w in sizes:
        own = rng.integers(0, 4, (h, w)).astype(np.uint8)
        y, x = np.mgrid[:h, :w].astype(np.uint8)
        images.append(Image.fromarray(np.stack((own, y, x), 2)))
        labels.append(own)
    return InMemory(images, ("a", "b", "c"), labels=labels)


def cropped(data: InMemory, side: int = 16, points: int | None = 20, buffer: int = 3) -> Cropped:
    return Cropped(data, tuple(range(len(data))), side, points, buffer, True, (0.5, 0.25, 0.125))


@pytest.mark.parametrize("seed", range(6))
def test_pixels_have_their_own_labels(seed: int) -> None:
    make = cropped(noise([(40, 30), (16, 16), (20, 50)]))
    for number in range(3):
        image, points, labels = make(number, np.random.default_rng(seed))
        assert image.shape == (3, 16, 16)
        assert len({(x, y) for x, y in points.tolist()}) == 20
        assert points.min() >= 3
        assert points.max() < 13
        at = image[0, points[:, 1].long(), points[:, 0].long()] * 255
        assert torch.equal(at.round().long(), labels)


def test_crops_lie_anywhere_and_half_are_mirrored() -> None:
    make = cropped(noise([(40, 40)]), points=None)
    seen, mirrored = set(), 0
    for seed in range(80):
        image, points, labels = make(0, np.random.default_rng(seed))
        assert points.shape == (0, 2)
        assert torch.equal((image[0] * 255).round().long(), labels)
        y, x = (image[1:, 0] * 255).round().long()
        mirrored += int(x[0] > x[1])
        seen.add((int(y[0]), int(x.min())))
    assert 25 < mirrored < 55
    assert min(min(at) for at in seen) <= 2
    assert max(max(at) for at in seen) >= 22


def test_what_lies_outside_is_unknown_and_of_the_mean_color() -> None:
    data = noise([(8, 10)])
    make = Cropped(data, (0,), 16, None, 3, False, (0.5, 0.25, 0.125))
    image, _, labels = make.still(0)
    outside = torch.ones(16, 16, dtype=torch.bool)
    outside[4:12, 3:13] = False
    assert (labels[outside] == UNKNOWN).all()
    assert torch.equal(labels[4:12, 3:13], torch.from_numpy(data.labels(0).astype(np.int64)))
    assert torch.equal(image[:, outside].unique(dim=1), torch.tensor([[0.5], [0.25], [0.125]]))


def test_pixels_that_are_known_come_first() -> None:
    data = noise([(16, 16)])
    data.labels(0)[:, 8:] = UNKNOWN
    make = Cropped(data, (0,), 16, 40, 3, False, (0.0, 0.0, 0.0))
    for seed in range(5):  # 5 x 10 of them are within the buffer
        _, points, labels = make(0, np.random.default_rng(seed))
        assert (labels != UNKNOWN).all()
        assert points[:, 0].max() < 8
    make = Cropped(data, (0,), 16, 60, 3, False, (0.0, 0.0, 0.0))
    _, _, labels = make(0, np.random.default_rng(0))
    assert int((labels == UNKNOWN).sum()) == 10
    data.labels(0)[:] = UNKNOWN  # nothing is known: nothing is learned
    assert (make.still(0).labels == UNKNOWN).all()


def test_they_hang_on_the_numbers_given_and_go_to_other_processes() -> None:
    make = cropped(noise([(40, 30)]))
    sent = pickle.loads(pickle.dumps(make))
    one, other = make(0, np.random.default_rng(1)), sent(0, np.random.default_rng(1))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(one.image, make(0, np.random.default_rng(2)).image)
    assert torch.equal(make.still(0).points, make.still(0).points)


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing((8, 8), mean=(104.0, 117.0, 123.0), scale=255.0, order="BGR"),
        Preprocessing((8, 8), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25)),
        Preprocessing((8, 8), mean=(100.0,), scale=255.0, order="gray"),
    ],
    ids=["BGR", "RGB", "gray"],
)
def test_the_mean_color_is_seen_as_zeros(preprocessing: Preprocessing) -> None:
    image = torch.tensor(fill_of(preprocessing))[None, :, None, None].expand(1, 3, 4, 4)
    assert preprocessing.normalize(image).abs().max() < 1e-4


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ImageError, match="takes no photographs"):
        fill_of(Preprocessing((8, 8), order="any"))
    data = noise([(8, 10)])
    with pytest.raises(ImageError, match="labels are 8x10: give labels"):
        labels_of(data, 0, (10, 8))
    data.labels(0)[2, 3] = 9
    with pytest.raises(ImageError, match=r"have the value 9: 0 is the ground, 1 to 3"):
        labels_of(data, 0, (8, 10))
