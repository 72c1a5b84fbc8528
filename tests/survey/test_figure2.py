from __future__ import annotations

import numpy as np
import torch

import phosphene
from phosphene.survey.collector import Batch
from phosphene.survey.figure2 import Figure2, figure2, grid
from phosphene.survey.top_patches import TopPatches
from tests.survey.pictured import Images, network, swept


def test_every_unit_is_a_pair_of_grids(tmp_path) -> None:
    net, images = network(), Images(12)
    top = swept(net, images, ["1", "5"])
    figure = figure2(net, images, top, {"1": [2, 0], "5": [1]}, "guided", contrast="map")
    panel = figure.panel()
    assert [heading for heading, _ in panel.rows] == [
        "1: size 3, stride 1, centre 0", "5: size 8, stride 2, centre 0.5"
    ]  # fmt: skip
    assert [tile.caption.split(",")[0] for tile in panel.rows[0][1]] == ["unit 2", "unit 0"]
    tile = panel.rows[1][1][0]
    strongest = top.of("5", 1)[0]
    assert tile.note.startswith(f"{strongest.key}.png {strongest.value:.4g} at {strongest.at}")
    assert tile.image.size == (2 * (3 * 105 + 4) + 10, 3 * 105 + 4)
    ranks = [patch.rank for patch in figure.units["1", 2]]
    assert ranks == list(range(9))
    assert panel.facts["contrast"] == "map"
    assert figure.save(tmp_path / "figure.png").stat().st_size > 10_000
    # Projections are left of the patches: the patch's own pixels are found on the right.
    pixels = np.asarray(panel.rows[0][1][0].image)
    image = (figure.units["1", 2][0].image * 255).round().byte().permute(1, 2, 0).numpy()
    cell = pixels[:105, 329 : 329 + 105]
    assert np.array_equal(cell[17::35, 17::35], image)


def test_fewer_images_than_nine_leave_places_free() -> None:
    net, images = network(), Images(2)
    figure = figure2(net, images, swept(net, images, ["1"]), {"1": [0]})
    (tile,) = figure.panel().rows[0][1]
    free = np.asarray(tile.image)[-105:, -105:]
    assert (free == 238).all()


def test_a_unit_nothing_was_seen_of_is_said() -> None:
    panel = Figure2({("1", 7): ()}, "guided").panel()
    assert panel.warnings == ("nothing was seen of 1 7",)


def test_units_that_are_classes_are_called_so() -> None:
    net, images = network(), Images(3)
    top = swept(net, images, ["1", "5"])
    net.labels = tuple(f"class {i}" for i in range(top.channels("5")))
    assert top.channels("1") != top.channels("5")
    panel = figure2(net, images, top, {"1": [0], "5": [1]}).panel()
    captions = [tiles[0].caption.split(",")[0] for _, tiles in panel.rows]
    assert captions == ["unit 0", "unit 1 (class 1)"]


def test_patches_of_any_shape_fit_their_cells() -> None:
    whole = grid([torch.ones(3, 10, 40), torch.zeros(1, 200, 100)], 2)
    assert whole.size == (2 * 105 + 2, 2 * 105 + 2)
    pixels = np.asarray(whole)
    assert (pixels[52, 5] == 255).all()
    assert (pixels[5, 5] == 238).all()
    assert (pixels[52, 107 + 52] == 0).all()


def test_on_a_real_network(shared) -> None:
    net = phosphene.open_network(str(shared / "data/squeezenet/squeezenet.caffemodel"))
    files = sorted((shared / "data/imagenet_sample").glob("*.jpg"))[:4]

    class Files:
        def read(self, key: int) -> object:
            return files[key]

        def name_of(self, key: int) -> str:
            return files[key].name

    top = TopPatches(["fire3/concat", "fire9/concat"], 4)
    for key, file in enumerate(files):
        image, frame = net.prepare(file)
        _, codes = net.record(image, top.layers)
        top.see(Batch(torch.tensor([key]), image, codes, [frame], [file.name]))
    figure = figure2(net, Files(), top, {"fire3/concat": [5, 70], "fire9/concat": [510]}, count=4)
    assert figure.columns == 2
    for (layer, _), found in figure.units.items():
        side = 27 if layer == "fire3/concat" else 155
        assert [p.image.shape for p in found] == [(3, side, side)] * 4
        for patch in found:
            signal = patch.signals["deconvnet"]
            assert bool(signal.any()) == (patch.peak.value > 0)
