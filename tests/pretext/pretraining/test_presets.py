"""The thesis's runs, on small sets in the layouts they are made for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from phosphene.errors import SettingError
from phosphene.pretext.pretraining import How, preset, run_stages, sintel, yfcc
from phosphene.training.free_norm import FreeNorm
from tests.motion.dataset import sets_on_disk

QUIET = How(pictures=0)


def test_constants_are_the_thesis_s():
    (one,) = sintel("MPI-Sintel")
    assert (one.data, one.validation) == (
        "sintel:MPI-Sintel,split=train", "sintel:MPI-Sintel,split=test",
    )  # fmt: skip
    assert (one.model, one.regions, one.backbone, one.augmentation) == (
        "affine", 5, "vgg-vd-16", "sintel",
    )  # fmt: skip
    first, second = yfcc("pairs/", "youtube/")
    assert (first.model, first.regions, first.augmentation) == ("entropy", 10, "yfcc")
    assert (first.size, first.leave, first.rate) == (128, ("fc6", "fc7"), 1e-4)
    assert (first.updates, first.drops) == (4_000_000, (3_250_000,))
    assert (second.size, second.leave, second.reset) == (224, (), ("fc6", "fc7"))
    assert (second.updates, second.rate, second.drops) == (640_000, 1e-5, ())
    assert first.updates == 10_000 * first.epochs
    with pytest.raises(SettingError, match="did you mean 'sintel'"):
        preset("sintle", "x")
    with pytest.raises(SettingError, match="no stages"):
        run_stages((), "x")


def test_sintel_s_layout(tmp_path: Path, small: str):
    sets_on_disk.sintel(tmp_path / "sintel")
    stages = preset(
        "sintel", str(tmp_path / "sintel"), backbone=small, layers=("1", "6"), size=24, batch=2,
        epochs=1,
    )  # fmt: skip
    said: list[str] = []
    found = run_stages(stages, tmp_path / "run", how=QUIET, say=said.append)
    assert found.ended == "done"
    # alley_1 and market_2 are learned from, temple_2 is validated on.
    assert "of 2" not in found.facts["validation loss"]
    assert any("18 sequences are missing" in note for note in said)


def test_yfcc_in_two_stages(tmp_path: Path):
    sets_on_disk.shards(tmp_path / "pairs", (6, 6))
    sets_on_disk.youtube(tmp_path / "youtube")
    stages = yfcc(
        str(tmp_path / "pairs"), f"youtube-objects:{tmp_path / 'youtube'}", backbone="demo",
        batch=2, epochs=1, updates=6, validate_on=2,
    )  # fmt: skip
    assert [stage.updates for stage in stages] == [6, 1]
    assert stages[0].drops == (5,)
    # As the thesis but for the size.
    stages = tuple(replace(s, size=side) for s, side in zip(stages, (40, 56), strict=True))
    found = run_stages(stages, tmp_path / "run", how=QUIET)
    assert found.folder == tmp_path / "run" / "stage-2"
    assert found.setting.weights == str(tmp_path / "run" / "stage-1" / "network.safetensors")
    assert found.facts["normalization"].startswith("of 7 layers")
    assert not any(isinstance(m, FreeNorm) for m in found.network.module.modules())
    # Stopped in the first stage, the second is not begun.
    stopped = run_stages(stages, tmp_path / "short", how=How(pictures=0, minutes=1e-6))
    assert stopped.ended == "time"
    assert not (tmp_path / "short" / "stage-2").exists()
