"""`phosphene worlds`: sets on disk, gone on with, and what is refused."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.cli import progress
from phosphene.motion.sets import read_set
from phosphene.worlds.cubes import multi_cube, single_cube
from tests.cli.conftest import Ran

Run = Callable[..., Ran]
SMALL = ("--frames", 3, "--size", "48x64", "--speed", "2")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with photographs, and cut-outs of two films."""
    rng = np.random.default_rng(0)
    mask = np.zeros((40, 50), np.uint8)
    mask[8:30, 12:40] = 255
    for folder in ("photos", "frames/a", "frames/b", "masks/a", "masks/b"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("photos/1", "photos/2", "photos/3", "frames/a/0", "frames/b/0"):
        photo = rng.integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(photo).save(tmp_path / f"{name}.png")
    for name in ("masks/a/0", "masks/b/0"):
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_single_cubes(run: Run, desk: Path) -> None:
    ran = run("worlds", "single-cube", "-o", "cube", "--sequences", 2, *SMALL, "--seed", 3)
    assert ran.code == 0
    assert "2 sequences, 6 frames: open cube/index.html" in ran.err
    found = read_set("cube")
    assert [each.name for each in found] == ["single-cube_000", "single-cube_001"]
    assert found.facts["splits"] == {}
    truth = single_cube((3 << 32) + 1, 3, (48, 64), speed=(2.0, 2.0)).instant(1)
    np.testing.assert_array_equal(found[1].image(1), truth.image)
    np.testing.assert_array_equal(found[1].parts(1), truth.parts)
    page = Path("cube/index.html").read_text()
    assert "single-cube_001" in page
    assert "flow, up to" in page
    assert "1 object" in page


def test_multi_cubes_with_textures_from_photographs(run: Run, desk: Path) -> None:
    ran = run("worlds", "multi-cube", "-o", "cubes", "--sequences", 2, *SMALL, "--cubes", "2-3",
              "--test", 1, "--photo", "photos", "--shown", 0, "--json")  # fmt: skip
    assert ran.code == 0
    said = json.loads(ran.out)
    assert said["written"] == 2
    assert said["all_frames"] == 6
    assert said["splits"] == {"train": ["multi-cube_000"], "test": ["multi-cube_001"]}
    assert said["photographs"].startswith("3 files")
    assert not Path("cubes/index.html").exists()
    photos = [f"photos/{i}.png" for i in (1, 2, 3)]
    truth = multi_cube(0, 3, (48, 64), cubes=(2, 3), speed=(2.0, 2.0), photographs=photos).instant(
        0
    )
    np.testing.assert_array_equal(read_set("cubes")[0].instant(0).objects, truth.objects)
    np.testing.assert_array_equal(read_set("cubes")[0].image(0), truth.image)


def test_the_theses_sizes_are_the_defaults(run: Run) -> None:
    for kind, sizes in (("single-cube", ("5", "99")), ("multi-cube", ("45", "198"))):
        text = run("worlds", kind, "--help").out
        assert all(f"[default: {size}]" in text.replace("\n", " ") for size in sizes)


def test_photographs_and_cutouts(run: Run, desk: Path) -> None:
    arguments = ("worlds", "photographs", "photos", "--cutouts", "frames", "--masks", "masks",
                 "-o", "moving", "--sequences", 2, "--objects", 1, "--test", 1, *SMALL)  # fmt: skip
    ran = run(*arguments)
    assert ran.code == 0
    found = read_set("moving")
    assert found.facts["cutouts"].startswith("2 files")
    assert found.facts["objects"] == [1, 1]
    assert any((i.objects == 1).any() for i in found[0])
    again = run(*arguments)
    assert again.code == 0
    assert "all there already" in again.err
    other = run(*arguments, "--seed", 1)
    assert other.code == 1
    assert "moving holds another set (of other seed)" in other.err


def test_pieces_and_drawn_things_with_two_workers(run: Run, desk: Path) -> None:
    for out, workers in (("one", 1), ("two", 2)):
        ran = run("worlds", "photographs", "photos", "-o", out, "--sequences", 2, *SMALL,
                  "--workers", workers)  # fmt: skip
        assert ran.code == 0
    files = sorted(p.relative_to("one") for p in Path("one").rglob("*") if p.is_file())
    assert len(files) > 20
    for file in files:
        assert ("one" / file).read_bytes() == ("two" / file).read_bytes()
    ran = run("worlds", "photographs", "-o", "drawn", "--sequences", 1, *SMALL)
    assert ran.code == 0
    assert read_set("drawn").facts["backgrounds"] == "drawn"
    assert read_set("one").facts["cutouts"] == "pieces"
    ran = run("worlds", "photographs", "photos", "--drawn", "-o", "over", "--sequences", 2, *SMALL)
    assert ran.code == 0
    facts = read_set("over").facts
    assert (facts["backgrounds"][:7], facts["cutouts"]) == ("3 files", "drawn")
    name = "clean/photographs_000/frame_0001.png"
    assert ("over" / Path(name)).read_bytes() != ("one" / Path(name)).read_bytes()


def test_interrupted_and_gone_on_with(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("worlds", "single-cube", "-o", "cube", "--sequences", 3, *SMALL)
    followed = progress.followed

    @contextmanager
    def pressed(what: str) -> Iterator[Callable[[int, int, str], None]]:
        def tick(done: int, total: int, now: str) -> None:
            if done == 1:
                os.kill(os.getpid(), signal.SIGINT)

        yield tick

    monkeypatch.setattr(progress, "followed", pressed)
    ran = run(*arguments)
    assert ran.code == 130
    assert "interrupted after 1 of 3 sequences; the same command goes on from here" in ran.err
    monkeypatch.setattr(progress, "followed", followed)
    ran = run(*arguments, "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["written"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("photographs", "photos", "--masks", "masks"), 2, "--masks go with --cutouts"),
        (("photographs", "photos", "--cutouts", "frames"), 1, "is a photograph without a mask"),
        (("photographs", "photos", "--cutouts", "frames", "--masks", "masks/a"), 1,
         "has no mask"),
        (("photographs", "photos", "--cutouts", "frames", "--drawn"), 2, "exclude each other"),
        (("photographs", "nowhere"), 1, "there is no file nowhere"),
        (("photographs", "photos", "--size", "480x640"), 1, "50x40 pixels is too small"),
        (("photographs", "--objects", "3-1", "--size", "64"), 1, "3 to 1 objects"),
        (("photographs", "--objects", "1.5"), 2, "--objects takes whole numbers"),
        (("photographs", "--speed", "fast"), 2, "--speed 'fast' is no range"),
        (("photographs", "--test", "2", "--sequences", "2"), 2, "--test 2 leaves none of 2"),
        (("single-cube", "--speed", "50"), 1, "a speed of (50.0, 50.0)"),
        (("single-cube", "--frames", "1"), 2, "--frames"),
        (("multi-cube", "--cubes", "9"), 1, "(9, 9) cubes"),
        (("multi-cube", "--size", "8x8x8"), 2, "is no size"),
    ],
)  # fmt: skip
def test_what_is_refused(
    run: Run, desk: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    ran = run("worlds", *arguments, "-o", "out")
    assert ran.code == code
    assert says in ran.err
    assert not (desk / "out" / "clean").exists()


def test_a_damaged_photograph_is_named_and_the_set_gone_on_with(run: Run, desk: Path) -> None:
    photo = desk / "photos" / "2.png"
    whole = photo.read_bytes()
    photo.write_bytes(whole[:200])
    arguments = ("worlds", "photographs", "photos", "-o", "out", "--sequences", 4, *SMALL)
    ran = run(*arguments)
    assert ran.code == 1
    assert "2.png is damaged" in ran.err
    photo.write_bytes(whole)
    assert run(*arguments).code == 0
    assert len(read_set("out")) == 4
