"""What is planted in a network is found, and nothing else is."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.survey.ablation.variants import COARSE
from phosphene.survey.diagnosis.diagnose import Diagnosis, diagnose
from phosphene.survey.diagnosis.finding import Bounds
from phosphene.survey.diagnosis.run import diagnose_run
from phosphene.survey.evolution.checkpoints import Checkpoint, demo_run
from phosphene.survey.images import ImageSet, open_images
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.demo import demo


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return open_images("demo")


def planted(change: str = "") -> Network:
    """The demo network, with something wrong."""
    net = demo()
    module = net.module
    with torch.no_grad():
        conv1, conv2, conv4 = (module.get_submodule(f"conv{i}") for i in (1, 2, 4))
        assert isinstance(conv1, nn.Conv2d)
        assert isinstance(conv2, nn.Conv2d)
        assert isinstance(conv4, nn.Conv2d)
        assert conv2.bias is not None
        if change == "dead":
            conv2.bias[5] = -1e4
        if change == "always on":
            conv2.bias[5] = 1e2
        if change == "twins":
            conv1.weight[20] = -2 * conv1.weight[3] + 0.01
        if change == "high":
            chequer = (-1.0) ** (torch.arange(7)[:, None] + torch.arange(7))
            conv1.weight[11] = 0.03 * chequer
        if change == "low":
            conv1.weight[11] = 0.03
        if change == "dominating":
            conv1.weight[11] *= 12
        if change == "empty":
            conv4.weight[8] = 0
        if change == "exploding":
            conv4.weight *= 3e3
        if change == "vanishing":
            conv4.weight *= 1e-5
            assert conv4.bias is not None
            conv4.bias *= 1e-5
        if change == "not finite":
            conv4.weight[0, 0, 0, 0] = float("nan")
    return net


def found(net: Network, images: ImageSet) -> dict[tuple[str, str], tuple[int, ...]]:
    return {(f.kind, f.layer): f.units for f in diagnose(net, images).findings}


@pytest.fixture(scope="module")
def before(images: ImageSet) -> dict[tuple[str, str], tuple[int, ...]]:
    return found(planted(), images)


PLANTED = {
    "dead": {("dead", "relu2"): (5,)},
    "always on": {("always on", "relu2"): (5,)},
    "twins": {("twins", "conv1"): (3, 20)},
    "high": {("high", "conv1"): (11,)},
    "low": {("low", "conv1"): (11,)},
    "dominating": {("dominating", "conv1"): (11,)},
    "empty": {("empty", "conv4"): (8,)},
    "exploding": {("exploding", "conv4"): ()},
    "vanishing": {("vanishing", "conv4"): ()},
}


@pytest.mark.parametrize("change", PLANTED)
def test_what_is_planted_is_found_and_nothing_else(
    change: str, images: ImageSet, before: dict[tuple[str, str], tuple[int, ...]]
) -> None:
    healthy, ill = dict(before), found(planted(change), images)
    # Of a dozen scenes a trained network leaves some units silent: those were there before.
    for (kind, layer), units in PLANTED[change].items():
        extra = set(ill.pop((kind, layer))) - set(healthy.get((kind, layer), ()))
        assert extra == set(units)
        healthy.pop((kind, layer), None)
    # Units behind may fall silent, or wake for good, as what they are fed has changed.
    assert {kind for kind, _ in set(ill) - set(healthy)} <= {"dead", "always on"}


@pytest.mark.parametrize("change", ["high", "twins", "low", "dominating", "empty"])
def test_weights_alone_tell_exactly_what_was_planted(change: str) -> None:
    d = diagnose(planted(change))
    assert {(f.kind, f.layer): f.units for f in d.findings} == PLANTED[change]
    assert d.healthy
    assert not diagnose(planted()).findings


def test_nan_weights_are_a_fault(images: ImageSet) -> None:
    d = diagnose(planted("not finite"), images)
    (fault,) = d.faults
    assert fault.kind == "not finite"
    assert "conv4: 1 of" in fault.sentence
    assert not d.healthy


def small(activation: nn.Module, gain: float) -> Network:
    module = nn.Sequential(
        OrderedDict(conv=nn.Conv2d(3, 6, 3), act=activation, last=nn.Conv2d(6, 2, 3))
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(gain * torch.randn(weight.shape, generator=generator))
        module.conv.weight[2] *= 100
        module.conv.weight[2] = module.conv.weight[2].abs()
    return Network(module, Preprocessing((16, 16)))


@pytest.mark.parametrize("activation", [nn.Tanh(), nn.Sigmoid(), nn.Hardtanh(), nn.ReLU6()])
def test_a_saturated_unit_is_found(activation: nn.Module, images: ImageSet) -> None:
    d = diagnose(small(activation, 0.15), images)
    (finding,) = d.of("saturated")
    assert finding.layer == "act"
    assert 2 in finding.units
    assert finding.value > 0.9


def test_infinite_answers_are_a_fault(images: ImageSet) -> None:
    class Log(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.log(x - 1e9)

    module = nn.Sequential(nn.Conv2d(3, 4, 3), Log(), nn.Conv2d(4, 2, 1))
    d = diagnose(Network(module, Preprocessing((16, 16))), images)
    assert [f.kind for f in d.faults] == ["not finite"]
    assert d.activity == {}


def test_silence_on_few_images_is_no_fault(images: ImageSet) -> None:
    net = demo()
    with torch.no_grad():
        net.module.get_parameter("conv2.bias")[:40] = -1e4
    few = diagnose(net, images)
    assert [f.severity for f in few.of("dead") if f.layer == "relu2"] == ["note"]
    many = diagnose(net, images, bounds=Bounds(images=10))
    (fault,) = [f for f in many.of("dead") if f.layer == "relu2"]
    assert fault.severity == "fault"
    assert fault.value >= 40 / 64


def test_trained_networks_are_not_called_broken(images: ImageSet) -> None:
    for checkpoint in demo_run():
        assert diagnose(checkpoint.open()).findings == (), checkpoint.name
    assert diagnose(demo(), images).healthy


def test_squeezenet_is_not_called_broken(shared: Path) -> None:
    d = diagnose(open_network(str(shared / "data/squeezenet/squeezenet.caffemodel")))
    assert d.healthy
    assert {f.kind for f in d.findings} == {"twins", "empty", "high"}
    (high,) = d.of("high")
    assert set(high.units) >= {29, 38, 56, 83}
    assert 0.3 < d.numbers()["mid"] < 0.45


def noisy(kernel: int, stride: int) -> Network:
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 64, kernel, stride=stride), nn.ReLU(), nn.Conv2d(64, 2, 1))
    with torch.no_grad():
        module[0].weight.copy_(torch.randn(module[0].weight.shape, generator=generator))
    return Network(module, Preprocessing((64, 64)))


def test_noise_is_too_high_and_a_large_stride_aliases() -> None:
    coarse = diagnose(noisy(11, 4))
    assert {f.kind for f in coarse.faults} == {"mid", "alias"}
    assert "halve the stride" in coarse.of("alias")[0].sentence
    fine = diagnose(noisy(7, 2))
    assert [f.kind for f in fine.faults] == ["mid"]
    assert "too high frequencies" in fine.of("mid")[0].sentence
    assert diagnose(noisy(3, 1)).healthy  # three pixels are not judged


def test_a_layer_of_blobs_is_too_low() -> None:
    net = noisy(11, 1)
    y = torch.arange(11.0) - 5
    bell = torch.exp(-y.square() / 12)
    with torch.no_grad():
        # Blobs with a slope, so that none is a constant or another's twin.
        net.module[0].weight.mul_(0.05).add_(bell[:, None] * bell)  # type: ignore[index, operator, union-attr]
    (fault,) = diagnose(net).of("mid")
    assert "too low frequencies" in fault.sentence


def test_a_run_tells_since_when(images: ImageSet) -> None:
    good, ill = planted(), planted("exploding")
    run = [
        Checkpoint("1", lambda: good),
        Checkpoint("2", lambda: ill),
        Checkpoint("3", lambda: ill),
    ]
    d = diagnose_run(run, images)
    assert not d.healthy
    assert d.since() == {("exploding", "conv4"): "2"}
    assert len(d.panel().plots) >= 2
    assert d.as_json()["since"] == [{"kind": "exploding", "layer": "conv4", "since": "2"}]


def test_the_page_shows_the_worst_first(images: ImageSet, tmp_path: Path) -> None:
    d = diagnose(planted("high"), images)
    assert isinstance(d, Diagnosis)
    panel = d.panel()
    assert panel.rows[0][1][0].caption == "11 high"
    assert sum(len(tiles) for _, tiles in panel.rows) == 32
    assert any("unit 11 sees only what is finer" in w for w in panel.warnings)
    assert d.save(tmp_path / "page.html").stat().st_size > 10_000


def test_the_coarse_first_layer_has_other_layers_alike() -> None:
    module = COARSE.build().eval()
    with torch.no_grad():
        assert module(torch.zeros(1, 3, 96, 96)).shape == (1, 10)
