"""Running only what a window changes gives the numbers of the whole pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.graph import Graph
from phosphene.core.incremental.cone import Slide, Span
from phosphene.core.incremental.engine import Batch, Windows
from phosphene.core.incremental.patches import Clean, Patches, Place
from phosphene.core.incremental.sweep import Sweep, in_full
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from tests.contract_networks import seeded, untouched
from tests.reference.occlusion import swept

SIDE = 41


class Functional(nn.Module):
    """A network in one function."""

    def __init__(self, run: Callable[..., Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def plain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, 2, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(6, 8, 3, padding=1),
        nn.LeakyReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(200, 7), nn.Dropout(),
        nn.Softmax(1),
    )  # fmt: skip


def alexnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 7, 2), nn.ReLU(True), nn.LocalResponseNorm(5, 0.5, 0.75, 2.0),
        nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(8, 12, 5, padding=2, groups=2), nn.ReLU(True),
        nn.LocalResponseNorm(3, 0.1), nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.Conv2d(12, 7, 5),
        nn.Flatten(),
    )  # fmt: skip


def residual() -> nn.Module:
    def run(net: nn.Module, x: Tensor) -> Tensor:
        x = F.relu_(net.bn0(net.conv0(x)))
        y = F.relu(net.bn1(net.conv1(x)), inplace=True)
        y = net.bn2(net.conv2(y))
        y += net.down(x)
        y = y.relu_()
        y = y + net.conv3(y).relu()
        return net.fc(F.adaptive_avg_pool2d(y, 1).flatten(1))

    return Functional(
        run, conv0=nn.Conv2d(3, 6, 3, padding=1), bn0=nn.BatchNorm2d(6),
        conv1=nn.Conv2d(6, 8, 3, 2, 1), bn1=nn.BatchNorm2d(8), conv2=nn.Conv2d(8, 8, 3, padding=1),
        bn2=nn.BatchNorm2d(8), down=nn.Conv2d(6, 8, 1, 2), conv3=nn.Conv2d(8, 8, 3, padding=1),
        fc=nn.Linear(8, 7),
    )  # fmt: skip


def fire() -> nn.Module:
    def run(net: nn.Module, x: Tensor) -> Tensor:
        x = net.squeeze(x).relu()
        x = torch.cat([net.one(x).relu_(), net.three(x).relu_(), F.max_pool2d(x, 3, 1, 1)], 1)
        first, second = x.split([6, 11], 1)
        x = torch.cat([second * net.gain, first.clamp(min=0)], dim=1)
        return net.last(x).relu().mean((-1, -2), keepdim=True).softmax(1).flatten(1)

    net = Functional(
        run, squeeze=nn.Conv2d(3, 5, 3, 2), one=nn.Conv2d(5, 6, 1),
        three=nn.Conv2d(5, 6, 3, padding=1), last=nn.Conv2d(17, 7, 1, padding=1),
    )  # fmt: skip
    net.gain = nn.Parameter(torch.ones(11, 20, 20))
    return net


def dilated() -> nn.Module:
    return nn.Sequential(
        nn.ZeroPad2d((1, 2, 3, 0)), nn.Conv2d(3, 6, 3, padding=2, dilation=2), nn.ELU(),
        nn.Conv2d(6, 6, (3, 1), (2, 1), (0, 1)), nn.PReLU(6), nn.ChannelShuffle(2),
        nn.AvgPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(2, 2, 1, count_include_pad=False),
        nn.Hardswish(), nn.Conv2d(6, 7, 1), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
    )  # fmt: skip


def adaptive() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.SiLU(), nn.Conv2d(6, 6, 3, 1, 1, groups=6),
        nn.AdaptiveAvgPool2d(13), nn.GELU(), nn.AdaptiveMaxPool2d(13), nn.AdaptiveAvgPool2d(5),
        nn.Tanh(), nn.Flatten(), nn.Linear(150, 7),
    )  # fmt: skip


def upsampled() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(6, 7, 3, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip


def squeeze_excite() -> nn.Module:
    def run(net: nn.Module, x: Tensor) -> Tensor:
        x = net.conv(x).relu()
        x = x * torch.sigmoid(net.gate(x.mean((2, 3), keepdim=True)))
        b, c, h, w = x.shape
        x = x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
        return net.fc(x).amax((2, 3))

    return Functional(run, conv=nn.Conv2d(3, 6, 3), gate=nn.Conv2d(6, 6, 1), fc=nn.Conv2d(6, 7, 3))


def views() -> nn.Module:
    """Axes that are taken for the images', and are not; a gray map between."""

    def run(net: nn.Module, x: Tensor) -> Tensor:
        x = net.norm(net.conv(x)).relu()
        x = x.unsqueeze(0).mul(1.5).squeeze(0)
        x = x.view(-1, 6, *x.shape[2:]) * x.unsqueeze(1).squeeze(1)
        return net.last(net.gray(x)).flatten(1)[:, ::29]

    return Functional(
        run, conv=nn.Conv2d(3, 6, 3), norm=nn.InstanceNorm2d(6, affine=True),
        gray=nn.Conv2d(6, 1, 3), last=nn.Conv2d(1, 2, 3, (1, 2), dilation=(2, 1)),
    )  # fmt: skip


NETWORKS = (plain, alexnet, residual, fire, dilated, adaptive, upsampled, squeeze_excite, views)
each = pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)

# Odd sizes and strides, and windows that the borders cut.
ROWS = ((0, 4), (3, 12), (14, 23), (20, 29), (31, 40), (37, 41))
COLUMNS = ((0, 7), (5, 12), (16, 23), (24, 25), (34, 41))


def network(make: Callable[[], nn.Module]) -> Network:
    return Network(seeded(make()).eval(), Preprocessing((SIDE, SIDE)))


def image(channels: int = 3) -> Tensor:
    return torch.randn(1, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def run(net: Network, layers: tuple[str, ...] = ("",), most: int = 6, incremental: bool = True):
    """Return the sweep and its values by layer, (rows, columns, ...)."""
    x, windows = image(), Windows(ROWS, COLUMNS)
    with net.running(gradients=False):
        sweep = Sweep(net, x, torch.full_like(x, 0.3), windows, layers, incremental)
        found: dict[str, dict[tuple[int, int], Tensor]] = {name: {} for name in layers}
        for batch in sweep.batches(most):
            at = [(i, j) for i in batch.rows for j in batch.columns]
            for name, value in sweep.run(batch).items():
                found[name] |= dict(zip(at, in_full(value), strict=True))
    stacked = {
        name: torch.stack([torch.stack([v[i, j] for j in range(5)]) for i in range(6)])
        for name, v in found.items()
    }
    return sweep, stacked


def literal(net: Network, module: nn.Module | None = None) -> Tensor:
    x = image()
    return swept(module or net.module, x, torch.full_like(x, 0.3), ROWS, COLUMNS)[:, :, 0]


def close(one: Tensor, other: Tensor) -> None:
    assert one.shape == other.shape
    assert (one - other).abs().max() <= 1e-5 * other.abs().max()


@each
def test_as_the_whole_pass(make: Callable[[], nn.Module]) -> None:
    net = network(make)
    wanted = literal(net)
    assert (wanted - wanted[:1, :1]).abs().max() > 1e-3 * wanted.abs().max()
    for most in (1, 6, 64):
        sweep, found = run(net, most=most)
        assert sweep.engagement.engine == "incremental", sweep.engagement
        close(found[""], wanted)
    sweep, found = run(net, incremental=False)
    assert sweep.engagement.engine == "full"
    close(found[""], wanted)


@each
def test_the_model_is_left_as_it_was(make: Callable[[], nn.Module]) -> None:
    net = network(make)
    net.module.train()
    with untouched(net):
        run(net)
    assert net.module.training


def test_inner_layers_and_nothing_behind_them() -> None:
    net = network(alexnet)
    ran = []
    handle = net.module[8].register_forward_hook(lambda *_: ran.append(1))
    sweep, found = run(net, ("0", "3", "4"))
    handle.remove()
    assert not ran
    assert sweep.engagement.engine == "incremental"
    for name in found:
        # A copy: the ReLU behind works in place.
        part = nn.Sequential(*list(net.module)[: int(name) + 1])
        close(found[name], literal(net, part))
    assert (found["0"] < 0).any()


def test_what_runs_on_whole_maps_is_said() -> None:
    sweep, _ = run(network(upsampled))
    assert sweep.engagement.whole["upsample_nearest2d"] == 1
    assert "upsample_nearest2d" in str(sweep.engagement)
    assert run(network(dilated))[0].engagement.whole["reshape"] == 1
    few = run(network(residual))[0].engagement
    assert set(few.whole) == {"mean", "addmm", "reshape"}


# Models that no list of operations stands for


def decides() -> nn.Module:
    def forward(net: nn.Module, x: Tensor) -> Tensor:
        y = net.conv(x)
        return y.mean((2, 3)) if y.mean() > 0 else y.amax((2, 3))

    return Functional(forward, conv=nn.Conv2d(3, 7, 3))


def slices() -> nn.Module:
    def forward(net: nn.Module, x: Tensor) -> Tensor:
        y = net.conv(x)
        y[:, :3].mul_(2)
        return y.mean((2, 3))

    return Functional(forward, conv=nn.Conv2d(3, 7, 3))


def mixes() -> nn.Module:
    def forward(net: nn.Module, x: Tensor) -> Tensor:
        y = net.conv(x).mean((2, 3))
        return y - 0.5 * y.mean(0)

    return Functional(forward, conv=nn.Conv2d(3, 7, 3))


def outside() -> nn.Module:
    def forward(net: nn.Module, x: Tensor) -> Tensor:
        y = net.conv(x)
        return torch.from_numpy(np.tanh(y.numpy())).mean((2, 3))

    return Functional(forward, conv=nn.Conv2d(3, 7, 3))


def draws() -> nn.Module:
    def forward(net: nn.Module, x: Tensor) -> Tensor:
        return net.conv(x).mean((2, 3)) + 0 * torch.rand(7)

    return Functional(forward, conv=nn.Conv2d(3, 7, 3))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (decides, "decides by values"),
        (slices, "writes into a part"),
        (mixes, "influence each other"),
        (outside, "depends on more"),
        (draws, "draws random numbers"),
    ],
)
def test_others_are_run_themselves_and_why_is_said(make: Callable[[], nn.Module], why: str) -> None:
    net = network(make)
    with torch.random.fork_rng():
        sweep, found = run(net)
        assert sweep.engagement.engine == "module"
        assert why in sweep.engagement.reason
        close(found[""], literal(net))


def test_a_wrong_record_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Graph.of

    def off(one, two):
        graph = broken(one, two)
        for operation in graph.operations:
            if operation.name == "leaky_relu":
                object.__setattr__(operation, "function", torch.ops.aten.relu.default)
        return graph

    monkeypatch.setattr(Graph, "of", off)
    net = network(plain)
    sweep, found = run(net)
    assert sweep.engagement.engine == "module"
    assert "does not give" in sweep.engagement.reason
    close(found[""], literal(net))


def test_double_precision() -> None:
    net = network(residual)
    net.module.double()
    x = image().double()
    with net.running(gradients=False):
        sweep = Sweep(net, x, torch.zeros_like(x), Windows(ROWS, COLUMNS), ("",))
        found = in_full(sweep.run(Batch((1, 2), (2,)))[""])
    wanted = swept(net.module, x, torch.zeros_like(x), ROWS[1:3], COLUMNS[2:3])[:, 0, 0]
    assert torch.allclose(found, wanted, rtol=1e-10, atol=0)


def test_a_column_of_outputs_in_bfloat16() -> None:
    """For one output along an axis, longer strides there must not reach the kernels."""
    net = network(lambda: nn.Sequential(nn.Conv2d(3, 4, (7, 2), (3, 2), (3, 0)), nn.ReLU()))
    net.module.bfloat16()
    x = image().bfloat16()
    with net.running(gradients=False):
        sweep = Sweep(net, x, torch.zeros_like(x), Windows(ROWS, ((0, 1), (24, 25))), ("",))
        assert sweep.engagement.engine == "incremental"
        found = in_full(sweep.run(Batch((2, 3), (0, 1)))[""]).view(2, 2, 4, 14, 20)
    exact = net.module.float()
    wanted = swept(exact, x.float(), torch.zeros_like(x).float(), ROWS[2:4], ((0, 1), (24, 25)))
    assert (found.float() - wanted[:, :, 0]).abs().max() <= 0.02 * wanted.abs().max()


def test_half_precision() -> None:
    """Sums over the windows of an average pool would not be finite."""
    net = network(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.AvgPool2d(9, 5, 4)))
    net.module.half()
    x = image().half()
    x = 1000 + 500 * x
    with net.running(gradients=False):
        sweep = Sweep(net, x, torch.zeros_like(x), Windows(ROWS, COLUMNS), ("",))
        assert sweep.engagement.engine == "incremental"
        found = in_full(sweep.run(Batch((0, 2), (4,)))[""])
    rows = (ROWS[0], ROWS[2])
    wanted = swept(net.module, x, torch.zeros_like(x), rows, COLUMNS[4:])[:, 0, 0]
    assert found.isfinite().all()
    assert (found - wanted).abs().max() <= 0.01 * wanted.abs().max()


# The parts


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("dilation", [1, 2])
def test_a_cone_is_what_changes(kernel: int, stride: int, padding: int, dilation: int) -> None:
    padding = min(padding, kernel // 2)
    slide = Slide(kernel, stride, padding, dilation)
    ones = torch.ones(1, 1, kernel)
    for lo in range(13):
        for hi in range(lo + 1, 14):
            changed = torch.zeros(1, 1, 13)
            changed[..., lo:hi] = 1
            made = F.conv1d(changed, ones, None, stride, padding, dilation)[0, 0]
            span = slide.reached(Span(np.array([lo]), np.array([hi]), 13), len(made))
            where = made.nonzero().flatten()
            low, high = int(span.lo[0]), int(span.hi[0])
            assert 0 <= low < high <= len(made)
            if len(where):
                assert low <= where[0]
                assert high > where[-1]
                if dilation == 1 and stride <= kernel:
                    assert (low, high) == (int(where[0]), int(where[-1]) + 1)


def test_crops_are_cut_and_put_back() -> None:
    clean = torch.arange(2 * 6 * 5).float().view(1, 2, 6, 5)
    crops = -torch.ones(2, 2, 3, 2)
    patches = Patches(Clean(clean), crops, Place((0, 3), (1, 3), 3, 2))
    maps = patches.whole()
    assert (maps == -1).sum() == 2 * 2 * 6
    assert torch.equal(maps[0, :, 3:], clean[0, :, 3:])
    place = Place((-1, 2), (0, 2), 4, 4)
    wide = F.pad(maps, (1, 2, 1, 1), value=7.0)
    found = patches.cut(place, (1, 1, 1, 2), 7.0)
    assert torch.equal(found[0], wide[0, :, 0:4, 1:5])
    assert torch.equal(found[1], wide[1, :, 3:7, 3:7])
    assert torch.allclose(patches.sum(), maps.sum((-2, -1)))
    assert torch.equal(patches.channel(1).whole(), maps[:, 1:])
