"""What each package says of its networks: weights, preprocessing, labels, and their absence."""

from __future__ import annotations

import random
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import FormatError, NetworkError, UnknownModel
from phosphene.zoo import shelf
from phosphene.zoo.catalogue import open_network
from phosphene.zoo.packaged import write_package


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches of its own for each test, and no network."""

    def refused(*_: Any, **__: Any) -> Any:
        raise urllib.error.URLError("no network here")

    monkeypatch.setattr(torch.hub, "urlopen", refused)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "torch" / "checkpoints").mkdir(parents=True)
    return tmp_path


def photograph(width: int = 600, height: int = 300) -> Image.Image:
    """Noise that has been smoothed: kernels of a resize agree on it to a pixel's rounding."""
    noise = np.random.default_rng(0).integers(0, 255, (height // 10, width // 10, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def shown(net: Network, photo: Image.Image) -> torch.Tensor:
    image, _ = net.prepare(photo)
    return net.input_of(image)


def assert_shown_alike(got: torch.Tensor, want: torch.Tensor) -> None:
    """Compare up to a pixel's rounding, and the odd pixel of a crop, which each puts elsewhere."""
    assert got.shape == want.shape
    inner = got[..., 1:-1, 1:-1]
    shifts = [want.roll((dy, dx), (-2, -1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    distances = [float((inner - w[..., 1:-1, 1:-1]).abs().max()) for w in shifts]
    assert min(distances) < 0.05, distances


def same_state(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    state = other.state_dict()
    return all(torch.equal(value, state[name]) for name, value in one.state_dict().items())


# torchvision


def test_torchvision_takes_weights_from_its_own_cache(caches: Path) -> None:
    from torchvision.models import SqueezeNet1_1_Weights as Weights

    drawn = open_network("torchvision:squeezenet1_1:random")
    file = caches / "torch" / "checkpoints" / Path(Weights.DEFAULT.url).name
    state = {name: value + 1 for name, value in drawn.module.state_dict().items()}
    torch.save(state, file)
    for name in ("torchvision:squeezenet1_1", "torchvision:squeezenet1_1:IMAGENET1K_V1"):
        net = open_network(name)
        assert torch.equal(net.module.state_dict()["classifier.1.bias"], state["classifier.1.bias"])
        assert net.labels == tuple(Weights.DEFAULT.meta["categories"])
        assert net.class_index("goldfish") == 1
    entries = {entry.name: entry for entry in shelf.networks_of("torchvision:")}
    cached = entries["torchvision:squeezenet1_1:IMAGENET1K_V1"]
    assert cached.cached
    assert cached.megabytes == pytest.approx(4.7, abs=0.1)
    assert not entries["torchvision:resnet50:IMAGENET1K_V2"].cached


@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "efficientnet_b0", "inception_v3", "swin_t", "resnet50"]
)
def test_torchvision_preprocessing_is_its_own(name: str) -> None:
    from torchvision.models import get_model_weights

    net = open_network(f"torchvision:{name}:random")
    transforms = get_model_weights(name).DEFAULT.transforms()
    photo = photograph()
    assert_shown_alike(shown(net, photo)[0], transforms(photo))
    assert net.labels == ()  # random weights tell no classes apart


def test_segmenters_open_too() -> None:
    net = open_network("torchvision:lraspp_mobilenet_v3_large:random")
    assert net(torch.rand(1, 3, 64, 64)).shape == (1, 21, 64, 64)


@pytest.mark.parametrize("name", ["torchvision:resnet50", "torchvision:resnet50:IMAGENET1K_V1"])
def test_torchvision_without_a_network(name: str, caches: Path) -> None:
    with pytest.raises(NetworkError) as error:
        open_network(name)
    text = str(error.value)
    assert "could not be downloaded (URLError: <urlopen error no network here>)" in text
    assert f"put the file resnet50-{'11ad3fa6' if name.endswith('50') else '0676ba61'}.pth" in text
    assert f"into {caches / 'torch' / 'checkpoints'}" in text
    assert "open torchvision:resnet50:random for random weights" in text


def test_a_file_in_place_of_the_download(tmp_path: Path) -> None:
    drawn = open_network("torchvision:squeezenet1_1:random")
    torch.save(drawn.module.state_dict(), tmp_path / "w.pth")
    net = open_network("torchvision:squeezenet1_1", weights=tmp_path / "w.pth")
    assert same_state(net.module, drawn.module)
    assert len(net.labels) == 1000
    with pytest.raises(FormatError, match="belongs to another network"):
        open_network("torchvision:alexnet", weights=tmp_path / "w.pth")


# timm


@pytest.mark.parametrize(
    "name",
    ["resnet18", "vit_tiny_patch16_224", "efficientnet_lite0", "convnext_atto", "inception_v4"],
)
def test_timm_preprocessing_is_its_own(name: str) -> None:
    import timm

    net = open_network(f"timm:{name}:random")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(net.module))
    photo = photograph()
    assert_shown_alike(shown(net, photo)[0], transform(photo))


def test_timm_labels_come_with_weights(tmp_path: Path) -> None:
    drawn = open_network("timm:mobilenetv3_small_050:random")
    assert drawn.labels == ()
    torch.save(drawn.module.state_dict(), tmp_path / "w.pth")
    net = open_network("timm:mobilenetv3_small_050", weights=tmp_path / "w.pth")
    assert net.class_index("goldfish") == 1
    assert len(net.labels) == net.classes == 1000


def test_timm_without_a_network() -> None:
    with pytest.raises(NetworkError) as error:
        open_network("timm:resnet18")
    text = str(error.value)
    assert "timm/resnet18.a1_in1k" in text
    assert "--weights" in text
    assert "open timm:resnet18:random" in text


# transformers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    config = ViTConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        image_size=64, patch_size=16, id2label={0: "cat", 1: "dog", 2: "eel"},
        label2id={"cat": 0, "dog": 1, "eel": 2},
    )  # fmt: skip
    ViTForImageClassification(config).save_pretrained(tmp_path / "vit")
    ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(tmp_path / "vit")
    return tmp_path / "vit"


def test_a_local_folder_of_transformers(folder: Path) -> None:
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    net = open_network(f"hf:{folder}")
    assert net.labels == ("cat", "dog", "eel")
    assert net.preprocessing.input_size == (64, 64)
    photo = photograph()
    want = AutoImageProcessor.from_pretrained(folder)(photo, return_tensors="pt")["pixel_values"]
    assert_shown_alike(shown(net, photo), want)
    theirs = AutoModelForImageClassification.from_pretrained(folder).eval()
    torch.testing.assert_close(net.output(net.prepare(photo)[0]), theirs(shown(net, photo)).logits)
    assert net.classify(photo)[0][0] in net.labels
    assert "vit.layers.0.attention" in [layer.name for layer in net.layers()]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ConvNextImageProcessor", {"size": {"shortest_edge": 224}}),
        ("ConvNextImageProcessor", {"size": {"shortest_edge": 384}}),
        ("BitImageProcessor", {}),
        ("MobileNetV1ImageProcessor", {}),
        ("DeiTImageProcessor", {}),
    ],
)  # fmt: skip
def test_image_processors(folder: Path, kind: str, options: dict[str, Any]) -> None:
    import transformers

    processor = getattr(transformers, kind)(**options)
    processor.save_pretrained(folder)
    net = open_network(f"hf:{folder}")
    photo = photograph()
    want = processor(photo, return_tensors="pt")["pixel_values"]
    assert_shown_alike(shown(net, photo), want)


def test_transformers_without_a_network() -> None:
    with pytest.raises(NetworkError) as error:
        open_network("hf:microsoft/resnet-50")
    text = str(error.value)
    assert "config.json, preprocessor_config.json and model.safetensors" in text
    assert "hf:FOLDER" in text


def test_what_is_no_image_classifier(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match=r"bert.* is no image classifier"):
        open_network("hf:bert:random")


# All of them


@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1", "timm:resnet18", "hf:mobilenet_v1"])
def test_random_weights_are_the_same_each_time_and_touch_no_generator(name: str) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    one = open_network(f"{name}:random")
    torch.rand(3)
    other = open_network(f"{name}:random")
    assert same_state(one.module, other.module)
    torch.set_rng_state(before[0])
    open_network(f"{name}:random")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]


@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1", "timm:mobilenetv3_small_050"])
def test_a_package_opens_alone(name: str, tmp_path: Path) -> None:
    net = open_network(f"{name}:random")
    net.preprocessing, net.labels = Preprocessing((50, 60)), tuple(map(str, range(1000)))
    write_package(net, tmp_path / "w.safetensors", f"{name}:random")
    again = open_network(tmp_path / "w.safetensors")
    assert same_state(again.module, net.module)
    assert again.preprocessing == net.preprocessing
    assert again.labels == net.labels


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision:resnet5", "no classifier or segmenter 'resnet5'; did you mean 'resnet50'"),
        ("torchvision:resnet50:NIX", "no weights 'NIX' for resnet50.*IMAGENET1K_V1"),
        ("timm:resnt18", "timm has no network 'resnt18'; did you mean .*'resnet18'"),
        ("timm:resnet18.nix", "timm has no network 'resnet18.nix'"),
    ],
)
def test_names_that_do_not_exist(name: str, message: str) -> None:
    with pytest.raises(UnknownModel, match=message):
        open_network(name)


def test_the_shelves_are_full() -> None:
    assert len(shelf.networks_of("torchvision:")) > 100
    timm = {entry.name: entry for entry in shelf.networks_of("timm:")}
    assert timm["timm:resnet18.a1_in1k"].licence == "apache-2.0"
    assert "hf:vit:random" in {entry.name for entry in shelf.networks_of("hf:")}
