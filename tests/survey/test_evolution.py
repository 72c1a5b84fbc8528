"""Units through a run: the jump that was planted is found, and the numbers are the literal ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.ranks import rank_correlation, ranks
from phosphene.errors import FormatError, ImageError, SettingError, UnitError
from phosphene.survey.evolution.checkpoints import Checkpoint, checkpoint_files, demo_run, run_of
from phosphene.survey.evolution.drift import drift
from phosphene.survey.evolution.evolve import Evolution, evolve
from phosphene.survey.images import open_images


def net(*colours: int) -> Network:
    """Unit u answers to the colour that is named for it; -1 is nothing."""
    module = nn.Sequential(nn.Conv2d(3, len(colours), 3), nn.ReLU(), nn.Conv2d(len(colours), 2, 3))
    with torch.no_grad():
        module[0].weight.zero_()
        module[0].bias.zero_()
        for unit, colour in enumerate(colours):
            if colour >= 0:
                module[0].weight[unit, colour] = 1.0
    return Network(module, Preprocessing((12, 12)), name="colours")


def images() -> list[np.ndarray]:
    found = [np.zeros((12, 12, 3), np.uint8) for _ in range(4)]
    found[0][4:8, 4:8, 0] = 255  # red, green, blue, a weaker red
    found[1][4:8, 4:8, 1] = 255
    found[2][2:6, 7:11, 2] = 255
    found[3][4:8, 4:8, 0] = 100
    return found


def run(*stages: tuple[int, ...]) -> list[Checkpoint]:
    return [Checkpoint(f"t{i}", lambda s=s: net(*s)) for i, s in enumerate(stages)]  # type: ignore[misc]


@pytest.fixture(scope="module")
def found() -> Evolution:
    #          unit 0 jumps at t2; unit 1 never; unit 2 wakes at t1 and jumps at t2
    stages = run((0, 1, -1), (0, 1, 0), (2, 1, 1), (2, 1, 1))
    return evolve(stages, open_images(images()), ["1"], {"1": (0, 1, 2)})


def test_the_planted_jumps_are_found_and_no_others(found: Evolution) -> None:
    assert found.jumps("1", 0) == ("t2",)
    assert found.jumps("1", 1) == ()
    assert found.jumps("1", 2) == ("t2",)
    assert [m.jump for m in found.units["1", 0]] == [False, False, True, False]
    assert [m.key for m in found.units["1", 0]] == [0, 0, 2, 2]
    assert found.units["1", 2][0].patch is None
    assert found.units["1", 2][0].image == ""
    assert found.top["1"].tolist() == [[0, 1, -1], [0, 1, 0], [2, 1, 1], [2, 1, 1]]


def test_patches_are_what_the_unit_sees(found: Evolution) -> None:
    moment = found.units["1", 0][2]
    assert moment.patch is not None
    patch, (projection,) = moment.patch.image, moment.patch.signals.values()
    assert patch.shape == projection.shape == (3, 3, 3)
    torch.testing.assert_close(patch[2], torch.ones(3, 3))
    assert float(patch[:2].sum()) == 0
    # The projection of a unit that adds up blue is blue where it looks, as strong as its answer.
    torch.testing.assert_close(projection[2], torch.full((3, 3), moment.value))
    assert float(projection[:2].abs().sum()) == 0


def test_drift_counts_what_changed(found: Evolution) -> None:
    d = found.drift["1"]
    assert np.isnan(d.changed[0])
    assert d.changed[1:] == (pytest.approx(1 / 3), pytest.approx(2 / 3), 0.0)
    assert d.rank[-1] == pytest.approx(1.0)
    assert d.cosine[-1] == pytest.approx(1.0)
    assert d.moved[3] == 0
    assert d.converged == 2
    assert found.as_json()["layers"]["1"]["converged"] == "t2"


def test_ranks_share_ties() -> None:
    assert ranks(np.array([[3.0], [1.0], [3.0], [0.0]])).ravel().tolist() == [2.5, 1, 2.5, 0]


def test_rank_correlation_is_spearmans() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, (30, 5)).astype(float), rng.normal(size=(30, 5))
    a[:, 4] = 1.0
    got = rank_correlation(a, b)
    for column in range(4):
        assert got[column] == pytest.approx(stats.spearmanr(a[:, column], b[:, column])[0])
    assert np.isnan(got[4])


def test_drift_of_filters_is_literal() -> None:
    w = [torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0, 1.0], [0.0, 2.0]])]
    maxima = [np.array([[1.0, 5.0], [2.0, 4.0]], np.float32)] * 2
    keys = [np.array([0, 1]), np.array([0, 2])]
    d = drift(w, maxima, keys)
    # Unit 0 turned by a right angle (moved by sqrt 2, cosine 0), unit 1 stayed; medians between.
    assert d.moved[1] == pytest.approx(np.sqrt(2) / 2)
    assert d.cosine == (pytest.approx(0.5), pytest.approx(1.0))
    assert d.changed[1] == 0.5


def test_the_demo_networks_first_layer_settles_first() -> None:
    d = evolve(demo_run(), open_images("demo"), ["conv1", "conv4"], 0).drift
    assert d["conv1"].rank[-2] > d["conv4"].rank[-2]
    assert d["conv1"].converged is not None
    assert d["conv4"].converged is not None
    assert d["conv1"].converged < d["conv4"].converged == 7
    assert list(d["conv1"].cosine[2:]) == sorted(d["conv1"].cosine[2:])


def test_units_are_drawn_among_the_living(found: Evolution) -> None:
    stages = run((0, -1, 1, -1), (0, -1, 1, -1))
    d = evolve(stages, open_images(images()), ["1"], 3)
    assert [unit for _, unit in d.units] == [0, 2]


def test_files_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        weights = net(number % 3).module.state_dict()
        safetensors.torch.save_file(weights, tmp_path / f"epoch_{number}.safetensors")
    (tmp_path / "state.safetensors").write_bytes(b"")
    (tmp_path / "log.txt").write_text("")
    names = [path.name for path in checkpoint_files(tmp_path)]
    assert names == ["epoch_1.safetensors", "epoch_9.safetensors", "epoch_10.safetensors"]
    stages = run_of(lambda: net(0), tmp_path)
    assert [s.name for s in stages] == ["1", "9", "10"]
    assert stages[1].open().module.get_parameter("0.weight").argmax() == 0


def test_what_cannot_be_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds no checkpoint"):
        checkpoint_files(tmp_path)
    with pytest.raises(SettingError, match="two checkpoints or more"):
        evolve(run((0,)), open_images(images()))
    with pytest.raises(UnitError, match="units 0 to 0, and so no unit 4"):
        evolve(run((0,), (1,)), open_images(images()), ["1"], {"1": (4,)})
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match="no image of"):
        evolve(run((0,), (1,)), open_images(tmp_path), ["1"])
    torch.save({"a": 1}, tmp_path / "x.pt")
    with pytest.raises(FormatError):
        run_of(lambda: net(0), tmp_path)[0].open()


def test_the_page_marks_jumps(found: Evolution, tmp_path: Path) -> None:
    panel = found.panel()
    assert [heading for heading, _ in panel.rows] == ["1 unit 0", "1 unit 1", "1 unit 2"]
    tiles = panel.rows[0][1]
    assert [tile.image.getpixel((1, 1)) == (214, 60, 40) for tile in tiles] == [
        False,
        False,
        True,
        False,
    ]
    assert found.save(tmp_path / "page.html").exists()
