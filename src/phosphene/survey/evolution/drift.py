"""How far a layer is from where it ends: its filters, and what they answer to.

For a checkpoint t and the last one T, over the units u of a layer:

- *moved*: median of |w_t - w_(t-1)| / |w_t|, how far filters went since the checkpoint before;
- *cosine*: median of <w_t, w_T> / (|w_t| |w_T|);
- *rank*: median Spearman correlation, over images, of each unit's strongest answer with that of T;
- *changed*: share of units whose strongest image is another one than at the checkpoint before.

A layer counts as *converged* from the first checkpoint on at which *rank* is at least 0.9 and
stays so. Zeiler & Fergus (ECCV 2014, section 4) saw low layers settle within a few epochs, and
upper ones only after 40 to 50.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.ranks import rank_correlation

CONVERGED = 0.9


@dataclass(frozen=True)
class Drift:
    """How a layer came to be; every tuple has a number for each checkpoint.

    Attributes:
        moved: See above; NaN at the first checkpoint, and for layers without weights.
        cosine: Likewise without weights.
        rank: NaN where every unit is dead.
        changed: NaN at the first checkpoint.
        converged: Number of the checkpoint from which on it is; the last at the latest, `None`
            where the rank was never known.
    """

    moved: tuple[float, ...]
    cosine: tuple[float, ...]
    rank: tuple[float, ...]
    changed: tuple[float, ...]
    converged: int | None


def drift(
    filters: Sequence[Tensor | None],
    maxima: Sequence[NDArray[np.float32]],
    top: Sequence[NDArray[np.int64]],
) -> Drift:
    """Compare the checkpoints of a layer.

    Args:
        filters: (c, ...) at each checkpoint, or `None`.
        maxima: (n, c) strongest answer of each unit on each image, at each checkpoint.
        top: (c,) key of each unit's strongest image; negative for units that were silent.
    """
    flat = [None if f is None else f.detach().double().flatten(1).cpu() for f in filters]
    last = flat[-1]
    rank = [_median(rank_correlation(m, maxima[-1])) for m in maxima]
    moved, cosine, changed = [np.nan], [], [np.nan]
    for number, now in enumerate(flat):
        before = flat[number - 1] if number else None
        if before is not None and now is not None:
            moved.append(_median(((now - before).norm(dim=1) / now.norm(dim=1)).numpy()))
        elif number:
            moved.append(np.nan)
        if now is None or last is None:
            cosine.append(np.nan)
        else:
            cosine.append(_median(nn.functional.cosine_similarity(now, last, dim=1).numpy()))
        if number:
            changed.append(float(np.mean(top[number] != top[number - 1])))
    return Drift(tuple(moved), tuple(cosine), tuple(rank), tuple(changed), _converged(rank))


def filters_of(net: Network, layer: str, channels: int) -> Tensor | None:
    """Return the filters whose answers a layer puts out, (channels, ...).

    They are the layer's own, or those of the nearest layer before it that has as many, as a ReLU's
    or a pool's.
    """
    names = [row.name for row in net.layers()]
    wanted = str(net.address(layer))
    for name in reversed(names[: names.index(wanted) + 1] if wanted in names else [wanted]):
        module = net.module.get_submodule(net.address(name).path)
        weight = getattr(module, "weight", None)
        if isinstance(module, nn.Conv2d | nn.Linear) and isinstance(weight, Tensor):
            return weight.detach().clone() if len(weight) == channels else None
    return None


def _median(values: NDArray[np.floating]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")


def _converged(rank: Sequence[float]) -> int | None:
    if not np.isfinite(rank[-1]):
        return None
    below = [number for number, value in enumerate(rank) if not value >= CONVERGED]
    return below[-1] + 1 if below else 0
