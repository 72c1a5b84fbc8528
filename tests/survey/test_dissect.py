"""Whole dissections: known truths are found, killed ones go on, the damaged is passed over."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import ImageError, SettingError, UnitError, UnknownLayer
from phosphene.survey.dissection.broden import open_broden
from phosphene.survey.dissection.broden_writing import write_broden
from phosphene.survey.dissection.dissect import dissect
from phosphene.survey.dissection.photographs import photo_concepts
from phosphene.survey.dissection.result import Dissection
from phosphene.survey.dissection.scenes import scene_concepts
from phosphene.survey.dissection.showing import stretching
from tests.reference import dissection as literal
from tests.survey.brodens import small_broden

MAGENTA = (255, 0, 255)


class Planted(nn.Module):
    """A unit whose code is 1 where a pixel is magenta and 0 elsewhere, beside units of noise."""

    def __init__(self) -> None:
        super().__init__()
        self.color = nn.Conv2d(3, 6, 1)
        self.act = nn.ReLU()
        self.deep = nn.Conv2d(6, 4, 3, stride=4, padding=1)
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator))
            # 255 (r - g + b) - 509: 1 for (255, 0, 255), and at most 0 for all other bytes.
            self.color.weight[2] = torch.tensor([255.0, -255.0, 255.0])[:, None, None]
            self.color.bias[2] = -509.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.deep(self.act(self.color(x)))


def planted(size: tuple[int, int] = (96, 96)) -> Network:
    return Network(Planted(), Preprocessing(size), name="planted")


def painted_world(folder: Path, name: str, count: int = 40) -> Path:
    """Write scenes as a Broden directory, and paint all pixels of a class of objects magenta."""
    scenes = scene_concepts(count, label_size=(96, 96))
    write_broden(scenes, folder)
    number = scenes.vocabulary.number("object", name)
    for index in range(count):
        mask = scenes.labels(index).maps[0] == number
        path = folder / "images" / f"{scenes.name_of(index)}.png"
        pixels = np.array(Image.open(path))
        pixels[mask] = MAGENTA
        Image.fromarray(pixels).save(path)
    return folder


@pytest.mark.parametrize("counting", ["original", "lite"])
def test_a_planted_detector_is_found(tmp_path: Path, counting: str) -> None:
    concepts = open_broden(painted_world(tmp_path / "world", "car"))
    found = dissect(planted(), ["act"], concepts, level=0.1, counting=counting, shown=2, pictures=3)  # type: ignore[call-overload]
    best = found["act"].ranked()[0]
    assert (best.unit, best.category, best.label) == (2, "object", "car")
    assert best.iou > 0.99
    assert best.truth == best.intersection
    (first, *_) = found.pictures["act", 2]
    lit = np.asarray(first.image).max(2) > 60
    assert (np.asarray(first.image)[lit] == MAGENTA).all(1).mean() > 0.9, "the rest is dark"
    others = [m.iou for m in found["act"].ranked()[1:]]
    assert max(others) < 0.9 * best.iou


def test_a_planted_color_is_found_in_photographs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for index in range(30):
        pixels = np.full((96, 96, 3), rng.choice([40, 128, 250]), np.uint8)
        y, x = rng.integers(0, 50, 2)
        pixels[y : y + 40, x : x + 40] = [(200, 40, 40), (60, 110, 190), MAGENTA][index % 3]
        Image.fromarray(pixels).save(tmp_path / f"{index:02d}.png")
    concepts = photo_concepts(tmp_path, size=(96, 96))
    found = dissect(planted(), ["act"], concepts, level=0.2)
    best = found["act"].best(2)
    assert (best.category, best.label) == ("color", "purple")
    assert best.iou > 0.9, "labels have half the resolution"
    assert "purple" in found["act"].unique()["color"]


def test_iou_by_hand(tmp_path: Path) -> None:
    """Image a: left half red; image b: nothing but street. One unit answers to both left halves."""
    small_broden(tmp_path)
    for name in "ab":
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[:, :4, 0] = 255
        Image.fromarray(pixels).save(tmp_path / "images" / "set" / f"{name}.png")
    module = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(3, 1, 1, bias=False))
    with torch.no_grad():
        module[1].weight.copy_(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1))
    net = Network(module, Preprocessing((8, 8)))
    concepts = open_broden(tmp_path)
    layer = dissect(net, ["1"], concepts, level=0.5)["1"]
    # Places lie on the label pixels: active are the left halves, 8 pixels of each image.
    assert layer.thresholds[0] == 0
    by_name = {m.label: m for m in layer.matches(0)}
    red, street = by_name["red"], by_name["street"]
    assert (red.intersection, red.active, red.truth, red.iou) == (8, 8, 8, 1.0)
    # Both images are a street all over: 32 pixels, of which 16 are active.
    assert (street.intersection, street.active, street.truth, street.iou) == (16, 16, 32, 0.5)
    # Car and wheel lie on the right.
    assert set(by_name) == {"red", "street"}
    assert layer.active.tolist() == [[8, 8, 16]]
    lite = dissect(net, ["1"], concepts, level=0.5, counting="lite")["1"]
    # No active pixel meets an object.
    assert lite.active.tolist() == [[8, 0, 16]]
    assert lite.best(0).label == "red"


@pytest.mark.parametrize("way", ["centred", "original", "plain"])
@pytest.mark.parametrize("counting", ["original", "lite"])
def test_a_network_on_scenes_agrees_with_the_literal_version(way: str, counting: str) -> None:
    concepts = scene_concepts(6, size=(48, 48))
    net = planted((48, 48))
    found = dissect(
        net, ["deep"], concepts, level=0.1, upsampling=way, counting=counting, pictures=0, batch=4
    )["deep"]  # type: ignore[call-overload]
    images = torch.cat([net.prepare(concepts.image(i))[0] for i in range(6)])
    codes = net.record(images, ["deep"])[1]["deep"].numpy()
    thresholds = np.array([literal.threshold(codes[:, unit], 0.1) for unit in range(4)])
    np.testing.assert_array_equal(found.thresholds, thresholds)
    places = {
        "centred": literal.centred_places(12, 24, 48, 0.0, 4.0),
        "original": literal.original_places(12, 24, 48, -1, 3, 4),
        "plain": literal.plain_places(12, 24),
    }[way]
    words = concepts.vocabulary
    labels = [list(concepts.labels(i).maps) for i in range(6)]
    met, active, truth, iou = literal.counts(
        codes, thresholds, labels, [[]] * 6, words.primary, 4, places, places, (24, 24),
        counting == "lite",
    )  # fmt: skip
    np.testing.assert_array_equal(found.intersection, met)
    np.testing.assert_array_equal(found.active, active)
    np.testing.assert_array_equal(found.truth, truth)
    np.testing.assert_allclose(found.iou, iou, rtol=1e-15)


def test_the_table_has_the_columns_of_the_original(tmp_path: Path) -> None:
    found = dissect(planted(), ["color", "deep"], scene_concepts(8), level=0.05, pictures=1)
    page = found.write(tmp_path / "out")
    assert page.name == "index.html"
    with open(tmp_path / "out" / "deep-result.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    heads = ["unit", "category", "label", "score"]
    for category in ("object", "part", "texture", "color"):
        heads += [
            f"{category}-{each}" for each in ("label", "truth", "activation", "intersect", "iou")
        ]
    assert list(rows[0]) == heads
    assert sorted(int(row["unit"]) for row in rows) == [1, 2, 3, 4]
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    for row in rows:
        best = max(float(row[f"{c}-iou"]) for c in ("object", "part", "texture", "color"))
        assert float(row["score"]) == best
        assert float(row[f"{row['category']}-iou"]) == float(row["score"])
        truth, active, met = (
            int(row[f"color-{each}"]) for each in ("truth", "activation", "intersect")
        )
        assert float(row["color-iou"]) == pytest.approx(met / (truth + active - met))
    told = json.loads((tmp_path / "out" / "dissection.json").read_text())
    assert [layer["layer"] for layer in told["layers"]] == ["color", "deep"]
    assert told["layers"][1]["results"][0]["unit"] == int(rows[0]["unit"]) - 1


def test_a_corrupt_image_and_corrupt_labels_are_named_and_passed_over(tmp_path: Path) -> None:
    folder = painted_world(tmp_path, "car", 20)
    whole = dissect(planted(), ["act"], open_broden(folder), level=0.1, pictures=0)
    assert whole.images == 20
    assert not whole.failed
    (folder / "images" / "scenes" / "07-000003.png").write_bytes(b"none")
    (folder / "images" / "scenes" / "07-000004_object.png").write_bytes(b"none")
    found = dissect(planted(), ["act"], open_broden(folder), level=0.1, pictures=0)
    assert found.images == 18
    assert list(found.failed) == ["scenes/07-000003.png", "scenes/07-000004.png"]
    assert "is damaged" in found.failed["scenes/07-000004.png"]
    assert found.warnings[0].endswith("and 1 more")
    best = found["act"].ranked()[0]
    assert (best.unit, best.label) == (2, "car")
    assert best.iou > 0.99


def test_nothing_that_can_be_read(tmp_path: Path) -> None:
    small_broden(tmp_path)
    for name in ("a", "b"):
        (tmp_path / "images" / "set" / f"{name}.png").write_bytes(b"none")
    with pytest.raises(ImageError, match="no image of"):
        dissect(planted((8, 8)), ["act"], open_broden(tmp_path))


@pytest.mark.parametrize("at", [1, 4, 6])
def test_a_dissection_goes_on_where_it_was_killed(tmp_path: Path, at: int) -> None:
    concepts = scene_concepts(130, size=(32, 32))
    net = planted((32, 32))
    left = at

    def tick(done: int, total: int, what: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt

    arguments = {"level": 0.05, "pictures": 0, "batch": 64}
    whole = dissect(net, ["act", "deep"], concepts, **arguments)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        dissect(
            net, ["act", "deep"], concepts, folder=tmp_path / "state", memory=0, tick=tick,
            **arguments,  # type: ignore[arg-type]
        )  # fmt: skip
    again = dissect(net, ["act", "deep"], concepts, folder=tmp_path / "state", **arguments)  # type: ignore[arg-type]
    assert again.images == whole.images == 130
    for layer in ("act", "deep"):
        np.testing.assert_array_equal(again[layer].thresholds, whole[layer].thresholds)
        np.testing.assert_array_equal(again[layer].intersection, whole[layer].intersection)
        np.testing.assert_array_equal(again[layer].active, whole[layer].active)
    np.testing.assert_array_equal(again["act"].truth, whole["act"].truth)


@pytest.mark.parametrize("level", [0.005, 0.05, 0.4])
def test_one_pass_finds_what_two_find(level: float, monkeypatch: pytest.MonkeyPatch) -> None:
    concepts = scene_concepts(40, size=(48, 48))
    net = planted((48, 48))
    told: list[str] = []

    def run(memory: int) -> Dissection:
        told.clear()
        return dissect(
            net, ["act", "deep"], concepts, level=level, pictures=1, memory=memory, batch=8,
            tick=lambda done, total, what: told.append(what),
        )  # fmt: skip

    kept = run(1 << 30)
    assert set(told) == {"one pass"}
    again = run(0)
    assert set(told) == {"thresholds", "counts"}
    # Too much for memory after all: given up in the middle.
    monkeypatch.setattr("phosphene.survey.dissection.dissect.fits", lambda *_: True)
    over = run(1000)
    assert set(told) == {"one pass", "thresholds", "counts"}
    for layer in ("act", "deep"):
        for other in (again, over):
            np.testing.assert_array_equal(kept[layer].thresholds, other[layer].thresholds)
            np.testing.assert_array_equal(kept[layer].intersection, other[layer].intersection)
            np.testing.assert_array_equal(kept[layer].active, other[layer].active)
            np.testing.assert_array_equal(kept[layer].truth, other[layer].truth)
    assert kept.images == again.images == 40
    assert list(kept.pictures) == list(again.pictures)


def test_what_is_kept_is_what_is_needed() -> None:
    """Maps of decreasing and of increasing strength; limits rise, and thresholds stay exact."""
    from phosphene.survey.dissection.recollection import Recollection
    from tests.survey.test_concepts_tally import batches

    generator = torch.Generator().manual_seed(0)
    for scale in (torch.linspace(3, 0.1, 30), torch.linspace(0.1, 3, 30), torch.zeros(30)):
        codes = torch.randn(30, 6, 5, 4, generator=generator).relu() * scale[:, None, None, None]
        kept = Recollection(["conv"], 0.05, 30, 1 << 20)
        for batch in batches(codes, 4):
            kept.see(batch)
            for each in kept._kept.values():
                each.settle()
        limit = kept.of("conv")
        wanted = [literal.threshold(codes[:, unit].numpy(), 0.05) for unit in range(6)]
        assert limit.tolist() == pytest.approx(wanted, abs=0)
        found = {(k, int(u)): m for k, units, maps in kept.maps("conv", limit)
                 for u, m in zip(units, maps, strict=True)}  # fmt: skip
        over = (codes.amax((2, 3)) > limit).nonzero().tolist()
        assert sorted(found) == sorted((i, u) for i, u in over)
        assert all(torch.equal(maps, codes[i, u]) for (i, u), maps in found.items())


def test_what_cannot_be() -> None:
    net, concepts = planted((32, 32)), scene_concepts(2, size=(32, 32))
    for wrong, sentence in (
        ({"level": 1.0}, "no share of positions"),
        ({"upsampling": "cubic"}, "no way of upsampling"),
        ({"counting": "half"}, "no way of counting"),
        ({"minimum": 0.0}, "no IoU"),
    ):
        with pytest.raises(SettingError, match=sentence):
            dissect(net, ["act"], concepts, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UnknownLayer):
        dissect(net, ["conv9"], concepts)
    found = dissect(net, ["act"], concepts, pictures=0)
    with pytest.raises(UnknownLayer, match="was not dissected"):
        found["deep"]
    with pytest.raises(UnitError, match="units 0 to 5"):
        found["act"].matches(6)


def test_images_are_stretched_not_cropped() -> None:
    net = Network(Planted(), Preprocessing((32, 32), resize_to=64, mean=(0.2, 0.3, 0.4)))
    same = stretching(net, (100, 50))
    picture = Image.new("RGB", (50, 100), "white")
    picture.putpixel((0, 0), (0, 0, 0))
    image, frame = same.prepare(picture)
    assert frame.box == (0, 0, 32, 32)
    assert image[0, :, 0, 0].max() < 1
    assert same.preprocessing.mean == (0.2, 0.3, 0.4)
    native = Network(Planted(), Preprocessing((32, 32), resize="native"))
    assert stretching(native, (100, 50)).prepare(picture)[0].shape[2:] == (100, 50)


@pytest.mark.parametrize("memory", [0, 1 << 30])
def test_no_activation_is_written(tmp_path: Path, memory: int) -> None:
    """One pass writes nothing; two write what does not grow with the images."""

    def written(count: int) -> int:
        folder = tmp_path / f"{count}"
        dissect(
            planted((32, 32)), ["color", "act"], scene_concepts(count, size=(32, 32)),
            level=0.01, pictures=0, folder=folder, memory=memory,
        )  # fmt: skip
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    few, many = written(8), written(64)
    if memory:
        assert few == many == 0
    else:
        # Of 1024 positions of 12 units in 56 more images at most the top is kept, to be sorted.
        assert 0 < many - few < 0.1 * 4 * 12 * 1024 * 56


def test_workers_open_what_is_shown_whole_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that workers open by themselves would otherwise crop."""

    def cropping() -> Network:
        return Network(Planted(), Preprocessing((32, 32), resize_to=48))

    def sweep(net: Network, *_: object, reopen: Callable[[], Network], **__: object) -> None:
        assert reopen().preprocessing == net.preprocessing
        assert net.preprocessing.resize == "stretch"
        raise KeyboardInterrupt

    monkeypatch.setattr("phosphene.survey.dissection.dissect.sweep", sweep)
    concepts = scene_concepts(4, size=(32, 32))
    with pytest.raises(KeyboardInterrupt):
        dissect(cropping(), ["deep"], concepts, workers=2, reopen=cropping)


def test_counts_equal_lite_with_its_thresholds() -> None:
    """Given one threshold, ours are the counts of a resize of every map by Pillow."""
    concepts, net = scene_concepts(6, size=(64, 64)), planted((64, 64))
    found = dissect(
        net, ["deep"], concepts, level=0.05, upsampling="plain", counting="lite", pictures=0
    )["deep"]
    images = torch.cat([net.prepare(concepts.image(i))[0] for i in range(6)])
    codes = stretching(net, (64, 64)).record(images, ["deep"])[1]["deep"].numpy()
    met = np.zeros_like(found.intersection)
    for index in range(6):
        maps = concepts.labels(index).maps
        for unit, limit in enumerate(found.thresholds):
            small = Image.fromarray(codes[index, unit], mode="F")
            mask = np.asarray(small.resize((32, 32), Image.Resampling.BILINEAR)) > limit
            met[unit] += np.bincount(maps[:, mask].ravel(), minlength=met.shape[1])
    np.testing.assert_array_equal(found.intersection[:, 1:], met[:, 1:])
    assert met[:, 1:].sum() > 100


def test_the_best_of_every_concept_is_shown_first() -> None:
    found = dissect(
        planted(), ["act", "deep"], scene_concepts(8), level=0.1, minimum=1e-6, shown=2, pictures=1
    )
    for layer in ("act", "deep"):
        shown = [unit for name, unit in found.pictures if name == layer]
        assert len(shown) == 2
        assert len({found[layer].best(unit).label for unit in shown}) == 2
