"""Every kind of unit on activations made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from phosphene.core.seed import Seed, as_maps
from phosphene.core.unit import Unit
from phosphene.errors import UnitError

# Two images, two channels, 2 x 3 sites. Strongest: channel 1 at (0, 2); channel 0 at (1, 1).
A = torch.tensor(
    [
        [[[1.0, 2.0, -3.0], [0.5, 0.0, 1.0]], [[-1.0, 4.0, 9.0], [0.0, 3.0, -2.0]]],
        [[[0.0, 1.0, 2.0], [3.0, 8.0, -4.0]], [[-1.0, -2.0, -0.5], [-3.0, -4.0, -5.0]]],
    ]
)


def places(seed: Seed) -> list[list[tuple[int, ...]]]:
    """Where each image's seed is not zero."""
    return [[tuple(place) for place in image.nonzero().tolist()] for image in seed.p]


@pytest.mark.parametrize(
    ("unit", "wanted", "score"),
    [
        (Unit(0), [(0, 0, 1)], 2), (Unit(1), [(1, 0, 2)], 9),
        (Unit(0, at=(1, 0)), [(0, 1, 0)], 0.5), (Unit(1, at=(1, 2)), [(1, 1, 2)], -2),
        (Unit(0, at="centre"), [(0, 0, 1)], 2), (Unit(1, at="centre"), [(1, 0, 1)], 4),
        (Unit(0, at="positive"), [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 2)], 4.5),
        (Unit.strongest(), [(1, 0, 2)], 9), (Unit.strongest(at="centre"), [(1, 0, 1)], 4),
        (Unit.strongest(at=(1, 0)), [(0, 1, 0)], 0.5), (Unit.strongest((1, 2)), [(0, 1, 2)], 1),
        (Unit.random(), [(0, 0, 2)], -3), (Unit.random(7, at=(1, 0)), [(1, 1, 0)], 0),
    ],
    ids=str,
)  # fmt: skip
def test_where_the_first_image_is_lit(
    unit: Unit, wanted: list[tuple[int, ...]], score: float
) -> None:
    for activation in (A[:1], A):
        seed = unit.plant(activation)
        assert places(seed)[0] == wanted
        assert seed.p[0].unique().tolist() in ([0, 1], [1])
        assert float(seed.score[0]) == score
        assert seed.p.shape == activation.shape
        assert int(seed.channel[0]) == wanted[0][0]
        single = len(wanted) == 1
        assert seed.at[0].tolist() == (list(wanted[0][1:]) if single else [-1, -1])


def test_every_image_of_a_batch_by_itself() -> None:
    strongest = Unit.strongest().plant(A)
    assert places(strongest) == [[(1, 0, 2)], [(0, 1, 1)]]
    assert strongest.channel.tolist() == [1, 0]
    assert strongest.at.tolist() == [[0, 2], [1, 1]]
    assert strongest.score.tolist() == [9, 8]
    # Channel 1 of the second image has nothing positive: its strongest site alone.
    positive = Unit(1, at="positive").plant(A)
    assert places(positive) == [[(1, 0, 1), (1, 0, 2), (1, 1, 1)], [(1, 0, 2)]]
    assert positive.at.tolist() == [[-1, -1], [0, 2]]
    assert positive.score.tolist() == [16, -0.5]


UNITS = [
    Unit(1), Unit(1, at=(1, 1)), Unit(0, at="positive"), Unit(1, at="positive"), Unit.strongest(),
    Unit.random(3), Unit.mixture(3), Unit.code(), Unit.noise(3), Unit.noise(3, positive=False),
    Unit.given(A[0]),
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_a_batch_is_its_images(unit: Unit) -> None:
    together = unit.plant(A)
    for i in range(2):
        alone = unit.plant(A[i : i + 1])
        assert torch.equal(alone.p[0], together.p[i])
        assert alone.channel[0] == together.channel[i]
        assert torch.equal(alone.at[0], together.at[i])
        assert alone.score[0] == together.score[i]
        assert float(alone.score) == pytest.approx(float((alone.p * A[i]).sum()))


def test_random_units_are_never_the_strongest() -> None:
    draw = torch.Generator().manual_seed(0)
    activation = torch.randn(4, 6, 3, 3, generator=draw)
    strongest = Unit.strongest().plant(activation)
    seen = set()
    for seed in range(60):
        planted = Unit.random(seed).plant(activation)
        assert (planted.channel != strongest.channel).all()
        assert torch.equal(planted.at, strongest.at)
        assert (planted.p.flatten(1).sum(1) == 1).all()
        seen.add(int(planted.channel[0]))
        assert torch.equal(planted.p, Unit.random(seed).plant(activation).p)
    assert seen == set(range(6)) - {int(strongest.channel[0])}
    # In a layer of one unit there is no other.
    assert Unit.random().plant(activation[:, :1]).channel.tolist() == [0] * 4


def test_mixtures_noise_code_and_given_seeds() -> None:
    mixture = Unit.mixture(1).plant(A)
    assert places(mixture) == [[(0, 0, 2), (1, 0, 2)], [(0, 1, 1), (1, 1, 1)]]
    assert (mixture.p >= 0).all()
    assert mixture.channel.tolist() == [-1, -1]
    assert mixture.at.tolist() == [[0, 2], [1, 1]]
    assert not torch.equal(mixture.p, Unit.mixture(2).plant(A).p)
    assert Unit.mixture(1, at=(1, 0)).plant(A).at.tolist() == [[1, 0]] * 2

    code = Unit.code().plant(A)
    assert torch.equal(code.p, A)
    assert code.p.data_ptr() != A.data_ptr()
    assert code.score.tolist() == [float((a * a).sum()) for a in A]
    assert code.channel.tolist() == [-1, -1]
    assert code.at.tolist() == [[-1, -1]] * 2

    folded, signed = Unit.noise(5).plant(A), Unit.noise(5, positive=False).plant(A)
    assert torch.equal(folded.p, signed.p.abs())
    assert (signed.p < 0).any()
    large = Unit.noise(0, positive=False).plant(torch.zeros(1, 8, 40, 40)).p
    assert abs(float(large.mean())) < 0.05
    assert float(large.std()) == pytest.approx(1, abs=0.05)

    for given in (A, A[0], A[:1], torch.ones(2, 1, 1, 1), torch.tensor(2.0)):
        assert torch.equal(Unit.given(given).plant(A).p, given.expand_as(A))
    with pytest.raises(UnitError, match=r"\(3, 3\) does not fit a layer of shape \(2, 2, 2, 3\)"):
        Unit.given(torch.ones(3, 3)).plant(A)


def test_classes_are_looked_up_by_the_network() -> None:
    for unit in (Unit.of_class("hen"), Unit.predicted()):
        with pytest.raises(UnitError, match="only the network knows"):
            unit.plant(A)
        seed = unit.plant(A, torch.tensor([1, 0]))
        assert places(seed) == [[(1, 0, 2)], [(0, 1, 1)]]
        assert seed.channel.tolist() == [1, 0]


def test_vectors_and_tokens() -> None:
    vectors = torch.tensor([[1.0, 5.0, 2.0], [7.0, -1.0, 3.0]])
    strongest = Unit.strongest().plant(vectors)
    assert strongest.p.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert strongest.at.tolist() == [[0, 0], [0, 0]]
    assert Unit(2, at="centre").plant(vectors).p.tolist() == [[0, 0, 1]] * 2
    # (b, n, d): two channels over three tokens.
    tokens = torch.tensor([[[1.0, 2.0], [3.0, 9.0], [4.0, 0.0]]])
    strongest = Unit.strongest().plant(tokens)
    assert strongest.p.tolist() == [[[0, 0], [0, 1], [0, 0]]]
    assert strongest.channel.tolist() == [1]
    assert strongest.at.tolist() == [[1, 0]]
    assert Unit(0).plant(tokens).p.tolist() == [[[0, 0], [0, 0], [1, 0]]]
    assert Unit(0, at="centre").plant(tokens).at.tolist() == [[1, 0]]
    assert Unit(1, at=(2, 0)).plant(tokens).p.tolist() == [[[0, 0], [0, 0], [0, 1]]]
    for unit in UNITS[5:10]:
        assert unit.plant(tokens).p.shape == tokens.shape
        assert unit.plant(vectors).p.shape == vectors.shape
    with pytest.raises(UnitError, match=r"shape \(1, 2, 3, 4, 5\) has no units"):
        Unit(0).plant(torch.zeros(1, 2, 3, 4, 5))
    for activation in (A, vectors, tokens):
        maps, back = as_maps(activation)
        assert maps.dim() == 4
        assert torch.equal(back(maps), activation)


@pytest.mark.parametrize(("size", "centre"), [(7, 3), (14, 6), (6, 2), (13, 6), (1, 0), (2, 0)])
def test_the_centre_is_that_of_the_papers(size: int, centre: int) -> None:
    """One-based round(size / 2): 7 -> 4, 14 -> 7, 6 -> 3, 13 -> 7."""
    assert Unit(0, at="centre").plant(torch.zeros(1, 1, size, size)).at.tolist() == [[centre] * 2]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_seeds_have_the_type_of_the_layer(dtype: torch.dtype) -> None:
    for unit in UNITS:
        seed = unit.plant(A.to(dtype))
        assert seed.p.dtype == seed.score.dtype == dtype


@pytest.mark.parametrize(
    "make",
    [
        lambda: Unit(-1), lambda: Unit(), lambda: Unit(0, at="middle"), lambda: Unit(0, at=(1, -1)),
        lambda: Unit(0, at=(1, 2, 3)), lambda: Unit(2).plant(A),
        lambda: Unit(0, at=(2, 0)).plant(A), lambda: Unit(0, at=(0, 3)).plant(A),
        lambda: Unit.strongest((5, 5)).plant(A),
    ],
)  # fmt: skip
def test_units_that_are_none(make: Any) -> None:
    with pytest.raises(UnitError):
        make()


def test_messages() -> None:
    with pytest.raises(UnitError, match="units 0 to 1, and so no unit 7"):
        Unit(7).plant(A)
    with pytest.raises(UnitError, match=r"map is 2x3, and so has no position \(2, 0\)"):
        Unit(1, at=(2, 0)).plant(A)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("131", Unit(131)), (" 131@6,6 ", Unit(131, at=(6, 6))),
        ("131@centre", Unit(131, "centre")), ("131@Center", Unit(131, "centre")),
        ("131@positive", Unit(131, "positive")),
        ("131@strongest", Unit(131)), ("strongest", Unit.strongest()), ("0", Unit(0)),
        ("STRONGEST@centre", Unit.strongest("centre")), ("random", Unit.random(4)),
        ("mixture@1,2", Unit.mixture(4, (1, 2))), ("code", Unit(kind="code", seed=4)),
        ("noise", Unit.noise(4)),
    ],
)  # fmt: skip
def test_parsing(text: str, unit: Unit) -> None:
    parsed = Unit.parse(text, seed=4)
    assert (parsed.kind, parsed.channel, parsed.at) == (unit.kind, unit.channel, unit.at)
    if unit.kind in ("random", "mixture", "noise"):
        assert parsed == unit


@pytest.mark.parametrize(
    "text",
    ["", "conv5", "-3", "1.5", "131@", "131@6", "131@6,6,6", "131@x,y", "131@-1,2", "²", "given"],
)
def test_what_is_no_unit(text: str) -> None:
    if text == "131@":
        assert Unit.parse(text) == Unit(131)
        return
    with pytest.raises(UnitError):
        Unit.parse(text)


def test_units_are_values() -> None:
    assert Unit(3, at=(1, 2)) == Unit(3, at=[np.int64(1), torch.tensor(2)])  # type: ignore[arg-type]
    assert len({Unit(3, at=(1, 2)), Unit(3, at=[1, 2]), Unit(3)}) == 2  # type: ignore[arg-type]
    assert [str(u) for u in (Unit(3), Unit(3, "centre"), Unit.random(2), Unit.of_class("hen"))] == [
        "unit 3", "unit 3 at centre", "random, seed 2", "class hen",
    ]  # fmt: skip


def test_planting_changes_nothing() -> None:
    before, state = A.clone(), torch.get_rng_state()
    for unit in UNITS:
        unit.plant(A)
    assert torch.equal(A, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_seeds_are_exchanged_image_by_image() -> None:
    one, other = Unit.strongest().plant(A), Unit(0, at=(1, 0)).plant(A)
    mixed = one.but(other, torch.tensor([False, True]))
    for part in ("p", "channel", "at", "score"):
        got: Tensor = getattr(mixed, part)
        assert torch.equal(got[0], getattr(one, part)[0])
        assert torch.equal(got[1], getattr(other, part)[1])
