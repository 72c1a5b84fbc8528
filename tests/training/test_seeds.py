from __future__ import annotations

import torch

from phosphene.training.seeds import mixed, seeded


def test_every_seed_counts() -> None:
    large = [(a << 40, b, c) for a in range(4) for b in range(4) for c in range(4)]
    assert len({mixed(*seeds) for seeds in large}) == len(large)
    drawn = {float(torch.rand((), generator=seeded(*seeds))) for seeds in large}
    assert len(drawn) == len(large)


def test_the_same_seeds_draw_the_same() -> None:
    one, same = (torch.rand(5, generator=seeded(3, 1)) for _ in range(2))
    assert torch.equal(one, same)
