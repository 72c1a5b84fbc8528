"""The colour cut, against a literal one that tries all labellings."""

from __future__ import annotations

import sys
from itertools import product

import numpy as np
import pytest

from phosphene.errors import SettingError
from phosphene.segmentation.color_model import color_model, split
from phosphene.segmentation.graph_cut import FIXED, Energy, energy, graph_cut
from phosphene.segmentation.trimap import Trimap, trimap
from tests.reference.graph_cut import Cut, clusters, density, least, mixture

LEVELS = np.array([[2, 1, 1, 0], [1, 0, 0, -1], [0, -1, -1, -2]], np.int8)


def picture(seed: int, height: int, width: int, noise: float = 0.15) -> np.ndarray:
    """Two colours, one in a disc, with noise."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    inside = (y - height / 3) ** 2 + (x - width / 3) ** 2 < (min(height, width) / 2.5) ** 2
    colors = np.where(inside[..., None], draw.random(3), draw.random(3))
    return (colors + noise * draw.standard_normal((height, width, 3))).clip(0, 1).astype("f4")


def known(levels: np.ndarray) -> Trimap:
    return Trimap(levels, np.ones(levels.shape, bool))


@pytest.mark.parametrize("seed", range(6))
def test_no_labelling_costs_less(seed: int) -> None:
    """All 4096 labellings of 3 x 4 pixels."""
    image = picture(seed, 3, 4)
    reference = Cut(image.astype(float), LEVELS)
    found = energy(image, known(LEVELS))
    mask = found.minimum()
    assert reference.allowed(mask)
    every = (np.array(bits).reshape(3, 4) for bits in product((False, True), repeat=12))
    assert found.of(mask) == min(found.of(labels) for labels in every if reference.allowed(labels))
    # Its whole numbers come from double precision, and may differ by one in each term.
    assert abs(reference.cost(mask) - reference.least()) <= 29
    assert abs(found.of(mask) - reference.least()) <= 29


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_costs_are_the_formulas(noise: float) -> None:
    image = picture(7, 12, 15, noise)
    values = np.random.default_rng(1).random((12, 15)).astype("f4")
    divided = trimap(values, 0.7, 0.4)
    reference = Cut(image.astype(float), divided.levels)
    found = energy(image, divided)
    for (y, x), (ground, object_) in reference.own.items():
        if abs(divided.levels[y, x]) < 2:
            # Whole numbers from single precision may fall to the other side.
            assert abs(found.background[y, x] - ground) <= 1
            assert abs(found.foreground[y, x] - object_) <= 1
    for ((y, x), (below, _)), cost in reference.pairs.items():
        assert abs((found.down if below > y else found.right)[y, x] - cost) <= 1
    mask = found.minimum()
    assert reference.allowed(mask)
    assert abs(found.of(mask) - reference.least_by_flow()) <= mask.size


def test_a_flow_found_otherwise() -> None:
    image = picture(3, 9, 8)
    levels = trimap(np.random.default_rng(2).random((9, 8)).astype("f4"), 0.8, 0.3).levels
    reference = Cut(image.astype(float), levels)
    assert abs(energy(image, known(levels)).of(graph_cut(image, known(levels)))
               - reference.least_by_flow()) <= 72  # fmt: skip


def drawn(seed: int, height: int, width: int, most: int, apart: int) -> Energy:
    """Costs at random, small ones with many ties, some pixels fixed."""
    draw = np.random.default_rng(seed)
    own = draw.integers(0, most + 1, (2, height, width)).astype(np.int32)
    fixed = draw.random((height, width))
    own[0][fixed < 0.05], own[1][fixed < 0.05] = FIXED, 0
    own[0][fixed > 0.95], own[1][fixed > 0.95] = 0, FIXED
    right = draw.integers(0, apart + 1, (height, width - 1)).astype(np.int32)
    down = draw.integers(0, apart + 1, (height - 1, width)).astype(np.int32)
    return Energy(own[0], own[1], right, down)


@pytest.mark.parametrize("reach", [1, 2, 3, 128])
@pytest.mark.parametrize(("most", "apart"), [(1, 1), (3, 2), (100, 400), (5000, 7500), (2, 0)])
def test_gathered_costs_differ_by_a_constant(most: int, apart: int, reach: int) -> None:
    """Of all labellings of 3 x 4 pixels, and none is ever paid for."""
    every = [np.array(bits).reshape(3, 4) for bits in product((False, True), repeat=12)][::7]
    for seed in range(4):
        found = drawn(seed, 3, 4, most, apart)
        own, (right, left), (down, up) = found.gathered(reach)
        assert min(costs.min() for costs in (right, left, down, up)) >= 0

        def cost(mask: np.ndarray, own=own, right=right, left=left, down=down, up=up) -> int:
            return int(
                own[mask].sum()
                + right[~mask[:, :-1] & mask[:, 1:]].sum()
                + left[mask[:, :-1] & ~mask[:, 1:]].sum()
                + down[~mask[:-1] & mask[1:]].sum()
                + up[mask[:-1] & ~mask[1:]].sum()
            )

        assert len({found.of(mask) - cost(mask) for mask in every}) == 1


def test_gathering_leaves_one_pixel_of_a_plain_square() -> None:
    own = np.random.default_rng(0).integers(0, 100, (2, 40, 50)).astype(np.int32)
    found = Energy(*own, np.full((40, 49), 7500, "i4"), np.full((39, 50), 7500, "i4"))
    gathered = found.gathered(128)[0]
    assert gathered[0, 0] == (own[0] - own[1]).sum() != 0
    assert not gathered.ravel()[1:].any()
    assert np.count_nonzero(found.gathered(25)[0]) == 4


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (7, 8), (30, 41), (3, 260), (260, 3)])
@pytest.mark.parametrize(("most", "apart"), [(1, 1), (3, 2), (100, 400), (5000, 7500), (2, 0)])
def test_the_same_cut_is_found_without_gathering(
    most: int, apart: int, size: tuple[int, int]
) -> None:
    """Also where several labellings cost the least."""
    for seed in range(2):
        found = drawn(seed, *size, most, apart)
        mask = found.minimum()
        plain = least(found.foreground, found.background, found.right, found.down)
        assert found.of(mask) == found.of(plain)
        assert np.array_equal(mask, plain)
        fixed = found.foreground == FIXED, found.background == FIXED
        assert not mask[fixed[0]].any()
        assert mask[fixed[1]].all()


def test_strips_of_colours_are_alike() -> None:
    """More colours than fit in a strip, and a strip of the rest."""
    draw = np.random.default_rng(4)
    model = color_model(draw.random((400, 3)).astype("f4"))
    colors = draw.random((20001, 3)).astype("f4")
    some = [0, 8191, 8192, 16384, 20000]
    gaussians = list(zip(model.weights, model.means, model.covariances, strict=True))
    for index, value in zip(some, model.density(colors)[some], strict=True):
        assert value == pytest.approx(density(colors[index].astype(float), gaussians), rel=1e-3)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_the_colour_model(count: int) -> None:
    draw = np.random.default_rng(count)
    colors = np.concatenate(
        [draw.random(3) + 0.1 * draw.standard_normal((40, 3)) for _ in range(4)]
    )
    colors = colors.clip(0, 1).astype("f4")
    wanted = [c.astype(float) for c in colors], count
    assert sorted(map(len, split(colors, count))) == sorted(map(len, clusters(*wanted)))
    model, gaussians = color_model(colors, count), mixture(*wanted)
    assert model.weights.sum() == pytest.approx(1)
    some = draw.random((30, 3)).astype("f4")
    got = model.density(some)
    for color, value in zip(some, got, strict=True):
        assert value == pytest.approx(density(color.astype(float), gaussians), rel=1e-3)


def test_the_density_is_one_over_the_colours() -> None:
    draw = np.random.default_rng(0)
    colors = (0.5 + 0.05 * draw.standard_normal((500, 3))).astype("f4")
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 60)] * 3), -1).reshape(-1, 3).astype("f4")
    assert color_model(colors).density(grid).mean() == pytest.approx(1, abs=0.06)


def test_colours_of_one_kind_have_a_model() -> None:
    for colors in (np.full((9, 3), 0.3), np.full((1, 3), 0.3), np.eye(3)[[0, 0, 1]]):
        model = color_model(colors.astype("f4"))
        assert np.isfinite(model.density(np.random.rand(5, 3).astype("f4"))).all()
        assert len(model.weights) >= 1
    with pytest.raises(SettingError, match="0 pixels"):
        color_model(np.zeros((0, 3), "f4"))


def test_two_colours_are_told_apart() -> None:
    """A map that knows little of the object, and a cut that finds the rest of it."""
    image = np.full((60, 80, 3), (0.2, 0.5, 0.3), "f4")
    object_ = np.zeros((60, 80), bool)
    object_[15:45, 20:55] = True
    image[object_] = (0.8, 0.3, 0.2)
    y, x = np.mgrid[:60, :80]
    values = np.exp(-((y - 28) ** 2 + (x - 33) ** 2) / 200).astype("f4")
    assert np.array_equal(graph_cut(image, trimap(values)), object_)
    noisy = (image + 0.08 * np.random.default_rng(0).standard_normal(image.shape)).clip(0, 1)
    wrong = graph_cut(noisy.astype("f4"), trimap(values)) != object_
    assert wrong.mean() < 0.01


def test_fixed_pixels_stay() -> None:
    image = np.full((5, 6, 3), 0.5, "f4")
    levels = np.full((5, 6), -1, np.int8)
    levels[2, 3], levels[0], levels[2, 2] = 2, -2, 1
    mask = graph_cut(image, known(levels))
    assert mask[2, 3]
    assert not mask[0].any()
    assert FIXED > 50 * (4 * 150 + 100)


def test_no_object_no_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(0, 8, 8)
    assert not graph_cut(image, trimap(np.zeros((8, 8), "f4"))).any()
    monkeypatch.setitem(sys.modules, "maxflow", None)
    with pytest.raises(SettingError, match=r"pip install 'phosphene\[segmentation\]'"):
        graph_cut(image, trimap(np.random.default_rng(0).random((8, 8)).astype("f4")))
