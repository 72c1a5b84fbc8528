"""Random numbers of several seeds at once: of the run, the epoch, the process, the image."""

from __future__ import annotations

import numpy as np
import torch


def mixed(*seeds: int) -> int:
    """Make one seed of several, so that no two combinations are likely to share theirs.

    PyTorch's generator on the CPU takes no more than 32 bits of a seed, so that shifting one number
    above another loses it.

    Args:
        seeds: Whole numbers from 0 on.

    >>> mixed(1, 2) != mixed(2, 1)
    True
    """
    return int(np.random.SeedSequence(seeds).generate_state(1, np.uint32)[0])


def seeded(*seeds: int) -> torch.Generator:
    """Make a generator of several seeds, on the CPU.

    >>> torch.equal(torch.rand(3, generator=seeded(1, 2)), torch.rand(3, generator=seeded(1)))
    False
    """
    return torch.Generator().manual_seed(mixed(*seeds))
