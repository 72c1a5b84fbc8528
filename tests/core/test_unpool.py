"""Unpooling to the centre: which site of its window every output goes to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.reversal import backward
from phosphene.core.rules import Reversal
from phosphene.errors import ReversalError

CENTRE = Reversal("mask", "centre", "backprop")


class Pool(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def unpooled(
    function: Callable[[Tensor], Tensor], size: tuple[int, int], p: Tensor | None = None
) -> Tensor:
    net = Network(Pool(function), Preprocessing(size, order="gray"))
    tape = net.output.tape(torch.rand(1, 1, *size, dtype=torch.float64).float())
    assert tape.census["pool"] == 1
    return backward(tape, torch.ones_like(tape.activation) if p is None else p, CENTRE)[0, 0]


def sites(signal: Tensor) -> list[tuple[int, int]]:
    return [(y, x) for y, x in signal.nonzero().tolist()]


def grid(rows: list[int], columns: list[int]) -> list[tuple[int, int]]:
    return [(y, x) for y in rows for x in columns]


CASES: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, int], list[tuple[int, int]]]] = {
    "2x2: top left": (lambda x: F.max_pool2d(x, 2), (4, 6), grid([0, 2], [0, 2, 4])),
    "3x3/2: middle": (lambda x: F.max_pool2d(x, 3, 2), (7, 7), grid([1, 3, 5], [1, 3, 5])),
    "4x4/4": (lambda x: F.max_pool2d(x, 4), (8, 8), grid([1, 5], [1, 5])),
    "5x5/1": (lambda x: F.max_pool2d(x, 5, 1), (6, 7), grid([2, 3], [2, 3, 4])),
    "3x2": (lambda x: F.max_pool2d(x, (3, 2)), (6, 4), grid([1, 4], [0, 2])),
    "stride 1x3": (lambda x: F.max_pool2d(x, 2, (1, 3)), (3, 5), grid([0, 1], [0, 3])),
    "3x3/2, padded": (lambda x: F.max_pool2d(x, 3, 2, 1), (5, 5), grid([0, 2, 4], [0, 2, 4])),
    "2x2, padded: lost at the edge": (
        lambda x: F.max_pool2d(x, 2, 2, 1), (4, 4), grid([1, 3], [1, 3])
    ),
    "3x3/2, ceil": (
        lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), (6, 6), grid([1, 3, 5], [1, 3, 5])
    ),
    "3x3/3, ceil: lost behind the end": (
        lambda x: F.max_pool2d(x, 3, 3, ceil_mode=True), (7, 7), grid([1, 4], [1, 4])
    ),
    "dilated": (lambda x: F.max_pool2d(x, 3, 1, dilation=2), (6, 6), grid([2, 3], [2, 3])),
    "adaptive, even": (lambda x: F.adaptive_max_pool2d(x, 2), (6, 8), grid([1, 4], [1, 5])),
    # Windows 0-1, 1-3, 3-4 of five sites.
    "adaptive, uneven": (lambda x: F.adaptive_max_pool2d(x, 3), (5, 5), grid([0, 2, 3], [0, 2, 3])),
    "whole map": (lambda x: F.adaptive_max_pool2d(x, 1), (6, 7), [(2, 3)]),
    "amax": (lambda x: x.amax((2, 3)), (6, 7), [(2, 3)]),
    "amax, kept": (lambda x: x.amax((-1, -2), keepdim=True), (5, 5), [(2, 2)]),
    "amax of rows": (lambda x: x.amax(3), (3, 5), grid([0, 1, 2], [2])),
    "max of columns": (lambda x: x.max(2)[0], (5, 2), grid([2], [0, 1])),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_sites(name: str) -> None:
    function, size, wanted = CASES[name]
    signal = unpooled(function, size)
    assert sites(signal) == wanted
    assert signal[signal > 0].unique().tolist() == [1]


def test_each_output_goes_to_its_own_window() -> None:
    p = torch.arange(1.0, 10).view(1, 1, 3, 3)
    signal = unpooled(lambda x: F.max_pool2d(x, 3, 2), (7, 7), p)
    assert torch.equal(signal[1::2, 1::2], p[0, 0])
    assert signal.sum() == p.sum()


def test_outputs_that_share_a_site_add() -> None:
    # Two sites, five windows of them: 0, 0, 0-1, 1, 1.
    signal = unpooled(lambda x: F.adaptive_max_pool2d(x, (1, 5)), (1, 2))
    assert signal.tolist() == [[3, 2]]


def test_nothing_from_the_forward_pass_matters() -> None:
    net = Network(Pool(lambda x: F.max_pool2d(x, 3, 2)), Preprocessing((9, 9), order="gray"))
    p = torch.randn(1, 1, 4, 4)
    signals = [backward(net.output.tape(torch.rand(1, 1, 9, 9)), p, CENTRE) for _ in range(3)]
    assert torch.equal(signals[0], signals[1])
    assert torch.equal(signals[0], signals[2])


def test_many_signals_at_once() -> None:
    for function, size, _ in CASES.values():
        net = Network(Pool(function), Preprocessing(size, order="gray"))
        tape = net.output.tape(torch.rand(2, 1, *size))
        p = torch.randn(3, *tape.activation.shape)
        together = backward(tape, p, CENTRE)
        for one, signal in zip(p, together, strict=True):
            assert torch.equal(backward(tape, one, CENTRE), signal)


def test_pools_without_a_centre_are_refused() -> None:
    with pytest.raises(ReversalError, match=r"FractionalMaxPool2D has no centre.*switches"):
        unpooled(lambda x: F.fractional_max_pool2d(x, 2, output_size=3), (7, 7))
