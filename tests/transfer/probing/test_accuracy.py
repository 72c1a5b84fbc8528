from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import top_k_accuracy_score

from phosphene.errors import NotFinite
from phosphene.transfer.probing.accuracy import TopK
from tests.reference import probing as reference


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_scikit_learn_and_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(7, 30))
    scores, labels = rng.normal(size=(200, classes)), rng.integers(0, classes, 200)
    counted = TopK(classes)
    for rows in np.split(np.arange(200), 4):
        counted.see(torch.from_numpy(scores[rows]), torch.from_numpy(labels[rows]))
    for k in (1, 5):
        peer = top_k_accuracy_score(labels, scores, k=k, labels=range(classes))
        assert counted.share(k) == pytest.approx(peer, abs=1e-6)
        assert counted.share(k) == pytest.approx(reference.top_k(scores, labels, k), abs=1e-6)
    first = scores.argmax(1) == labels
    for c, share in enumerate(counted.by_class()):
        own = first[labels == c]
        assert share == (pytest.approx(own.mean(), abs=1e-6) if len(own) else None)


def test_saying_the_same_of_all_classes_is_knowing_none() -> None:
    scores, labels = np.zeros((4, 6)), np.array([0, 1, 2, 5])
    counted = TopK(6)
    counted.see(torch.from_numpy(scores), torch.from_numpy(labels))
    assert counted.share(1) == counted.share(5) == reference.top_k(scores, labels, 5) == 0


def test_top_5_of_five_classes_says_nothing() -> None:
    counted = TopK(5)
    assert counted.share(1) is None
    counted.see(torch.eye(5), torch.arange(5))
    assert counted.share(1) == 1
    assert counted.share(5) is None


def test_scores_that_are_no_numbers() -> None:
    with pytest.raises(NotFinite, match="lower the rate"):
        TopK(2).see(torch.tensor([[float("nan"), 0.0]]), torch.tensor([1]))
