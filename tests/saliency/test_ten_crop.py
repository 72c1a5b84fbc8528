"""Ten crops, against the slow reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.reversal import backward
from phosphene.core.rules import DECONVNET, GUIDED, SALIENCY, Reversal
from phosphene.core.unit import Unit
from phosphene.errors import ImageError, NothingToReverse, UnknownClass, UnknownRule
from phosphene.image import to_tensor
from phosphene.saliency.explain import explain
from phosphene.saliency.ten_crop import ten_crop
from tests.contract_networks import LABELS, ScoreMap, plain, seeded
from tests.reference.ten_crop import average, corners


def network(order: str = "BGR", resize_to: int = 26, module: nn.Module | None = None) -> Network:
    channels = 1 if order == "gray" else 3
    preprocessing = Preprocessing(
        (20, 20), (0.4, 0.5, 0.6)[:channels], (0.2, 0.3, 0.25)[:channels], 1.5, order,  # type: ignore[arg-type]
        resize_to=resize_to,
    )  # fmt: skip
    return Network((module or plain(channels)).double(), preprocessing, LABELS)


def photograph(width: int, height: int) -> Image.Image:
    draw = np.random.default_rng((width, height))
    return Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("order", ["BGR", "gray"])
@pytest.mark.parametrize("size", [(26, 26), (33, 26), (26, 35)])
def test_against_one_crop_at_a_time(order: str, size: tuple[int, int]) -> None:
    """On photographs that need no resize."""
    net, photo = network(order), photograph(*size)
    rules = [SALIENCY, DECONVNET, GUIDED, Reversal("rectify", "centre", "identity")]
    made = ten_crop(net, photo, "dog", rules)
    for saliency, rule in zip(made, rules, strict=True):

        def respond(crop: np.ndarray, rule: Reversal = rule) -> np.ndarray:
            tape = net.scores.tape(torch.from_numpy(crop)[None])
            seed = Unit(3, at="positive").plant(tape.activation)
            return net.preprocessing.pull_back(backward(tape, seed.p, rule))[0].numpy()

        signal, saliency_map = average(to_tensor(photo).double().numpy(), (20, 20), respond)
        np.testing.assert_allclose(saliency.signal[0].numpy(), signal, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(saliency.map[0, 0].numpy(), saliency_map, rtol=1e-9, atol=1e-12)
        # The mean of magnitudes is no magnitude of a mean.
        assert not np.allclose(saliency_map, np.abs(signal).max(0), equal_nan=True)


def test_attention_against_one_crop_at_a_time() -> None:
    """Read at an inner layer, whose places lie elsewhere in every crop, and on the pixels."""
    net, photo = network(), photograph(33, 26)
    rules = ["excitation", "contrastive@conv1", "grad-cam", "excitation@image"]
    made = ten_crop(net, photo, "dog", ["saliency", *rules])
    for saliency, rule in zip(list(made)[1:], rules, strict=True):

        def attended(crop: np.ndarray, rule: str = rule) -> np.ndarray:
            unit = Unit(3, at="positive")
            return explain(net, torch.from_numpy(crop), unit, rule, layer="fc")[0].map[0].numpy()

        _, saliency_map = average(to_tensor(photo).double().numpy(), (20, 20), attended)
        np.testing.assert_allclose(saliency.map[0, 0].numpy(), saliency_map, rtol=1e-9, atol=1e-12)
        assert np.nanmax(saliency_map) > 0
        assert bool(saliency.to) != rule.endswith("image")
        assert saliency.signal.shape == (1, 3 if rule.endswith("image") else 1, 26, 33)
    assert made["contrastive@conv1"].to == "conv1"
    assert len(made.panel().rows[0][1]) == 7  # photograph, five pictures, and the map of saliency


@pytest.mark.parametrize("size", [(26, 26), (33, 26), (26, 35), (64, 48), (31, 70)])
def test_only_the_central_square_is_known(size: tuple[int, int]) -> None:
    width, height = size
    made = ten_crop(network(), photograph(*size))
    known = ~made[0].map[0, 0].isnan().numpy()
    assert made.image.shape == (1, 3, height, width)
    assert made[0].map.shape == (1, 1, height, width)
    assert np.array_equal(known, ~made[0].signal[0].isnan().any(0).numpy())
    side = min(size)
    top, left = (height - side) // 2, (width - side) // 2
    wanted = np.zeros((height, width), bool)
    wanted[top : top + side, left : left + side] = True
    # Where the photograph was resized the edge of the square may fall between pixels.
    wrong = np.argwhere(known != wanted)
    distance = [
        min(abs(y - top), abs(y - top - side), abs(x - left), abs(x - left - side))
        for y, x in wrong
    ]
    limit = 0 if side == 26 else 2
    assert max(distance, default=0) <= limit
    assert known.sum() >= side * side


def test_a_mirrored_photograph_has_the_mirrored_map() -> None:
    for size in ((26, 26), (34, 26), (26, 30), (60, 52)):
        photo = photograph(*size)
        one = ten_crop(network(), photo, 2, [SALIENCY, GUIDED])
        other = ten_crop(network(), ImageOps.mirror(photo), 2, [SALIENCY, GUIDED])
        for a, b in zip(one, other, strict=True):
            torch.testing.assert_close(a.map, b.map.flip(-1), equal_nan=True, rtol=1e-6, atol=1e-9)
            torch.testing.assert_close(
                a.signal, b.signal.flip(-1), equal_nan=True, rtol=1e-6, atol=1e-9
            )
        assert [name for name, _ in one.top[0]] == [name for name, _ in other.top[0]]


def test_the_class_is_the_most_probable_on_average() -> None:
    net, photo = network(), photograph(33, 26)
    pixels = to_tensor(photo)
    crops = [pixels[:, t : t + 20, s : s + 20] for t, s in corners(26, 33, (20, 20))]
    crops += [crop.flip(-1) for crop in crops]
    mean = torch.stack([net.probabilities(crop[None])[0] for crop in crops]).mean(0)
    made = ten_crop(net, photo, top=6)
    assert made[0].channel.tolist() == [int(mean.argmax())]
    got = dict(made.top[0])
    for index, label in enumerate(LABELS):
        assert got[label] == pytest.approx(float(mean[index]), abs=1e-6)
    assert list(got) == [LABELS[i] for i in mean.argsort(descending=True)]
    assert torch.equal(
        made[0].map.nan_to_num(), ten_crop(net, photo, int(mean.argmax()))[0].map.nan_to_num()
    )


def test_the_mean_score() -> None:
    net, photo = network(), photograph(26, 26)
    pixels = to_tensor(photo).double()
    crops = [pixels[:, t : t + 20, s : s + 20] for t, s in corners(26, 26, (20, 20))]
    crops += [crop.flip(-1) for crop in crops]
    scores = [float(net.scores(crop[None])[0, 4].detach()) for crop in crops]
    assert ten_crop(net, photo, 4)[0].score.tolist() == pytest.approx([np.mean(scores)])


def test_score_maps_start_from_all_positive_positions() -> None:
    """The derivative of the sum of the rectified map, for networks that end in one."""
    module = seeded(ScoreMap(False)).double()
    net, photo = network(module=module), photograph(26, 26)

    def respond(crop: np.ndarray) -> np.ndarray:
        image = torch.from_numpy(crop)[None].requires_grad_()
        best = net["last"](image)[:, 1]
        total: Tensor = best.clamp(min=0).sum() if (best > 0).any() else best.max()
        return torch.autograd.grad(total, image)[0][0].numpy()

    signal, _ = average(to_tensor(photo).double().numpy(), (20, 20), respond)
    got = ten_crop(net, photo, "bee")[0].signal[0].numpy()
    np.testing.assert_allclose(got, signal, rtol=1e-9, atol=1e-12)


def test_crops_as_large_as_the_square() -> None:
    net, photo = network(resize_to=20), photograph(20, 24)
    made = ten_crop(net, photo, 0)
    assert made[0].map[0, 0, 2:22].isfinite().all()
    assert made[0].map[0, 0, :2].isnan().all()


def test_how_it_shows_itself(tmp_path: Path) -> None:
    photograph(60, 44).save(tmp_path / "owl.png")
    for photo in (tmp_path / "owl.png", str(tmp_path / "owl.png")):
        made = ten_crop(network(), photo, "eel", [SALIENCY, GUIDED])
        panel = made.panel()
        assert made.names == ("owl.png",)
        assert [len(tiles) for _, tiles in panel.rows] == [4]
        assert "eel" in panel.rows[0][0]
        assert all(tile.image.size == (60, 44) for tile in panel.rows[0][1])
        assert panel.facts["class"] == "4 (eel)"
        assert made["guided"].rule == GUIDED
        assert not made.warnings


def test_what_cannot_be() -> None:
    net = network()
    with pytest.raises(ImageError, match="ten crops are taken of photographs"):
        ten_crop(net, torch.rand(3, 40, 40))
    with pytest.raises(ImageError, match="raise resize_to"):
        ten_crop(network(resize_to=18), photograph(40, 40))
    with pytest.raises(UnknownClass):
        ten_crop(net, photograph(40, 40), "zebra")
    with pytest.raises(UnknownRule):
        ten_crop(net, photograph(40, 40), rules="gided")
    with pytest.raises(ImageError, match="does not take photographs"):
        ten_crop(Network(plain(6), Preprocessing((20, 20), order="any")), photograph(40, 40))
    smooth = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(NothingToReverse):
        ten_crop(network(module=smooth), photograph(40, 40), rules=GUIDED)
