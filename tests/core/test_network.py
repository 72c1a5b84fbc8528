"""A network as a whole: photographs in, classes and layers out."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from phosphene.core import running
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.rules import SALIENCY
from phosphene.core.unit import Unit
from phosphene.errors import ImageError, NetworkError, UnknownClass
from phosphene.saliency.explain import explain
from phosphene.saliency.ten_crop import ten_crop

LABELS = ("tench, Tinca tinca", "goldfish", "great white shark, white shark", "hen", "cock")


def classifier(channels: int = 3, classes: int = 5) -> nn.Sequential:
    torch.manual_seed(0)
    pool = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3), nn.ReLU(), pool, nn.Flatten(), nn.Linear(6, classes)
    )


@pytest.fixture(autouse=True)
def _seed() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def test_photographs_of_every_kind_are_one(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    picture.save(tmp_path / "photo.png")
    net = Network(classifier(), Preprocessing((20, 24), resize_to=30))
    images = []
    for photo in (
        picture,
        pixels,
        pixels / 255,
        str(tmp_path / "photo.png"),
        tmp_path / "photo.png",
    ):
        image, frame = net.prepare(photo)
        assert image.shape == (1, 3, 20, 24)
        assert frame.photograph == (40, 60)
        assert frame.resized == (30, 45)
        assert frame.box == (5, 10, 20, 24)
        assert frame.on_photograph() == pytest.approx((20 / 3, 40 / 3, 80 / 3, 32))
        images.append(image)
    assert all(torch.equal(image, images[0]) for image in images)
    whole, frame = net.prepare(picture, whole=True)
    assert whole.shape == (1, 3, 30, 45)
    assert frame.box == (0, 0, 30, 45)


def test_tensors_are_taken_as_they_are() -> None:
    net = Network(classifier().double(), Preprocessing((20, 20)))
    for given in (torch.rand(3, 7, 9), torch.rand(1, 3, 7, 9)):
        image, frame = net.prepare(given)
        assert torch.equal(image, given.view(1, 3, 7, 9).double())
        assert frame.box == (0, 0, 7, 9)
    eight_bit = torch.randint(0, 256, (3, 7, 9), dtype=torch.uint8)
    torch.testing.assert_close(net.prepare(eight_bit)[0][0], eight_bit.double() / 255)


@pytest.mark.parametrize(
    "wrong",
    [torch.rand(2, 3, 8, 8), torch.rand(8, 8), torch.rand(4, 8, 8), torch.rand(1, 1, 1, 8, 8)],
)
def test_tensors_that_are_no_image(wrong: Tensor) -> None:
    net = Network(classifier(), Preprocessing((20, 20)))
    with pytest.raises(ImageError, match="given"):
        net.prepare(wrong)


def test_images_of_other_channels_are_refused_at_the_border() -> None:
    net = Network(classifier(), name="eye")
    for call in (net, net["0"], net.output.tape, lambda x: net.record(x, ["0"])):
        with pytest.raises(ImageError, match=r"eye takes images \(batch, 3.*\(1, 6, 8, 8\)"):
            call(torch.rand(1, 6, 8, 8))
        with pytest.raises(ImageError, match=r"\(3, 8, 8\) was given"):
            call(torch.rand(3, 8, 8))


def test_gray_networks_take_photographs_in_colour() -> None:
    net = Network(classifier(1), Preprocessing((20, 20), (0.4,), (0.2,), order="gray"))
    assert Network(classifier(1)).preprocessing.order == "gray"
    rgb = torch.rand(2, 3, 20, 20)
    luma = (rgb * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
    torch.testing.assert_close(net(rgb), net(luma))
    picture = Image.fromarray((rgb[0].permute(1, 2, 0) * 255).byte().numpy())
    assert explain(net, picture)[0].signal.shape == (1, 1, 20, 20)
    assert len(explain(net, picture).panel().rows[0][1]) == 5
    assert ten_crop(net, picture)[0].map.shape == (1, 1, 20, 20)


def test_other_inputs_take_tensors_alone() -> None:
    net = Network(classifier(6), name="radar")
    assert net.preprocessing.order == "any"
    assert net.preprocessing.channels is None
    assert net(torch.rand(2, 6, 9, 9)).shape == (2, 5)
    with pytest.raises(ImageError, match="radar does not take photographs"):
        net.prepare(Image.new("RGB", (30, 30)))


def test_labels() -> None:
    net = Network(classifier(), Preprocessing((8, 8)), LABELS)
    assert net.class_index("goldfish") == net.class_index(1) == net.class_index(" 1 ") == 1
    assert net.label(1) == "goldfish"
    assert Network(classifier(), Preprocessing((8, 8))).label(1) == "1"
    names = [name for name, _ in net.classify(torch.rand(3, 8, 8), 99)]
    assert sorted(names) == sorted(LABELS)
    with pytest.raises(UnknownClass):
        net.class_index("heron")


def test_classify_is_softmax_of_the_output_once() -> None:
    x = torch.rand(3, 8, 8)
    body = classifier()
    wanted = body(x[None]).softmax(1)[0].detach()
    for module in (body, nn.Sequential(body, nn.Softmax(1)), nn.Sequential(body, nn.Flatten())):
        net = Network(module, Preprocessing((8, 8)))
        for name, probability in net.classify(x):
            assert probability == pytest.approx(float(wanted[int(name)]), abs=1e-6)

    class LogSoftmax(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return body(x).log_softmax(1)

    net = Network(LogSoftmax(), Preprocessing((8, 8)))
    torch.testing.assert_close(net.probabilities(x[None])[0], wanted)


def test_maps_of_scores_are_averaged_after_the_softmax() -> None:
    module = nn.Conv2d(3, 5, 3)
    net = Network(module, Preprocessing((8, 8)))
    x = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(net.probabilities(x), module(x).softmax(1).mean((2, 3)))


@pytest.mark.parametrize("output", [lambda y: y.mean((1, 2, 3)), lambda y: y.argmax(1)])
def test_networks_without_class_scores(output: Any) -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Any:
            return output(self.conv(x))

    net = Network(Other(), Preprocessing((8, 8)))
    image = torch.rand(3, 8, 8)
    for ask in (lambda: net.classes, lambda: net.classify(image), lambda: explain(net, image)):
        with pytest.raises(NetworkError, match=r"which are no class scores.*name the layer"):
            ask()
    assert [layer.name for layer in net.layers()] == ["conv"]
    assert net.layers()[0].field is not None
    assert explain(net, image, 2, SALIENCY, layer="conv")[0].channel.tolist() == [2]


def test_a_wrong_default_size_is_explained() -> None:
    net = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 5)))
    with pytest.raises(NetworkError, match=r"1x3x224x224.*Preprocessing\(\(height, width\)\)"):
        explain(net, torch.rand(3, 8, 8))
    # Layers before it do not mind.
    assert explain(net, torch.rand(3, 8, 8), 0, SALIENCY, layer="0")[0].signal.shape[-1] == 8
    assert len(net.layers((8, 8))) == 3


def test_layers() -> None:
    net = Network(classifier(), Preprocessing((20, 20)), aliases={"data": "1"})
    table = net.layers()
    assert [(layer.name, layer.kind, layer.shape, layer.parameters) for layer in table] == [
        ("0", "Conv2d", (6, 18, 18), 3 * 6 * 9 + 6),
        ("1", "ReLU", (6, 18, 18), 0),
        ("2", "AdaptiveAvgPool2d", (6, 1, 1), 0),
        ("3", "Flatten", (6,), 0),
        ("4", "Linear", (5,), 35),
    ]
    assert [layer.alias for layer in table] == ["", "data", "", "", ""]
    assert str(table[1].field) == "size 3, stride 1, centre 1"
    assert net.layers((9, 12))[0].shape == (6, 7, 10)


def test_what_a_network_says_of_itself() -> None:
    net = Network(classifier(), Preprocessing((20, 20)), LABELS, "eye")
    assert repr(net) == "Network(eye, 20x20, RGB, shorter side 20, 5 labels)"
    assert repr(net["1"]) == "Representation(eye -> 1)"
    assert repr(net.output) == "Representation(eye -> output)"
    assert Network(classifier()).name == "Sequential"
    assert net.device == torch.device("cpu")
    assert Network(classifier().double()).dtype == torch.float64
    assert Network(nn.ReLU()).dtype == torch.get_default_dtype()


def test_networks_without_weights() -> None:
    net = Network(nn.Sequential(nn.AvgPool2d(2), nn.ReLU()), Preprocessing((8, 8)))
    assert explain(net, torch.rand(3, 8, 8), layer="1")[0].signal.shape == (1, 3, 8, 8)


# Modes


def test_a_part_of_a_model_may_run_at_the_same_time() -> None:
    """Networks around a model and around a part of it each find evaluation mode, and leave it."""
    model = nn.Sequential(nn.Sequential(nn.Dropout(), nn.Dropout()).train(), nn.Dropout().eval())
    model.training = True
    modes = [child.training for child in model.modules()]
    outer, inner = running.in_evaluation(model), running.in_evaluation(model[0])
    again = running.in_evaluation(model)
    for first, second in ((outer, inner), (running.in_evaluation(model[0]), again)):
        with first:
            second.__enter__()
            assert not any(child.training for child in model[0].modules())
        assert not any(child.training for child in model[0].modules())
        second.__exit__(None, None, None)
        assert [child.training for child in model.modules()] == modes
    assert not len(running._switched)


def test_checkpointed_layers_run_again_in_evaluation_mode() -> None:
    """The way back of a checkpoint runs its layers anew, when the pass is long over."""
    from torch.utils.checkpoint import checkpoint

    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.stem = nn.Conv2d(3, 4, 3)
            self.body = nn.Sequential(
                nn.BatchNorm2d(4), nn.Dropout(0.5), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU()
            )
            self.head = nn.Linear(4, 5)

        def forward(self, x: Tensor) -> Any:
            x = checkpoint(self.body, self.stem(x), use_reentrant=False)
            return self.head(x.mean((2, 3)))

    training, evaluation = Checkpointed().train(), Checkpointed().eval()
    image = torch.rand(2, 3, 12, 12)
    want = explain(Network(evaluation, Preprocessing((12, 12))), image, 3)
    got = explain(Network(training, Preprocessing((12, 12))), image, 3)
    for one, two in zip(got, want, strict=True):
        assert torch.equal(one.signal, two.signal)
    crops = Image.new("RGB", (20, 20), "teal")
    one, two = (
        ten_crop(Network(m, Preprocessing((12, 12), resize_to=16)), crops)[0].map
        for m in (training, evaluation)
    )
    assert torch.equal(one, two)
    assert torch.equal(training.body[0].running_mean, torch.zeros(4))


def test_training_mode_seen_from_two_threads() -> None:
    """While one thread is inside, another leaving must not switch its model back."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5)).train()
    net = Network(model, Preprocessing((8, 8)))
    inside, leave = threading.Event(), threading.Event()
    modes: list[bool] = []

    def long() -> None:
        with net.running():
            inside.set()
            leave.wait(60)
            modes.append(model.training)

    thread = threading.Thread(target=long)
    thread.start()
    inside.wait(60)
    net(torch.rand(1, 3, 8, 8))
    modes.append(model[1].training)
    leave.set()
    thread.join()
    assert modes == [False, False]
    assert model.training
    assert model[1].training


def test_the_derivative_agrees_with_finite_differences() -> None:
    """With respect to RGB in [0, 1], whatever the network makes of it."""
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softplus(), nn.Conv2d(4, 2, 3), nn.Tanh())
    preprocessing = Preprocessing((8, 8), (104, 117, 123), (58, 57, 56), 255.0, "BGR")
    net = Network(module.double(), preprocessing)
    image = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    (saliency,) = explain(net, image, Unit(1, at=(2, 1)), SALIENCY, layer="3")
    step = 1e-5
    for channel, y, x in ((0, 3, 2), (1, 4, 4), (2, 2, 1), (0, 7, 7)):
        change = torch.zeros_like(image)
        change[0, channel, y, x] = step
        up, down = (net["3"](image + s * change)[0, 1, 2, 1].detach() for s in (1, -1))
        wanted = float((up - down) / (2 * step))
        assert float(saliency.signal[0, channel, y, x]) == pytest.approx(wanted, abs=1e-7)
    assert saliency.signal.abs().max() > 1e-3
    assert saliency.score.item() == pytest.approx(float(net["3"](image).detach()[0, 1, 2, 1]))


def test_twins_in_rgb_and_bgr_say_the_same() -> None:
    torch.manual_seed(2)
    rgb = classifier()
    bgr = classifier()
    bgr.load_state_dict(rgb.state_dict())
    with torch.no_grad():
        # BGR * 255 - mean in place of (RGB - mean) / std: the first filters undo the difference.
        mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.4])
        bgr[0].weight.copy_((rgb[0].weight / std.view(3, 1, 1) / 255).flip(1))
    image = torch.rand(1, 3, 20, 20)
    one = Network(rgb, Preprocessing((20, 20), tuple(mean.tolist()), tuple(std.tolist())))
    other = Network(
        bgr, Preprocessing((20, 20), tuple((255 * mean).flip(0).tolist()), scale=255.0, order="BGR")
    )
    torch.testing.assert_close(one(image), other(image), rtol=1e-4, atol=1e-5)
    for a, b in zip(explain(one, image, 3), explain(other, image, 3), strict=True):
        torch.testing.assert_close(a.signal, b.signal, rtol=1e-4, atol=1e-6)
        assert a.signal.abs().max() > 0
