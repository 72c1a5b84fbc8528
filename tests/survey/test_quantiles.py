from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.errors import FormatError, NotFinite, SettingError, UnitError
from phosphene.survey.quantiles import Quantiles
from phosphene.survey.quantiles.multiset import Multiset, pack, unpack
from tests.reference import survey as reference
from tests.survey.collected import LAYER, batch_of, fed, shared

KINDS = [
    "normal", "relu", "sparse", "relu6", "constant", "rising", "falling", "images", "steps",
    "sinking",
]  # fmt: skip


def _codes(kind: str, images: int, side: int = 6, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    codes = random.standard_normal((images, 3, side, side)).astype(np.float32)
    if kind == "relu":
        codes = codes.clip(min=0)
    if kind == "sparse":
        codes = (codes - 3).clip(min=0)
    if kind == "relu6":
        codes = (codes * 9).clip(0, 6)
    if kind == "constant":
        codes[:] = -2.5
    if kind == "steps":
        codes = (2 * codes).round()
    if kind == "sinking":  # the least of all values is not the least for long
        codes = (codes - 2).clip(min=0)
        codes[images // 2 :] -= 1
    if kind == "images":
        codes += 4 * random.standard_normal((images, 3, 1, 1)).astype(np.float32)
    if kind in ("rising", "falling"):
        flat = np.sort(codes.transpose(1, 0, 2, 3).reshape(3, -1), axis=1)
        flat = flat if kind == "rising" else flat[:, ::-1]
        codes = flat.reshape(3, images, side, side).transpose(1, 0, 2, 3)
    return list(np.ascontiguousarray(codes))


def _numpy(codes: list[np.ndarray], level: float) -> np.ndarray:
    values = np.stack(codes, 1).reshape(codes[0].shape[0], -1)
    return np.quantile(values, level, axis=1, method="inverted_cdf")


def _settled(made: Quantiles, codes: list[np.ndarray], shards: int = 2) -> torch.Tensor:
    """Find what is missing in a second pass, shared out as well."""
    if not made.missing(LAYER):
        assert made.again() is None
        return made.of(LAYER)
    whole = made.again()
    assert whole is not None
    for shard in range(shards):
        part = made.again()
        assert part is not None
        for key in range(shard, len(codes), shards):
            part.see(batch_of([codes[key]], [key]))
        whole.merge(part.state())
    return whole.of(LAYER)


@pytest.mark.parametrize("level", [0.995, 0.99, 0.5, 0.003])
@pytest.mark.parametrize("kind", KINDS)
def test_exact_ones_are_numpys_bit_for_bit(kind, level) -> None:
    codes = _codes(kind, 40, 12)
    keys = list(range(40))
    for make in (
        lambda: Quantiles([LAYER], level, exact=True),
        lambda: Quantiles([LAYER], level, exact=True, memory=4 * 3 * 400),
    ):
        one = fed(make, codes, keys)
        three = shared(make, codes, keys, [keys[:7], keys[7:30], keys[30:]])
        for made in (one, three):
            assert np.array_equal(_settled(made, codes).numpy(), _numpy(codes, level))
            # What one pass did find is right as well.
            found = made.of(LAYER).numpy()
            known = ~np.isnan(found)
            assert np.array_equal(found[known], _numpy(codes, level)[known])
            assert made.missing(LAYER) == tuple(np.flatnonzero(~known))
            assert made.count(LAYER) == 40 * 144


@given(
    st.integers(0, 10**6),
    st.integers(1, 30),
    st.sampled_from(KINDS),
    st.sampled_from([0.995, 0.9, 0.5]),
    st.randoms(),
)
@settings(deadline=None, max_examples=100)
def test_any_order_and_any_shards_find_the_exact_ones(seed, images, kind, level, random) -> None:
    codes, keys = _codes(kind, images, 5, seed), list(range(images))
    order = list(keys)
    random.shuffle(order)
    cut = random.randint(0, images)
    made = shared(
        lambda: Quantiles([LAYER], level, exact=True, memory=4 * 3 * 64),
        codes, keys, [order[cut:], order[:cut]],
    )  # fmt: skip
    assert np.array_equal(_settled(made, codes).numpy(), _numpy(codes, level))


def test_adversarial_orders_are_missed_and_then_found(monkeypatch) -> None:
    monkeypatch.setattr("phosphene.survey.quantiles.bracket._MORE", 8)
    monkeypatch.setattr("phosphene.survey.quantiles.bracket._WAIT", 100)
    for kind in ("rising", "falling"):
        codes = _codes(kind, 60, 20)
        made = fed(
            lambda: Quantiles([LAYER], 0.9, exact=True, memory=4 * 3 * 64), codes, list(range(60))
        )
        assert made.missing(LAYER) == (0, 1, 2), kind
        assert np.isnan(made.of(LAYER).numpy()).all()
        assert np.array_equal(_settled(made, codes).numpy(), _numpy(codes, 0.9))
    # Windows of shards that do not meet.
    codes = _codes("rising", 60, 20)
    made = shared(
        lambda: Quantiles([LAYER], 0.9, exact=True, memory=4 * 3 * 64),
        codes, list(range(60)), [range(30), range(30, 60)],
    )  # fmt: skip
    assert made.missing(LAYER) == (0, 1, 2)
    assert np.array_equal(_settled(made, codes).numpy(), _numpy(codes, 0.9))


def test_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr("phosphene.survey.quantiles.bracket._WAIT", 1000)
    made = Quantiles([LAYER], 0.9, exact=True, memory=4 * 3 * 1000)
    for key, code in enumerate(_codes("normal", 100, 40)):
        made.see(batch_of([code], [key]))
    state = made.state()
    assert state[f"{LAYER}|values"].numel() <= 3 * 1001
    assert made.missing(LAYER) == ()


@pytest.mark.parametrize("kind", ["normal", "relu", "relu6"])
def test_the_definition_is_that_of_the_top_share(kind) -> None:
    codes = _codes(kind, 5, 9)
    for exact in (True, False):
        made = fed(lambda e=exact: Quantiles([LAYER], 0.98, exact=e), codes, list(range(5)))
        values = np.stack(codes, 1).reshape(3, -1)
        for channel, found in enumerate(made.of(LAYER).tolist()):
            assert found == reference.quantile(values[channel], Fraction("0.98"))
            assert (values[channel] > found).mean() <= 0.02


@given(st.integers(0, 10**6), st.integers(1, 20), st.randoms())
@settings(deadline=None, max_examples=40)
def test_a_sample_hangs_on_neither_order_nor_shards(seed, images, random) -> None:
    codes = _codes("normal", images, 5, seed)
    keys = [(i % 3) << 32 | i for i in range(images)]
    order = list(range(images))
    random.shuffle(order)
    cut = random.randint(0, images)

    def make() -> Quantiles:
        return Quantiles([LAYER], 0.9, positions=64)

    one = fed(make, codes, keys).state()
    two = shared(make, codes, keys, [order[cut:], order[:cut]]).state()
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert one[f"{LAYER}|numbers"].numel() == min(64, images * 25)


def test_a_sample_comes_near() -> None:
    codes = _codes("normal", 50, 30)
    made = fed(lambda: Quantiles([LAYER], 0.99, positions=4096), codes, list(range(50)))
    values = np.stack(codes, 1).reshape(3, -1)
    share = (values > made.of(LAYER).numpy()[:, None]).mean(1)
    # Six standard deviations of the share above, for independent positions.
    assert np.abs(share - 0.01).max() < 6 * (0.01 * 0.99 / 4096) ** 0.5
    assert made.missing(LAYER) == ()
    assert made.again() is None


def test_positions_are_drawn_evenly() -> None:
    from phosphene.survey.quantiles.sample import random_numbers

    numbers = random_numbers(np.arange(200, dtype=np.int64) << 32, 100)
    assert len(np.unique(numbers)) == numbers.size
    small = numbers < np.uint64(2**64 // 10)
    assert abs(small.mean() - 0.1) < 0.01
    assert np.abs(small.mean(0) - 0.1).max() < 0.11
    assert np.abs(small.mean(1) - 0.1).max() < 0.16


def test_keys_are_in_the_order_of_floats() -> None:
    values = np.array([-np.inf, -3e38, -1.5, -1e-45, -0.0, 0.0, 1e-45, 2, np.inf], np.float32)
    keys = pack(np.zeros(9, np.int64), values)
    assert (np.diff(keys) >= 0).all()
    assert keys[4] == keys[5]
    assert np.array_equal(unpack(keys), values + 0)
    assert (pack(np.ones(9, np.int64), values) > keys.max()).all()


def test_a_multiset_counts() -> None:
    some = Multiset(3)
    some.add(np.array([2, 0, 2, 0, 2]), np.array([1, 5, 1, 7, 3], np.float32))
    some.settle()
    assert some.totals().tolist() == [2, 0, 3]
    assert some.largest(np.array([1, 1, 2])).tolist() == [7, -np.inf, 1]
    assert some.largest(np.array([0, 1, 4])).tolist() == [np.inf, -np.inf, -np.inf]
    limits = np.array([0, 0, 0], np.float32), np.array([6, 6, 2], np.float32)
    assert some.cut(*limits).tolist() == [1, 0, 1]
    assert some.totals().tolist() == [1, 0, 2]


def test_what_does_not_fit_is_refused() -> None:
    codes = _codes("normal", 2)
    for exact in (False, True):
        made = fed(lambda e=exact: Quantiles([LAYER], exact=e), codes, [0, 1])
        for other in (Quantiles([LAYER], 0.9, exact), Quantiles([LAYER], exact=not exact)):
            with pytest.raises(FormatError):
                other.merge(made.state())
        codes[1][1, 0, 0] = np.nan
        with pytest.raises(NotFinite, match="unit 1 of 'layer' is nan on image 1"):
            made.see(batch_of(codes, [2, 1]))
        codes[1][1, 0, 0] = 0
    codes[1][1, 0, 0] = -np.inf
    with pytest.raises(NotFinite, match="unit 1 of 'layer' is -inf on image 1"):
        Quantiles([LAYER], exact=True).see(batch_of(codes, [2, 1]))
    for level in (0, 1, -0.5):
        with pytest.raises(SettingError):
            Quantiles([LAYER], level)
    with pytest.raises(UnitError):
        Quantiles([LAYER]).of(LAYER)
