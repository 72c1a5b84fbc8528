"""The numbers of a comparison agree with their definitions, written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.comparison.concept_means import FEWEST, ConceptMeans
from phosphene.comparison.image_peaks import ImagePeaks, excess, share_below
from phosphene.comparison.orientation import mean_histogram, orientation
from phosphene.comparison.selectivity import auc, average_precision, by_chance
from phosphene.core.preprocessing import Frame
from phosphene.survey.collector import Batch
from phosphene.survey.dissection.images import key_of
from phosphene.survey.dissection.scenes import scene_concepts
from phosphene.survey.facts import facts_of
from tests.comparison.planted import striped
from tests.reference import average_precision as precision
from tests.reference import comparison as reference


@pytest.mark.parametrize("seed", [0, 1])
def test_orientation_is_that_of_the_definition(seed: int) -> None:
    image = torch.rand(3, 9, 12, generator=torch.Generator().manual_seed(seed)).double()
    found = orientation(image, 12)
    share, histogram = reference.orientation(image.numpy(), 12)
    assert found.horizontal == pytest.approx(share)
    assert found.histogram == pytest.approx(histogram)


def test_a_turned_picture_has_what_is_left() -> None:
    noise = torch.rand(3, 2, 16, generator=torch.Generator().manual_seed(2))
    image = noise.repeat_interleave(8, 1)  # stretched downwards
    found, turned = orientation(image), orientation(image.mT)
    assert found.horizontal is not None
    assert turned.horizontal == pytest.approx(1 - found.horizontal)
    assert turned.histogram[0] == pytest.approx(found.histogram[6])
    assert found.horizontal < 0.4
    flat = orientation(torch.ones(3, 8, 8))
    assert flat.horizontal is None
    assert mean_histogram([flat]) == ()
    assert orientation(torch.rand(3, 2, 8)).horizontal is None


def test_noise_does_not_drown_structure() -> None:
    generator = torch.Generator().manual_seed(0)
    bands = (torch.arange(96) // 12 % 2).double()[:, None].expand(3, 96, 96)
    noisy = bands + 0.7 * torch.randn(3, 96, 96, generator=generator).double()
    found = orientation(noisy).horizontal
    assert found is not None
    assert found > 0.65  # pixel by pixel it would be little more than a half
    assert reference.orientation(noisy.numpy(), 12)[0] < 0.56


def test_selectivity_is_that_of_the_definition() -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 6, (30, 4)).astype(float)
    has = random.random(30) < 0.4
    for unit in range(4):
        own, truth = values[:, unit].tolist(), has.tolist()
        assert auc(values, has)[unit] == pytest.approx(reference.auc(own, truth))
        points = precision.curve(own, [int(x) for x in truth])
        assert average_precision(values, has)[unit] == pytest.approx(precision.by_sum(points))
    # Of units that know nothing the deviation is what the formula says.
    noise = random.random((60, 4000))
    assert auc(noise, np.arange(60) < 15).std() == pytest.approx(by_chance(15, 45), rel=0.05)


def batch_of(codes: torch.Tensor, keys: list[int], layer: str = "act") -> Batch:
    frame = Frame((32, 32), (32, 32), (0, 0, 32, 32))
    image = torch.zeros(len(keys), 3, 32, 32)
    names = [str(key) for key in keys]
    return Batch(torch.tensor(keys), image, {layer: codes}, [frame] * len(keys), names)


def test_peaks_do_not_hang_on_order() -> None:
    codes = torch.rand(20, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    whole, first, second = (ImagePeaks(["act"], most=8) for _ in range(3))
    whole.see(batch_of(codes, list(range(20))))
    second.see(batch_of(codes[12:], list(range(12, 20))))
    first.see(batch_of(codes[:12], list(range(12))))
    first.merge(second.state())
    assert whole.keys.tolist() == first.keys.tolist()
    assert len(whole.keys) == 8
    assert np.array_equal(whole.of("act"), first.of("act"))
    kept = codes.flatten(2).amax(2).numpy()[whole.keys]
    assert np.allclose(whole.of("act"), kept)


def test_shares_and_excess() -> None:
    values = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
    assert share_below(values, np.array([2.0, 1.0])).tolist() == [0.625, 0.5]
    assert share_below(values, np.array([9.0, 0.0])).tolist() == [1.0, 0.0]
    assert excess(values, np.array([6.5, 7.0])).tolist() == [2.0, 0.0]


def test_the_nearest_concept_is_that_of_the_definition() -> None:
    net = striped("horizontal")
    concepts = scene_concepts(6, size=(32, 32))
    facts = facts_of(net, ["act"])
    means = ConceptMeans(facts, concepts)
    generator = torch.Generator().manual_seed(0)
    codes = torch.rand(6, 4, 32, 32, generator=generator)
    codes[:, 1] *= 1 + torch.arange(32) / 32  # not all channels are alike everywhere
    half = ConceptMeans(facts, concepts)
    means.see(batch_of(codes[:4], [key_of(i) for i in range(4)]))
    half.see(batch_of(codes[4:], [key_of(i) for i in (4, 5)]))
    means.merge(half.state())
    nearest = means.of("act")
    numbers = nearest.candidates("color")
    assert numbers
    picked: list[list[set[int]]] = []
    for index in range(6):
        maps = concepts.labels(index).maps
        # Labels are half the size: position (y, x) lies on label pixel (y // 2, x // 2).
        picked.append(
            [{int(m[y // 2, x // 2]) for m in maps} for y in range(32) for x in range(32)]
        )
    counts = [sum(n in s for image in picked for s in image) for n in range(len(nearest.known))]
    assert [bool(k) for k in nearest.known[1:]] == [c >= FEWEST for c in counts[1:]]
    flat = [image.flatten(1).double().numpy() for image in codes]
    for unit in range(4):
        code = torch.rand(4, generator=generator)
        wanted = reference.nearest(flat, picked, code.double().numpy(), numbers, unit)
        assert nearest.winner(code, "color", unit) == concepts.vocabulary.names[wanted]
        other = code.clone()
        other[unit] = 1e3  # the unit itself has no say
        assert nearest.winner(other, "color", unit) == nearest.winner(code, "color", unit)
