from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn

from phosphene.errors import NetworkError, SettingError
from phosphene.training.absorption import absorb, normalize
from phosphene.training.free_norm import FreeNorm


def test_it_is_batch_normalization_without_parameters():
    x = torch.randn(4, 3, 5, 6, dtype=torch.float64) * 2 + 1
    theirs = nn.BatchNorm2d(3, affine=False).double()(x)
    torch.testing.assert_close(FreeNorm(3).double()(x), theirs)
    flat = x.permute(0, 2, 3, 1).reshape(-1, 3)
    theirs = nn.BatchNorm1d(3, affine=False).double()(flat)
    torch.testing.assert_close(FreeNorm(3).double()(flat), theirs)


def test_its_derivatives_are_right():
    x = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(3, 2, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: FreeNorm(2).double()(x) * weights, (x,))


def test_running_means_are_the_mean_of_all_batches_at_first():
    norm = FreeNorm(2)
    batches = [torch.randn(50, 2) + k for k in range(4)]
    for batch in batches:
        norm(batch)
    torch.testing.assert_close(norm.mean, torch.stack([b.mean(0) for b in batches]).mean(0))
    every = torch.stack([b.var(0, correction=0) for b in batches]).mean(0)
    torch.testing.assert_close(norm.variance, every)
    norm.steps += 10_000
    before = norm.mean.clone()
    norm(batches[0])
    torch.testing.assert_close(norm.mean, before * 0.999 + batches[0].mean(0) * 0.001)


def test_while_evaluating_an_image_does_not_hang_on_its_neighbours():
    norm = FreeNorm(3)
    norm(torch.randn(64, 3) * 3 + 2)
    norm.eval()
    x = torch.randn(5, 3)
    torch.testing.assert_close(norm(x)[1], norm(x[1:2])[0])
    steps = int(norm.steps)
    norm(x)
    assert int(norm.steps) == steps


def test_large_means_are_not_lost():
    x = torch.randn(1000, 1) + 1e4
    made = FreeNorm(1)(x)
    assert float(made.std()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(
    ("rows", "channels"), [(25_601, 96), (2560, 256), (3000, 3), (64, 4096), (2, 1)]
)
def test_what_is_not_derived_by_is_normalized_just_the_same(rows, channels, inplace):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, channels, generator=generator).relu() ** 2 * 3 + 1
    slow, quick = FreeNorm(channels), FreeNorm(channels, inplace=inplace)
    expected = slow(x.clone().requires_grad_()).detach()
    given = x.clone()
    made = quick(given)
    torch.testing.assert_close(made, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(quick.mean, slow.mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(quick.variance, slow.variance, rtol=1e-6, atol=1e-6)
    assert (made.data_ptr() == given.data_ptr()) == inplace
    assert inplace or torch.equal(given, x)
    # Float32 sums of all rows one after another would not be as close to the truth.
    truth = FreeNorm(channels)(x.double())
    torch.testing.assert_close(made.double(), truth, rtol=1e-6, atol=1e-6)
    quick.load_state_dict(slow.state_dict())
    slow.eval(), quick.eval()
    assert torch.equal(quick(x.clone()), slow(x.clone().requires_grad_()))


def test_what_is_derived_by_is_not_written_over():
    norm = FreeNorm(3, inplace=True)
    x = torch.randn(8, 3, requires_grad=True)
    twice = x * 2
    before = twice.detach().clone()
    made = norm(twice)
    made.square().sum().backward()
    assert torch.equal(twice, before)
    apart = torch.randn(3, 8).T  # not in one piece
    before = apart.clone()
    norm(apart)
    assert torch.equal(apart, before)


def test_one_value_is_refused():
    with pytest.raises(SettingError, match="larger batches"):
        FreeNorm(3)(torch.randn(1, 3))


def trained(*layers: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*layers)


def test_absorbed_it_computes_the_same():
    module = trained(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.ReLU(),
        nn.Sequential(nn.Conv2d(8, 4, 3, groups=2), nn.BatchNorm2d(4, affine=False), nn.ReLU()),
        nn.Flatten(),
        nn.Linear(4 * 25, 6),
    )
    assert normalize(module, ("4",)) == ["0"]
    for _ in range(5):
        module(torch.randn(8, 3, 9, 9) * 3 + 1)
    module.eval()
    x = torch.randn(2, 3, 9, 9)
    before = module(x)
    assert absorb(module) == ["0", "2.0"]
    assert [type(layer).__name__ for layer in module.modules()].count("FreeNorm") == 0
    assert float((module(x) - before).abs().max().detach()) < 1e-5
    assert absorb(module) == []


def test_one_behind_no_weights_cannot_be_absorbed():
    with pytest.raises(NetworkError, match="follows no convolution"):
        absorb(trained(nn.Conv2d(3, 8, 3), nn.ReLU(), FreeNorm(8)))


def test_a_layer_that_is_none_cannot_be_left_out():
    with pytest.raises(SettingError, match="'9' is no layer"):
        normalize(trained(nn.Conv2d(3, 8, 3)), ("9",))


def parts() -> tuple[nn.Sequential, Tensor]:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), FreeNorm(4), nn.ReLU(), nn.Conv2d(4, 2, 3))
    return module, torch.randn(6, 3, 8, 8)


def process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    module, x = parts()
    own = x[:4] if rank == 0 else x[4:]  # shares of different sizes
    flat = FreeNorm(3, inplace=True)
    made = flat(own.permute(0, 2, 3, 1).reshape(-1, 3).clone())
    # Every process counts its images; sums over processes are then those of one.
    loss = module(own).square().sum()
    loss.backward()
    gradients = [p.grad for p in module.parameters()]
    for gradient in [*gradients, total := loss.detach().clone()]:
        distributed.all_reduce(gradient)
    told = [total, *gradients, module[1].mean, module[1].variance, flat.mean, flat.variance, made]
    torch.save(told, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_normalize_as_one(tmp_path: Path) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    spawn(process, (str(tmp_path),), nprocs=2)
    module, x = parts()
    loss = module(x).square().sum()
    loss.backward()
    alone = [loss.detach(), *[p.grad for p in module.parameters()], *module[1].buffers()][:-1]
    flat = FreeNorm(3)
    made = flat(x.permute(0, 2, 3, 1).reshape(-1, 3)).view(6, -1, 3)
    alone += [flat.mean, flat.variance]
    for rank in (0, 1):
        *found, own = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        expected = (made[:4] if rank == 0 else made[4:]).reshape(-1, 3)
        torch.testing.assert_close(own, expected, rtol=1e-6, atol=1e-6)
        for a, b in zip(found, alone, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-4)
