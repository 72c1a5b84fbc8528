"""Cutting out what a classifier sees."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.rules import DECONVNET, GUIDED, SALIENCY, Reversal
from phosphene.errors import (
    ImageError,
    NothingToReverse,
    OutputError,
    SettingError,
    UnknownClass,
    UnknownRule,
)
from phosphene.segmentation.baseline import gaussian_blob
from phosphene.segmentation.cutting import Cutting, segment_map
from phosphene.segmentation.region import tight_box
from phosphene.segmentation.segment import segment
from phosphene.segmentation.truths.polygons import fill_all
from phosphene.segmentation.truths.rle import decode
from phosphene.segmentation.views import Start, look, rule_of, usual_side, views
from phosphene.worlds.shapes import scene
from phosphene.zoo.demo import demo
from tests.contract_networks import LABELS, ScoreMap, plain, seeded

CAREFUL = {"rule": "guided", "smoothing": 0.04, "low": 0.5, "fill": True}


@pytest.fixture(scope="module")
def net() -> Network:
    return demo()


def small(module: nn.Module | None = None, size: int = 20) -> Network:
    return Network(module or plain(), Preprocessing((size, size)), LABELS)


class Mean(nn.Module):
    """A score map (of three classes), and its mean as the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.relu = nn.ReLU()
        self.last = nn.Conv2d(6, 6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.relu(self.conv(x))).relu().mean((2, 3))


def test_scenes_are_cut_out(net: Network) -> None:
    overlaps, right = [], 0
    for seed in range(700, 720):
        drawn = scene(seed)
        found = segment(net, drawn.image, **CAREFUL)
        right += found.label == net.labels[drawn.label]
        assert found.mask.shape == drawn.object.shape
        assert found.box == tight_box(found.mask)
        overlaps.append((found.mask & drawn.object).sum() / (found.mask | drawn.object).sum())
    assert np.mean(overlaps) > 0.7
    assert right > 15


def test_the_map_is_the_signal_of_the_positive_positions(net: Network) -> None:
    image = torch.rand(1, 3, 144, 128)
    (view,) = views(net, image[0], SALIENCY, [3])
    x = image.clone().requires_grad_()
    scores = net.scores(x)[0, 3]
    (scores.clamp(min=0).sum() if (scores > 0).any() else scores.max()).backward()
    np.testing.assert_allclose(view.map, x.grad[0].abs().amax(0).numpy(), rtol=1e-4, atol=1e-7)
    assert view.score == pytest.approx(float(scores.detach().max()))
    (everywhere,) = views(net, image[0], SALIENCY, [3], seed="everywhere")
    x.grad = None
    net.scores(x)[0, 3].sum().backward()
    np.testing.assert_allclose(everywhere.map, x.grad[0].abs().amax(0), rtol=1e-4, atol=1e-7)
    (strongest,) = views(net, image[0], SALIENCY, [3], seed="strongest")
    x.grad = None
    net.scores(x)[0, 3].max().backward()
    np.testing.assert_allclose(strongest.map, x.grad[0].abs().amax(0), rtol=1e-4, atol=1e-7)


def test_classes_together_are_classes_one_by_one(net: Network) -> None:
    photo = scene(3, size=(120, 150)).image
    together = views(net, photo, GUIDED, top=4)
    assert len({view.channel for view in together}) == 4
    assert [v.score for v in together] == sorted((v.score for v in together), reverse=True)
    for view in together:
        (alone,) = views(net, photo, GUIDED, [view.channel])
        np.testing.assert_allclose(view.map, alone.map, rtol=1e-4, atol=1e-8)


def test_one_forward_pass_serves_all_rules(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit."""
    photo = scene(3, size=(120, 150)).image
    asked: list[tuple[Reversal, list[int] | None, Start]] = [
        (SALIENCY, None, "positive"),
        (GUIDED, [1, 4], "everywhere"),
        (DECONVNET, [2], "strongest"),
        (SALIENCY, None, "positive"),
    ]
    wanted = [views(net, photo, rule, classes, seed=seed) for rule, classes, seed in asked]
    passes = []
    tapes = Network.tapes
    monkeypatch.setattr(Network, "tapes", lambda *a, **k: passes.append(1) or tapes(*a, **k))
    shown = look(net, photo)
    found = [shown.views(rule, classes, seed=seed) for rule, classes, seed in asked]
    assert len(passes) == 1
    for one, other in zip(found, wanted, strict=True):
        for a, b in zip(one, other, strict=True):
            assert np.array_equal(a.map, b.map)
            assert (a.channel, a.score, a.probability) == (b.channel, b.score, b.probability)
            assert a.facts == b.facts
    assert shown.likeliest(3) == [view.channel for view in views(net, photo, SALIENCY, top=3)]
    assert len(shown.likeliest(1000)) == net.classes
    with pytest.raises(SettingError, match="starts at 'all'"):
        shown.views(SALIENCY, seed="all")  # type: ignore[arg-type]


def test_the_class_is_the_networks_own_where_it_makes_one_answer() -> None:
    """Of a mean of scores it is the largest mean, of a map of scores the largest score."""
    averaging, photo = small(seeded(Mean())), scene(4).image
    (view,) = views(averaging, photo, SALIENCY)
    image, _ = averaging.prepare(photo, whole=True)
    assert view.channel == int(averaging(image)[0].argmax())
    assert view.order == "probability"
    assert re.fullmatch(r"\w+ \d+%", segment(averaging, photo).title)
    over = small(seeded(ScoreMap(False)))
    (view,) = views(over, photo, SALIENCY)
    image, _ = over.prepare(photo, whole=True)
    assert view.channel in range(over.classes)
    photo = scene(4, size=(96, 150)).image
    (view,) = views(demo(), photo, SALIENCY)
    assert view.order == "score"
    assert segment(demo(), photo).title.endswith(f", score {view.score:.2f}")


def test_a_network_of_one_size_is_shown_its_crop() -> None:
    """And what lies outside of it is not known, and no object."""
    photo = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)
    found = segment(small(), photo, "bee", shorter_side=30, fill=True)
    assert "was shown its own 20x20" in found.warnings[0]
    known = np.isfinite(found.map)
    assert found.map.shape == (30, 45)
    assert tight_box(known) == (7, 0, 38, 30) or known.mean() == pytest.approx(2 / 3, abs=0.05)
    assert found.trimap.levels[~known].max() == found.trimap.levels[~known].min() == 0
    assert found.mask.shape == (60, 90)


def test_a_photograph_of_any_kind(net: Network, tmp_path: Path) -> None:
    pixels = scene(5, size=(100, 140)).image
    Image.fromarray(pixels).save(tmp_path / "a <b> & c.png")
    for photo in (pixels, Image.fromarray(pixels), tmp_path / "a <b> & c.png"):
        assert segment(net, photo).mask.shape == (100, 140)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1) / 255
    assert segment(net, tensor).map.shape == (100, 140)
    wide = segment(net, Image.fromarray(pixels).resize((1400, 1000)))
    assert wide.mask.shape == (1000, 1400)
    assert wide.map.shape == (96, 134)
    assert segment(net, pixels, shorter_side=120).map.shape == (120, 168)


def test_constants_of_the_papers(net: Network) -> None:
    photo = scene(6).image
    derivative, guided = segment(net, photo), segment(net, photo, rule="guided")
    assert derivative.trimap.foreground.mean() == pytest.approx(0.05, abs=0.002)
    assert guided.trimap.foreground.mean() == pytest.approx(0.10, abs=0.002)
    assert derivative.trimap.background.mean() == pytest.approx(0.30, abs=0.002)
    assert segment(net, photo, high=0.8).trimap.foreground.mean() == pytest.approx(0.2, abs=0.002)
    assert rule_of("desalinet").lrn == "backprop"
    assert rule_of("deconvnet") == DECONVNET
    assert rule_of(GUIDED).lrn == "identity"
    assert rule_of("mask+rectify/switches/identity") == GUIDED
    assert rule_of("guided+relu6").include == ("relu6",)
    assert "mask+rectify/switches/backprop" in guided.facts.values()
    sides = {224: 256, 227: 256, 96: 96, 20: 32, 299: 352}
    assert {s: usual_side(small(size=s)) for s in sides} == sides


@pytest.mark.parametrize("engine", ["graph-cut", "grab-cut", "threshold"])
@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.zeros((40, 50)), "zero everywhere"),
        (np.ones((40, 50)), "the same everywhere"),
        (np.full((40, 50), np.nan), "known nowhere"),
    ],
)
def test_maps_that_say_nothing(engine: str, values: np.ndarray, why: str) -> None:
    photo = scene(7, size=(80, 100)).image
    for smoothing in (0, 0.1):
        found = segment_map(photo, values, Cutting(engine, smoothing=smoothing))  # type: ignore[arg-type]
        assert found.empty
        assert not found.mask.any()
        assert why in found.warnings[0]
        assert "no object" in found.panel().rows[0][0]
        assert found.as_coco()["annotations"] == []
        assert "<object>" not in found.as_voc()


def test_a_signal_of_zero_is_no_object() -> None:
    dead = seeded(Mean())
    with torch.no_grad():
        dead.conv.bias.fill_(-1e4)
    found = segment(small(dead), scene(8).image, 0)
    assert found.empty
    assert "ask for another" in found.warnings[0]
    guided = segment(small(dead), scene(8).image, 0, "guided", seed="positive")
    assert "(--seed-at strongest, or seed='strongest'), or take the rule" in guided.warnings[0]
    assert "(--rule saliency, or rule='saliency')" in guided.warnings[0]
    assert "image: there is no object for '" in guided.warnings[0]
    again = segment(small(dead), scene(8).image, 0, "guided", seed="strongest")
    assert "nothing of the signal; take the rule saliency" in again.warnings[0]


@pytest.mark.parametrize("engine", ["graph-cut", "grab-cut", "threshold"])
def test_any_map_cuts(engine: str) -> None:
    drawn = scene(9)
    values = drawn.object * (1 + gaussian_blob((96, 96)))
    found = segment_map(drawn.image, torch.from_numpy(values), Cutting(engine, threshold=0.9))  # type: ignore[arg-type]
    assert (found.mask & drawn.object).sum() > 0.1 * drawn.object.sum()
    assert found.label == ""
    found.panel()
    known = segment_map(drawn.image, np.where(np.arange(96) < 60, values, np.nan), Cutting(engine))  # type: ignore[arg-type]
    assert known.mask.any()


def test_threshold_needs_no_package(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "maxflow", None)
    monkeypatch.setitem(sys.modules, "cv2", None)
    found = segment(net, scene(10).image, engine="threshold", threshold=0.7, smoothing=0.05)
    assert 0 < found.mask.mean() <= 0.31
    for engine in ("graph-cut", "grab-cut"):
        with pytest.raises(SettingError, match=r"phosphene\[segmentation\]"):
            segment(net, scene(10).image, engine=engine)  # type: ignore[arg-type]


def test_formats_of_others(net: Network, tmp_path: Path) -> None:
    path = tmp_path / "a <b> & c.png"
    Image.fromarray(scene(11, size=(110, 130)).image).save(path)
    found = segment(net, path)
    written = json.loads(json.dumps(found.as_coco()))
    (annotation,) = written["annotations"]
    x0, y0, x1, y1 = found.box
    assert annotation["bbox"] == [x0, y0, x1 - x0, y1 - y0]
    assert annotation["area"] == found.mask.sum()
    assert written["categories"] == [{"id": found.channel + 1, "name": found.label}]
    encoded = annotation["segmentation"]
    assert np.array_equal(decode(encoded["counts"], encoded["size"]), found.mask)
    (outlined,) = json.loads(json.dumps(found.as_coco("polygon")))["annotations"]
    polygons = outlined.pop("segmentation")
    assert np.array_equal(fill_all(polygons, found.mask.shape), found.mask)
    assert outlined == {k: v for k, v in annotation.items() if k != "segmentation"}
    with pytest.raises(SettingError, match="written as 'polygons': choose rle or polygon"):
        found.as_coco("polygons")  # type: ignore[arg-type]
    tree = ElementTree.fromstring(found.as_voc())
    assert tree.findtext("filename") == "a <b> & c.png"
    assert tree.findtext("size/width") == "130"
    corners = [int(tree.findtext(f"object/bndbox/{k}")) for k in ("xmin", "ymin", "xmax", "ymax")]
    assert corners == [x0 + 1, y0 + 1, x1, y1]
    saved = found.save_mask(tmp_path / "new" / "mask.png")
    assert np.array_equal(np.asarray(Image.open(saved)) > 0, found.mask)
    assert sorted(p.name for p in saved.parent.iterdir()) == ["mask.png"]
    with pytest.raises(OutputError, match=r"ends in \.png"):
        found.save_mask(tmp_path / "mask.jpg")


def test_how_it_shows_itself(net: Network, tmp_path: Path) -> None:
    found = segment(net, scene(12).image)
    heading, tiles = found.panel().rows[0]
    assert found.label in heading
    assert [tile.image.size for tile in tiles] == [(96, 96)] * 4
    assert {"network", "rule", "engine", "quantiles", "torch"} <= set(found.facts)
    assert found.save(tmp_path / "cut.html").stat().st_size > 1000
    assert found.overlay().size == (96, 96)


@pytest.mark.parametrize("engine", ["graph-cut", "grab-cut", "threshold"])
def test_nothing_of_the_callers_is_changed(engine: str) -> None:
    own = small()
    own.module.train()
    before = {name: value.clone() for name, value in own.module.state_dict().items()}
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    with torch.inference_mode():
        segment(own, scene(14).image, engine=engine)  # type: ignore[arg-type]
    assert all(module.training for module in own.module.modules())
    assert all(torch.equal(before[name], value) for name, value in own.module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in own.module.parameters())
    assert torch.equal(states[0], torch.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1])
    assert own.preprocessing.resize_to is None


def test_what_cannot_be(net: Network) -> None:
    photo = scene(13).image
    with pytest.raises(SettingError, match="'grabcut' cuts nothing"):
        segment(net, photo, engine="grabcut")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="starts at 'all'"):
        segment(net, photo, seed="all")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="divide no map"):
        segment(net, photo, high=0.2)
    with pytest.raises(SettingError, match="smoothing of -1"):
        segment(net, photo, smoothing=-1)
    with pytest.raises(SettingError, match="at 0 px"):
        segment(net, photo, shorter_side=0)
    with pytest.raises(UnknownClass):
        segment(net, photo, "zebra")
    with pytest.raises(UnknownRule):
        segment(net, photo, rule="gided")
    with pytest.raises(ImageError, match="a map of shape"):
        segment_map(photo, np.ones(5))
    smooth = nn.Sequential(nn.Conv2d(3, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(NothingToReverse):
        segment(small(smooth), photo, rule=Reversal("mask+rectify"))
