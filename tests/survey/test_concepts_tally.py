"""Counting agrees with a literal version, pixel by pixel, under every convention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.preprocessing import Frame
from phosphene.core.receptive_field import ReceptiveField
from phosphene.errors import FormatError, ImageError, SettingError
from phosphene.survey.collector import Batch
from phosphene.survey.dissection.concepts import ConceptSet, Labels, Vocabulary
from phosphene.survey.dissection.images import concept_images, index_of, key_of
from phosphene.survey.dissection.tally import COUNTINGS, Tally
from phosphene.survey.dissection.upsampling import WAYS, upsampling
from tests.reference import dissection as literal

INPUT, SIZE, MAP = (37, 41), (18, 20), (5, 4)
FIELD = ReceptiveField((11.0, 12.0), (8.0, 10.0), (2.0, 4.5))
WORDS = Vocabulary(("color", "object", "scene"), ("-", *"abcdefg"), (0, 0, 0, 1, 1, 1, 2, 2))


@dataclass(frozen=True)
class Given(ConceptSet):
    """Labels in memory; `None` for what cannot be read."""

    given: tuple[Labels | None, ...]

    def __len__(self) -> int:
        return len(self.given)

    def name_of(self, index: int) -> str:
        return f"{index}.png"

    def image(self, index: int) -> Image.Image:
        return Image.new("RGB", self.image_size[::-1])

    def labels(self, index: int) -> Labels:
        found = self.given[index]
        if found is None:
            raise ImageError("damaged")
        return found


def random_set(seed: int, images: int = 7) -> Given:
    rng = np.random.default_rng(seed)
    given = []
    for _ in range(images):
        maps = rng.integers(0, 6, (rng.integers(0, 4), *SIZE)).astype(np.int32)
        # Some numbers nowhere, so that not every image holds every category.
        maps[np.isin(maps, rng.integers(1, 6, 4))] = 0
        whole = tuple(("scene", int(n)) for n in rng.integers(6, 8, rng.integers(0, 2)))
        given.append(Labels(maps, ("object",) * len(maps), whole))
    return Given("random", WORDS, INPUT, SIZE, tuple(given))


def batches(codes: torch.Tensor, size: int) -> list[Batch]:
    frame = Frame(INPUT, INPUT, (0, 0, *INPUT))
    return [
        Batch(
            torch.tensor([key_of(i) for i in range(start, min(start + size, len(codes)))]),
            torch.zeros(0),
            {"conv": codes[start : start + size]},
            [frame] * len(codes[start : start + size]),
            [f"{i}.png" for i in range(start, min(start + size, len(codes)))],
        )
        for start in range(0, len(codes), size)
    ]


def places(way: str) -> tuple[list[float], list[float]]:
    if way == "plain":
        return literal.plain_places(5, 18), literal.plain_places(4, 20)
    if way == "centred":
        return (
            literal.centred_places(5, 18, 37, 2.0, 8.0),
            literal.centred_places(4, 20, 41, 4.5, 10.0),
        )
    # Offsets of the fields' first pixels: 2 - 5, and 4.5 - 5.5.
    return (
        literal.original_places(5, 18, 37, -3, 11, 8),
        literal.original_places(4, 20, 41, -1, 12, 10),
    )


def tally_of(concepts: Given, threshold: torch.Tensor, way: str, counting: str) -> Tally:
    up = upsampling(way, MAP, SIZE, INPUT, FIELD)  # type: ignore[arg-type]
    assert up.way == way
    return Tally({"conv": threshold}, {"conv": up}, concepts, counting)  # type: ignore[arg-type]


@pytest.mark.parametrize("counting", COUNTINGS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(3))
def test_counts_agree_with_the_literal_version(seed: int, way: str, counting: str) -> None:
    concepts = random_set(seed)
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randn(7, 6, *MAP, generator=generator)
    codes[:, 0].clamp_(min=0.75)  # many ties with its threshold, as behind a ReLU
    codes[:, 1] = 3.0  # never above
    threshold = torch.tensor([0.75, 3.0, 0.5, 1.5, 1.9, -0.2])
    tally = tally_of(concepts, threshold, way, counting)
    for batch in batches(codes, 3):
        tally.see(batch)
    given = [found for found in concepts.given if found is not None]
    met, active, truth, iou = literal.counts(
        codes.numpy(), threshold.numpy(), [list(g.maps) for g in given],
        [[n for _, n in g.whole] for g in given], WORDS.primary, 3, *places(way), SIZE,
        counting == "lite",
    )  # fmt: skip
    counts = tally.counts["conv"]
    assert met[1].sum() == 0
    assert met[0].sum() > 0
    np.testing.assert_array_equal(counts.intersection, met)
    np.testing.assert_array_equal(counts.active, active)
    np.testing.assert_array_equal(tally.truth, truth)
    assert iou.max() > 0.02


def test_the_two_countings_differ() -> None:
    concepts, codes = random_set(1), torch.randn(7, 6, *MAP)
    found = []
    for counting in COUNTINGS:
        tally = tally_of(concepts, torch.full((6,), 1.5), "plain", counting)
        for batch in batches(codes, 7):
            tally.see(batch)
        found.append(tally.counts["conv"].active)
    assert (found[1] <= found[0]).all()
    assert (found[1] < found[0]).any()


@pytest.mark.parametrize("counting", COUNTINGS)
def test_merging_is_exact_in_any_order(counting: str) -> None:
    concepts, threshold = random_set(2), torch.zeros(6)
    codes = torch.randn(7, 6, *MAP, generator=torch.Generator().manual_seed(5))
    whole = tally_of(concepts, threshold, "centred", counting)
    shares = []
    for batch in batches(codes, 2):
        whole.see(batch)
        share = tally_of(concepts, threshold, "centred", counting)
        share.see(batch)
        shares.append(share.state())
    merged = tally_of(concepts, threshold, "centred", counting)
    for state in reversed(shares):
        merged.merge(state)
    for name, value in whole.state().items():
        assert torch.equal(value, merged.state()[name]), name
    other = tally_of(concepts, threshold + 1, "centred", counting)
    with pytest.raises(FormatError, match="other thresholds"):
        other.merge(whole.state())


def test_unreadable_labels_are_passed_over() -> None:
    concepts = random_set(0)
    damaged = Given("d", WORDS, INPUT, SIZE, (*concepts.given[:3], None, *concepts.given[4:]))
    codes, threshold = torch.randn(7, 6, *MAP), torch.zeros(6)
    tally = tally_of(damaged, threshold, "plain", "original")
    rest = Given("r", WORDS, INPUT, SIZE, (*concepts.given[:3], *concepts.given[4:]))
    fewer = tally_of(rest, threshold, "plain", "original")
    for batch in batches(codes, 4):
        tally.see(batch)
    for batch in batches(torch.cat([codes[:3], codes[4:]]), 4):
        fewer.see(batch)
    assert tally.failed == {3}
    assert tally.images == fewer.images == 6
    np.testing.assert_array_equal(tally.counts["conv"].active, fewer.counts["conv"].active)
    np.testing.assert_array_equal(
        tally.counts["conv"].intersection, fewer.counts["conv"].intersection
    )


@pytest.mark.parametrize("way", WAYS)
def test_interpolation_never_exceeds_the_codes(way: str) -> None:
    up = upsampling(way, MAP, SIZE, INPUT, FIELD)  # type: ignore[arg-type]
    flat = torch.full((1, *MAP), 0.1)
    assert not up.above(flat, torch.tensor([0.1])).any()
    assert up.above(flat, torch.nextafter(torch.tensor([0.1]), torch.tensor(0.0))).all()
    assert (up.rows >= 0).all()
    torch.testing.assert_close(up.rows.sum(1), torch.ones(SIZE[0]))


def test_a_code_on_a_pixel_is_that_pixel() -> None:
    """Place 6 of 13 is pixel 56 of 113; computed in floating point it is beside it."""
    up = upsampling("plain", (13, 13), (113, 113), (227, 227), None)
    code = torch.zeros(1, 13, 13)
    code[0, 6, 6], code[0, 7] = 0.5, 1.0
    mask = up.above(code, torch.tensor([0.5]))[0]
    assert not mask[56].any()
    assert mask[57, 56]


def test_ways_that_cannot_be() -> None:
    with pytest.raises(SettingError, match="'cubic' is no way"):
        upsampling("cubic", MAP, SIZE, INPUT, FIELD)  # type: ignore[arg-type]
    fine = ReceptiveField((3.0, 3.0), (1.0, 1.0), (0.0, 0.0))
    with pytest.raises(SettingError, match="choose 'centred'"):
        upsampling("original", (40, 40), (20, 20), (40, 40), fine)
    assert upsampling("centred", MAP, SIZE, INPUT, None).way == "plain"
    attending = ReceptiveField((37.0, 41.0), (0.0, 0.0), (18.0, 20.0))
    assert upsampling("original", MAP, SIZE, INPUT, attending).way == "plain"


def test_keys_lead_back() -> None:
    concepts = Given("many", WORDS, INPUT, SIZE, (None,) * 150)
    images = concept_images(concepts)
    assert images.count == 150
    assert [index_of(key) for key, _ in images] == list(range(150))
    assert images.name_of(key_of(149)) == "149.png"


def test_a_vocabulary_checks_labels() -> None:
    maps = np.zeros((1, *SIZE), np.int32)
    WORDS.check(Labels(maps, ("color",)), "good", SIZE)
    with pytest.raises(ImageError, match="20x18 pixels, and 9x9"):
        WORDS.check(Labels(maps, ("color",)), "large", (9, 9))
    with pytest.raises(ImageError, match="label 9, which no concept"):
        WORDS.check(Labels(maps + 9, ("color",)), "foreign", SIZE)
    with pytest.raises(ImageError, match="label 12"):
        WORDS.check(Labels(maps, ("color",), (("scene", 12),)), "whole", SIZE)
