"""What is taken out of a network, and what that costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import FormatError, ImageError, SettingError, UnitError, UnknownLayer
from phosphene.survey.ablation.ablate import Scores, ablate, measure
from phosphene.survey.ablation.cuts import Cut, cut
from phosphene.survey.ablation.labels import labelled, read_labels
from phosphene.survey.ablation.retrain import Setting, retrain
from phosphene.survey.ablation.study import chosen, study
from phosphene.survey.ablation.variants import FIRST_LAYERS, VARIANTS, WHOLE
from phosphene.survey.images import open_images
from phosphene.zoo.demo import DemoNet, demo


def net() -> Network:
    """Tells which of three colours an image has most of; its second layer does nothing."""
    module = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 3),
    )  # fmt: skip
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()
        for i in range(3):
            module[0].weight[i, i] = 1
            module[5].weight[i, i] = 9
        module[0].bias[3] = 0.7
        module[5].weight[0, 3] = 0.1
        module[1].weight.copy_(torch.eye(4)[:, :, None, None])
    return Network(module, Preprocessing((8, 8)), ("red", "green", "blue"), "colours")


def folder(place: Path) -> Path:
    for index, name in enumerate(("red", "green", "blue")):
        (place / name).mkdir(parents=True)
        for shade in (255, 200):
            pixels = np.zeros((8, 8, 3), np.uint8)
            pixels[..., index] = shade
            Image.fromarray(pixels).save(place / name / f"{shade}.png")
    return place


def test_a_useless_layer_costs_nothing_and_others_do(tmp_path: Path) -> None:
    images, labels = labelled(net(), folder(tmp_path))
    found = ablate(
        net(), images, labels,
        [Cut("1"), Cut("0", (0,)), Cut("0", (1, 2)), Cut("0", (3,)), Cut("0", (3,), "mean")],
    )  # fmt: skip
    whole, one, red, two, fourth, mean = (found.whole, *found.cuts.values())
    assert whole.accuracy == 1
    assert whole.count == 6
    assert one == whole
    assert red.accuracy == pytest.approx(4 / 6 + 2 / 6)  # nothing is left but 0.07 for red
    assert two.accuracy == pytest.approx(2 / 6)
    assert fourth != whole
    # That unit says 0.7 everywhere: its mean is all it ever says.
    assert mean.loss == pytest.approx(whole.loss, abs=1e-7)


def test_the_loss_is_the_cross_entropy(tmp_path: Path) -> None:
    network = net()
    images, labels = labelled(network, folder(tmp_path))
    scores = []
    for key, _ in images:
        image, _ = network.prepare(images.read(key))
        scores.append(network(image)[0])
    truth = torch.tensor([labels[key] for key, _ in images])
    expected = nn.functional.cross_entropy(torch.stack(scores), truth)
    found = ablate(network, images, labels, [Cut("1")])
    assert found.whole.loss == pytest.approx(float(expected.detach()), rel=1e-5)


def test_the_network_is_left_as_it_is() -> None:
    network = demo()
    before = {k: v.clone() for k, v in network.module.state_dict().items()}
    kinds = [type(m) for m in network.module.modules()]
    lesser = cut(network, Cut("conv3"))
    with torch.no_grad():
        lesser.module.get_parameter("conv4.weight").zero_()
    assert [type(m) for m in network.module.modules()] == kinds
    assert all(torch.equal(v, before[k]) for k, v in network.module.state_dict().items())


def test_a_removed_layer_passes_what_it_is_given_in_its_shape() -> None:
    network = demo()
    image = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    before = network["relu2"](image)
    normed = cut(network, Cut("norm2"))["norm2"](image)
    assert torch.equal(normed, before)
    # 64 channels to 80: their mean, in each.
    fed, passed = network["pool2"](image), cut(network, Cut("conv3"))["conv3"](image)
    assert passed.shape == (1, 80, 11, 11)
    torch.testing.assert_close(passed, fed.mean(1, keepdim=True).expand(-1, 80, -1, -1))
    # 23x23 to 11x11: the mean over places.
    pooled = cut(network, Cut("pool2"))["pool2"](image)
    expected = nn.functional.adaptive_avg_pool2d(network["norm2"](image), (11, 11))
    torch.testing.assert_close(pooled, expected)


def test_units_say_a_constant_and_others_what_they_did() -> None:
    network = demo()
    image = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    before = network["conv2"](image)
    means = torch.arange(64.0)
    after = cut(network, Cut("conv2", (3, 9), "mean"), means)["conv2"](image)
    assert (after[:, 3] == 3).all()
    assert (after[:, 9] == 9).all()
    rest = [i for i in range(64) if i not in (3, 9)]
    assert torch.equal(after[:, rest], before[:, rest])


def test_the_demo_network_on_scenes() -> None:
    network = demo()
    images = open_images("demo:30")
    found = ablate(network, images, read_labels(network, images), [Cut("norm1"), Cut("conv4")])
    assert found.whole.accuracy > 0.85
    assert found.cuts[Cut("conv4")].accuracy < 0.5
    assert found.panel().tables[0].rows[1][0] == "without norm1"


def test_labels_from_a_csv(tmp_path: Path) -> None:
    folder(tmp_path / "set")
    table = tmp_path / "set" / "labels.csv"
    names = [f"{name}/{shade}.png" for name in ("red", "green", "blue") for shade in (255, 200)]
    table.write_text("file,index\n" + "".join(f"{name},2\n" for name in names))
    _, labels = labelled(net(), tmp_path / "set")
    assert set(labels.values()) == {2}
    table.write_text("file,class\n" + "".join(f"{name},green\n" for name in names[1:]))
    with pytest.raises(ImageError, match=r"says nothing of red/255\.png"):
        labelled(net(), tmp_path / "set")
    table.write_text("picture,kind\na,b\n")
    with pytest.raises(FormatError, match="columns picture, kind"):
        labelled(net(), tmp_path / "set")


def test_what_cannot_be_is_named(tmp_path: Path) -> None:
    folder(tmp_path / "set")
    images, labels = labelled(net(), tmp_path / "set")
    with pytest.raises(UnknownLayer):
        ablate(net(), images, labels, [Cut("9")])
    with pytest.raises(UnitError, match="no unit 4"):
        ablate(net(), images, labels, [Cut("0", (4,))])
    with pytest.raises(SettingError, match="name a layer"):
        ablate(net(), images, labels, [])
    with pytest.raises(ImageError, match=r"the class of image 0 is not known"):
        read_labels(net(), open_images([np.zeros((8, 8, 3), np.uint8)]))
    with pytest.raises(SettingError, match="did you mean 'coarse first layer'"):
        chosen(["coarse first"])


def test_images_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (folder(tmp_path) / "red" / "broken.png").write_bytes(b"no image")
    images, labels = labelled(net(), tmp_path)
    found = ablate(net(), images, labels, [Cut("1")])
    assert found.whole.count == 6
    assert list(found.failed) == ["red/broken.png"]


# -- trained again -----------------------------------------------------------------------------


@pytest.mark.parametrize("variant", [*VARIANTS, *FIRST_LAYERS], ids=lambda v: v.name)
def test_every_variant_runs(variant: object) -> None:
    assert variant in (*VARIANTS, *FIRST_LAYERS)
    module = variant.build().eval()  # type: ignore[attr-defined]
    with torch.no_grad():
        assert module(torch.zeros(2, 3, 96, 96)).shape == (2, 10)


def test_the_whole_variant_is_the_demo_network() -> None:
    ours, theirs = WHOLE.build(), DemoNet()
    assert str(ours).replace("Chain", "") == str(theirs).replace("DemoNet", "")


# Few layers behind the first, and steps and decay that shape its filters within seconds.
SHORT = Setting(scenes=480, epochs=10, measured=100, batch=16, rate=4e-3, decay_first=2.5)
SMALL = [replace(each, middle={}, last=16, full={}) for each in FIRST_LAYERS]


@pytest.mark.slow
def test_the_bad_first_layer_is_flagged_and_the_repaired_is_not(tmp_path: Path) -> None:
    found = study(SMALL, SHORT, folder=tmp_path)
    coarse, repaired = found.variants
    for one in found.variants:
        losses = [e.loss for e in one.trained.history]
        assert len(losses) == 10
        assert losses[-1] < 0.95 * losses[0]
        assert one.weights == sum(p.numel() for p in one.network.module.parameters())
    bad, good = (found.diagnoses[one.variant.name] for one in found.variants)
    assert [f.kind for f in bad.faults] == ["mid"]
    assert "too low frequencies" in bad.faults[0].sentence
    assert good.healthy
    assert bad.numbers()["mid"] < good.numbers()["mid"] - 0.03
    assert found.panel().warnings == (f"{coarse.variant.name}: {bad.faults[0].sentence}",)
    assert [row[0] for row in found.panel().tables[0].rows] == [v.name for v in SMALL]
    # What is in the folder is measured, not trained again.
    assert (tmp_path / "repaired-first-layer" / "weights.safetensors").exists()
    again = retrain(SMALL[1:], SHORT, folder=tmp_path)[0]
    assert (again.accuracy, again.loss) == (repaired.accuracy, repaired.loss)


def test_measure_counts_fives(tmp_path: Path) -> None:
    network = net()
    images, labels = labelled(network, folder(tmp_path))
    from phosphene.core.photographs import Prepared

    ready = [(key, Prepared(name, *network.prepare(images.read(key)))) for key, name in images]
    wrong = {key: (label + 1) % 3 for key, label in labels.items()}
    found = measure(network, ready, wrong, 4)
    assert isinstance(found, Scores)
    assert (found.accuracy, found.five) == (0, 1)
