"""Collectors find the same in codes that lie by position as in those that lie by channel."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from phosphene.core.preprocessing import Frame
from phosphene.errors import NotFinite
from phosphene.survey.collector import Batch
from phosphene.survey.correlation import Correlation
from phosphene.survey.dissection.recollection import Recollection
from phosphene.survey.layout import by_position, flat_codes, lines_of
from phosphene.survey.quantiles import Quantiles
from phosphene.survey.statistics import Statistics
from phosphene.survey.summary import summary
from phosphene.survey.top_patches import TopPatches
from tests.reference import survey as reference
from tests.survey.collected import LAYER, batch_of, fed

MAKES: dict[str, Callable[[], Any]] = {
    "top patches": lambda: TopPatches([LAYER], 3),
    "sampled": lambda: Quantiles([LAYER], 0.9, positions=100),
    "exact": lambda: Quantiles([LAYER], 0.9, exact=True),
    "narrow": lambda: Quantiles([LAYER], 0.6, exact=True, memory=1),
    "correlation": lambda: Correlation([LAYER]),
}
KINDS = ["normal", "ties", "relu", "relu6", "dead", "minus zero"]


def _codes(kind: str, images: int = 7, shape: tuple[int, ...] = (5, 7, 9)) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    codes = random.standard_normal((images, *shape)).astype(np.float32)
    if kind == "ties":
        codes = codes.round()
    if kind == "relu":
        codes = (codes - 1).clip(min=0)
    if kind == "relu6":
        codes = (codes * 9).clip(0, 6)
    if kind == "dead":
        codes[:, 1:2] = 0
        codes[3:] = 0
    if kind == "minus zero":
        codes = np.where(codes < 1, np.float32(-0.0), codes)
    return list(codes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MAKES)
def test_every_collector_knows_the_same_bit_by_bit(name: str, kind: str) -> None:
    codes, keys = _codes(kind), list(range(7))
    one, other = (fed(MAKES[name], codes, keys, None, lies).state() for lies in (False, True))
    assert one.keys() == other.keys()
    for what, tensor in one.items():
        assert torch.equal(tensor, other[what]), what
        # 0 and -0 are equal, and not the same bits.
        if tensor.is_floating_point():
            assert torch.equal(tensor.signbit(), other[what].signbit()), what


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        *product(KINDS, [(5, 7, 9), (6, 13, 1), (5, 1, 4), (1, 6, 6)]),
        ("relu", (300, 40, 40)),  # more than one piece
    ],
)
def test_statistics_are_those_of_counting(kind: str, shape: tuple[int, ...]) -> None:
    images = 2 if shape[0] == 300 else 7
    codes, keys = _codes(kind, images, shape), list(range(images))
    found = fed(lambda: Statistics([LAYER]), codes, keys, None, True).of(LAYER)
    for channel in range(min(shape[0], 5)):
        wanted = reference.statistics(codes, keys, channel)
        for name in ("count", "minimum", "maximum", "image", "positive", "active"):
            assert getattr(found, name)[channel] == wanted[name], name
        assert found.mean[channel] == pytest.approx(wanted["mean"], rel=1e-6, abs=1e-6)
        assert found.variance[channel] == pytest.approx(wanted["variance"], rel=2e-5, abs=1e-9)


@pytest.mark.parametrize("shape", [(6, 13, 1), (5, 1, 4), (1, 6, 6), (4, 50, 33)])
def test_places_of_maps_of_any_shape(shape: tuple[int, ...]) -> None:
    codes, keys = _codes("ties", 7, shape), list(range(7))
    top = fed(lambda: TopPatches([LAYER], 4), codes, keys, None, True)
    for channel in range(shape[0]):
        found = [(peak.key, peak.value, peak.at) for peak in top.of(LAYER, channel)]
        assert found == reference.top_patches(codes, keys, channel, 4)


def test_recollected_maps_and_thresholds() -> None:
    codes, keys = _codes("relu"), list(range(7))
    one, other = (
        fed(lambda: Recollection([LAYER], 0.05, 7, 1 << 20), codes, keys, None, lies)
        for lies in (False, True)
    )
    limit = one.of(LAYER)
    assert torch.equal(limit, other.of(LAYER))
    pairs = list(zip(one.maps(LAYER, limit), other.maps(LAYER, limit), strict=True))
    assert pairs
    for (key, units, maps), (key2, units2, maps2) in pairs:
        assert (key, units.tolist()) == (key2, units2.tolist())
        assert torch.equal(maps, maps2)


def _batch(codes: Tensor) -> Batch:
    n = len(codes)
    frame = Frame((8, 8), (8, 8), (0, 0, 8, 8))
    return Batch(
        torch.arange(n), torch.zeros(n, 3, 8, 8), {LAYER: codes}, [frame] * n, ["a photograph"] * n
    )


def test_codes_are_read_as_they_lie() -> None:
    maps = torch.rand(2, 8, 5, 6)
    last = maps.contiguous(memory_format=torch.channels_last)
    tokens = torch.rand(2, 30, 8).transpose(1, 2)[..., None]
    for codes, lies in ((maps, False), (last, True), (tokens, True), (maps[..., :1, :1], False)):
        flat = flat_codes(_batch(codes), LAYER)
        assert torch.equal(flat, codes.flatten(2))
        assert by_position(flat) is lies
        assert not lies or flat.data_ptr() == codes.data_ptr()
    assert lines_of(_batch(last), LAYER).shape == (2, 5, 6, 8)
    assert lines_of(_batch(tokens), LAYER).shape == (2, 1, 30, 8)
    # A part of the channels lies in neither order; it is brought into the nearer one.
    assert by_position(flat_codes(_batch(last[:, :3]), LAYER))
    assert not by_position(flat_codes(_batch(maps[..., :3]), LAYER))
    assert torch.equal(flat_codes(_batch(last[:, :3]), LAYER), maps[:, :3].flatten(2))
    assert by_position(flat_codes(_batch(last.half()), LAYER))


def test_what_is_not_finite_is_refused() -> None:
    for wrong in (np.nan, np.inf):
        codes = _codes("normal", 2)
        codes[1][3, 2, 2] = wrong
        for make in (*MAKES.values(), lambda: Statistics([LAYER])):
            with pytest.raises(NotFinite, match="unit 3 of 'layer'"):
                make().see(batch_of(codes, [0, 1], True))
        with pytest.raises(NotFinite):
            summary(batch_of(codes, [0, 1], True), LAYER)
