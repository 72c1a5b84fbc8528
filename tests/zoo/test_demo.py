"""The demo network: its weights are there, right, small, and good for larger photographs."""

import hashlib
import json
from importlib import resources

import numpy as np
import pytest
import torch
from torch import nn

from phosphene.errors import NetworkError
from phosphene.worlds.shapes import CLASSES, batch, scene
from phosphene.zoo import demo, shipped
from phosphene.zoo.demo import EPOCHS, INPUT_SIZE, MEAN, STD, DemoNet, demo_module, demo_scenes

DATA = resources.files("phosphene.zoo").joinpath("data")
# Not a series that tools/train_demo.py has drawn from.
UNSEEN = 77


def normalized(images: np.ndarray) -> torch.Tensor:
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


@torch.inference_mode()
def accuracy(module: nn.Module, count: int) -> float:
    images, labels = batch(count, UNSEEN)
    scores = torch.cat([module(part) for part in normalized(images).split(100)])
    return float((scores.argmax(1).numpy() == labels).mean())


@pytest.fixture(scope="module")
def module() -> DemoNet:
    return demo_module()


def test_it_tells_unseen_scenes(module: DemoNet) -> None:
    assert accuracy(module, 1000) >= 0.95


def test_layers_are_named_as_in_the_literature(module: DemoNet) -> None:
    assert " ".join(name for name, _ in module.named_children()) == (
        "conv1 relu1 norm1 pool1 conv2 relu2 norm2 pool2 conv3 relu3 conv4 relu4 "
        "conv5 relu5 pool5 fc6 relu6 drop6 fc7 relu7 drop7 fc8"
    )


def test_groups_and_overlapping_pools_are_there(module: DemoNet) -> None:
    assert [module.conv2.groups, module.conv4.groups, module.conv5.groups] == [2, 2, 2]
    for pool in (module.pool1, module.pool2, module.pool5):
        assert (pool.kernel_size, pool.stride) == (3, 2)


@pytest.mark.parametrize("name", ["norm1", "norm2"])
def test_normalization_matters(module: DemoNet, name: str) -> None:
    assert isinstance(getattr(module, name), nn.LocalResponseNorm)
    without = demo_module()
    setattr(without, name, nn.Identity())
    x = normalized(batch(20, UNSEEN)[0])
    with torch.inference_mode():
        scores = module(x)
        assert (without(x) - scores).norm() > 0.1 * scores.norm()


def test_it_comes_in_evaluation_mode_and_ready_for_gradients(module: DemoNet) -> None:
    assert not any(child.training for child in module.modules())
    assert all(p.requires_grad and p.dtype == torch.float32 for p in module.parameters())
    assert all(not r.inplace for r in module.modules() if isinstance(r, nn.ReLU))


def test_opening_it_leaves_the_generator_as_it_was() -> None:
    before = torch.get_rng_state()
    demo_module(epoch=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_two_openings_share_no_weights(module: DemoNet) -> None:
    other = demo_module()
    with torch.no_grad():
        other.conv1.weight.zero_()
    assert module.conv1.weight.abs().sum() > 0


def test_scores_of_96_pixels_are_a_row_of_classes(module: DemoNet) -> None:
    with torch.inference_mode():
        assert module(torch.zeros(2, 3, *INPUT_SIZE)).shape == (2, 10)


def test_over_a_larger_photograph_it_is_the_same_network_moved(module: DemoNet) -> None:
    images = np.stack([scene(seed, size=(128, 160)).image for seed in (3, 4)])
    with torch.inference_mode():
        x = normalized(images)
        scores = module(x)
        for layer in list(module.children())[: list(dict(module.named_children())).index("fc6")]:
            x = layer(x)
        assert scores.shape == (2, 10, x.shape[2] - 4, x.shape[3] - 4)
        assert scores.shape[2:] == (3, 5)
        flat = module.fc6.weight.flatten(1)
        for row in range(3):
            for column in range(5):
                window = x[:, :, row : row + 5, column : column + 5].flatten(1)
                y = torch.relu(window @ flat.T + module.fc6.bias)
                y = torch.relu(y @ module.fc7.weight.flatten(1).T + module.fc7.bias)
                y = y @ module.fc8.weight.flatten(1).T + module.fc8.bias
                torch.testing.assert_close(scores[:, :, row, column], y, rtol=1e-4, atol=1e-4)


def test_over_a_larger_photograph_it_finds_the_object(module: DemoNet) -> None:
    # Where the window lies over the pasted scene the middle of a large gray picture scores it.
    right = 0
    for each in demo_scenes():
        photograph = np.full((160, 160, 3), np.rint(np.array(MEAN) * 255), dtype=np.uint8)
        photograph[32:128, 32:128] = each.image
        with torch.inference_mode():
            scores = module(normalized(photograph[None]))
        assert scores.shape == (1, 10, 5, 5)
        right += int(scores[0, :, 2, 2].argmax()) == each.label
    assert right >= 10


def test_it_is_small() -> None:
    sizes = {entry.name: len(entry.read_bytes()) for entry in DATA.iterdir()}
    assert sizes["demo.safetensors"] < 2_000_000
    assert sum(sizes.values()) < 10_000_000  # the small networks' weights and the twins' among them


def test_checkpoints_show_it_learning() -> None:
    assert len(EPOCHS) == 8
    rising = [accuracy(demo_module(epoch), 100) for epoch in EPOCHS]
    assert rising[0] < 0.3
    assert rising[-1] >= 0.93
    assert rising[-1] > rising[len(rising) // 2] > rising[0]


def test_the_last_checkpoint_is_the_network_in_half_precision(module: DemoNet) -> None:
    for name, value in demo_module(EPOCHS[-1]).state_dict().items():
        torch.testing.assert_close(value, module.state_dict()[name].half().float())


def test_few_units_are_dead(module: DemoNet) -> None:
    with torch.inference_mode():
        x = normalized(batch(200, UNSEEN)[0])
        for layer in module.children():
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                assert (x.amax(dim=(0, 2, 3)) == 0).float().mean() < 0.15


def test_the_record_is_of_these_weights() -> None:
    record = json.loads(DATA.joinpath("demo.json").read_bytes())
    stored = DATA.joinpath("demo.safetensors").read_bytes()
    assert record["sha256"] == hashlib.sha256(stored).hexdigest()
    assert record["accuracy"] >= 0.95
    assert record["accuracy_scenes"]["count"] >= 2000


def test_packaged_scenes_are_the_generators() -> None:
    opened = demo_scenes()
    assert len(opened) == 12
    assert {each.label for each in opened} == set(range(len(CLASSES)))
    for each in opened:
        drawn = scene(each.seed)
        np.testing.assert_array_equal(each.image, drawn.image)
        np.testing.assert_array_equal(each.object, drawn.object)
        assert each.label == drawn.label


def test_packaged_scenes_are_told_rightly(module: DemoNet) -> None:
    opened = demo_scenes()
    with torch.inference_mode():
        told = module(normalized(np.stack([each.image for each in opened]))).argmax(1)
    assert told.tolist() == [each.label for each in opened]


def test_an_epoch_that_was_not_kept_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"epoch 4; it has 0, 1"):
        demo_module(epoch=4)


def test_a_missing_file_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(package: str) -> object:
        raise FileNotFoundError(package)

    monkeypatch.setattr(shipped.resources, "files", gone)
    with pytest.raises(NetworkError, match=r"'demo\.safetensors' is missing"):
        demo_module()
    with pytest.raises(NetworkError, match=r"'scenes\.json' is missing"):
        demo_scenes()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 64])
def test_a_damaged_file_is_said_to_be_damaged(
    monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr(shipped, "shipped", lambda name: content)
    monkeypatch.setattr(demo, "shipped", lambda name: content)
    with pytest.raises(NetworkError, match="damaged"):
        demo_module()
    with pytest.raises(NetworkError, match="damaged"):
        demo_scenes()


def test_weights_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import safetensors.torch

    other = safetensors.torch.save({"conv1.weight": torch.zeros(1)})
    monkeypatch.setattr(shipped, "shipped", lambda name: other)
    with pytest.raises(NetworkError, match="damaged"):
        demo_module()


def test_it_opens_as_a_network() -> None:
    network = demo.demo()
    assert network.name == "demo"
    assert tuple(network.labels) == CLASSES
