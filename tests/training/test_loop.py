"""The training loop: it learns, the same every time, and goes on where it stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phosphene.errors import FormatError, NotFinite, SettingError
from phosphene.training.batches import Shuffled
from phosphene.training.fast_norm import FastNorm
from phosphene.training.initial import initialize
from phosphene.training.loop import Trained, train
from phosphene.training.recipe import Recipe, adamw, drops, one_cycle
from phosphene.training.run import STATE
from phosphene.training.state import read_state
from phosphene.zoo.factory import load_weights

Rows = tuple[Tensor, Tensor]


def module() -> nn.Sequential:
    made = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in made.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) / 4)
    return made


def data(size: int = 8) -> Shuffled:
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(2))
    return Shuffled(x, (x[:, 0] > x[:, 1]).long(), size=size, seed=5)


def loss(net: nn.Module, rows: Rows) -> Tensor:
    return nn.functional.cross_entropy(net(rows[0]), rows[1])


def recipe(epochs: int = 6, **more: Any) -> Recipe:
    return Recipe(epochs, adamw(0.02, 0.01), one_cycle(), clip=1.0, seed=3, **more)


def weights(net: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def accuracy(net: nn.Module) -> float:
    x = torch.randn(500, 4, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        return float((net(x).argmax(1) == (x[:, 0] > x[:, 1]).long()).double().mean())


def test_it_learns_and_repeats_itself() -> None:
    before = torch.get_rng_state()
    one, other = module(), module()
    found = train(one, data(), loss, recipe(12))
    torch.manual_seed(77)  # the caller's own random state is nothing to it
    train(other, data(), loss, recipe(12))
    torch.set_rng_state(before)
    assert torch.equal(weights(one), weights(other))
    assert found.history[-1].loss < 0.5 * found.history[0].loss
    assert accuracy(one) > 0.9 > accuracy(module())
    assert [e.number for e in found.history] == list(range(1, 13))
    assert found.history[0].rate > found.history[-1].rate
    assert not one.training
    assert not found.interrupted


def test_the_global_random_state_is_left_alone() -> None:
    net = module()
    before = torch.get_rng_state()
    train(net, data(), loss, recipe(1))
    assert torch.equal(torch.get_rng_state(), before)


def test_another_seed_is_another_run() -> None:
    one, other = module(), module()
    train(one, data(), loss, recipe(1))
    train(other, data(), loss, Recipe(1, adamw(0.02, 0.01), one_cycle(), clip=1.0, seed=4))
    assert not torch.equal(weights(one), weights(other))


class Stopping:
    """Sends Ctrl-C while a batch is learned from."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, net: nn.Module, rows: Rows) -> Tensor:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return loss(net, rows)


@pytest.mark.parametrize("at", [1, 11, 16, 17], ids=["first", "inside", "last of epoch", "next"])
def test_stopped_and_resumed_is_bit_identical(tmp_path: Path, at: int) -> None:
    whole, parted = module(), module()
    expected = train(whole, data(), loss, recipe(4), measure=accuracy)
    first = train(parted, data(), Stopping(at), recipe(4), measure=accuracy, folder=tmp_path)
    assert first.interrupted
    assert len(first.history) == at // 8
    again = module()
    second = train(again, data(), loss, recipe(4), measure=accuracy, folder=tmp_path)
    assert not second.interrupted
    assert second.history == expected.history
    assert second.best == expected.best
    assert torch.equal(weights(again), weights(whole))


def test_a_rate_that_falls_falls_in_what_is_resumed_as_well(tmp_path: Path) -> None:
    falling = replace(recipe(4), schedule=drops((3, 12, 20), 0.5), about="falling")
    whole, parted = module(), module()
    expected = train(whole, data(), loss, falling)
    assert len({epoch.rate for epoch in expected.history}) == 3
    first = train(parted, data(), Stopping(14), falling, folder=tmp_path)
    assert first.interrupted
    again = module()
    second = train(again, data(), loss, falling, folder=tmp_path)
    assert second.history == expected.history
    assert torch.equal(weights(again), weights(whole))


def test_what_is_asked_to_stop_stops_behind_the_update_and_goes_on(tmp_path: Path) -> None:
    whole, parted = module(), module()
    expected = train(whole, data(), loss, recipe(2), measure=accuracy)
    for done in range(1, 16):
        part = train(
            parted, data(), loss, recipe(2), measure=accuracy, folder=tmp_path, stop=lambda: True
        )
        assert part.interrupted
        assert len(part.history) == done // 8
    last = train(parted, data(), loss, recipe(2), measure=accuracy, folder=tmp_path)
    assert last.history == expected.history
    assert torch.equal(weights(parted), weights(whole))


def test_stopped_keeps_the_best(tmp_path: Path) -> None:
    measured = iter([0.3, 0.9, 0.1, 0.2])
    kept: list[Tensor] = []

    def measure(net: nn.Module) -> float:
        kept.append(weights(net))
        return next(measured)

    net = module()
    found = train(net, data(), Stopping(30), recipe(6), measure=measure)
    assert found.interrupted
    assert found.best == 2
    assert torch.equal(weights(net), kept[1])


def test_patience_ends_early() -> None:
    measured = iter([0.5, 0.4, 0.3, 0.2])
    found = train(module(), data(), loss, recipe(patience=2), measure=lambda _: next(measured))
    assert [e.measured for e in found.history] == [0.5, 0.4, 0.3]
    assert not found.interrupted


def test_accumulated_batches_are_one_large_one() -> None:
    def plain(rows: int, accumulate: int) -> Tensor:
        net = nn.Sequential(nn.Linear(4, 2))
        with torch.no_grad():
            for weight in net.parameters():
                weight.fill_(0.1)
        steps = Recipe(3, lambda m: torch.optim.SGD(m.parameters(), 0.1), accumulate=accumulate)
        train(net, data(rows), loss, steps)
        return weights(net)

    torch.testing.assert_close(plain(16, 1), plain(8, 2))


def test_weights_of_epochs_are_kept(tmp_path: Path) -> None:
    net = module()
    train(net, data(), loss, recipe(3), folder=tmp_path, keep=(0, 2, 3))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "epoch-000.safetensors",
        "epoch-002.safetensors",
        "epoch-003.safetensors",
        STATE,
    ]
    start, end = module(), module()
    load_weights(start, tmp_path / "epoch-000.safetensors")
    load_weights(end, tmp_path / "epoch-003.safetensors")
    assert torch.equal(weights(start), weights(module()))
    assert torch.equal(weights(end), weights(net))


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = train(module(), data(), loss, recipe(2), folder=tmp_path)
    net = module()
    second = train(net, data(), Stopping(1), recipe(2), folder=tmp_path)
    assert second.history == first.history
    assert not second.interrupted


def test_nan_is_named_and_the_weights_stay(tmp_path: Path) -> None:
    count, net = 0, module()
    before: list[Tensor] = []

    def breaks(net: nn.Module, rows: Rows) -> Tensor:
        nonlocal count
        count += 1
        before[:] = [weights(net).clone()]
        return loss(net, rows) * (float("nan") if count == 11 else 1)

    with pytest.raises(NotFinite, match=r"the loss is not finite in epoch 2, update 3 of 8"):
        train(net, data(), breaks, recipe(4), folder=tmp_path)
    assert torch.equal(weights(net), before[0])
    _, rest = read_state(tmp_path / STATE)
    assert rest["standing"]["epoch"] == 1


def test_an_infinite_gradient_is_named() -> None:
    def steep(net: nn.Module, rows: Rows) -> Tensor:
        return (weights_of(net) * 0).sqrt().sum() + loss(net, rows)

    def weights_of(net: nn.Module) -> Tensor:
        return next(net.parameters())

    with pytest.raises(NotFinite, match="a gradient is not finite"):
        train(module(), data(), steep, recipe(1))


def test_another_run_is_refused(tmp_path: Path) -> None:
    train(module(), data(), loss, recipe(1), folder=tmp_path, about="birds")
    with pytest.raises(SettingError, match=r"its learned, epochs differ"):
        train(module(), data(), loss, recipe(2), folder=tmp_path, about="fish")
    with pytest.raises(SettingError, match="weights differ"):
        train(nn.Sequential(nn.Linear(4, 2)), data(), loss, recipe(1), folder=tmp_path)


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(b"nothing of the kind")
    with pytest.raises(FormatError, match="damaged"):
        train(module(), data(), loss, recipe(1), folder=tmp_path)


def test_too_few_rows_and_numbers_that_cannot_be() -> None:
    with pytest.raises(SettingError, match="64 images do not fill a batch of 65"):
        data(65)
    with pytest.raises(SettingError, match="no update of 9 batches"):
        train(module(), data(), loss, Recipe(1, adamw(), accumulate=9))
    with pytest.raises(SettingError, match="epochs of a recipe is 0"):
        Recipe(0, adamw())


class Counting(Shuffled):
    """Notes what was asked for."""

    asked: list[tuple[int, int]]

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        self.asked.append((number, start))
        return super().epoch(number, start)


def test_epochs_are_shuffled_alike_from_any_place() -> None:
    rows = data()
    whole = list(rows.epoch(3))
    rest = list(rows.epoch(3, 5))
    assert len(whole) == 8
    assert all(
        torch.equal(a, b)
        for one, two in zip(whole[5:], rest, strict=True)
        for a, b in zip(one, two, strict=True)
    )
    assert sorted(torch.cat([r[0] for r in whole])[:, 0].tolist()) == sorted(
        rows._tensors[0][:, 0].tolist()
    )
    assert not torch.equal(next(rows.epoch(4))[0], whole[0][0])


def test_fast_norm_is_the_slow_one() -> None:
    x = torch.randn(2, 9, 4, 5, generator=torch.Generator().manual_seed(0))
    for size in (5, 4):
        slow = nn.LocalResponseNorm(size, alpha=0.5, beta=0.75, k=1.0)
        torch.testing.assert_close(FastNorm(9, slow)(x), slow(x))


def test_a_start_by_images_has_unit_answers() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 1)
    )
    x = torch.rand(6, 3, 20, 20, generator=torch.Generator().manual_seed(0)) + 3
    initialize(net, x, seed=0)
    first = net[0](x)
    second = net[2](torch.relu(first))
    for answers in (first, second):
        torch.testing.assert_close(
            answers.mean((0, 2, 3)), torch.zeros(answers.shape[1]), atol=1e-4, rtol=0
        )
        torch.testing.assert_close(
            answers.std((0, 2, 3)), torch.ones(answers.shape[1]), atol=1e-3, rtol=0
        )
    other = nn.Sequential(nn.Conv2d(3, 8, 5))
    initialize(other, x, seed=1)
    assert not torch.equal(other[0].weight, net[0].weight)


def test_the_result_says_how_long() -> None:
    found = train(module(), data(), loss, recipe(1))
    assert isinstance(found, Trained)
    assert found.seconds > 0
