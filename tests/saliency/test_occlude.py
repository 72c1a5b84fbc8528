"""Occlusion: what is noted, where, and how it is said."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.unit import Unit
from phosphene.errors import (
    ImageError,
    LayerNeverRan,
    NotFinite,
    SettingError,
    UnitError,
    UnknownClass,
    UnknownLayer,
)
from phosphene.saliency.occlude import occlude
from phosphene.zoo.demo import demo, demo_scenes
from tests.contract_networks import LABELS, NETWORKS, Case, seeded, untouched
from tests.reference.occlusion import swept

SIDE = 32


def module() -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 6, 5, 2), relu1=nn.ReLU(inplace=True), pool1=nn.MaxPool2d(3, 2),
            conv2=nn.Conv2d(6, 8, 3, padding=1), relu2=nn.ReLU(inplace=True),
            pool2=nn.MaxPool2d(2), flat=nn.Flatten(), fc=nn.Linear(72, 6),
        )
    )  # fmt: skip


def network(**more: Any) -> Network:
    preprocessing = Preprocessing((SIDE, SIDE), (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
    return Network(seeded(module()), more.pop("preprocessing", preprocessing), LABELS, "eye")


def image(seed: int = 0) -> Tensor:
    return torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def reference(net: Network, part: nn.Module, made: Any, rgb: tuple[float, ...]) -> Tensor:
    """Hide in RGB, then normalize: nothing of the occluder's own arithmetic."""
    picture = image()[None]
    hidden = torch.tensor(rgb).view(1, 3, 1, 1).expand_as(picture)

    class Normalized(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = part.eval()(net.preprocessing.normalize(x))
            return found

    windows = made.occluder.windows
    return swept(Normalized(), picture, hidden, windows.rows, windows.columns)[:, :, 0]


def close(one: Tensor, other: Tensor) -> None:
    assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


def test_classes_energy_and_projection_as_by_the_loop() -> None:
    net = network()
    made = occlude(net, image(), "dog", patch=(9, 7), stride=(5, 6))
    wanted = reference(net, seeded(module()), made, (0.4, 0.5, 0.6)).softmax(-1)
    close(made.value, wanted[..., 3])
    assert made.best is not None
    assert torch.equal(made.best, wanted.argmax(-1))
    clean = net.probabilities(image()[None])[0]
    assert made.clean == pytest.approx(float(clean[3]), rel=1e-5)
    close(made.drop, clean[3] - wanted[..., 3])
    assert made.energy is not None
    assert made.energy.layer == "relu2"
    maps = reference(net, seeded(module())[:5], made, (0.4, 0.5, 0.6))
    strongest = int(net["relu2"](image()[None]).amax((0, 2, 3)).argmax())
    assert made.energy.channel == strongest
    close(made.energy.map, maps[:, :, strongest].sum((-2, -1)))
    assert made.energy.projection is not None
    assert made.energy.projection[0].channel.tolist() == [strongest]


def test_units_of_layers() -> None:
    net, options = network(), {"layer": "conv2", "patch": 8, "stride": 8}
    part = seeded(module())[:4]
    for unit, fill, rgb, read in (
        (2, "gray", (0.5,) * 3, lambda m: m[..., 2, :, :].amax((-2, -1))),
        (Unit(3, at=(1, 2)), "black", (0.0,) * 3, lambda m: m[..., 3, 1, 2]),
        (Unit(3, at="centre"), 0.7, (0.7,) * 3, lambda m: m[..., 3, 2, 2]),
        (Unit(1, at="positive"), (0.1, 0.2, 0.3), (0.1, 0.2, 0.3),
         lambda m: m[..., 1, :, :].clamp(min=0).sum((-2, -1))),
    ):  # fmt: skip
        made = occlude(net, image(), unit, fill=fill, **options)
        close(made.value, read(reference(net, part, made, rgb)))
        assert made.best is None
        assert made.energy is None
    total = occlude(net, image(), 2, reduce="sum", **options)
    maps = reference(net, part, total, (0.4, 0.5, 0.6))
    close(total.value, maps[:, :, 2].sum((-2, -1)))
    strongest = occlude(net, image(), **options)
    assert strongest.unit.channel == int(net["conv2"](image()[None]).amax((0, 2, 3)).argmax())
    assert occlude(net, image(), 2, feature="pool1", **options).energy.layer == "pool1"
    assert occlude(net, image(), 4, layer="fc", patch=8, stride=8).clean == pytest.approx(
        float(net["fc"](image()[None]).detach()[0, 4]), rel=1e-5
    )


def test_where_the_patch_is() -> None:
    net = network()
    over = occlude(net, image(), feature=None, patch=8, stride=4).occluder
    assert over.y.tolist() == [1.5 + 4 * i for i in range(8)]
    assert over.windows.rows[0] == (0, 6)
    assert over.windows.rows[-1] == (26, 32)
    inside = occlude(net, image(), feature=None, patch=9, stride=5, border="inside").occluder
    assert inside.windows.columns == ((0, 9), (5, 14), (10, 19), (15, 24), (20, 29), (25, 32))
    assert inside.x.tolist() == [4.0, 9.0, 14.0, 19.0, 24.0, 29.0]
    sparse = occlude(net, image(), feature=None, patch=2, stride=40, border="inside").occluder
    assert sparse.windows.columns == ((0, 2),)
    numpys = {"patch": np.int64(9), "stride": np.int32(16), "fill": np.float32(0.5)}
    assert occlude(net, image(), feature=None, **numpys).occluder.patch == (9, 9)
    default = occlude(net, image(), feature=None).occluder
    assert default.patch == (7, 7)
    assert default.stride == (1, 1)


def test_as_captums() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        captum = pytest.importorskip("captum.attr")
    net = network()
    made = occlude(net, image(), 2, patch=9, stride=9, border="inside", feature=None)
    x = net.input_of(image()[None])
    peer = captum.Occlusion(lambda x: seeded(module())(x).softmax(1))
    theirs = peer.attribute(x, (3, 9, 9), strides=(3, 9, 9), target=2, baselines=0)
    for i in range(4):
        for j in range(4):
            rows, columns = made.occluder.box(i, j)
            assert theirs[0, 0, rows, columns].flatten()[0] == pytest.approx(
                float(made.drop[i, j]), abs=1e-6
            )


def test_batches_and_engines_agree() -> None:
    net = network()
    made = occlude(net, image(), 1, patch=9, stride=3)
    assert made.facts["engine"].startswith("incremental")
    for options in ({"batch": 1}, {"batch": 7}, {"batch": 500}, {"incremental": False}):
        other = occlude(net, image(), 1, patch=9, stride=3, **options)
        close(other.value, made.value)
        close(other.energy.map, made.energy.map)
    assert other.facts["engine"].startswith("full")


@pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case.id)
def test_on_every_kind_of_network(case: Case) -> None:
    net = case.build()
    with untouched(net):
        made = occlude(net, case.image()[0], 2, patch=6, stride=7)
    other = occlude(net, case.image()[0], 2, patch=6, stride=7, incremental=False, batch=1)
    assert torch.allclose(made.value, other.value, rtol=1e-4, atol=1e-6)
    assert torch.isfinite(made.value).all()
    assert made.panel().rows


def test_a_mean_image_hides_as_zero() -> None:
    from phosphene.core.preprocessing import MeanImage

    mean = MeanImage.of(image(7).numpy())
    preprocessing = Preprocessing((SIDE, SIDE), mean.mean, mean_image=mean)
    net = network(preprocessing=preprocessing)
    made = occlude(net, image(), 1, patch=9, stride=8, feature=None)
    x = net.input_of(image()[None])
    windows = made.occluder.windows
    part = nn.Sequential(seeded(module()), nn.Softmax(1))
    wanted = swept(part, x, torch.zeros_like(x), windows.rows, windows.columns)
    close(made.value, wanted[:, :, 0, 1])
    assert made.panel().rows


def test_interrupted_it_keeps_what_it_has() -> None:
    net, told = network(), []

    def tick(done: int, total: int, what: str) -> None:
        told.append((done, total))
        if len(told) == 3:
            raise KeyboardInterrupt

    with untouched(net):
        made = occlude(net, image(), "cat", patch=8, stride=4, batch=4, tick=tick)
    assert told == [(4, 64), (8, 64), (12, 64)]
    assert int((~made.value.isnan()).sum()) == 12
    assert int((made.best >= 0).sum()) == 12
    assert made.interrupted
    assert f"{made.photo}: interrupted after 12 of 64 windows: the rest is NaN" in made.warnings
    assert made.panel().rows
    torch.testing.assert_close(made._spread(made.value).shape, image().shape[1:])


def test_what_it_shows(tmp_path: Path) -> None:
    net = demo()
    made = occlude(net, demo_scenes()[0].image, stride=8)
    assert made.facts["engine"].startswith("incremental")
    assert "relu" in made.energy.layer
    rows = made.panel().rows
    assert [len(tiles) for _, tiles in rows] == [4, 2, 3]
    assert made.panel().tables[0].rows[0][0] in net.labels
    assert sum(row[2] for row in made.panel().tables[0].rows) == made.value.numel()
    assert len({tile.image.size for _, tiles in rows for tile in tiles}) == 1
    assert not made.interrupted
    assert made.save(tmp_path / "a.png").stat().st_size > 10_000
    assert made.save(tmp_path / "a.html").exists()
    unlikely = occlude(net, demo_scenes()[0].image, net.labels[int(made.best[0, 0]) - 1], stride=16)
    assert any("sees" in warning for warning in unlikely.warnings)


def test_a_network_that_cannot_be_recorded_says_so() -> None:
    class Decides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = module()

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.part(x)
            return y if y.sum() > -1e9 else -y

    net = Network(seeded(Decides()), Preprocessing((SIDE, SIDE), (0.4, 0.5, 0.6)), LABELS)
    made = occlude(net, image(), 0, patch=8, stride=8)
    assert "decides by values" in made.facts["engine"]
    assert any("decides by values" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"patch": 33}, SettingError, "33x33 px is larger than the image of 32x32"),
        ({"patch": 0}, SettingError, "patch=0"),
        ({"patch": 2.5}, SettingError, "patch=2.5"),
        ({"stride": 0}, SettingError, "stride=0"),
        ({"stride": (4, True)}, SettingError, "stride="),
        ({"fill": "green"}, SettingError, "fill='green' is no color"),
        ({"fill": (0.1, 0.2)}, SettingError, "fill="),
        ({"fill": 2}, SettingError, "fill=2"),
        ({"fill": None}, SettingError, "fill=None"),
        ({"border": "around"}, SettingError, "border='around'"),
        ({"reduce": "mean"}, SettingError, "reduce='mean'"),
        ({"batch": 0}, SettingError, "batch=0"),
        ({"unit": "zebra"}, UnknownClass, "zebra"),
        ({"unit": 6}, UnknownClass, "6"),
        ({"unit": 2.5}, UnitError, "float"),
        ({"unit": Unit(2)}, UnitError, "layer"),
        ({"layer": "conv9"}, UnknownLayer, "conv9"),
        ({"layer": "relu1_3"}, LayerNeverRan, "relu1_3"),
        ({"feature": "conv9"}, UnknownLayer, "conv9"),
        ({"unit": 99, "layer": "conv2"}, UnitError, "99"),
        ({"unit": Unit(1, at=(9, 9)), "layer": "conv2"}, UnitError, "position"),
        ({"unit": Unit.code(), "layer": "conv2"}, UnitError, "no single channel"),
        ({"unit": "dog", "layer": "conv2"}, UnitError, "class dog"),
    ],
)
def test_what_cannot_be(options: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=r"(?s).*" + said.replace("(", r"\(")):
        occlude(network(), image(), **options)


def test_several_images_and_numbers_that_are_not_finite() -> None:
    with pytest.raises(ImageError):
        occlude(network(), torch.rand(2, 3, SIDE, SIDE))
    net = network()
    with torch.no_grad():
        net.module.conv2.bias[0] = torch.nan
    with pytest.raises(NotFinite, match="conv2"):
        occlude(net, image())

    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x - 0.2).sqrt()

    bare = Network(nn.Sequential(Root(), seeded(module())), Preprocessing((SIDE, SIDE)), LABELS)
    with pytest.raises(NotFinite, match="occluded image"):
        occlude(bare, image() * 0.5 + 0.3, fill="black", feature=None, patch=8, stride=8)
