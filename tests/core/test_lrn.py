"""What counts as a local response normalisation, and what does not.

That the spellings of it are reversed exactly is in `test_reversal`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.lrn import direct_branch
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.reversal import backward
from phosphene.core.rules import Reversal


def window(x: Tensor) -> Tensor:
    return F.avg_pool3d((x * x)[:, None], (3, 1, 1), 1, (1, 0, 0))[:, 0]


NORMALISATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "torch, 5": lambda x: F.local_response_norm(x, 5, 1e-4, 0.75, 1),
    "torch, 4": lambda x: F.local_response_norm(x, 4, 1.0, 0.5, 2),
    "torch, 1": lambda x: F.local_response_norm(x, 1, 1.0, 0.75, 1),
    "within a channel": lambda x: x / (1 + F.avg_pool2d(x.pow(2), 3, 1, 1)).pow(0.75),
    "quotient": lambda x: x / (2 + 0.1 * window(x)) ** 0.75,
    "product": lambda x: x * (2 + 0.1 * window(x)) ** -0.75,
    "product, the other way": lambda x: (2 + 0.1 * window(x)) ** -0.75 * x,
}
OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "quotient by a norm": lambda x: x / x.norm(dim=1, keepdim=True),
    "batch statistics": lambda x: F.batch_norm(x, torch.zeros(4).to(x), torch.ones(4).to(x)),
    "layer norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "magnitudes": lambda x: x / (1 + x.abs()) ** 0.75,
    "squares of something else": lambda x: x / (1 + window(x + 1)) ** 0.75,
    "no constant": lambda x: x / (x * x) ** 0.75,
    "no sum": lambda x: x / (0.1 * x * x) ** 0.75,
    "a growing power": lambda x: x * (1 + window(x)) ** 0.75,
    "a quotient with a growing power": lambda x: x / (1 + window(x)) ** -0.75,
    "x itself in the sum": lambda x: x / (1 + x + window(x)) ** 0.75,
    "a gate": lambda x: x * torch.sigmoid(x),
    "a number": lambda x: x / 3.0,
    "another numerator": lambda x: x.exp() / (1 + window(x)) ** 0.75,
}


def found(function: Callable[[Tensor], Tensor]) -> list[int]:
    x = torch.rand(1, 4, 5, 5, dtype=torch.float64, requires_grad=True)
    nodes, waiting, direct = set(), [function(x * 2).grad_fn], []
    while waiting:
        node = waiting.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            waiting += [child for child, _ in node.next_functions]
            if (branch := direct_branch(node)) is not None:
                direct.append(branch)
    return direct


@pytest.mark.parametrize("name", NORMALISATIONS)
def test_normalisations_are_recognised(name: str) -> None:
    assert found(NORMALISATIONS[name]) == [int(name == "product, the other way")]


@pytest.mark.parametrize("name", OTHERS)
def test_other_quotients_are_not(name: str) -> None:
    assert found(OTHERS[name]) == []


@pytest.mark.parametrize("name", NORMALISATIONS)
def test_its_identity_and_its_derivative(name: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return NORMALISATIONS[name](self.conv(x))

    module = Net().double()
    net = Network(module, Preprocessing((9, 9)))
    x = torch.rand(1, 3, 9, 9, dtype=torch.float64)
    tape = net.output.tape(x)
    assert tape.census["lrn"] == 1
    p = torch.randn_like(tape.activation)
    leaf = x.clone().requires_grad_()
    convolved = module.conv(leaf)
    (identity,) = torch.autograd.grad(convolved, leaf, p, retain_graph=True)
    (derivative,) = torch.autograd.grad(NORMALISATIONS[name](convolved), leaf, p)
    torch.testing.assert_close(
        backward(tape, p, Reversal("mask", "switches", "identity")), identity
    )
    torch.testing.assert_close(
        backward(tape, p, Reversal("mask", "switches", "backprop")), derivative
    )


def test_two_in_a_row_are_two() -> None:
    one = NORMALISATIONS["quotient"]
    assert found(lambda x: one(one(x))) == [0, 0]
