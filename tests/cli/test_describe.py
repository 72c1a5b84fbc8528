"""`phosphene describe`: the numbers of HOG and dense SIFT in files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.cli import describe
from phosphene.descriptors import DSIFT, HOG, dsift, hog
from tests.cli.conftest import Ran

Run = Callable[..., Ran]


def gray(file: Path | str) -> torch.Tensor:
    """(1, h, w), BT.601, not rounded."""
    with Image.open(file) as image:
        pixels = torch.from_numpy(np.array(image.convert("RGB"), np.float32))
    return (pixels * torch.tensor([0.299, 0.587, 0.114])).sum(-1)[None]


def opened(file: Path | str) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as data:
        return dict(data)


def test_hog(run: Run, desk: Path) -> None:
    done = run("describe", "cat.png", "--hog")
    assert done.code == 0
    assert "cat.png: 31 channels x 3 rows x 4 columns in cat.hog.npz" in done.err
    found = opened("cat.hog.npz")
    assert set(found) == {"descriptors", "x", "y", "settings"}
    assert found["descriptors"].dtype == np.float32
    assert np.abs(found["descriptors"] - hog(gray("cat.png"))[0].numpy()).max() < 1e-5
    assert found["x"].tolist() == [3.5, 11.5, 19.5, 27.5]
    assert found["y"].tolist() == [3.5, 11.5, 19.5]
    settings = json.loads(str(found["settings"]))
    assert settings["descriptor"] == "HOG"
    assert (settings["cell"], settings["orientations"], settings["variant"]) == (8, 9, "uoctti")
    assert (settings["photograph"], settings["size"]) == ("cat.png", [24, 32])
    assert (settings["binning"], settings["exact"], settings["color"]) == ("hard", False, False)
    assert "torch" in settings["versions"]


@pytest.mark.parametrize(
    ("options", "net"),
    [
        (["--hogb"], HOG(binning="bilinear")),
        (["--hogb", "--exact", "--cell", "4"], HOG(4, binning="bilinear", exact=True)),
        (["--hog", "--variant", "dalal-triggs", "--orientations", "6"], HOG(8, 6, "dalal-triggs")),
        (["--hog", "--variant", "network", "--binning", "relu"], HOG(8, 9, "network", "relu")),
        (["--dsift", "--bin", "4", "--step", "3"], DSIFT(4, 3)),
        (["--dsift", "--bin=3", "--window=flat", "--window-size=1.5"], DSIFT(3, 3, "flat", 1.5)),
        (["--dsift", "--bin", "4", "--window", "network"], DSIFT(4, window="network")),
        (["--dsift", "--cell", "4", "--bounds", "2,1,20,19"], DSIFT(4, bounds=(2, 1, 20, 19))),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_are_the_arguments(
    run: Run, desk: Path, options: list[str], net: HOG | DSIFT
) -> None:
    done = run("describe", "cat.png", *options, "-o", "some/cat.npz")
    assert done.code == 0
    found = opened("some/cat.npz")
    wanted = net(gray("cat.png"))[0].numpy()
    assert found["descriptors"].shape == wanted.shape
    # Shares and bins of the same pixels, up to the last digit of the gray level.
    assert np.abs(found["descriptors"] - wanted).max() < 2e-3
    if isinstance(net, DSIFT):
        frames = net.frames(24, 32)
        assert (tuple(found["x"]), tuple(found["y"])) == (frames.x, frames.y)
        assert found["norms"] == pytest.approx(net.norms(gray("cat.png"))[0].numpy(), rel=1e-4)
    settings = json.loads(str(found["settings"]))
    names = [name for name in vars(net) if name in settings]
    assert len(names) == 5
    for name in names:
        value = getattr(net, name)
        assert settings[name] == (list(value) if isinstance(value, tuple) else value)


def test_colours(run: Run, desk: Path) -> None:
    run("describe", "cat.png", "--hog", "--color")
    with Image.open("cat.png") as image:
        pixels = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1).contiguous()
    found = opened("cat.hog.npz")
    assert np.abs(found["descriptors"] - hog(pixels)[0].numpy()).max() < 1e-6
    assert json.loads(str(found["settings"]))["color"] is True


def test_several_photographs(run: Run, desk: Path) -> None:
    done = run("describe", "cat.png", "photos", "--dsift", "--bin", "4", "-o", "out/", "--json")
    assert done.code == 0
    said = json.loads(done.out)
    assert said["settings"]["descriptor"] == "DSIFT"
    assert said["failed"] == {}
    assert [result["photograph"] for result in said["results"]] == [
        "cat.png",
        "photos/a.png",
        "photos/b.png",
    ]
    for result in said["results"]:
        found = opened(result["file"])
        assert list(found["descriptors"].shape) == result["shape"] == [128, 3, 5]
        assert json.loads(str(found["settings"]))["photograph"] == result["photograph"]
    assert sorted(p.name for p in Path("out").iterdir()) == [
        "a.dsift.npz",
        "b.dsift.npz",
        "cat.dsift.npz",
    ]


def test_photographs_of_one_name(run: Run, desk: Path) -> None:
    Path("more").mkdir()
    Path("photos/a.png").rename("more/cat.png")
    assert run("describe", "cat.png", "more", "--hog", "-o", "out").code == 0
    assert {p.name for p in Path("out").iterdir()} == {"cat.png.hog.npz", "more-cat.png.hog.npz"}


def test_what_cannot_be_read_is_named_and_passed(run: Run, desk: Path) -> None:
    Path("photos/aa.png").write_text("no image")
    Image.new("RGB", (3, 3)).save("photos/small.png")
    done = run("describe", "photos", "--hog", "-o", "out", "--json")
    assert done.code == 1
    said = json.loads(done.out)
    assert list(said["failed"]) == ["photos/aa.png", "photos/small.png"]
    assert len(said["results"]) == 2
    assert "aa.png is no image that can be read" in done.err
    assert "! photos/small.png: HOG(8, 9, uoctti, hard) needs an image of at least 4x4" in done.err


def test_a_folder_made_for_nothing_is_removed(run: Run, desk: Path) -> None:
    done = run("describe", "cat.png", "--dsift", "--bin", "12", "-o", "out/")
    assert done.code == 1
    assert "needs an image of at least 37x37 pixels, and 24x32 was given" in done.err
    assert not Path("out").exists()


def test_an_interrupted_run_keeps_what_is_done(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = describe._describe

    def pressed(net: Any, file: Path, *more: Any) -> Any:
        if file.name == "b.png":
            raise KeyboardInterrupt
        return whole(net, file, *more)

    monkeypatch.setattr(describe, "_describe", pressed)
    done = run("describe", "cat.png", "photos", "--hog", "-o", "out")
    assert done.code == 130
    assert "interrupted after 2 of 3" in done.err
    assert len(list(Path("out").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cat.png"], "say what describes: one of --hog, --hogb and --dsift"),
        (["cat.png", "--hog", "--dsift"], "one of --hog, --hogb and --dsift"),
        (["cat.png", "--hog", "--step", "4"], "--step goes with --dsift"),
        (["cat.png", "--hogb", "--window-size", "2"], "--window-size goes with --dsift"),
        (["cat.png", "--dsift", "--color"], "--color goes with --hog and --hogb"),
        (["cat.png", "--dsift", "--variant", "uoctti"], "--variant goes with --hog and --hogb"),
        (
            ["cat.png", "--hogb", "--binning", "hard"],
            "--hogb is --binning bilinear: leave out hard",
        ),
        (["cat.png", "--dsift", "--bounds", "1,2,3"], "--bounds '1,2,3' is no rectangle: write"),
        (["cat.png", "--dsift", "--window-size", "0"], "--window-size 0 is none: give a number"),
        (["cat.png", "--dsift", "--step", "0"], "Invalid value for '--step'"),
        (["cat.png", "--hog", "--cell", "1"], "Invalid value for '--cell'"),
        (["cat.png", "--hog", "--variant", "hog"], "'hog' is not one of 'uoctti', 'dalal-triggs'"),
    ],
)
def test_what_cannot_be_understood(
    run: Run, desk: Path, arguments: list[str], message: str
) -> None:
    done = run("describe", *arguments)
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nix.png", "--hog"], "there is no file nix.png: check the path"),
        (["cat.png", "photos", "--hog", "-o", "x.npz"], "is one file, and 3 photographs are to be"),
        (["cat.png", "--hog", "-o", "x.png"], "x.png is no place for numbers: end it in .npz"),
        (["cat.png", "--hog", "-o", "cat.png/x.npz"], "cannot be written: cat.png is no folder"),
        (["cat.png", "--hog", "--variant", "network", "--cell", "5"], "even cells only, and 5 was"),
        (["cat.png", "--hog", "--variant", "network", "--color"], "sees no colours: leave them"),
        (["cat.png", "--dsift", "--window", "network", "--step", "8"], "a step of three bins"),
        (["cat.png", "--dsift", "--bin", "2", "--bounds", "0,0,32,20"], "reach beyond the image"),
    ],
)  # fmt: skip
def test_what_cannot_be_done(run: Run, desk: Path, arguments: list[str], message: str) -> None:
    done = run("describe", *arguments)
    assert done.code == 1
    assert message in done.err
    assert not list(Path().rglob("*.npz"))


def test_choices_are_the_library_s() -> None:
    """The verb may not load what knows them, so it says them itself."""
    from phosphene.descriptors.blocks import Variant
    from phosphene.descriptors.dsift import Window
    from phosphene.descriptors.orientations import Binning

    ours = get_type_hints(describe.OfHOG) | get_type_hints(describe.OfSIFT)
    for name, known in (("variant", Variant), ("binning", Binning), ("window", Window)):
        (choices, nothing) = get_args(ours[name])
        assert get_args(choices) == get_args(known)
        assert nothing is type(None)


def test_help_teaches(run: Run) -> None:
    done = run("describe", "--help")
    assert done.code == 0
    for words in ("VLFeat", "(channels, rows, columns)", "norms", "--bin", "Examples", "1.5 with"):
        assert words in done.out, words
    examples = [line for line in done.out.splitlines() if line.strip().startswith("phosphene ")]
    assert len(examples) >= 4
    assert all(len(line) <= 80 for line in examples)


def test_help_loads_nothing_heavy() -> None:
    code = """if True:
        import sys
        from phosphene.cli.app import main
        try:
            main(["describe", "--help"])
        except SystemExit as left:
            assert not left.code
        heavy = {"torch", "numpy", "PIL"} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_centres_are_where_they_are_said_to_be(run: Run, desk: Path) -> None:
    pixels = np.zeros((64, 80, 3), np.uint8)
    pixels[:, 50:] = 200
    Image.fromarray(pixels).save("step.png")
    run("describe", "step.png", "--hog")
    cells = opened("step.hog.npz")
    assert abs(cells["x"][cells["descriptors"][0].sum(0).argmax()] - 49.5) <= 4
    run("describe", "step.png", "--dsift", "--bin", "4", "--step", "1")
    frames = opened("step.dsift.npz")
    best = frames["norms"][20].argmax()
    assert abs(frames["x"][best] - 49.5) <= 3
    assert np.abs(frames["descriptors"] - dsift(gray("step.png"), 4, 1)[0].numpy()).max() < 1e-4
