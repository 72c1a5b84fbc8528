"""Two processes learn what one learns from the same batches."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phosphene.errors import SettingError
from phosphene.training.batches import Shuffled
from phosphene.training.free_norm import FreeNorm
from phosphene.training.launching import quiet
from phosphene.training.loop import train
from phosphene.training.processes import (
    agreed,
    fabric_of,
    gathered,
    rank,
    ranks,
    shared_mean,
    summed,
)
from phosphene.training.recipe import Recipe, adamw, one_cycle


def module() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 16, bias=False), FreeNorm(16), nn.ReLU(), nn.Linear(16, 2))


def data(share: tuple[int, int]) -> Shuffled:
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(2))
    known = torch.rand(64, generator=torch.Generator().manual_seed(3)) < 0.7
    return Shuffled(x, (x[:, 0] > x[:, 1]).long(), known, size=8, seed=5, share=share)


def loss(net: nn.Module, rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    x, label, known = rows
    each = nn.functional.cross_entropy(net(x), label, reduction="none")
    return shared_mean((each * known).sum(), known.sum())


RECIPE = Recipe(3, adamw(0.02, 0.01), one_cycle(), clip=1.0, accumulate=2, patience=2)


def learned(fabric: Any, folder: str) -> list[Any]:
    net = module()
    measured = iter([0.1, 0.3, 0.2])
    found = train(
        net,
        data((rank(), ranks())),
        loss,
        RECIPE,
        measure=lambda _: next(measured),
        folder=folder,
        every=1e-6,
        fabric=fabric,
    )
    weights = torch.cat([v.flatten().double() for v in net.state_dict().values()])
    return [[e.loss for e in found.history], found.best, weights.tolist()]


def process(fabric: Any, folder: str) -> None:
    torch.set_num_threads(1)
    assert gathered(rank()) == [0, 1]
    assert float(summed(torch.tensor(rank() + 1.0))) == 3
    assert agreed(lambda: 7.0) == 7
    found = learned(fabric, f"{folder}/run")
    # Taken up again there is nothing to do, and all say so.
    assert learned(fabric, f"{folder}/run")[0] == found[0]
    Path(folder, f"{rank()}.json").write_text(json.dumps(found))


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with quiet():
        fabric_of("cpu", workers=2, start="spawn").launch(process, str(tmp_path))
    alone = learned(None, str(tmp_path / "alone"))
    for number in (0, 1):
        losses, best, weights = json.loads((tmp_path / f"{number}.json").read_text())
        assert losses == pytest.approx(alone[0], abs=1e-5)
        assert best == alone[1] == 2
        assert weights == pytest.approx(alone[2], abs=1e-4)


def test_one_process_is_alone():
    assert (rank(), ranks()) == (0, 1)
    assert gathered("x") == ["x"]
    assert float(shared_mean(torch.tensor(6.0), torch.tensor(3))) == 2
    assert float(shared_mean(torch.tensor(0.0), torch.tensor(0))) == 0


def test_what_cannot_be_is_refused():
    with pytest.raises(SettingError, match="not trained on"):
        fabric_of("meta")
    if torch.cuda.device_count() < 65:
        with pytest.raises(SettingError, match="65 GPUs"):
            fabric_of("cuda", workers=65)
    with pytest.raises(SettingError, match="shared evenly"):
        data((0, 3))


def test_half_precision_learns_as_well():
    net = module()
    fabric = fabric_of("cpu", precision="bf16-mixed")
    found = train(net, data((0, 1)), loss, RECIPE, fabric=fabric)
    assert found.history[-1].loss < found.history[0].loss
    assert net[0].weight.dtype == torch.float32
