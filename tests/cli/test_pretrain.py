"""`phosphene pretrain`: learned, stopped and gone on with, used by other verbs, refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from phosphene.cli import app as apps
from phosphene.cli import pretrain
from tests.cli.conftest import Ran

Run = Callable[..., Ran]
# Where the verb is not registered yet, it is here.
PROGRAM = """
import sys
from phosphene.cli import app, pretrain
if not any(group.name == "pretrain" for group in app.app.registered_groups):
    app.app.add_typer(pretrain.app, name="pretrain")
if __name__ == "__main__":
    app.main(sys.argv[1:])
"""
if not any(group.name == "pretrain" for group in apps.app.registered_groups):
    apps.app.add_typer(pretrain.app, name="pretrain")
SMALL = ("-b", "demo", "--batch", 4, "--size", 40, "--pictures", 0, "--device", "cpu")


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("worlds") / "cube"
    made = ("worlds", "single-cube", "-o", folder, "--sequences", 3, "--frames", 5)
    with pytest.raises(SystemExit):
        apps.main([*map(str, made), "--size", "40x40", "--shown", "0"])
    return str(folder)


def test_regions_are_learned_and_their_network_used(run: Run, cube: str, tmp_path: Path) -> None:
    out = tmp_path / "regions"
    ran = run("pretrain", "grouping", "-d", cube, "--regions", 4, "--epochs", 2, "-o", out, *SMALL)
    assert ran.code == 0
    assert ran.out == ""
    for said in (
        "4 of 12 pairs are held out, by sequences", "epoch 2: loss ", "regions and places: ",
        "overlap with objects", "overlap with foreground",
        f"use it as -m {out}/network.safetensors",
    ):  # fmt: skip
        assert said in ran.err
    listed = run("layers", out / "network.safetensors")
    assert "fc7" in listed.out
    photo = next(Path(cube).glob("clean/*/*.png"))
    explained = run(
        "explain", photo, "-m", out / "network.safetensors", "--layer", "conv5",
        "-o", tmp_path / "seen.png",
    )  # fmt: skip
    assert explained.code == 0
    # Asked again, it has nothing to do, and says the same.
    again = run(
        "pretrain", "grouping", "-d", cube, "--regions", 4, "--epochs", 2, "-o", out, "--json",
        *SMALL,
    )  # fmt: skip
    found = json.loads(again.out)
    assert found["ended"] == "done"
    assert len(found["history"]) == 2
    assert found["setting"]["regions"] == 4
    assert f"loss {found['history'][1]['loss']:.6f}" in ran.err


@pytest.mark.parametrize(
    ("system", "more"),
    [
        ("cross-pixel", ("--loss", "reversed", "--pixels", 32, "--learn-sigma")),
        ("flow-classes", ("--pixels", 32, "--bins", 8)),
        ("flow-regression", ("--pixels", 32, "--plain")),
        ("foreground", ("--pixels", 32, "--layers", "relu1,relu3")),
        ("rotation", ("--size", 96, "--patience", 0, "--drops", "1,2")),
    ],
)
def test_all_systems_run(run: Run, cube: str, tmp_path: Path, system: str, more: tuple) -> None:
    ran = run(
        "pretrain", system, "-d", cube, "-o", tmp_path, "--updates", 2, "--epochs", 1, "--json",
        *SMALL, *more,
    )  # fmt: skip
    assert ran.code == 0
    found = json.loads(ran.out)
    assert found["setting"]["system"] == system
    assert found["setting"]["pixels" if "--pixels" in more else "epochs"] in (32, 1)
    assert Path(found["files"]["page"]).exists()


def test_photographs_teach_classes(run: Run, cube: str, tmp_path: Path) -> None:
    for number, sequence in enumerate(sorted(Path(cube, "clean").iterdir())[:2]):
        (tmp_path / "photos" / str(number)).mkdir(parents=True)
        for frame in sequence.iterdir():
            (tmp_path / "photos" / str(number) / frame.name).write_bytes(frame.read_bytes())
    ran = run(
        "pretrain", "supervised", "-d", tmp_path / "photos", "-o", tmp_path / "out", "--epochs", 1,
        *SMALL, "--size", 96,
    )  # fmt: skip
    assert ran.code == 0
    assert "frames of 40x40 pixels are smaller than crops of 96: they are enlarged" in ran.err


def test_presets_are_the_thesis_s(run: Run, cube: str, tmp_path: Path) -> None:
    ran = run(
        "pretrain", "grouping", "--preset", "yfcc", "-d", cube, "-o", tmp_path, "-b", "demo",
        "--batch", 4, "--updates", 2, "--epochs", 1, "--pictures", 0, "--json",
    )  # fmt: skip
    assert ran.code == 0
    found = json.loads(ran.out)["setting"]
    assert (found["model"], found["regions"], found["size"]) == ("entropy", 10, 224)
    assert found["weights"] == str(tmp_path / "stage-1" / "network.safetensors")
    missing = run("pretrain", "grouping", "--preset", "sintel", "-d", cube, "-o", tmp_path / "s")
    assert missing.code == 1
    assert "sequences are missing" in missing.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("-d", "nowhere"), 1, "there is no folder nowhere"),
        (("--batch", 96), 1, "8 pairs of"),
        (("-b", "torchvision:resnet18:random"), 1, "--layers"),
        (("-b", "alexnett", "--layers", "conv1"), 1, "did you mean 'alexnet'"),
        (("--weights", "none.safetensors"), 1, "no file of weights"),
        (("--drops", "soon"), 2, "no updates"),
        (("--minutes", 0), 2, "no time"),
        (("--workers", 3), 1, "cannot be shared evenly by 3"),
        (("--tensorboard",), 1, "pip install tensorboard"),
        (("--layers", "relu99"), 1, "relu99"),
    ],
)
def test_what_cannot_be_is_said(
    run: Run, cube: str, tmp_path: Path, arguments: tuple, code: int, said: str
) -> None:
    if said == "--layers":
        pytest.importorskip("torchvision")
    if "--tensorboard" in arguments and __import__("importlib").util.find_spec("tensorboard"):
        pytest.skip("TensorBoard is here")
    ran = run("pretrain", "cross-pixel", "-d", cube, "-o", tmp_path / "x", *SMALL, *arguments)
    assert ran.code == code
    assert said in ran.err


def test_another_run_s_folder_is_left_alone(run: Run, cube: str, tmp_path: Path) -> None:
    told = ("pretrain", "rotation", "-d", cube, "-o", tmp_path, "--epochs", 1, *SMALL, "--size", 96)
    assert run(*told).code == 0
    other = run(*told, "--rate", 0.5)
    assert other.code == 1
    assert "holds another training run" in other.err


def test_stopped_it_goes_on(run: Run, cube: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    told = [sys.executable, str(tmp_path / "program.py"), "pretrain", "cross-pixel", "-d", cube]
    told += [*map(str, SMALL), "--pixels", "32", "--epochs", "600", "--patience", "0"]
    out = tmp_path / "out"
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*told, "-o", str(out)], stderr=subprocess.PIPE, text=True, env=env)
    while not (out / "log.csv").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from here" in " ".join(err.split())
    assert not (out / "network.safetensors").exists()
    before = len((out / "log.csv").read_text().splitlines())
    ran = run(*told[2:], "-o", out, "--minutes", 0.005, "--json")
    assert ran.code == 0
    found = json.loads(ran.out)
    assert found["ended"] == "time"
    assert len(found["history"]) >= before - 1
    assert (out / "network.safetensors").exists()


def test_help_is_quick_and_teaches() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from phosphene.cli import pretrain; "
        "out = CliRunner().invoke(pretrain.app, ['grouping', '--help']).output; "
        "assert 'epipolar' in out and '--preset' in out; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
