"""Numbers of the sanity controls against the literal ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from phosphene.display import normalize_map
from phosphene.errors import SettingError
from phosphene.studies import faithfulness, removal
from phosphene.studies.map_likeness import rank_correlation, structural_similarity
from tests.reference import sanity as literal
from tests.studies.plans import demo, scenes


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


MAPS = {
    "even": drawn(0, 14, 13),
    "ties": (4 * drawn(1, 14, 13)).floor(),
    "tiny": 1e-20 * drawn(2, 14, 13),
    "sparse": drawn(3, 14, 13) * (drawn(4, 14, 13) > 0.8),
}


@pytest.mark.parametrize("one", MAPS)
@pytest.mark.parametrize("other", MAPS)
def test_likeness_against_loops(one: str, other: str) -> None:
    a, b = MAPS[one], MAPS[other]
    assert rank_correlation(a, b) == pytest.approx(literal.spearman(a.tolist(), b.tolist()))
    shown = [normalize_map(m[None].float())[0].tolist() for m in (a, b)]
    assert structural_similarity(a.float(), b.float()) == pytest.approx(
        literal.ssim(*shown), abs=1e-6
    )


def test_likeness_agrees_with_the_common_packages() -> None:
    from scipy.stats import spearmanr
    from skimage.metrics import structural_similarity as ssim

    a, b = drawn(5, 40, 30), drawn(6, 40, 30) + drawn(5, 40, 30)
    expected = spearmanr(a.flatten().numpy(), b.flatten().numpy()).statistic
    assert rank_correlation(a, b) == pytest.approx(expected)
    shown = [normalize_map(m[None]).double()[0].numpy() for m in (a, b)]
    assert structural_similarity(a, b) == pytest.approx(
        ssim(  # type: ignore[no-untyped-call]
            *shown, data_range=1.0, gaussian_weights=True, use_sample_covariance=False
        )
    )


def test_maps_that_are_the_same_everywhere() -> None:
    flat = torch.zeros(12, 12)
    assert rank_correlation(flat, drawn(0, 12, 12)) is None
    assert structural_similarity(flat, drawn(0, 12, 12)) is None
    same = drawn(0, 12, 12)
    assert rank_correlation(same, same**3) == pytest.approx(1)
    assert structural_similarity(same, 5 * same) == pytest.approx(1)


@pytest.mark.parametrize("steps", [1, 4, 7])
def test_curves_against_loops(steps: int) -> None:
    image, other, map_ = drawn(0, 1, 3, 5, 4), drawn(1, 1, 3, 5, 4), drawn(2, 5, 4)

    def says(x: list[literal.Map]) -> float:
        return sum((c + 1) * v**2 for c, channel in enumerate(x) for v in literal.flat(channel))

    found = [
        says(now[0].tolist())
        for now in removal.replaced(image, other, removal.order_of(map_), steps)
    ]
    expected = literal.removal_curve(
        image[0].tolist(), other[0].tolist(), map_.tolist(), steps, says
    )
    assert found == pytest.approx(expected)
    assert removal.area(found) == pytest.approx(literal.trapezoids(expected))


def test_orders() -> None:
    map_ = torch.zeros(20, 20)
    map_[3, 4], map_[5, 6] = 2.0, 1.0
    order = removal.order_of(map_, 1)
    assert order[:2].tolist() == [3 * 20 + 4, 5 * 20 + 6]
    assert sorted(order.tolist()) == list(range(400))
    # What a map does not tell apart comes in no order of its own.
    assert abs(np.corrcoef(order[2:].numpy(), np.arange(398))[0, 1]) < 0.2
    assert removal.order_of(map_, 2).tolist() != order.tolist()
    with pytest.raises(SettingError, match="two values or more"):
        removal.area([1.0])


@pytest.mark.parametrize("name", removal.BASELINES)
def test_baselines(name: str) -> None:
    image, _ = demo().prepare(scenes()[0])
    found = removal.baseline(demo(), image, name)
    assert found.shape == image.shape
    if name == "mean":
        assert float(demo().input_of(found).abs().max()) < 1e-6
    elif name == "blur":
        assert float(found.std()) < float(image.std())
    else:
        assert torch.unique(found).tolist() == [{"gray": 0.5, "black": 0.0}[name]]
    with pytest.raises(SettingError, match="no baseline 'white'"):
        removal.baseline(demo(), image, "white")


PHI, X = drawn(7, 2, 3, 2), drawn(8, 2, 3, 2)
TAKEN = drawn(9, 6, 2, 3, 2) - 0.3


def score(x: Sequence[float]) -> float:
    return sum(math.sin(3 * v) * (k + 1) for k, v in enumerate(x))


def drops() -> Tensor:
    clean = score(X.flatten().tolist())
    return torch.tensor([clean - score((X - i).flatten().tolist()) for i in TAKEN])


@pytest.mark.parametrize("sign", [1, -1])
def test_infidelity_against_loops(sign: int) -> None:
    phi = sign * PHI
    sums = faithfulness.foretold(phi, TAKEN)
    given = phi.flatten().tolist(), X.flatten().tolist(), TAKEN.flatten(1).tolist(), score
    plain = faithfulness.mean_infidelity(sums, drops(), scaled=False)
    assert plain == pytest.approx(literal.infidelity(*given), rel=1e-5)
    least = literal.least_infidelity(*given)
    assert faithfulness.mean_infidelity(sums, drops()) == pytest.approx(least, rel=1e-5)
    power = float(drops().square().mean())
    relative = faithfulness.mean_infidelity(sums, drops(), relative=True)
    assert relative == pytest.approx(least / power, rel=1e-5)
    assert relative is not None
    assert 0 <= relative <= 1


def test_the_derivative_of_a_linear_score_foretells_it() -> None:
    weights = drawn(1, 2, 3, 2)
    fallen = torch.stack([(weights * i).sum() for i in TAKEN])
    sums = faithfulness.foretold(weights, TAKEN)
    assert faithfulness.mean_infidelity(sums, fallen, scaled=False) == pytest.approx(0, abs=1e-12)
    assert faithfulness.mean_infidelity(-sums, fallen, relative=True) == pytest.approx(1)
    assert faithfulness.mean_infidelity(7 * sums, fallen, relative=True) == pytest.approx(
        0, abs=1e-12
    )
    zero = torch.zeros(6)
    assert faithfulness.mean_infidelity(zero, fallen, relative=True) == pytest.approx(1)
    assert faithfulness.mean_infidelity(zero, zero, relative=True) is None
    with pytest.raises(SettingError, match="is not of a perturbation"):
        faithfulness.foretold(weights[:1], TAKEN)


def test_sensitivity_against_loops() -> None:
    around = drawn(3, 5, 2, 3, 2)
    expected = literal.max_sensitivity(PHI.flatten().tolist(), around.flatten(1).tolist())
    found = faithfulness.max_sensitivity(PHI, around)
    assert found == pytest.approx(expected)
    plain = faithfulness.max_sensitivity(PHI, around, normalized=False)
    assert plain == pytest.approx(expected * float(PHI.norm()))
    assert faithfulness.max_sensitivity(0 * PHI, around) is None


def test_perturbations_are_what_they_say() -> None:
    masks = faithfulness.squares(50, (40, 60), 3)
    sides = masks.any(1).sum(1)
    assert sides.tolist() == masks.any(2).sum(1).tolist()
    assert (int(sides.min()), int(sides.max())) >= (5, 15)
    assert int(sides.max()) <= 20
    assert masks.flatten(1).sum(1).tolist() == (sides**2).tolist()
    found = faithfulness.noise(200, (3, 8, 8), 0)
    assert float(found.std()) == pytest.approx(faithfulness.NOISE, rel=0.05)
    image = drawn(0, 1, 3, 8, 8)
    near = faithfulness.ball(image, 0.1, 20) - image
    assert 0.099 < float(near.abs().max()) <= 0.1
    assert float(near.mean()) == pytest.approx(0, abs=0.01)
