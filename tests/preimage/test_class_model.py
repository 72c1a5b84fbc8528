"""Class models: score and posterior, from the mean image."""

from __future__ import annotations

import pytest
import torch

from phosphene import Network, open_network
from phosphene.core.seed import as_maps
from phosphene.errors import SettingError, UnknownClass
from phosphene.preimage.class_model import USUAL, Posterior, class_model
from phosphene.preimage.energy import Objective


@pytest.fixture(scope="module")
def net() -> Network:
    return open_network("demo")


def scores_of(net: Network, image: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return as_maps(net.scores(image))[0].mean((2, 3))


def test_the_class_scores_above_all_others(net: Network) -> None:
    names = [net.label(0), net.label(3)]
    result = class_model(net, names, steps=60)
    assert result.names == tuple(names)
    scores = scores_of(net, result.image)
    assert scores.argmax(1).tolist() == [0, 3]
    gray = scores_of(net, torch.full_like(result.image[:1], 0.5))
    assert (scores[[0, 1], [0, 3]] > gray[0, [0, 3]]).all()
    steps = class_model(net, 0, steps=1).image - class_model(net, 0, steps=1).image.mean()
    assert steps.abs().max() < 0.1


def test_the_posterior_is_minus_its_logarithm() -> None:
    generator = torch.Generator().manual_seed(0)
    code = torch.randn(2, 5, 3, 3, generator=generator, dtype=torch.float64)
    objective = Posterior(torch.tensor([4, 1]))
    want = -code.mean((2, 3)).softmax(1).log()[[0, 1], [4, 1]]
    torch.testing.assert_close(objective.loss(code), want)
    torch.testing.assert_close(objective.judge(code)[0], Objective.judge(objective, code)[0])


def test_the_posterior_is_another_goal(net: Network) -> None:
    score, posterior = (class_model(net, 2, posterior=p, steps=60) for p in (False, True))
    assert "posterior" in posterior.facts["energy"]
    assert not torch.equal(score.image, posterior.image)
    logs = [float(scores_of(net, r.image).log_softmax(1)[0, 2]) for r in (score, posterior)]
    assert logs[1] > logs[0] - 1e-3


def test_faint_images_can_be_stretched(net: Network) -> None:
    result = class_model(net, 1, steps=5)
    shown = result.stretched()
    assert float(shown.image.min()) == pytest.approx(0)
    assert float(shown.image.max()) == pytest.approx(1)
    assert shown.facts["contrast"] == "stretched"
    assert float(result.image.std()) < 0.3 * float(shown.image.std())


def test_the_best_recipe_starts_from_noise(net: Network) -> None:
    result = class_model(net, 1, quality="best", steps=4, repeats=2)
    assert result.image.shape[2:] == net.preprocessing.input_size
    assert not torch.equal(result.image[0], result.image[1])


def test_errors(net: Network) -> None:
    with pytest.raises(UnknownClass):
        class_model(net, "no such thing")
    with pytest.raises(SettingError, match="nothing to model"):
        class_model(net, [])
    assert USUAL.convergence is None
