"""A compiled function inside a model, which no module tells of, is run eagerly too."""

from __future__ import annotations

import pytest
import torch

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.reversal import backward
from phosphene.core.rules import LATTICE
from tests.core.spellings import TORCH_WARNINGS

pytestmark = [pytest.mark.filterwarnings(w) for w in TORCH_WARNINGS]


class Inside(torch.nn.Module):
    def __init__(self, compiled: bool) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.act = torch.compile(act, backend="aot_eager") if compiled else act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.conv(x))


def act(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.max_pool2d(x.relu() * 2, 2).relu()


def test_a_compiled_function_is_run_eagerly() -> None:
    plain, compiled = Inside(False), Inside(True)
    compiled.load_state_dict(plain.state_dict())
    x = torch.rand(1, 3, 9, 9)
    tapes = [Network(m, Preprocessing((9, 9))).output.tape(x) for m in (plain, compiled)]
    assert str(tapes[0].census) == str(tapes[1].census) == "relu 2, pool 1, lrn 0"
    p = torch.randn_like(tapes[0].activation)
    for rule in LATTICE:
        one, other = (backward(tape, p, rule) for tape in tapes)
        torch.testing.assert_close(one, other)
