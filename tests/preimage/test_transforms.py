"""Random transforms: exact where they can be, the loop's numbers elsewhere, never off canvas."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from phosphene.errors import SettingError
from phosphene.preimage.transforms import (
    Jitter,
    Rotation,
    Scale,
    Transform,
    canvas_size,
    compose,
    rotation,
    sample,
    scaling,
    translation,
)
from tests.reference import transforms as reference

LISTS: list[tuple[Transform, ...]] = [
    (Jitter(1),), (Jitter(8),), (Scale(0.9, 1.1),), (Scale(1.2, 1.5),), (Rotation(5),),
    (Rotation(60),), (Rotation(180),), (Jitter(8), Scale(0.9, 1.1), Rotation(5)),
    (Rotation(30), Scale(0.7, 1), Jitter(4)),
]  # fmt: skip


def canvas(height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, height, width, generator=generator, dtype=torch.float64)


def extremes(transform: Transform) -> list[torch.Tensor]:
    """The draws at the ends of a transform's range, and many between."""
    match transform:
        case Jitter(places):
            ends = (-(places - 1) / 2, (places - 1) / 2)
            return [translation(x, y) for x, y in itertools.product(ends, ends)]
        case Scale(low, high):
            return [scaling(s) for s in np.linspace(low, high, 5)]
        case Rotation(degrees):
            return [rotation(a) for a in np.linspace(-degrees, degrees, 181)]
    raise AssertionError(transform)


@pytest.mark.parametrize("places", [1, 2, 5, 8])
def test_jitter_alone_is_an_exact_crop(places: int) -> None:
    size = (6, 9)
    x = canvas(*canvas_size(size, (Jitter(places),)))
    assert x.shape[2:] == (6 + places - 1, 9 + places - 1)
    generator, again = (torch.Generator().manual_seed(3) for _ in range(2))
    for _ in range(20):
        got = sample(x, size, compose((Jitter(places),), generator))
        y = z = 0
        if places > 1:
            y, z = torch.randint(places, (2,), generator=again).tolist()
        assert torch.equal(got, x[..., y : y + 6, z : z + 9])
        assert got.data_ptr() == x[..., y:, z:].data_ptr(), "a view, not a copy"


def test_no_transforms_see_the_canvas_itself() -> None:
    x = canvas(5, 4)
    assert canvas_size((5, 4), ()) == (5, 4)
    assert torch.equal(sample(x, (5, 4), compose((), torch.Generator())), x)


def test_whole_shifts_off_the_canvas_see_its_border() -> None:
    x = canvas(4, 5)
    got = sample(x, (4, 5), translation(2, -1))
    want = x[:, :, [0, 0, 1, 2]][..., [2, 3, 4, 4, 4]]
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("side", [6, 7])
def test_a_quarter_turn_is_rot90(side: int) -> None:
    x = canvas(side, side)
    torch.testing.assert_close(sample(x, (side, side), rotation(90)), x.rot90(dims=(2, 3)))
    inner = sample(x, (3, 3) if side == 7 else (4, 4), rotation(-90))
    edge = 2 if side == 7 else 1
    want = x.rot90(-1, dims=(2, 3))[..., edge:-edge, edge:-edge]
    torch.testing.assert_close(inner, want)


def test_scale_keeps_the_middle_and_magnifies() -> None:
    x = canvas(9, 11)
    for scale in (0.8, 1.3, 2.0):
        got = sample(x, (5, 7), scaling(scale))
        torch.testing.assert_close(got[..., 2, 3], x[..., 4, 5])
    torch.testing.assert_close(got[..., 2, 5], x[..., 4, 6], msg="twice as far from the middle")


@pytest.mark.parametrize("size", [(5, 4), (4, 7), (1, 1)])
def test_the_composite_is_the_loops(size: tuple[int, int]) -> None:
    transforms = (Jitter(3), Scale(0.8, 1.2), Rotation(40))
    generator = torch.Generator().manual_seed(1)
    for height, width in (canvas_size(size, transforms), (6, 5), (1, 3)):
        x = canvas(height, width)
        for _ in range(4):
            matrix = compose(transforms, generator)
            want = reference.sample(x.numpy(), size, matrix.numpy())
            np.testing.assert_allclose(sample(x, size, matrix), want, atol=1e-10)


def test_the_canvas_goes_through_the_list_in_order() -> None:
    """Turned a quarter and then moved is another picture than moved and then turned."""
    x = canvas(7, 7)
    turned_then_moved = rotation(90) @ translation(1, 0)
    want = x.rot90(dims=(2, 3))[..., 2:5, 3:6]
    torch.testing.assert_close(sample(x, (3, 3), turned_then_moved), want)
    one, other = (torch.Generator().manual_seed(2) for _ in range(2))
    product = torch.eye(3, dtype=torch.float64)
    for transform in LISTS[-1]:
        product = product @ transform.draw(other)
    assert torch.equal(compose(LISTS[-1], one), product)


def test_gradients() -> None:
    x = canvas(6, 7)[:, :2].requires_grad_()
    for matrix in (rotation(20) @ scaling(0.9), rotation(90), translation(0.5, 0)):
        assert torch.autograd.gradcheck(lambda x, m=matrix: sample(x, (5, 4), m), x)


def test_precision_and_layout_follow_the_canvas() -> None:
    matrix = rotation(7) @ scaling(0.95)
    x = canvas(231, 240)
    want = sample(x, (224, 224), matrix)
    got = sample(x.float(), (224, 224), matrix)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.double(), want, rtol=0, atol=2e-4)


def test_draws_are_uniform_reproducible_and_touch_no_global_state() -> None:
    before = torch.get_rng_state()
    generator = torch.Generator().manual_seed(0)
    offsets = torch.stack([Jitter(4).draw(generator)[:2, 2] for _ in range(1600)]) + 1.5
    counts = torch.bincount((offsets[:, 0] * 4 + offsets[:, 1]).long(), minlength=16)
    assert len(counts) == 16
    assert ((counts - 100).abs() < 40).all()
    scales = [1 / float(Scale(0.5, 1.5).draw(generator)[0, 0]) for _ in range(1000)]
    turns = [Rotation(10).draw(generator) for _ in range(1000)]
    angles = [math.degrees(math.atan2(m[1, 0], m[0, 0])) for m in turns]
    for values, low, high in ((scales, 0.5, 1.5), (angles, -10, 10)):
        assert min(values) >= low
        assert max(values) <= high
        shares = np.histogram(values, 4, (low, high))[0] / 1000
        assert (abs(shares - 0.25) < 0.06).all()
    first, second = (
        compose(LISTS[-1], torch.Generator().manual_seed(9)),
        compose(LISTS[-1], torch.Generator().manual_seed(9)),
    )
    assert torch.equal(first, second)
    assert first.dtype == torch.float64
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("size", [(20, 20), (12, 31), (1, 9)])
@pytest.mark.parametrize("transforms", LISTS, ids=lambda t: ", ".join(map(str, t)))
def test_nothing_outside_is_seen_and_little_is_wasted(
    transforms: tuple[Transform, ...], size: tuple[int, int]
) -> None:
    h, w = size
    height, width = canvas_size(size, transforms)
    corners = [[x * (w - 1) / 2, y * (h - 1) / 2, 1] for x in (-1, 1) for y in (-1, 1)]
    seen = torch.tensor(corners, dtype=torch.float64).T
    farthest = torch.zeros(2, dtype=torch.float64)
    for matrices in itertools.product(*map(extremes, transforms)):
        composite = torch.eye(3, dtype=torch.float64)
        for matrix in matrices:
            composite = composite @ matrix
        farthest = farthest.maximum((composite @ seen)[:2].abs().amax(1))
    across, along = (2 * farthest).tolist()
    assert across <= width - 1 + 1e-6
    assert along <= height - 1 + 1e-6
    # A canvas is never smaller than what is seen, however much it is magnified.
    assert width - max(across + 1, w) < 1 + 0.02
    assert height - max(along + 1, h) < 1 + 0.02


def test_names() -> None:
    assert [str(t) for t in LISTS[7]] == ["jitter 8", "scale 0.9-1.1", "rotation 5°"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Jitter(0), lambda: Jitter(1.5), lambda: Jitter(True), lambda: Scale(1.1, 0.9),
        lambda: Scale(0, 1), lambda: Scale(1, math.inf), lambda: Scale(math.nan, 1),
        lambda: Rotation(-1), lambda: Rotation(181), lambda: Rotation(math.nan),
    ],
)  # fmt: skip
def test_impossible_ranges_are_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SettingError, match=r"takes .* not "):
        make()
