from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.transfer.classification.losses import sigmoid_loss, softmax_loss
from tests.reference import classification as literal


@pytest.mark.parametrize("seed", range(5))
def test_losses_are_what_the_formulas_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, present = rng.normal(0, 3, (6, 5)), rng.choice([-1, 0, 1], (6, 5))
    present[0] = 0  # shows nothing
    given = torch.tensor(scores, dtype=torch.float32), torch.tensor(present, dtype=torch.int8)
    expected = literal.sigmoid_loss(scores.tolist(), present.tolist())
    assert float(sigmoid_loss(*given)) == pytest.approx(expected, rel=1e-6)
    expected = literal.softmax_loss(scores.tolist(), present.tolist())
    assert float(softmax_loss(*given)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", [sigmoid_loss, softmax_loss])
def test_what_does_not_count_has_no_gradient(loss: object) -> None:
    scores = torch.tensor([[1.0, 2, 3], [3, 2, 1]], requires_grad=True)
    present = torch.tensor([[1, -1, 0], [-1, 1, 1]], dtype=torch.int8)
    loss(scores, present).backward()  # type: ignore[operator]
    assert scores.grad is not None
    assert scores.grad[0, 1] == scores.grad[1, 0] == 0
    assert (scores.grad != 0).sum() >= 3


def test_with_two_classes_the_softmax_is_content_with_a_half_each() -> None:
    present = torch.tensor([[1, 1, 0]], dtype=torch.int8)
    even = softmax_loss(torch.tensor([[9.0, 9.0, -9.0]]), present)
    assert float(even) == pytest.approx(np.log(2), abs=1e-6)
    assert float(softmax_loss(torch.tensor([[12.0, 9.0, -9.0]]), present)) > float(even)
