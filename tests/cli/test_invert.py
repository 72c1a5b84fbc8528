"""`phosphene invert`, and what all verbs of pre-images share."""

from __future__ import annotations

import csv
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.cli import destination
from phosphene.errors import OutOfMemory
from phosphene.preimage.result import PreImage
from tests.cli.conftest import Ran
from tests.cli.pressing import press_at

Run = Callable[..., Ran]
INVERT = ("invert", "cat.png", "-m", "nets.py:net", "-l", "act", "--steps", "4")
# The module, which the function of the same name hides.
LIBRARY = importlib.import_module("phosphene.preimage.invert")


def values(done: Ran) -> list[dict[str, object]]:
    assert done.code == 0, done.err
    return json.loads(done.out)["results"]  # type: ignore[no-any-return]


def test_a_page(run: Run, desk: Path) -> None:
    done = run(*INVERT)
    assert done.code == 0
    assert done.out == ""
    assert "cat.png error" in done.err
    assert "54 steps" in done.err
    assert done.err.endswith("1 image: open inversion.html")
    page = (desk / "inversion.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "tiny, act" in page
    assert "stretched" not in page
    run(*INVERT, "--stretch")
    assert "stretched" in (desk / "inversion.html").read_text()
    assert not list(desk.glob(".*"))


def test_on_the_demo_network(run: Run, desk: Path) -> None:
    done = run("invert", "cat.png", "-l", "conv1", "--steps", "60", "--json", "-C", "300")
    assert values(done)[0]["error"] < 0.5  # type: ignore[operator]
    assert json.loads(done.out)["facts"]["energy"].startswith("300 * match + bounded range")


def test_a_folder(run: Run, desk: Path) -> None:
    (desk / "photos" / "bad.png").write_text("no")
    done = run(*INVERT[:1], "photos", *INVERT[1:], "-n", "2", "-o", "out/", "--batch", "2")
    assert done.code == 1
    assert "! photos/bad.png is no image" in done.err
    assert "1 could not be done (named above)" in done.err
    assert "6 images: open out/index.html" in done.err
    files = {path.name for path in (desk / "out").iterdir()}
    assert {"index.html", "panel.png", "facts.json", "trace.csv"} <= files
    assert len([name for name in files if name[:3].isdigit()]) == 9
    # Run again, neither are its pictures photographs, nor is anything of the old result left.
    again = run("invert", ".", *INVERT[2:], "-o", "out", "--steps", "6")
    assert "3 images" in again.err
    listed = json.loads((desk / "out" / "facts.json").read_text())["panels"][0]["rows"]
    tiles = {tile["file"] for row in listed for tile in row["tiles"]}
    assert {p.name for p in (desk / "out").glob("0*.png")} == tiles


def test_two_photographs_of_one_name(run: Run, desk: Path) -> None:
    (desk / "photos" / "a.png").replace(desk / "photos" / "cat.png")
    found = values(run(*INVERT[:2], "photos/cat.png", *INVERT[2:], "--json"))
    assert len({str(value["name"]) for value in found}) == 2
    assert found[0]["error"] != found[1]["error"]


def test_json(run: Run, desk: Path) -> None:
    done = run(*INVERT, "-n", "2", "--json", "--quality", "paper")
    found = json.loads(done.out)
    assert found["output"] is None
    assert found["interrupted"] is False
    assert found["warnings"] == []
    assert found["failed"] == {}
    assert {"network", "layer", "energy", "recipe", "seed", "torch"} <= found["facts"].keys()
    assert [value["steps"] for value in found["results"]] == [54, 54]
    assert found["results"][0].keys() == {"name", "error", "steps", "objective", "prior"}
    assert found["results"][0]["error"] != found["results"][1]["error"]
    assert not list(desk.glob("*.html"))
    other = json.loads(run(*INVERT, "-n", "2", "--json", "--quality", "paper", "--seed", "5").out)
    assert other["results"] != found["results"]


def test_movie_and_trace(run: Run, desk: Path) -> None:
    extras = ("--movie", "new/m.gif", "--frames", "5", "--trace", "t.csv", "-o", "a.png")
    done = run(*INVERT, "-n", "2", *extras)
    assert done.err.endswith("2 images: open a.png, new/m.gif, t.csv")
    with Image.open(desk / "new" / "m.gif") as movie:
        assert movie.n_frames == 5  # type: ignore[attr-defined]
    rows = list(csv.DictReader((desk / "t.csv").read_text().splitlines()))
    assert len(rows) == 54 * 2
    assert list(rows[0]) == ["iteration", "image", "objective", "prior"]
    assert {row["image"] for row in rows} == {"cat.png 1", "cat.png 2"}
    assert float(rows[0]["objective"]) > float(rows[-1]["objective"]) > 0
    with Image.open(desk / "a.png") as picture:
        assert picture.width > 300
    (desk / "m.gif").write_bytes((desk / "new" / "m.gif").read_bytes())
    again = run("invert", ".", *INVERT[2:], "--movie", "m.gif", "-o", "a.png", "--steps", "2")
    # Its own movie and picture are no photographs; the copy in another folder is.
    assert "4 images: open a.png, m.gif" in again.err


def test_codes_there_and_back(run: Run, desk: Path) -> None:
    straight = values(
        run(*INVERT[:1], "photos", *INVERT[2:], "--json", "--save-code", "c.safetensors")
    )
    back = values(run("invert", "--code", "c.safetensors", *INVERT[2:], "--json"))
    assert [value["error"] for value in back] == pytest.approx([v["error"] for v in straight])
    assert [value["name"] for value in back] == ["c 0", "c 1"]
    np.save(desk / "x.npy", np.ones((1, 5, 16, 16), np.float32))
    assert len(values(run("invert", "--code", "x.npy", *INVERT[2:], "--json"))) == 1
    wrong = run("invert", "--code", "x.npy", *INVERT[2:], "-l", "scores")
    assert wrong.code == 1
    assert "codes of shape (1, 5, 16, 16) were given, and scores makes" in wrong.err


def test_parts_of_a_code(run: Run, desk: Path) -> None:
    whole = values(run(*INVERT, "--json"))[0]["objective"]
    parts = []
    for more in (["--window", "5"], ["--channels", "1/5"], ["--window", "5", "--channels", "1/5"]):
        done = run(*INVERT, *more, "--json")
        assert "masked" in json.loads(done.out)["facts"]["energy"]
        parts.append(values(done)[0]["objective"])
    assert len({whole, *parts}) == 4


RECIPES = {
    "--quality fast": "spectrum",
    "--quality best --steps 3": "spectrum",
    "--solver l-bfgs": "L-BFGS (history 10)",
    "--solver adam --rate 3": "Adam (lr 3",
    "--solver AdamW": "AdamW (lr 1",
    "--solver SGD --rate 0.5": "SGD (lr 0.5",
    "--solver momentum": "normalised steps (rate 1,",
    "--solver Algorithm-1 --rate 0.1": "Algorithm 1 (rate 0.1,",
    "--rate 0.02": "Algorithm 1 (rate 0.02,",
    "--spectrum": "Adam (lr 0.1, betas (0.9, 0.9)), at most 4 + 50 steps, spectrum",
    "--blur 0.5 --clip-norm 0.1": "blur 0.5 every 4, clip 10% by norm",
    "--clip-contribution 0.2": "clip 20% by contribution",
}


@pytest.mark.parametrize("options", RECIPES)
def test_recipes(run: Run, desk: Path, options: str) -> None:
    done = run(*INVERT, *options.split(), "--json")
    assert done.code == 0, done.err
    said = RECIPES[options]
    assert said in json.loads(done.out)["facts"]["recipe"]


def test_transforms_and_jitter(run: Run, desk: Path) -> None:
    text = "scale 0.9-1.1, rotation 5,jitter 2"
    facts = json.loads(run(*INVERT, "--transforms", text, "--jitter", "3", "--json").out)["facts"]
    assert "scale 0.9-1.1, rotation 5°, jitter 2" in facts["recipe"]
    assert facts["jitter"] == "3"


ENERGIES = {
    "": " + bounded range (alpha 6, B 80) + total variation (beta 2)",
    "--no-priors": "match",
    "--beta 1.5 --tv 0.5": " + bounded range (alpha 6, B 80) + 0.5 * total variation (beta 1.5)",
    "--alpha 4 --tv 0": " + bounded range (alpha 4, B 80)",
    "--range 0": "match + total variation (beta 2)",
}


@pytest.mark.parametrize("options", ENERGIES)
def test_priors(run: Run, desk: Path, options: str) -> None:
    facts = json.loads(run(*INVERT, *options.split(), "--json").out)["facts"]
    assert facts["energy"].endswith(ENERGIES[options])


def test_ctrl_c_and_on_from_there(run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("invert", "photos", "cat.png", *INVERT[2:6], "--quality", "paper", "-o", "a.html")
    command += ("--steps", "30", "--batch", "2", "--trace", "t.csv", "--movie", "m.gif")
    assert run(*command).code == 0
    whole = (desk / "t.csv").read_text()
    press_at(monkeypatch, 7)
    stopped = run(*command)
    assert stopped.code == 130
    assert "2 images: open a.html" in stopped.err
    assert stopped.err.endswith(
        "stopped at step 7 of 80 in batch 1 of 2; the same command with --resume goes on from there"
    )
    assert (desk / ".a.html.resume").is_dir()
    assert (desk / "m.gif").exists()
    seen = press_at(monkeypatch, 90)
    stopped = run(*command, "--resume", "--json")
    assert "going on from step 8" in stopped.err
    assert seen[0] == (8, 160)
    assert stopped.code == 130
    assert json.loads(stopped.out)["interrupted"] is True
    seen = press_at(monkeypatch, 0)
    last = run(*command, "--resume")
    assert last.code == 0
    assert seen[0][0] == 80  # the first batch is taken up whole
    assert seen[-1] == (160, 160)
    assert (desk / "t.csv").read_text() == whole
    assert not list(desk.glob(".*"))


def test_states_of_another_run(run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    press_at(monkeypatch, 5)
    assert run(*INVERT, "-o", "out/").code == 130
    assert (desk / ".out.resume").is_dir()
    press_at(monkeypatch, 5)
    other = run(*INVERT, "-o", "out/", "--seed", "1", "--resume")
    assert "what is kept is of other options, photographs or versions: begun anew" in other.err
    press_at(monkeypatch, 0)
    anew = run(*INVERT, "-o", "out/")
    assert "begun anew; what an interrupted run left (for --resume) is removed" in anew.err
    assert not (desk / ".out.resume").exists()
    nothing = run(*INVERT, "-o", "out/", "--resume")
    assert nothing.code == 0
    assert "there is nothing to resume for out: begun anew" in nothing.err


def test_interrupted_before_the_first_step(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LIBRARY, "invert", interrupted)
    done = run(*INVERT, "-o", "new/a.png")
    assert done.code == 130
    assert done.err.endswith("interrupted")
    assert not (desk / "new").exists()


def test_a_folder_is_written_meanwhile(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destination, "_PAUSE", -1.0)
    monkeypatch.setattr(destination, "_SHARE", 0.0)
    written = []
    whole = destination.save_folder

    def noted(found: PreImage, folder: Path) -> None:
        written.append(len(found))
        whole(found, folder)

    monkeypatch.setattr(destination, "save_folder", noted)
    assert run("invert", "photos", *INVERT[1:], "-o", "out", "--batch", "1").code == 0
    assert written == [1, 2, 3]


def test_what_is_done_is_kept_when_memory_ends(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = LIBRARY.invert, []

    def short(*given: object, **options: object) -> object:
        calls.append(given)
        if len(calls) == 2:
            raise OutOfMemory("there is not enough memory for 2 images at a time: 1 fit")
        return whole(*given, **options)

    monkeypatch.setattr(LIBRARY, "invert", short)
    done = run("invert", "photos", *INVERT[1:], "-o", "a.html", "--batch", "2")
    assert done.code == 1
    assert "2 images: open a.html" in done.err
    assert done.err.endswith("phosphene: there is not enough memory for 2 images at a time: 1 fit")
    assert (desk / ".a.html.resume").is_dir()


def test_ctrl_c_for_real(run: Run, desk: Path) -> None:
    command = [sys.executable, "-m", "phosphene", *INVERT, "--steps", "100000"]
    command += ["--quality", "paper", "-o", "a.png"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the network is open
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "with --resume goes on" in errors
    assert (desk / "a.png").exists()


def test_a_silent_photograph_among_others(run: Run, desk: Path) -> None:
    silent = run("invert", "cat.png", "-m", "nets.py:dead", "-l", "act")
    assert silent.code == 1
    assert silent.err.endswith(
        "phosphene: every component of layer 'act' is 0 on cat.png: choose another layer"
    )
    several = run("invert", "photos", "-m", "nets.py:dead", "-l", "act")
    assert several.code == 1
    assert "2 could not be done" in several.err


SAID = {
    "invert cat.png": (2, "give a layer with -l, such as one of conv1,"),
    "invert -l conv1": (2, "give photographs, or codes with --code FILE"),
    "invert cat.png --code cat.png -l conv1": (2, "one of both"),
    "invert nix.png -l conv1": (1, "there is no file nix.png"),
    "invert cat.png -l conb1": (1, "no layer 'conb1'; did you mean 'conv1'"),
    "invert cat.png -l conv5 --window 12": (1, "window of 12x12 positions does not fit a map of"),
    "invert cat.png -l conv5 --channels 2/2": (2, "--channels '2/2' is no group: write I/N"),
    "invert cat.png -l conv5 --channels 1/7": (1, "48 channels have no group 1 of 7"),
    "invert cat.png -l conv5 -C 0": (2, "0 is no weight: give a number above 0"),
    "invert cat.png -l conv5 -C nan": (2, "nan is no weight"),
    "invert cat.png -l conv5 --quality fsat": (1, "'fsat' is no quality; did you mean 'fast'"),
    "invert cat.png -l conv5 --solver adm": (2, "no solver 'adm'; did you mean 'Adam'"),
    "invert cat.png -l conv5 --solver zz": (2, "no solver 'zz': choose algorithm-1, l-bfgs or"),
    "invert cat.png -l conv5 --solver sgd": (2, "--solver SGD has no rate that suits images"),
    "invert cat.png -l conv5 --rate -1": (2, "--rate -1 leads nowhere"),
    "invert cat.png -l conv5 --steps 0": (2, "--steps"),
    "invert cat.png -l conv5 --transforms turn": (2, "--transforms 'turn' is none: write a list"),
    "invert cat.png -l conv5 --transforms 'scale 2-1'": (1, "scale takes two positive numbers"),
    "invert cat.png -l conv5 --spectrum --blur 1": (1, "blurring and clipping work on pixels"),
    "invert cat.png -l conv5 --clip-norm 2": (1, "clipping takes a share of the pixels"),
    "invert cat.png -l conv5 --no-priors --tv 1": (2, "--no-priors leaves nothing for --tv"),
    "invert cat.png -l conv5 --movie a.avi": (2, "a.avi names no kind of movie: end it in .gif,"),
    "invert cat.png -l conv5 --frames 9": (2, "--frames are those of a movie"),
    "invert cat.png -l conv5 --trace t.txt": (2, "--trace t.txt is a table: end the name in .csv"),
    "invert cat.png -l conv5 --resume --json": (2, "--resume finds its state beside the output"),
    "invert cat.png -l conv5 --save-code c.npy": (2, "c.npy: end the name in .safetensors"),
    "invert --code cat.png -l conv5": (1, "cat.png cannot be read as codes"),
    "invert --code nix.npy -l conv5": (1, "nix.npy does not exist"),
    "invert --code nix.npy --save-code c.safetensors -l a": (2, "--save-code writes codes of"),
    "invert cat.png -l conv5 -o a.pdf": (1, "a.pdf is nothing phosphene writes"),
    "invert cat.png -l conv5 -o cat.png/a.png": (1, "cat.png is no folder"),
    "invert cat.png -l conv5 -o cat.png": (1, "cat.png is a photograph to show, and would be"),
    "invert photos -l conv5 -o photos": (1, "photos/a.png lies in photos, where the result goes"),
    "invert . -l conv5 -o photos": (1, "photos/a.png lies in photos, where the result goes"),
    "invert cat.png -l conv5 --movie new/m.gif --trace cat.png/t.csv": (1, "cat.png is no folder"),
    "invert pet.gif -l conv5 --movie ./pet.gif": (1, "pet.gif is a photograph to show: name"),
    "invert cat.png -l conb5 --movie new/m.gif": (1, "no layer 'conb5'"),
    "invert cat.png -l conv5 --movie cat.png/m.gif": (1, "cat.png is no folder"),
    "invert cat.png -l conv5 --trace /proc/t.csv": (1, "/proc/t.csv cannot be written"),
    "caricature cat.png -l conv5 --ratio 1": (2, "--ratio 1 makes no octave"),
    "caricature cat.png": (2, "give a layer with -l"),
    "style cat.png -l conv5": (2, "--of"),
    "style cat.png --of nix.png -l conv5": (1, "nix.png"),
    "style cat.png --of photos/a.png": (2, "give a layer with -l"),
    "style cat.png --of photos/a.png -l conv5 -o photos/a.png": (1, "would be overwritten"),
    "style cat.png --of photos/a.png -l conv5 --style-layer x": (1, "no layer 'x'"),
    "texture cat.png -l conv9": (1, "no layer 'conv9'"),
    "texture cat.png --size 9x": (2, "--size '9x' is no size"),
    "class-model --steps 2": (2, "give a class with -c, by name or index: demo has 10, such as"),
    "class-model -c zebra": (1, "the network has no class 'zebra'"),
}


@pytest.mark.parametrize("arguments", SAID, ids=lambda text: text.replace(" ", "_"))
def test_one_sentence_and_a_code(run: Run, desk: Path, arguments: str) -> None:
    import shlex

    Image.new("RGB", (20, 20)).save(desk / "pet.gif")
    before = sorted(desk.rglob("*"))
    code, sentence = SAID[arguments]
    done = run(*shlex.split(arguments))
    assert sentence in done.err, done.err
    assert done.code == code
    assert done.out == ""
    assert sorted(desk.rglob("*")) == before


def test_help(run: Run) -> None:
    verbs = ("invert", "activate", "caricature", "class-model", "texture", "style")
    for verb in verbs:
        out = run(verb, "--help").out
        examples = [line for line in out.splitlines() if line.strip().startswith("phosphene ")]
        assert len(examples) >= 3, verb
        assert all(len(line) <= 80 for line in examples)
        for words in ("--resume", "--quality", "--movie", "--no-priors", "--model", "goes on"):
            assert words in out, (verb, words)
    code = f"""if True:
        import sys
        from phosphene.cli.app import main
        for verb in {verbs}:
            try:
                main([verb, "--help"])
            except SystemExit as left:
                assert not left.code
        heavy = {{"torch", "numpy", "PIL", "jinja2"}} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
