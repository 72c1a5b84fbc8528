"""Networks of all kinds are diagnosed without false alarms: only what stands before a ReLU dies."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import NetworkError
from phosphene.survey.diagnosis.diagnose import diagnose
from phosphene.survey.diagnosis.watched import watched
from phosphene.survey.images import ImageSet, open_images
from tests.contract_networks import NETWORKS, Case, seeded


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return open_images("demo")


def opened(module: nn.Module, side: int = 32) -> Network:
    return Network(module.eval(), Preprocessing((side, side)), name="given")


class Block(nn.Module):
    """A residual block without any ReLU module."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.norm2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + x)


def test_a_negative_convolution_before_a_norm_is_not_dead(images: ImageSet) -> None:
    block = seeded(Block())
    with torch.no_grad():
        # Always negative, but the normalization brings it back; and one that is dead behind it.
        block.conv1.weight[2] = -block.conv1.weight[2].abs()
        block.norm1.bias[2] = 1e3
        block.norm1.weight[5], block.norm1.bias[5] = 0.0, -1.0
        block.norm2.bias[1] = -1e4
    module = nn.Sequential(seeded(nn.Conv2d(3, 8, 3)), nn.Softplus(), block)
    net = opened(module)
    assert watched(net).rectified == ("2.norm1",)
    assert watched(net).weighted == ("0",)  # the others are normalized at once
    (dead,) = diagnose(net, images).of("dead")
    assert dead.layer == "2.norm1"
    assert 5 in dead.units
    assert 2 not in dead.units


class Gated(nn.Module):
    """A gate for every channel, all of them open."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze, self.gate = nn.Conv2d(8, 8, 1), nn.Sigmoid()
        self.last = nn.Conv2d(8, 4, 3)
        with torch.no_grad():
            assert self.squeeze.bias is not None
            self.squeeze.bias.fill_(50.0)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.last(x * self.gate(self.squeeze(x.mean((2, 3), keepdim=True))))
        return scores


def test_open_gates_and_sure_classifiers_are_no_fault(images: ImageSet) -> None:
    gated = nn.Sequential(seeded(nn.Conv2d(3, 8, 3)), nn.SiLU(), Gated())
    found = diagnose(opened(gated), images)
    assert found.healthy
    assert [f.layer for f in found.of("saturated")] == ["2.gate"]
    sure = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Sigmoid())
    with torch.no_grad():
        sure[0].bias.fill_(-50.0)  # type: ignore[union-attr, operator]
    assert diagnose(opened(sure), images).of("saturated") == ()


class Tokens(nn.Module):
    """A transformer's beginning: patches, and layers over tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 8, stride=8)
        self.norm, self.full, self.act = nn.LayerNorm(24), nn.Linear(24, 48), nn.GELU()
        self.head = nn.Linear(48, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.patches(x).flatten(2).transpose(1, 2))
        scores: Tensor = self.head(self.act(self.full(tokens)).mean(1))
        return scores


@pytest.mark.parametrize(
    ("module", "first"),
    [
        (Tokens(), "patches"),
        (nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 4, 5)), "0"),
        (nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(48, 8, 5), nn.ReLU()), None),
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 8), nn.ReLU()), None),
    ],
    ids=["patches", "1x1", "folded pixels", "no convolution"],
)
def test_frequencies_are_judged_where_they_mean_something(
    module: nn.Module, first: str | None, images: ImageSet
) -> None:
    found = diagnose(opened(seeded(module)), images)
    assert (found.first.name if found.first else None) == first
    assert found.numbers() == {}
    assert not any("Spectrum" in plot.title for plot in found.panel().plots)
    assert {f.kind for f in found.findings} <= {"dead", "always on"}
    assert found.healthy


def test_a_dilated_filter_is_as_coarse_as_its_taps_are_far_apart() -> None:
    y = torch.exp(-(torch.arange(5.0) - 2).square() / 4)
    shares = []
    for dilation in (1, 2):
        module = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 5, dilation=dilation)))
        with torch.no_grad():
            module.conv.weight.copy_((y[:, None] * y).expand(4, 3, 5, 5))
        shares.append(diagnose(opened(module)).numbers())
    # Holes between the taps let what is finer through.
    assert shares[0]["high"] < 0.05 < 0.5 < shares[1]["high"]


@pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case.id)
def test_every_network_can_be_diagnosed(case: Case) -> None:
    net = case.build()
    seen = [case.image(seed=i)[0].float().permute(1, 2, 0).numpy() for i in range(2)]
    shown = open_images([(255 * s).astype("uint8") for s in seen]) if case.channels == 3 else None
    found = diagnose(net, shown)
    assert found.healthy, found.faults
    assert found.panel().tables or not found.findings


def test_weights_that_are_made_of_others_are_looked_at(images: ImageSet) -> None:
    module = nn.Sequential(seeded(nn.Conv2d(3, 8, 5)), nn.ReLU(), seeded(nn.Conv2d(8, 4, 3)))
    with torch.no_grad():
        module[0].weight[3] = -module[0].weight[1]  # type: ignore[index, operator]
    nn.utils.parametrizations.weight_norm(module[0])
    (twins,) = diagnose(opened(module), images).of("twins")
    assert twins.units == (1, 3)


def test_what_cannot_be_looked_into_is_named() -> None:
    class Bare(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3))

    with pytest.raises(NetworkError, match="no layer that can be looked into"):
        diagnose(opened(Bare()))
