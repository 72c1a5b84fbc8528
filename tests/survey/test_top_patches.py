from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.errors import FormatError, NotFinite, SettingError, UnitError
from phosphene.survey.top_patches import TopPatches
from tests.reference import survey as reference
from tests.survey.collected import LAYER, batch_of, fed, shared


def _codes(seed: int, images: int, ties: bool) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    if ties:
        return [random.integers(0, 3, (4, 3, 5)).astype(np.float32) for _ in range(images)]
    return [random.standard_normal((4, 3, 5)).astype(np.float32) for _ in range(images)]


def _make() -> TopPatches:
    return TopPatches([LAYER], 5)


def _found(top: TopPatches, channel: int) -> list[tuple[int, float, tuple[int, int]]]:
    return [(peak.key, peak.value, peak.at) for peak in top.of(LAYER, channel)]


@given(st.integers(0, 10**6), st.integers(1, 14), st.booleans(), st.randoms())
@settings(deadline=None, max_examples=60)
def test_any_order_and_any_shards_find_what_sorting_finds(seed, images, ties, random) -> None:
    codes = _codes(seed, images, ties)
    keys = [(i % 2) << 32 | i for i in range(images)]
    order = list(range(images))
    random.shuffle(order)
    cut = random.randint(0, images)
    top = shared(_make, codes, keys, [order[cut:], order[:cut]])
    again = fed(_make, codes, keys, order)
    for channel in range(4):
        wanted = reference.top_patches(codes, keys, channel, 5)
        assert _found(top, channel) == wanted
        assert _found(again, channel) == wanted
    for name, tensor in again.state().items():
        assert torch.equal(tensor, top.state()[name])


def test_a_state_stays_as_it_was() -> None:
    codes = _codes(0, 9, False)
    top = fed(_make, codes[:3], [0, 1, 2])
    state = top.state()
    before = {name: tensor.clone() for name, tensor in state.items()}
    top.see(batch_of(codes[3:], list(range(3, 9))))
    assert all(torch.equal(before[name], state[name]) for name in state)
    assert not torch.equal(top.state()[f"{LAYER}|value"], state[f"{LAYER}|value"])


def test_half_precision_and_float64_are_taken() -> None:
    codes = _codes(1, 6, False)
    for kind in (np.float16, np.float64):
        cast = [code.astype(kind) for code in codes]
        top = fed(_make, cast, list(range(6)))
        assert _found(top, 2) == reference.top_patches(cast, list(range(6)), 2, 5)


def test_nan_is_refused_with_image_and_layer() -> None:
    codes = _codes(1, 3, False)
    codes[1][2, 0, 0] = np.nan
    with pytest.raises(NotFinite, match=r"unit 2 of 'layer' is nan on image 1"):
        _make().see(batch_of(codes, [0, 1, 2]))


def test_what_does_not_go_together_is_refused() -> None:
    codes = _codes(1, 3, False)
    top = fed(_make, codes, [0, 1, 2])
    with pytest.raises(FormatError, match="count 5 does not go together with count 4"):
        TopPatches([LAYER], 4).merge(top.state())
    with pytest.raises(FormatError, match="had 4 units so far, and has 2"):
        top.see(batch_of([code[:2] for code in codes], [3, 4, 5]))
    with pytest.raises(UnitError, match="units 0 to 3, and so no unit 4"):
        top.of(LAYER, 4)
    with pytest.raises(UnitError):
        top.of("other", 0)
    with pytest.raises(SettingError):
        TopPatches([LAYER], 0)
    with pytest.raises(SettingError):
        TopPatches([])
    with pytest.raises(SettingError, match=r"give \['layer'\]"):
        TopPatches(LAYER)
