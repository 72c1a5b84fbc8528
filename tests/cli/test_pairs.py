import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from phosphene.cli.pairs import app
from phosphene.motion.shards import ShardIndex
from tests.motion.filmed import film, folder, panned

# As `phosphene` runs it: errors become a sentence, Ctrl-C waits.
PROGRAM = """
import sys
from phosphene.cli import app, pairs
if not any(group.name == "pairs" for group in app.app.registered_groups):
    app.app.add_typer(pairs.app, name="pairs")
if __name__ == "__main__":
    app.main(["pairs", *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("videos")
    film(path / "a.mp4", panned(20, seed=1))
    folder(path / "b", panned(9, seed=2))
    return path


@pytest.fixture(scope="module")
def built(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pairs")
    found = CliRunner().invoke(app, ["build", str(videos), "-o", str(out), "-n", "3", "--second"])
    assert found.exit_code == 0, found.output
    assert "6 pairs of 2 videos in 2 shards" in found.stdout
    return out


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return [sys.executable, str(path)]


def run(*arguments: object) -> tuple[int, str]:
    found = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.stdout


def test_whole_shards_pass(built: Path) -> None:
    assert run("check", built) == (0, "6 pairs in 2 shards are whole\n")
    assert run("check", built, "--quick")[0] == 0


def test_damage_is_named(videos: Path, tmp_path: Path) -> None:
    assert run("build", videos, "-o", tmp_path, "-n", 3)[0] == 0
    path = tmp_path / "pairs-000000.tar"
    index, content = ShardIndex.read(path), bytearray(path.read_bytes())
    offset, size = index.members["flow.png"][1]
    content[offset + size // 2] ^= 255
    path.write_bytes(content)
    code, said = run("check", tmp_path)
    assert code == 1
    assert f"pairs-000000.tar/{index.keys[1]}: the flow of {index.keys[1]} is damaged" in said
    assert "pairs-000000.tar: is not what was written" in said
    assert "5 pairs in 2 shards are whole" in said
    assert run("check", tmp_path, "--quick")[0] == 1
    path.write_bytes(content[: len(content) // 2])
    code, said = run("check", tmp_path, "--json")
    found = json.loads(said)
    assert "cut short" in found["damaged"]["pairs-000000.tar"]
    assert found["pairs"] >= 3
    path.unlink()
    path.with_suffix(".json").unlink()
    assert "pairs-000000.tar: is missing" in run("check", tmp_path)[1]
    assert run("build", videos, "-o", tmp_path, "-n", 3)[0] == 0
    assert run("check", tmp_path)[0] == 0


def test_pairs_are_shown(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    assert run("show", built, "-n", 4, "--arrows", "--second", "-o", out)[0] == 0
    with Image.open(out) as picture:
        assert min(picture.size) > 300
    other = tmp_path / "other.html"
    assert run("show", built, "--sample", 2, "-o", other)[0] == 0
    assert "000000-a-" in other.read_text()


def test_statistics_are_those_of_a_pan(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "stats.png"
    code, said = run("stats", built, "--json", "-o", out)
    found = json.loads(said)
    assert code == 0
    assert (found["pairs"], found["sampled"], found["sizes"]) == (6, 6, {"96x64": 6})
    # Five frames of (2, 1) pixels.
    assert found["magnitude"]["quantiles"]["0.5"] == pytest.approx(125**0.5, abs=0.6)
    assert sum(found["magnitude"]["counts"]) == 6 * 96 * 64
    assert found["still"]["pixels"] < 0.2
    assert found["still"]["pairs_by_tenths"][0] + found["still"]["pairs_by_tenths"][1] == 6
    assert found["videos_by_pairs"] == {"3": 2}
    assert found["rounding"]["largest"] <= 1 / 128
    with Image.open(out) as picture:
        assert min(picture.size) > 300
    text = run("stats", built, "--all", "--still", 100)[1]
    assert "still (below 100 px): 100.0% of pixels, 100.0% of pairs" in text
    assert "3 of 2" in text


def test_a_plan_is_told_without_building(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "pairs"
    code, said = run("build", videos, "-o", out, "--dry-run")
    assert (code, out.exists()) == (0, False)
    assert said.startswith("2 videos to 16 pairs at most, in 2 shards")


def test_failed_videos_are_named_and_the_rest_is_built(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no film")
    found = CliRunner().invoke(
        app, ["build", str(tmp_path), str(videos), "-o", str(tmp_path / "out"), "-n", "1", "--json"]
    )
    assert found.exit_code == 1
    assert "bad.mp4: it cannot be decoded" in found.stderr
    told = json.loads(found.stdout)
    assert list(told["failed"]) == ["bad.mp4"]
    assert told["pairs"] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        ["--frames", "first", "-n", "2"],
        ["--short-side", "7"],
        ["-e", "disk"],
        ["--pairs", "0"],
        ["--workers", "0"],
    ],
)
def test_misuse_is_told(videos: Path, tmp_path: Path, wrong: list[str]) -> None:
    assert run("build", videos, "-o", tmp_path, *wrong)[0] == 2


def test_ctrl_c_finishes_the_video_and_the_same_command_goes_on(
    tmp_path: Path, program: list[str]
) -> None:
    for i in range(40):
        folder(tmp_path / "videos" / f"v{i:02d}", panned(20, (120, 160), seed=i))
    command = [*program, "build", str(tmp_path / "videos"), "-o", str(tmp_path / "out")]
    command += ["--per-shard", "20", "--workers", "2"]
    # A process that a shell has put in the background ignores Ctrl-C.
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((tmp_path / "out").glob(".*.part")):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "interrupted after 0 of 2 shards" in said
    assert not list((tmp_path / "out").glob(".*.part"))
    assert list((tmp_path / "out").glob(".pairs-*.tar"))
    assert subprocess.run(command, capture_output=True).returncode == 0
    once = [*command[:-2], "-o", str(tmp_path / "once")]
    assert subprocess.run(once, capture_output=True).returncode == 0
    for path in (tmp_path / "once").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "out").iterdir())) == len(list((tmp_path / "once").iterdir())) == 5


def test_a_disk_that_fills_is_told_in_a_sentence(
    videos: Path, tmp_path: Path, program: list[str]
) -> None:
    def short_of_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    command = [*program, "build", str(videos), "-o", str(tmp_path / "out")]
    found = subprocess.run(command, capture_output=True, text=True, preexec_fn=short_of_disk)
    assert found.returncode == 1
    assert found.stderr.startswith("phosphene: ")
    assert "cannot be written: File too large" in found.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["pairs.json"]
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert run("check", tmp_path / "out")[0] == 0
