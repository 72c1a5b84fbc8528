"""Backbones: what is read off them, how they begin, and what is done about fc7's map."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from phosphene.errors import FormatError, NetworkError, SettingError
from phosphene.pretext.hypercolumn import Hypercolumn
from phosphene.pretext.pretraining.backbone import load_head, open_backbone
from phosphene.pretext.pretraining.exporting import check_alike, torchvision_vgg16
from phosphene.training.free_norm import FreeNorm
from phosphene.training.state import save_weights
from phosphene.zoo.fcn import Fcn


def test_the_thesis_s_hypercolumn_has_1088_channels():
    found = open_backbone("motion-alexnet")
    assert found.layers == ("relu1", "pool1", "relu3", "pool5", "relu7")
    assert Hypercolumn(found.network, found.layers).channels == 1088
    assert found.normalized == ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")
    assert open_backbone("motion-alexnet", "regions").layers == ("relu7",)


def test_the_demo_network_begins_anew_with_maps_to_the_end():
    found = open_backbone("demo", seed=1)
    same, other = (open_backbone("demo", seed=seed).network.module for seed in (1, 2))
    weight = found.network.module.get_parameter("conv1.weight")
    assert torch.equal(weight, same.get_parameter("conv1.weight"))
    assert not torch.equal(weight, other.get_parameter("conv1.weight"))
    assert found.network.labels == ()
    assert "fc8" not in found.normalized
    assert found.network["relu7"](torch.rand(1, 3, 96, 96)).shape == (1, 96, 5, 5)
    scored = Fcn(found.network, open_backbone("demo", "regions").layers, 4).eval()
    assert scored(torch.rand(1, 3, 40, 40)).shape == (1, 4, 40, 40)


def test_layers_are_named_left_and_reset(tmp_path: Path):
    first = open_backbone("demo", normalized=False).network.module
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.add_(1)
    weights = save_weights(first, tmp_path / "w.safetensors")
    found = open_backbone(
        "demo", layers=("relu3",), weights=weights, leave=("fc6",), reset=("fc6", "fc7"), seed=4
    )
    module, fresh = found.network.module, open_backbone("demo", seed=4).network.module
    assert found.layers == ("relu3",)
    assert not hasattr(module, "fc6_norm")
    assert isinstance(module.get_submodule("fc7_norm"), FreeNorm)
    for layer, of in (("conv3", first), ("fc6", fresh), ("fc7", fresh)):
        name = f"{layer}.weight"
        assert torch.equal(module.get_parameter(name), of.get_parameter(name)), layer
    for told in ({"leave": ("fc9",)}, {"reset": ("relu1",)}):
        with pytest.raises(SettingError, match=r"fc9|relu1"):
            open_backbone("demo", **told)


def test_other_networks_need_layers(small: str):
    with pytest.raises(SettingError, match="--layers"):
        open_backbone(small)
    found = open_backbone(small, layers=("1", "4"))
    assert found.normalized == ("0", "3", "5")


def test_weights_of_another_network_are_refused(tmp_path: Path, small: str):
    other = save_weights(nn.Linear(3, 3), tmp_path / "w.safetensors")
    for name in ("demo", "motion-alexnet", small):
        with pytest.raises(FormatError, match=r"w\.safetensors"):
            open_backbone(name, layers=("1",), weights=other)
    with pytest.raises(FormatError, match="another learner"):
        load_head(Fcn(open_backbone("demo").network, ("relu1",), 3), other)


def test_units_begin_with_mean_0_and_variance_1_on_the_data():
    images = torch.rand(8, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    found = open_backbone("demo", normalized=False, rescale_by=images)
    made = found.network["conv3"](images)
    torch.testing.assert_close(made.mean((0, 2, 3)), torch.zeros(80), atol=1e-4, rtol=0)
    torch.testing.assert_close(made.std((0, 2, 3)), torch.ones(80), atol=1e-3, rtol=0)


def test_what_differs_when_absorbed_is_refused():
    said = torch.tensor([1.0, -50.0])
    assert check_alike(said, said + 4e-3) == pytest.approx(8e-5, rel=0.01)
    with pytest.raises(NetworkError, match="differs by"):
        check_alike(said, said + 0.01)
    with pytest.raises(NetworkError, match="nan"):
        check_alike(said, said * float("nan"))


def laid_out_as_torchvision_s() -> nn.Sequential:
    """The convolutions of `torchvision.models.vgg16().features`, by its configuration "D"."""
    layers: list[nn.Module] = []
    channels = 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


@pytest.mark.slow
def test_vgg_reads_1728_channels_and_becomes_torchvision_s():
    found = open_backbone("vgg-vd-16", normalized=False, seed=3)
    column = Hypercolumn(found.network, found.layers)
    widths = zip(found.layers, column.widths, strict=True)
    assert sum(found.narrow.get(layer, width) for layer, width in widths) == 1728
    assert found.network["relu7"](torch.zeros(1, 3, 224, 224)).shape[2:] == (7, 7)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        found.network.module.get_parameter("conv1_1.bias").normal_(generator=generator)
    state = torchvision_vgg16(found.network)
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    assert shapes["classifier.0.weight"] == (4096, 25088)
    assert shapes["classifier.6.bias"] == (1000,)
    assert len(state) == 2 * 16
    features = {k.removeprefix("features."): v for k, v in state.items() if "features" in k}
    with torch.device("meta"):
        theirs = laid_out_as_torchvision_s()
    theirs.load_state_dict(features, assign=True)
    image = torch.rand(1, 3, 96, 96, generator=generator)
    m, s = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        expected = found.network["pool5"](image)
        got = theirs((image - m) / s)
    torch.testing.assert_close(got, expected, atol=1e-3 * float(expected.abs().max()), rtol=0)
