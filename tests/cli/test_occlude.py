"""`phosphene occlude`: what a network says while a patch hides parts of photographs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from PIL import Image

from phosphene import Unit
from phosphene.cli import occlude as verb
from phosphene.cli import progress
from phosphene.saliency import noting, occluder
from phosphene.saliency.occlude import occlude
from tests.cli import nets
from tests.cli.conftest import Ran

Run = Callable[..., Ran]
NET = ("-m", "nets.py:net", "--stride", "8")


def opened(file: Path | str) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as data:
        return dict(data)


def test_page(run: Run, desk: Path) -> None:
    done = run("occlude", "cat.png", *NET)
    assert done.code == 0
    assert "1 occluded: open occlusion.html" in done.err
    page = Path("occlusion.html").read_text()
    assert "Most probable class" in page
    assert "incremental" in page
    found = occlude(nets.net(), "cat.png", stride=8)
    assert f"; at the lowest {float(found.value.min()):.1%} around row" in done.err


def test_picture(run: Run, desk: Path) -> None:
    assert run("occlude", "cat.png", *NET, "-o", "some/where.png").code == 0
    with Image.open("some/where.png") as picture:
        assert picture.width > 100
    assert [path.name for path in Path("some").iterdir()] == ["where.png"]


def test_folder_holds_all_maps(run: Run, desk: Path) -> None:
    done = run("occlude", "photos", "-m", "nets.py:net", "--stride", 4, "--patch", "5x6", "-o", "o")
    assert done.code == 0
    names = sorted(path.name for path in Path("o").iterdir())
    each = ["a.occlusion.npz", "a.occlusion.png", "b.occlusion.npz", "b.occlusion.png"]
    assert names == [*each, "index.html"]
    index = Path("o/index.html").read_text()
    assert "a.occlusion.png" in index
    assert "2 photographs" in index
    found = occlude(nets.net(), "photos/b.png", patch=(5, 6), stride=4)
    maps = opened("o/b.occlusion.npz")
    assert set(maps) == {"y", "x", "probability", "classes", "energy", "labels", "record"}
    assert maps["y"].tolist() == found.y.tolist()
    assert maps["x"].tolist() == found.x.tolist()
    assert maps["probability"].shape == (4, 4)
    assert np.allclose(maps["probability"], found.value.numpy())
    assert found.best is not None
    assert np.array_equal(maps["classes"], found.best.numpy())
    assert found.energy is not None
    assert np.allclose(maps["energy"], found.energy.map.numpy())
    assert maps["labels"].tolist() == list(nets.LABELS)
    record = json.loads(str(maps["record"]))
    assert record["facts"]["patch"].startswith("5x6 px")
    assert record["photograph"] == "photos/b.png"


def test_several_go_to_a_folder_by_themselves(run: Run, desk: Path) -> None:
    done = run("occlude", "photos", "cat.png", *NET)
    assert done.code == 0
    assert "3 occluded: open occlusion/index.html" in done.err


def test_photographs_of_one_name_are_told_apart(run: Run, desk: Path) -> None:
    Path("other").mkdir()
    Path("photos/a.png").rename("other/b.png")
    assert run("occlude", "photos/b.png", "other/b.png", *NET, "-o", "out").code == 0
    names = sorted(path.name for path in Path("out").glob("*.npz"))
    assert names == ["other-b.png.occlusion.npz", "photos-b.png.occlusion.npz"]


def test_json(run: Run, desk: Path) -> None:
    done = run("occlude", "cat.png", *NET, "--json", "--class", "dog")
    assert done.code == 0
    said = json.loads(done.out)
    assert said["output"] is None
    assert not Path("occlusion.html").exists()
    assert said["facts"]["stride"] == "8x8 px"
    (one,) = said["results"]
    found = occlude(nets.net(), "cat.png", "dog", stride=8)
    low = one["lowest"]
    assert (one["unit"], one["index"], one["layer"]) == ("dog", 1, "")
    assert one["clean"] == pytest.approx(found.clean)
    assert low["value"] == pytest.approx(float(found.value.min()))
    assert low["value"] == pytest.approx(float(found.value[low["row"], low["column"]]))
    assert [low["y"], low["x"]] == [found.y[low["row"]], found.x[low["column"]]]
    top, left, bottom, right = low["hides"]
    assert found.occluder.box(low["row"], low["column"]) == (slice(top, bottom), slice(left, right))
    assert one["drop"] == pytest.approx(one["clean"] - low["value"])
    assert sum(seen["places"] for seen in one["seen"]) == found.value.numel()
    assert one["engine"].startswith("incremental")
    assert one["seconds"] >= 0


OPTIONS: list[tuple[list[str], dict[str, Any]]] = [
    (["-c", "3"], {"unit": 3}),
    (["--fill", "gray", "--border", "inside"], {"fill": "gray", "border": "inside"}),
    (["--fill", "0.1,0.2,0.9", "--patch", "3"], {"fill": (0.1, 0.2, 0.9), "patch": 3}),
    (["--feature", "none", "--whole"], {"feature": None, "whole": True}),
    (["--feature", "conv", "--batch", "3"], {"feature": "conv", "batch": 3}),
    (["--full"], {"incremental": False}),
    (["-l", "act"], {"layer": "act"}),
    (["-l", "act", "-u", "2"], {"layer": "act", "unit": Unit(2)}),
    (["-l", "act", "-u", "2", "--reduce", "sum"],
     {"layer": "act", "unit": Unit(2), "reduce": "sum"}),
    (["-l", "conv", "-u", "1@3,4"], {"layer": "conv", "unit": Unit(1, (3, 4))}),
    (["-l", "conv", "-u", "1@centre"], {"layer": "conv", "unit": Unit(1, "centre")}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "arguments"), OPTIONS, ids=lambda v: str(v))
def test_options_are_the_arguments(
    run: Run, desk: Path, given: list[str], arguments: dict[str, Any]
) -> None:
    assert run("occlude", "cat.png", *NET, *given, "-o", "out/").code == 0
    maps = opened("out/cat.occlusion.npz")
    found = occlude(nets.net(), "cat.png", stride=8, **arguments)
    value = maps["value" if "layer" in arguments else "probability"]
    assert np.allclose(value, found.value.numpy(), atol=1e-6)
    assert ("classes" in maps) == ("layer" not in arguments)
    assert ("energy" in maps) == (found.energy is not None)
    facts = json.loads(str(maps["record"]))["facts"]
    assert facts | {"seconds": ""} == dict(found.facts) | {"seconds": ""}


def test_choices_are_the_librarys() -> None:
    hints = get_type_hints(verb.How)
    assert get_args(hints["border"]) == get_args(occluder.Border)
    assert set(get_args(get_args(hints["reduce"])[0])) == set(get_args(noting.Reduce))


WRONG: list[tuple[list[str], int, str]] = [
    (["--patch", "17"], 1, "a patch of 17x17 px is larger than the image of 16x16"),
    (["--patch", "4x5x6"], 2, "--patch '4x5x6' is no number of pixels"),
    (["--stride", "0"], 2, "--stride '0' is no number of pixels: give 1 or more (8)"),
    (["--fill", "pink"], 2, "--fill 'pink' is no color: give mean, gray, black"),
    (["--fill", "104,117,123"], 2, "is no color"),
    (["--border", "under"], 2, "'under' is not one of"),
    (["--batch", "0"], 2, "greater than or equal to 1"),
    (["--class", "unicorn"], 1, "unicorn"),
    (["--class", "4"], 1, "classes 0 to 3, and no class 4"),
    (["--class", "dog", "-l", "act"], 2, "leave out -l and -u"),
    (["-u", "3"], 2, "give it with -l, too"),
    (["--reduce", "sum"], 2, "give it with -l, too"),
    (["-l", "acd"], 1, "did you mean 'act'"),
    (["--feature", "nothing"], 1, "nothing"),
    (["-l", "act", "-u", "9"], 1, "units 0 to 4, and so no unit 9"),
    (["-l", "act", "-u", "mixture"], 2, "--unit 'mixture' is no single unit"),
    (["-l", "act", "-u", "x"], 2, "--unit 'x' is no single unit"),
    (["-o", "maps.npz"], 1, "is nothing phosphene writes"),
    (["-o", "cat.png"], 1, "cat.png is a photograph to occlude"),
    (["photos", "-o", "one.html"], 1, "one.html shows one photograph, and 3 are given"),
]


@pytest.mark.parametrize(("given", "code", "message"), WRONG, ids=lambda v: str(v))
def test_wrong_options_are_one_sentence(
    run: Run, desk: Path, given: list[str], code: int, message: str
) -> None:
    before = sorted(desk.rglob("*.*"))
    done = run("occlude", "cat.png", "-m", "nets.py:net", *given)
    assert message in done.err
    assert done.code == code
    left = {path for path in desk.rglob("*.*") if "__pycache__" not in path.parts}
    assert left == set(before), "nothing is written"


def test_patch_too_large_stops_many_photographs_at_once(run: Run, desk: Path) -> None:
    done = run("occlude", "photos", *NET, "--patch", 40)
    assert done.code == 1
    assert done.err.count("larger than the image") == 1


def test_a_file_that_is_no_image_is_named_and_passed(run: Run, desk: Path) -> None:
    Path("photos/aa.png").write_text("no image")
    done = run("occlude", "photos", *NET, "--json", "-o", "out")
    assert done.code == 1
    assert "1 could not be occluded" in done.err
    said = json.loads(done.out)
    assert [Path(one["photograph"]).name for one in said["results"]] == ["a.png", "b.png"]
    assert list(said["failed"]) == ["photos/aa.png"]
    assert "aa.png" in Path("out/index.html").read_text()


def test_a_folder_goes_on(run: Run, desk: Path) -> None:
    assert run("occlude", "photos/a.png", *NET, "-o", "photos").code == 0
    first = Path("photos/a.occlusion.npz").stat().st_mtime_ns
    done = run("occlude", "photos", *NET, "-o", "photos")
    assert done.code == 0
    assert "1 kept from an earlier run" in done.err
    assert "2 occluded" in done.err, "its own pictures are no photographs"
    assert Path("photos/a.occlusion.npz").stat().st_mtime_ns == first
    other = run("occlude", "photos", *NET, "--fill", "black", "-o", "photos")
    assert "kept" not in other.err
    Path("photos/a.occlusion.npz").write_bytes(b"PK\x03\x04 torn")
    torn = run("occlude", "photos", *NET, "--fill", "black", "-o", "photos")
    assert "1 kept" in torn.err
    assert "probability" in opened("photos/a.occlusion.npz")


def press_at(monkeypatch: pytest.MonkeyPatch, step: int) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []

    @contextmanager
    def followed(what: str) -> Iterator[Callable[[int, int, str], None]]:
        def tick(done: int, total: int, now: str) -> None:
            seen.append((done, total))
            if len(seen) == step:
                os.kill(os.getpid(), signal.SIGINT)

        yield tick

    monkeypatch.setattr(progress, "followed", followed)
    return seen


def test_ctrl_c_keeps_what_there_is(run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 16 places in batches of 4: the second photograph's second batch is the sixth.
    arguments = ("photos", "-m", "nets.py:net", "--stride", 4, "--batch", 4, "-o", "out")
    with monkeypatch.context() as patched:
        seen = press_at(patched, 6)
        done = run("occlude", *arguments)
    assert done.code == 130
    assert seen[0] == (4, 32)
    assert seen[-1] == (24, 32)
    assert "1 occluded, 1 in part: open out/index.html" in done.err
    assert "interrupted after 1 of 2; the same command goes on from here" in done.err
    maps = opened("out/b.occlusion.npz")
    assert int(np.isnan(maps["probability"]).sum()) in (4, 8), "drawn as far as it came"
    again = run("occlude", *arguments)
    assert again.code == 0
    assert "1 kept" in again.err
    assert not np.isnan(opened("out/b.occlusion.npz")["probability"]).any()


def test_ctrl_c_on_one_page(run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    press_at(monkeypatch, 1)
    done = run("occlude", "cat.png", "-m", "nets.py:net", "--batch", 4, "--json", "-o", "p.html")
    assert done.code == 130
    (one,) = json.loads(done.out)["results"]
    assert one["interrupted"]
    assert "interrupted after 0 of 1" in done.err
    assert "the rest is NaN" in Path("p.html").read_text()


def test_help_names_every_argument(run: Run) -> None:
    from inspect import signature

    done = run("occlude", "--help")
    assert done.code == 0
    for name in set(signature(occlude).parameters) - {"net", "photo", "incremental", "tick"}:
        assert f"--{name}" in done.out
    assert "--full" in done.out


def test_starts_without_torch() -> None:
    code = "import sys, phosphene.cli.occlude; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
