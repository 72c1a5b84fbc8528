"""Folders of photographs: interruption and resumption, damage in between, too much at once."""

from __future__ import annotations

import errno
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from phosphene import image as images
from tests.cli.conftest import Ran

Run = Callable[..., Ran]
NET = ("-m", "nets.py:net")
# The module, which the function of the same name hides.
EXPLAIN = importlib.import_module("phosphene.saliency.explain")


@pytest.fixture
def many(desk: Path) -> Path:
    for i in range(10):
        shutil.copy(desk / "cat.png", desk / "photos" / f"c{i}.png")
    return desk / "photos"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the photographs read; an entry `!NAME` put in beforehand interrupts there."""
    names: list[str] = []
    read = images.read

    def noted(path: str | Path) -> Image.Image:
        name = Path(path).name
        if f"!{name}" in names:
            names.remove(f"!{name}")
            raise KeyboardInterrupt
        names.append(name)
        return read(path)

    monkeypatch.setattr(images, "read", noted)
    return names


def test_an_interrupted_folder_goes_on(run: Run, many: Path, reads: list[str]) -> None:
    explain = ("explain", "photos", *NET, "-o", "out", "--batch", "2")
    reads.append("!c5.png")
    stopped = run(*explain)
    assert stopped.code == 130
    assert "interrupted after 6 of 12; the same command goes on from here" in stopped.err
    assert "6 explained: open out/index.html" in stopped.err
    reads.clear()
    rest = run(*explain)
    assert rest.code == 0
    assert sorted(reads) == ["c4.png", "c5.png", "c6.png", "c7.png", "c8.png", "c9.png"]
    assert "6 kept from an earlier run" in rest.err
    assert "12 explained" in rest.err
    reads.clear()
    assert "12 kept" in run(*explain).err
    assert reads == []


def test_a_folder_is_done_again_where_something_changed(
    run: Run, desk: Path, reads: list[str]
) -> None:
    explain = ("explain", "photos", *NET, "-o", "out")

    def done_again(*more: str) -> list[str]:
        reads.clear()
        assert run(*explain, *more).code == 0
        return sorted(reads)

    both = ["a.png", "b.png"]
    assert done_again() == both
    assert done_again("--batch", "1") == []
    for more in (["-r", "guided"], ["-l", "act"], ["--mean", "0.1"], ["-c", "dog"], ["--whole"]):
        assert done_again(*more) == both, more
        assert done_again(*more) == []
    shutil.copy(desk / "cat.png", desk / "photos" / "a.png")
    assert done_again("--whole") == ["a.png"]
    next((desk / "out").glob("b-*.png")).unlink()
    assert done_again("--whole") == ["b.png"]
    next((desk / "out").glob("b-*.json")).write_text('{"key": ')
    assert done_again("--whole") == ["b.png"]
    with open("nets.py", "a") as file:
        file.write("# another network\n")
    assert done_again("--whole") == both


@pytest.mark.parametrize("verb", ["explain", "occlude", "segment", "localize"])
def test_what_a_network_imports_is_part_of_it(desk: Path, verb: str) -> None:
    """Its own modules and packages are; others, and files beside it, are not."""
    Path("layers").mkdir()
    Path("layers/__init__.py").write_text("from layers.sizes import SIDE\n")
    Path("layers/sizes.py").write_text("SIDE = 16\n")
    Path("unused.py").write_text("")
    Path("mine.py").write_text("import nets\nimport layers\ndef net(): return nets.net()\n")
    options = {"explain": ["-r", "saliency"], "occlude": ["--stride", "8"]}.get(verb, [])

    def kept() -> bool:
        # In a process of its own, as an imported file is not read twice by one.
        said = subprocess.run(
            [sys.executable, "-m", "phosphene", verb, "photos/a.png", "-m", "mine.py:net",
             "-o", "out/", *options], capture_output=True, text=True, check=True,
        ).stderr  # fmt: skip
        return "1 kept from an earlier run" in said

    assert not kept()
    Path("unused.py").write_text("SIDE = 8\n")
    os.utime("mine.py")
    assert kept()
    with open("layers/sizes.py", "a") as file:
        file.write("# another network, it may be\n")
    assert not kept()
    assert kept()


@pytest.mark.parametrize("out", ["out.html", "out.png"])
def test_an_interrupted_page_holds_what_was_done(
    run: Run, many: Path, reads: list[str], out: str
) -> None:
    reads.append("!c5.png")
    done = run("explain", "photos", *NET, "-o", out, "--batch", "2", "-r", "guided")
    assert done.code == 130
    assert f"6 explained: open {out}" in done.err
    assert done.err.endswith("interrupted after 6 of 12")
    if out.endswith("html"):
        assert (many.parent / out).read_text().count("data:image") == 6 * 3


def test_interrupted_before_anything_was_done(run: Run, desk: Path, reads: list[str]) -> None:
    reads.append("!cat.png")
    done = run("explain", "cat.png", *NET, "-o", "new/out.html")
    assert done.code == 130
    assert done.err.endswith("interrupted after 0 of 1")
    assert not (desk / "new").exists()


def test_a_terminated_run_keeps_its_results(
    run: Run, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = images.read

    def terminated(path: str | Path) -> Image.Image:
        if Path(path).name == "c3.png":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        return read(path)

    monkeypatch.setattr(images, "read", terminated)
    before = signal.getsignal(signal.SIGTERM)
    done = run("explain", "photos", *NET, "-o", "out.html", "--batch", "1")
    assert done.code == 130
    assert "5 explained" in done.err
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c(run: Run, many: Path) -> None:
    for i in range(600):
        shutil.copy(many / "a.png", many / f"d{i}.png")
    explain = ["explain", "photos", *NET, "-o", "out", "--batch", "4"]
    command = [sys.executable, "-m", "phosphene", *explain]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(Path("out").glob("*.json")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "goes on from here" in errors
    assert "Traceback" not in errors
    done = len(list(Path("out").glob("*.json")))
    assert 0 < done < 312
    assert not list(Path("out").glob(".*"))
    assert f"{done} explained" in errors


def test_damaged_photographs_among_good_ones(run: Run, desk: Path) -> None:
    whole = (desk / "photos" / "a.png").read_bytes()
    (desk / "photos" / "a0.png").write_bytes(whole[: len(whole) // 2])
    (desk / "photos" / "a1.jpg").write_bytes(b"words")
    (desk / "photos" / "a2.jpg").touch()
    done = run("explain", "photos", *NET, "-o", "out/")
    assert done.code == 1
    assert "! photos/a0.png is damaged" in done.err
    assert "! photos/a1.jpg is no image that can be read" in done.err
    assert "! photos/a2.jpg is empty" in done.err
    assert "3 could not be explained" in done.err
    assert "2 explained: open out/index.html" in done.err
    assert "a0.png is damaged" in (desk / "out" / "index.html").read_text()


def test_all_damaged(run: Run, desk: Path) -> None:
    (desk / "bad.png").touch()
    done = run("explain", "bad.png", *NET)
    assert done.code == 1
    assert "bad.png is empty" in done.err
    assert not (desk / "explanation.html").exists()


def test_one_photograph_the_network_cannot_take(run: Run, desk: Path) -> None:
    Image.new("RGB", (100, 20)).save(desk / "photos" / "a1.png")
    done = run("explain", "photos", "-m", "nets.py:wide", "--whole", "-o", "out")
    assert done.code == 1
    assert "! photos/a1.png: the network does not take an input of 1x3x16x80" in done.err
    assert "too wide" in done.err
    assert "2 explained" in done.err
    (desk / "photos" / "a1.png").replace(desk / "photos" / "0.png")
    assert "2 explained" in run("explain", "photos", "-m", "nets.py:wide", "--whole").err
    # What is wrong with every photograph is said once.
    done = run("explain", "photos", *NET, "--whole", "-c", "dog@99,99")
    assert done.code == 1
    assert done.err.endswith("has no position (99, 99)")


def test_results_are_no_photographs(run: Run, desk: Path, reads: list[str]) -> None:
    for _ in range(2):
        assert run("explain", "photos", *NET, "-o", "photos").code == 0
    assert sorted(reads) == ["a.png", "b.png"]
    reads.clear()
    for _ in range(2):
        assert run("explain", ".", *NET, "-o", "picture.png").code == 0
    assert "picture.png" not in reads
    assert run("explain", "out", *NET, "-o", "out").code == 1
    (desk / "out").mkdir()
    (desk / "picture.png").rename(desk / "out" / "picture.png")
    done = run("explain", "out", *NET, "-o", "out/picture.png")
    assert "there are no photographs but phosphene's own results" in done.err


def test_a_photograph_is_not_overwritten(run: Run, desk: Path) -> None:
    before = (desk / "cat.png").read_bytes()
    done = run("explain", "photos", "cat.png", *NET, "-o", "./cat.png")
    assert done.code == 1
    assert "cat.png is a photograph to explain, and would be overwritten" in done.err
    assert (desk / "cat.png").read_bytes() == before


def test_too_many_for_a_picture(run: Run, many: Path) -> None:
    done = run("explain", "photos", *NET, "-o", "a.png", *["-u", "1", "-u", "2", "-u", "3"] * 2)
    assert done.code == 0  # the same three units twice: 36 rows
    units = [word for i in range(5) for word in ("-c", f"{i % 4}@{i},0")]
    done = run("explain", "photos", *NET, "-o", "a.png", *units)
    assert done.code == 1
    assert "a.png would hold 60 rows of pictures, more than 50: write -o results.html" in done.err


def test_memory_ends(run: Run, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = EXPLAIN.explain_many
    most = 3

    def short(net: object, files: list[Path], *rest: object, **options: object) -> object:
        if len(files) > most:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return whole(net, files, *rest, **options)

    monkeypatch.setattr(EXPLAIN, "explain_many", short)
    done = run("explain", "photos", *NET, "-o", "out", "--batch", "12")
    assert done.code == 0
    assert "memory ends at 12 photographs together: going on by 6 (--batch 6)" in done.err
    assert "going on by 3 (--batch 3)" in done.err
    assert "12 explained" in done.err
    most = 0
    done = run("explain", "cat.png", *NET)
    assert done.code == 1
    assert "! cat.png needs more memory than there is: leave out --whole" in done.err


def test_the_disk_is_full_halfway(run: Run, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace
    left = 6

    def full(source: Path, target: Path) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    done = run("explain", "photos", *NET, "-o", "out")
    assert done.code == 1
    assert "cannot be written: No space left on device" in done.err
    monkeypatch.setattr(os, "replace", replace)
    assert not list(Path("out").glob(".*"))
    assert "3 kept" in run("explain", "photos", *NET, "-o", "out").err


def test_a_record_is_whole(run: Run, desk: Path) -> None:
    assert run("explain", "cat.png", *NET, "-o", "out").code == 0
    record = json.loads(next((desk / "out").glob("*.json")).read_text())
    assert record["photograph"] == "cat.png"
    assert (desk / "out" / record["panel"]).exists()
