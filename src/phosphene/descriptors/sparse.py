"""Sparse codes, and dictionaries that allow them.

A signal x is told by few atoms, the columns of D:

    a(x) = argmin_a  1/2 |x - D a|^2 + lambda |a|_1

found by coordinate descent, one atom after another and all signals at a time. With G = D'D and
c = D'x - G a, what an atom j of length 1 is given becomes

    a_j <- shrink(a_j + c_j, lambda),  shrink(v, l) = sign(v) max(0, |v| - l)

The dictionary is learned online: a batch of signals is coded, its second moments are added to the
fading ones of earlier batches, and each atom goes to the minimum of the mean error, no longer than
1.

*Reference.* Friedman et al., 2007 (coordinate descent); Mairal, Bach, Ponce & Sapiro, JMLR 2010
(learning), which HOGgles are learned by.

*Departure.* Atoms that hardly any signal takes are replaced by signals, as Mairal et al. advise.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softshrink

Tick = Callable[[int, int, str], None]

_BLOCK = 32
_FADING = 1.5
_UNUSED = 1e-6
_RIDGE = 1e-3
_CHUNK = 4096


def lasso(
    atoms: Tensor, signals: Tensor, weight: float, sweeps: int = 12, tolerance: float = 1e-4
) -> Tensor:
    """Code signals sparsely.

    Args:
        atoms: (d, k) D, of any length; atoms of length 0 are never taken.
        signals: (n, d), of the same type.
        weight: lambda.
        sweeps: How often each atom's turn comes at most.
        tolerance: No further sweep if no entry moved by more than this in the last.

    Returns:
        (n, k) codes.
    """
    gram = atoms.T @ atoms
    lengths = gram.diagonal()
    # An atom without length must not divide by it, and its code stays 0 by an endless threshold.
    divisors = lengths.masked_fill(lengths == 0, 1)[:, None]
    towards = atoms.T @ signals.T
    codes = torch.zeros_like(towards)
    for _ in range(sweeps):
        before = codes.clone()
        # Blocks let most of the work be products of matrices.
        for start in range(0, len(codes), _BLOCK):
            own = slice(start, min(start + _BLOCK, len(codes)))
            inside = gram[own, own]
            left = torch.addmm(towards[own], gram[own], codes, alpha=-1)
            for j, atom in enumerate(range(own.start, own.stop)):
                old = codes[atom]
                aim = torch.add(left[j], old * lengths[atom])
                new = softshrink(aim, weight).div_(divisors[atom])
                left.addr_(inside[:, j], new - old, alpha=-1)
                codes[atom] = new
        if float((codes - before).abs().max()) <= tolerance:
            break
    return codes.T


def learned_atoms(
    signals: Tensor,
    count: int,
    weight: float,
    generator: torch.Generator,
    passes: int = 2,
    batch: int = 512,
    sweeps: int = 6,
    tick: Tick | None = None,
) -> Tensor:
    """Learn a dictionary.

    Args:
        signals: (n, d), at least as many as atoms.
        count: k, how many atoms.
        weight: lambda.
        generator: Draws the first atoms, and the order of the signals.
        passes: How often each signal is seen.
        batch: How many are seen at a time.
        sweeps: How often each atom's turn comes in coding a batch.
        tick: Told how many batches are done, and of how many.

    Returns:
        (d, k), atoms of length 1 at most.
    """
    first = torch.randperm(len(signals), generator=generator)[:count]
    atoms = signals[first].T.clone()
    atoms /= atoms.norm(dim=0).clamp(min=1e-12)
    orders = [torch.randperm(len(signals), generator=generator) for _ in range(passes)]
    batches = [chosen for order in orders for chosen in torch.split(order, batch)]
    taken = atoms.new_zeros(count, count)
    shown = torch.zeros_like(atoms)
    for done, chosen in enumerate(batches):
        seen = signals[chosen]
        codes = lasso(atoms, seen, weight, sweeps)
        # What atoms looked like at first is forgotten.
        kept = (1 - 1 / (done + 1)) ** _FADING
        taken = taken * kept + codes.T @ codes / len(seen)
        shown = shown * kept + seen.T @ codes / len(seen)
        _improve(atoms, taken, shown)
        unused = (taken.diagonal() < _UNUSED).nonzero()[:, 0]
        if len(unused) and done + 1 < len(batches):
            other = torch.randint(len(seen), (len(unused),), generator=generator)
            fresh = seen[other].T
            atoms[:, unused] = fresh / fresh.norm(dim=0).clamp(min=1e-12)
        if tick is not None:
            tick(done + 1, len(batches), f"{count} atoms")
    return atoms


def _improve(atoms: Tensor, taken: Tensor, shown: Tensor) -> None:
    """Move each atom, in place, to where the mean error is least, given the others.

    Args:
        atoms: (d, k).
        taken: (k, k) mean of a a'.
        shown: (d, k) mean of x a'.
    """
    for j, share in enumerate(taken.diagonal().tolist()):
        if share >= _UNUSED:
            step = (shown[:, j] - atoms @ taken[:, j]) / share
            moved = atoms[:, j] + step
            atoms[:, j] = moved / moved.norm().clamp(min=1)


def fitted(atoms: Tensor, signals: Tensor, others: Tensor, weight: float) -> Tensor:
    """Fit a second dictionary to the codes that signals have with a first.

    U = argmin sum_i |y_i - U a(x_i)|^2 + r |U|^2, with a trifle r.

    Args:
        atoms: (d, k) the first.
        signals: (n, d) x.
        others: (n, e) y.
        weight: lambda.

    Returns:
        (e, k) U.
    """
    taken = atoms.new_zeros(atoms.shape[1], atoms.shape[1])
    shown = others.new_zeros(others.shape[1], atoms.shape[1])
    for start in range(0, len(signals), _CHUNK):
        codes = lasso(atoms, signals[start : start + _CHUNK], weight)
        taken += codes.T @ codes
        shown += others[start : start + _CHUNK].T @ codes
    ridge = float((_RIDGE * taken.diagonal().mean()).clamp(min=1e-12))
    taken.diagonal().add_(ridge)
    second: Tensor = torch.linalg.solve(taken, shown.T)
    return second.T.contiguous()
