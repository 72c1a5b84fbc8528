"""The detector: how a network is parted, and what becomes of its maps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import SettingError, UnknownLayer
from phosphene.transfer.detection.fast_rcnn import FastRcnn
from phosphene.transfer.detection.layout import Layout, layout_of
from phosphene.transfer.detection.roi_pool import roi_pool
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.motion_alexnet import motion_alexnet
from phosphene.zoo.motion_small import motion_small


def small() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(54, 10),
        nn.ReLU(),
        nn.Linear(10, 5),
    )
    return Network(module.eval(), Preprocessing((32, 32), mean=(0.5,) * 3, std=(0.2,) * 3))


def test_families_are_parted_as_their_papers_do() -> None:
    assert layout_of(motion_alexnet()) == Layout("relu5", 6, ("fc6", "drop7"))
    assert layout_of(motion_small()) == Layout("relu5_2", 6, None)
    demo = open_network("demo")
    assert layout_of(demo, "relu3") == Layout("relu3", 5, None)
    assert layout_of(demo, head=("", ""), pooled=4) == Layout("relu5", 4, None)
    with pytest.raises(UnknownLayer):
        layout_of(demo, "relu9")
    with pytest.raises(SettingError, match="name the last layer of maps"):
        layout_of(small())


def test_the_thesiss_network_keeps_its_fully_connected_layers() -> None:
    net = motion_alexnet()
    detector = FastRcnn(net, layout_of(net), 20, rf_offset=True).eval()
    assert (detector.scale, detector.offset) == (1 / 16, (14, 14))
    image, rois = torch.rand(3, 160, 224), torch.tensor([[16.0, 30, 180, 150], [0, 0, 60, 60]])
    scores, moves = detector([image], [rois])
    assert scores.shape == (2, 21)
    assert moves.shape == (2, 21, 4)
    _, codes = net.record(image[None], ["relu5"])
    numbered = torch.cat((torch.zeros(2, 1), rois), 1)
    x = roi_pool(codes["relu5"], numbered, 6, 1 / 16, (14, 14))
    chain = net.module
    assert isinstance(chain, nn.Module)
    x = chain.fc7(torch.relu(chain.fc6(x)))  # type: ignore[operator]
    expected = detector.scores(torch.relu(x).mean((2, 3)))
    assert torch.allclose(scores, expected, atol=1e-6)


def test_the_classifier_is_left_and_does_not_learn() -> None:
    net = open_network("demo")
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    detector = FastRcnn(net, layout_of(net), 3)
    still = {name for name, p in detector.named_parameters() if not p.requires_grad}
    assert still == {"trunk.fc8.weight", "trunk.fc8.bias"}
    scores, moves = detector.train()([torch.rand(3, 96, 96)], [torch.tensor([[0.0, 0, 50, 60]])])
    (scores.logsumexp(1).sum() + moves.square().sum()).backward()
    assert all((p.grad is None) != p.requires_grad for p in detector.parameters())
    assert all(torch.equal(v, before[n]) for n, v in net.module.state_dict().items())
    assert all(p.grad is None for p in net.module.parameters())


def test_first_convolution_may_keep_its_weights() -> None:
    net = open_network("demo")
    detector = FastRcnn(net, layout_of(net), 3, freeze_conv1=True)
    still = {name for name, p in detector.named_parameters() if not p.requires_grad}
    assert {"trunk.conv1.weight", "trunk.conv1.bias"} < still


def test_linear_layers_go_on_behind_pooled_regions() -> None:
    net = small()
    layout = layout_of(net, "4", 3, ("7", "8"))
    detector = FastRcnn(net, layout, 2)
    assert detector.scores.in_features == 10
    scores, _ = detector([torch.rand(3, 40, 30)], [torch.tensor([[0.0, 0, 20, 20]])])
    assert scores.shape == (1, 3)


def test_batch_normalization_keeps_its_statistics() -> None:
    net = small()
    detector = FastRcnn(net, Layout("4", 3), 2, hidden=(8,)).train()
    norm = detector.trunk[1]  # type: ignore[index]
    before = norm.running_mean.clone()
    detector([torch.rand(3, 40, 30)], [torch.tensor([[0.0, 0, 20, 20]])])
    assert torch.equal(norm.running_mean, before)
    assert detector.new.training


def test_a_photograph_is_judged_the_same_in_any_company() -> None:
    detector = FastRcnn(small(), Layout("4", 3), 2, hidden=(8,)).eval()
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(3, h, w, generator=generator) for h, w in ((40, 30), (64, 50), (40, 30))]
    rois = [torch.tensor([[0.0, 0, 20, 20], [5, 5, 29, 39]])[: n + 1] for n in (0, 1, 1)]
    together, _ = detector(images, rois)
    alone = [detector([i], [r])[0] for i, r in zip(images, rois, strict=True)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-6)


def test_the_seed_is_of_the_new_weights_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, other, third = (FastRcnn(small(), Layout("4", 3), 2, seed=seed) for seed in (1, 1, 2))
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.new[0].weight, other.new[0].weight)
    assert torch.equal(one.scores.weight, other.scores.weight)
    assert not torch.equal(one.moves.weight, third.moves.weight)
    assert abs(float(one.scores.weight.detach().std()) / 0.01 - 1) < 0.1
    assert abs(float(one.moves.weight.detach().std()) / 0.001 - 1) < 0.1


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        (Layout("4", 0), "0 cells"),
        (Layout("4", 3, ("8", "7")), "do not run behind"),
        (Layout("4", 3, ("1", "2")), "do not run behind"),
    ],
)
def test_layouts_that_do_not_fit(layout: Layout, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        FastRcnn(small(), layout, 2)


def test_regions_of_no_maps() -> None:
    with pytest.raises(UnknownLayer, match=r"no place|no map"):
        FastRcnn(small(), Layout("8", 3), 2)


@pytest.mark.parametrize(("pooled", "first"), [(4, "7"), (1, "0")])
def test_own_layers_that_do_not_fit_pooled_regions(pooled: int, first: str) -> None:
    with pytest.raises(SettingError, match=r"do not take regions of 4x4|do not run behind"):
        FastRcnn(small(), Layout("4", pooled, (first, "8")), 2)


def test_photographs_without_regions() -> None:
    detector = FastRcnn(open_network("demo"), Layout("relu5", 5, ("fc6", "drop7")), 2)
    scores, moves = detector([torch.rand(3, 96, 96)], [torch.zeros(0, 4)])
    assert (scores.shape, moves.shape) == ((0, 3), (0, 3, 4))


def test_double_precision() -> None:
    net = small()
    net.module.double()
    detector = FastRcnn(net, Layout("4", 3), 2, hidden=(8,))
    rois = torch.tensor([[0.0, 0, 20, 20]], dtype=torch.float64)
    assert detector([torch.rand(3, 40, 30).double()], [rois])[0].dtype == torch.float64


def test_photographs_of_a_batch_may_be_padded_as_py_faster_rcnn_does() -> None:
    net = small()
    detector = FastRcnn(net, Layout("4", 3), 2, hidden=(8,), padded=True).eval()
    alone = FastRcnn(net, Layout("4", 3), 2, hidden=(8,)).eval()
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(3, h, w, generator=generator) for h, w in ((64, 37), (37, 64))]
    rois = [torch.tensor([[0.0, 0, 20, 20], [20, 20, 36, 39]]), torch.tensor([[30.0, 3, 63, 36]])]
    blob = torch.zeros(2, 3, 64, 64)
    for number, image in enumerate(images):
        blob[number, :, : image.shape[1], : image.shape[2]] = (image - 0.5) / 0.2
    wanted = net["4"].of_input(blob)
    maps = detector.maps(images)
    assert torch.allclose(torch.cat(maps), wanted, atol=1e-6)
    # Far from the seam a photograph's maps are its own; at the seam they are not.
    (own,) = alone.maps(images[:1])
    assert torch.allclose(maps[0][..., :7], own[..., :7], atol=1e-6)
    assert not torch.allclose(maps[0][..., : own.shape[3]], own, atol=1e-3)
    scores, _ = detector(images, rois)
    assert scores.shape == (3, 3)
    assert torch.allclose(scores[0], alone(images, rois)[0][0], atol=1e-6)
