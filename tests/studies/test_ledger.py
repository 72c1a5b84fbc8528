"""Cells are computed once, found again, and never taken for others or for whole when damaged."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import OutputError
from phosphene.studies import ledger as module
from phosphene.studies.ledger import Cell, Ledger

KEY = {"what": "inversion", "layer": "conv1", "strength": 20.0}


def picture(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 7, 3), np.uint8))


def counted(calls: list[int]) -> Callable[[], Cell]:
    def compute() -> Cell:
        calls.append(1)
        values = {"error": 1 / 3, "nan": math.nan, "pair": (1, np.float32(0.5)), "n": len(calls)}
        return Cell(values, {"image": picture(), "a/b <c>": picture(1)})

    return compute


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "out" if request.param == "folder" else None


def test_a_cell_is_computed_once(place: Path | None) -> None:
    calls: list[int] = []
    ledger = Ledger(place, {"network": "demo"})
    first = ledger.cell(KEY, counted(calls))
    again = ledger.cell({**KEY, "strength": 20}, counted(calls))
    assert len(calls) == 1
    assert (ledger.made, ledger.kept) == (1, 1)
    # What was computed is what a later run reads.
    assert first.values == again.values == {"error": 1 / 3, "nan": None, "pair": [1, 0.5], "n": 1}
    for cell in (first, again):
        assert list(cell.images) == ["image", "a/b <c>"]
        for number, image in enumerate(cell.images.values()):
            assert (np.asarray(image) == np.asarray(picture(number))).all()


def test_what_differs_is_another_cell(tmp_path: Path) -> None:
    calls: list[int] = []
    about = {"network": "demo", "phosphene": "1"}
    Ledger(tmp_path, about).cell(KEY, counted(calls))
    for changed in ({**KEY, "layer": "conv2"}, {**KEY, "strength": math.inf}, {**KEY, "seed": 1}):
        Ledger(tmp_path, about).cell(changed, counted(calls))
    Ledger(tmp_path, {**about, "phosphene": "2"}).cell(KEY, counted(calls))
    assert len(calls) == 5
    Ledger(tmp_path, dict(reversed(about.items()))).cell(dict(reversed(KEY.items())), pytest.fail)  # type: ignore[arg-type]


def test_an_interruption_leaves_what_was_finished(tmp_path: Path) -> None:
    def interrupted() -> Cell:
        raise KeyboardInterrupt

    calls: list[int] = []
    ledger = Ledger(tmp_path)
    ledger.cell({"n": 1}, counted(calls))
    with pytest.raises(KeyboardInterrupt):
        ledger.cell({"n": 2}, interrupted)
    resumed = Ledger(tmp_path)
    for n in (1, 2, 3):
        resumed.cell({"n": n}, counted(calls))
    assert len(calls) == 3
    assert (resumed.kept, resumed.made) == (1, 2)


def change(**fields: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (file,) = folder.glob("*.json")
        file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))

    return damage


def cut(pattern: str, size: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = sorted(folder.glob(pattern))[0]
        file.write_bytes(file.read_bytes()[:size])

    return damage


def lose(pattern: str) -> Callable[[Path], None]:
    return lambda folder: sorted(folder.glob(pattern))[0].unlink()


@pytest.mark.parametrize(
    "damage",
    [
        cut("*.json", 0), cut("*.json", 40), cut("*.png", 0), cut("*.png", 60), lose("*.png"),
        lose("*.json"), change(values={"error": 9}), change(images=[]), change(values=None),
        change(sha256=1),
        lambda folder: next(folder.glob("*.json")).write_text("[" * 9),
        lambda folder: next(folder.glob("*.json")).write_text("3"),
        lambda folder: next(folder.glob("*.json")).write_bytes(b"\xff\xfe"),
        lambda folder: picture(5).save(next(folder.glob("*-0.png"))),
    ],
)  # fmt: skip
def test_a_damaged_cell_is_computed_again(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    calls: list[int] = []
    Ledger(tmp_path).cell(KEY, counted(calls))
    damage(tmp_path / "cells")
    cell = Ledger(tmp_path).cell(KEY, counted(calls))
    assert len(calls) == 2
    assert cell.values["n"] == 2
    Ledger(tmp_path).cell(KEY, counted(calls))
    assert len(calls) == 2  # mended


def test_the_record_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    original = module.replacing

    def noted(path: Path) -> Any:
        written.append(path.suffix)
        return original(path)

    monkeypatch.setattr(module, "replacing", noted)
    Ledger(tmp_path).cell(KEY, counted([]))
    assert written == [".png", ".png", ".json"]


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(OutputError, match=r"cannot be written: No space left on device$"):
            ledger.cell(KEY, counted([]))
    assert not list((tmp_path / "cells").iterdir())
    assert Ledger(tmp_path).cell(KEY, counted([])).values["n"] == 1


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(OutputError, match=r"cells cannot be written: a file is in its place"):
            Ledger(place)


def test_pictures_of_any_mode_become_rgb(place: Path | None) -> None:
    ledger = Ledger(place)
    cell = ledger.cell({}, lambda: Cell({}, {"gray": Image.new("L", (3, 2), 7)}))
    assert cell.images["gray"].mode == "RGB"
    assert cell.images["gray"].getpixel((0, 0)) == (7, 7, 7)


def test_what_cannot_be_kept_is_refused(place: Path | None) -> None:
    ledger = Ledger(place)
    with pytest.raises(TypeError, match="no plain form"):
        ledger.cell({"net": object()}, Cell)
    with pytest.raises(TypeError, match="no plain form"):
        ledger.cell({}, lambda: Cell({"x": object()}))
