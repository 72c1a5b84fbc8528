"""Making an atlas: what it shows, and that it goes on where it was cut off."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.atlas import gather, gather_patches
from phosphene.atlas.gather import Built, build
from phosphene.atlas.gather_concepts import image_colors
from phosphene.atlas.plan import plan_of
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import ImageError, OutputError, SettingError, UnknownLayer
from phosphene.image import to_image
from phosphene.survey.images import open_images
from phosphene.survey.patches import patches
from phosphene.survey.sweeping.folder_lock import locked
from phosphene.survey.top_patches import TopPatches
from tests.survey.pictured import Images, swept

SIZE = 32
COUNT = 12


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve photographs, the left half of each red or blue."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(5)
    for number in range(COUNT):
        pixels = random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        pixels[:, : SIZE // 2] = 10
        # The top of the last photograph is the reddest.
        shade = 180 + 4 * number + np.arange(SIZE, 0, -1)[:, None] // 2
        pixels[:, : SIZE // 2, 0 if number % 2 else 2] = shade
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    return folder


def network() -> Network:
    """A network whose first unit is red, whose second is dead, whose last two are alike."""
    torch.manual_seed(1)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(5, 2, 1),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
    )
    first = module[0]
    with torch.no_grad():
        first.weight[:2] = 0
        first.weight[0, :, 1, 1] = torch.tensor([1.0, -1.0, -1.0])
        first.bias[:2] = torch.tensor([0.0, -9.0])
        first.weight[4], first.bias[4] = 2 * first.weight[3], 2 * first.bias[3]
    return Network(module, Preprocessing((SIZE, SIZE)), ("cat", "dog"), "small")


def made(photos: Path, site: Path, **how: Any) -> Built:
    how = {"layers": ["1", "2"], "count": 4, **how}
    return build(network(), open_images(str(photos)), site, **how)


def files(site: Path) -> dict[str, bytes]:
    """Everything in a site but what is kept for going on."""
    return {
        str(path.relative_to(site)): path.read_bytes()
        for path in site.rglob("*")
        if path.is_file() and not path.relative_to(site).parts[0].startswith(".")
    }


def test_what_an_atlas_shows(photos: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    stages: list[str] = []
    built = made(photos, site, tick=lambda done, total, what: stages.append(what))
    assert list(dict.fromkeys(stages)) == [
        "showing all images", "strongest patches", "concepts", "maximising 1", "maximising 2",
        "pages",
    ]  # fmt: skip
    relu, scores = built.atlas.layers
    red, dead, _, one, other = relu.units
    assert red.concepts[0].name == "red"
    assert dead.flags == ("dead",)
    assert "maximised" not in dead.thumbnails
    assert "patches" in dead.thumbnails
    assert (one.flags, other.flags) == (("duplicated",), ("duplicated",))
    assert one.neighbours[0][0] == 4
    assert one.neighbours[0][1] == pytest.approx(1)
    assert [strip.title for strip in red.strips] == [
        "What excites it most", "Strongest patches", "What made it fire there (deconvnet)",
    ]  # fmt: skip
    assert [len(strip.pictures) for strip in red.strips] == [2, 4, 4]
    assert all("duplicated" not in unit.flags for unit in relu.units[:3])
    for unit in (*relu.units, *scores.units):
        for picture in (*unit.thumbnails.values(), *(p for s in unit.strips for p in s.pictures)):
            with Image.open(site / picture.file) as opened:
                assert opened.size == (picture.width, picture.height)
    assert built.page.is_file()
    assert "was not" not in "".join(built.atlas.warnings)


def test_a_patch_is_the_photograph_at_the_peak(photos: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    built = made(photos, site, dissect=False, maximise="none")
    for unit in built.atlas.layers[0].units:
        for picture in unit.strips[0].pictures:
            patch = np.asarray(Image.open(site / picture.file).convert("RGB"))
            whole = np.asarray(Image.open(photos / picture.source))
            assert patch.shape == (3, 3, 3)
            padded = np.pad(whole, ((1, 1), (1, 1), (0, 0)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3, 3))
            assert (windows[:, :, 0] == patch).all((2, 3, 4)).any()


def test_maximised_images_excite_their_unit(photos: Path, tmp_path: Path) -> None:
    built = made(photos, tmp_path / "site", dissect=False)
    red = built.atlas.layers[0].units[0]
    # The photographs hold red as strong as it gets.
    assert 0.5 < red.statistics["maximised over maximum"] <= 1.1


def test_an_atlas_cut_off_anywhere_ends_the_same(photos: Path, tmp_path: Path) -> None:
    whole = files(made(photos, tmp_path / "whole", seeds=1).page.parent)
    seen = 0

    def cut(at: str, number: int) -> Any:
        def tick(done: int, total: int, what: str) -> None:
            nonlocal seen
            seen += what == at
            if what == at and seen == number:
                raise KeyboardInterrupt

        return tick

    site = tmp_path / "site"
    for at in ("showing all images", "strongest patches", "concepts", "maximising 1", "pages"):
        seen = 0
        with pytest.raises(KeyboardInterrupt):
            made(photos, site, seeds=1, tick=cut(at, 1))
    assert files(made(photos, site, seeds=1).page.parent) == whole


def test_ctrl_c_in_a_descent_stops(photos: Path, tmp_path: Path) -> None:
    def tick(done: int, total: int, what: str) -> None:
        if what == "maximising 2":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        made(photos, tmp_path / "site", tick=tick)
    assert not (tmp_path / "site" / "index.html").exists()


def test_what_is_done_is_not_done_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = files(made(photos, tmp_path / "site").page.parent)

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError

    for home, name in ((gather_patches, "patches"), (gather_patches, "refusals")):
        monkeypatch.setattr(home, name, never)
    monkeypatch.setattr("phosphene.atlas.maximise.activate", never)
    monkeypatch.setattr("phosphene.atlas.gather_concepts.dissect", never)
    assert files(made(photos, tmp_path / "site").page.parent) == first


def test_a_first_look_and_the_rest(photos: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    some = made(photos, site, limit=2, maximise="none")
    assert [unit.index for unit in some.atlas.layers[0].units] == [0, 4]
    assert "2 of 5 units" in some.atlas.layers[0].note
    assert {number for number, _ in some.atlas.layers[0].units[1].neighbours} <= {0}
    every = made(photos, site, maximise="none")
    assert len(every.atlas.layers[0].units) == 5


def test_some_of_the_patches_are_those_of_all() -> None:
    from tests.survey.pictured import network as pictured

    net, images = pictured(), Images(6)
    top = swept(net, images, ["1", "5"], 3)
    units = {"1": [0, 3], "5": [2]}
    whole = {(p.layer, p.channel, p.peak.key): p for p in patches(net, images, top, units)}
    parts = {}
    for keys in ([0, 1, 2], [3, 4, 5]):
        for patch in patches(net, images, top, units, keys=keys):
            parts[patch.layer, patch.channel, patch.peak.key] = patch
    assert parts.keys() == whole.keys()
    assert all(torch.equal(parts[key].image, whole[key].image) for key in whole)
    assert isinstance(top, TopPatches)


def test_layers_that_cannot_be_reversed_say_so(photos: Path, tmp_path: Path) -> None:
    built = made(photos, tmp_path / "site", layers=["0", "1"], maximise="none", dissect=False)
    conv, relu = built.atlas.layers
    assert [strip.title for strip in conv.units[0].strips] == ["Strongest patches"]
    assert "not reversed by deconvnet" in conv.note
    assert len(relu.units[0].strips) == 2


def test_few_images_and_damaged_ones(photos: Path, tmp_path: Path) -> None:
    for path in sorted(photos.iterdir())[3:]:
        path.unlink()
    (photos / "<b>.png").write_bytes(b"no image")
    built = made(photos, tmp_path / "site", count=9, maximise="none")
    assert list(built.failed) == ["<b>.png"]
    told = " ".join(built.atlas.warnings)
    assert "1 image could not be read: <b>.png" in told
    assert "only 3 images, fewer than the 9" in told
    assert len(built.atlas.layers[0].units[0].strips[0].pictures) == 3
    assert "&lt;b&gt;.png" in built.page.read_text()
    for path in photos.glob("0*.png"):
        path.write_bytes(b"")
    with pytest.raises(ImageError, match="none of the images of photos can be read"):
        made(photos, tmp_path / "other", maximise="none")


def test_folders_that_are_not_the_site(photos: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    made(photos, site, maximise="none", dissect=False)
    with pytest.raises(OutputError, match="holds an atlas with other concepts"):
        made(photos, site, maximise="none")
    with locked(site), pytest.raises(OutputError, match="is being written by process"):
        made(photos, site, maximise="none", dissect=False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match=r"holds other files \(letter.txt\)"):
        made(photos, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    with pytest.raises(OutputError, match="lies in the images' own folder"):
        made(photos, photos / "site")


def test_a_full_disk_is_one_sentence(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Image.Image, "save", full)
        with pytest.raises(OutputError, match=r"cannot be written: No space left on device"):
            made(photos, tmp_path / "site", maximise="none")
    made(photos, tmp_path / "site", maximise="none")
    left = [path.name for path in (tmp_path / "site").rglob("*.part")]
    assert left == []


def test_plans() -> None:
    net = network()
    assert plan_of(net).layers == ("1", "3")
    assert plan_of(net, ["2"], limit=3).units(10) == (0, 4, 9)
    assert plan_of(net, ["2"], limit=3).units(2) == (0, 1)
    assert plan_of(net, ["1", "2"]).folder_of("2") == "pictures/01-2"
    with pytest.raises(UnknownLayer):
        plan_of(net, ["nine"])
    with pytest.raises(SettingError, match="seeds 0"):
        plan_of(net, seeds=0)
    with pytest.raises(SettingError, match="'better' is none of"):
        plan_of(net, maximise="better")  # type: ignore[arg-type]


def test_the_colors_of_images() -> None:
    red = to_image(torch.tensor([1.0, 0, 0])[:, None, None].expand(3, 8, 8))
    concepts = image_colors(open_images([red, red]), (8, 8))
    assert len(concepts) == 2
    labels = concepts.labels(1)
    assert labels.maps.shape == (1, 4, 4)
    assert {concepts.vocabulary.names[int(n)] for n in np.unique(labels.maps)} == {"red"}
    with pytest.raises(ImageError, match="has 2 images, and no 2"):
        concepts.image(2)
    assert gather.SWEEPING
