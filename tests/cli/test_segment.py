"""`phosphene segment`, and the folders, files and refusals it shares with `localize`."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import NotFinite
from phosphene.segmentation.truths import read_coco
from phosphene.segmentation.truths.rle import decode, unpack
from tests.cli.conftest import Ran

Run = Callable[..., Ran]
NET = ("-m", "nets.py:net")
MEMORY = "[enforce fail] DefaultCPUAllocator: can't allocate memory"
SEGMENT = importlib.import_module("phosphene.segmentation.segment")


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the photographs cut; an entry `!NAME` put in beforehand interrupts there."""
    names: list[str] = []
    segment = SEGMENT.segment

    def noted(net: object, photo: Path, *rest: object, **options: object) -> object:
        if f"!{photo.name}" in names:
            names.remove(f"!{photo.name}")
            raise KeyboardInterrupt
        names.append(photo.name)
        return segment(net, photo, *rest, **options)

    monkeypatch.setattr(SEGMENT, "segment", noted)
    return names


def pixels(file: Path | str) -> np.ndarray:
    with Image.open(file) as image:
        return np.array(image)


def test_a_page(run: Run, desk: Path) -> None:
    done = run("segment", "cat.png", *NET)
    assert done.code == 0
    assert done.out == ""
    assert "photograph class largest score where" in done.err
    assert re.search(r"cat\.png \w+ \d\.\d\d box \d+, \d+, \d+, \d+ 1 done: open segm", done.err)
    assert (desk / "segmentation.html").read_text().count("data:image/png;base64,") == 4


def test_files_of_one_photograph(run: Run, desk: Path) -> None:
    files = ("--mask", "m.png", "--coco", "new/c.json", "--voc", "v.xml")
    done = run("segment", "cat.png", *NET, *files)
    assert done.code == 0
    assert done.err.endswith("written: m.png, new/c.json, v.xml")
    assert not (desk / "segmentation.html").exists()
    mask = pixels("m.png")
    assert mask.shape == (24, 32)
    assert set(np.unique(mask)) == {0, 255}
    coco = json.loads(Path("new/c.json").read_text())
    (annotation,) = coco["annotations"]
    rle = annotation["segmentation"]
    assert np.array_equal(decode(unpack(rle["counts"]), tuple(rle["size"])) > 0, mask > 0)
    x, y, width, height = annotation["bbox"]
    box = ElementTree.parse("v.xml").find("object/bndbox")
    assert box is not None
    corners = [int(box.findtext(key) or 0) for key in ("xmin", "ymin", "xmax", "ymax")]
    assert corners == [x + 1, y + 1, x + width, y + height]
    rows, columns = np.nonzero(mask)
    assert corners == [columns.min() + 1, rows.min() + 1, columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("out", ["a.png", "a.JPG", "new/a.html"])
def test_a_sheet_of_several(run: Run, desk: Path, out: str) -> None:
    done = run("segment", "photos", *NET, "-o", out, "--coco", "c.json")
    assert done.code == 0
    assert f"2 done: open {out}" in done.err
    assert (desk / out).exists()
    assert len(json.loads(Path("c.json").read_text())["images"]) == 2


def test_a_folder(run: Run, desk: Path) -> None:
    done = run("segment", "cat.png", "photos", *NET, "-o", "out")
    assert done.code == 0
    names = {re.sub(r"-\w{6}(\.|-)", r"\1", p.name) for p in (desk / "out").iterdir()}
    ends = (".png", ".xml", ".json", "-mask.png")
    own = {f"{stem}-png{end}" for stem in "cat a b".split() for end in ends}
    assert names == {"index.html", "instances.json", "boxes.json", *own}
    index = Path("out/index.html").read_text()
    sources = re.findall(r'src="([^"]+)"', index)
    assert len(sources) == 3
    assert all((desk / "out" / source).exists() for source in sources)
    assert "tiny, 3 photographs" in index
    for xml in Path("out").glob("*.xml"):
        assert ElementTree.parse(xml).findtext("filename") in ("cat.png", "a.png", "b.png")


def test_coco_of_a_run(run: Run, desk: Path) -> None:
    assert run("segment", "cat.png", "photos", *NET, "-o", "out").code == 0
    coco = json.loads(Path("out/instances.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["cat.png", "a.png", "b.png"]
    assert [image["id"] for image in coco["images"]] == [1, 2, 3]
    assert [a["id"] for a in coco["annotations"]] == [1, 2, 3]
    assert [a["image_id"] for a in coco["annotations"]] == [1, 2, 3]
    categories = [category["id"] for category in coco["categories"]]
    assert categories == sorted({a["category_id"] for a in coco["annotations"]})
    assert all(0 < a["score"] <= 1 for a in coco["annotations"])


def test_two_photographs_of_one_name(run: Run, desk: Path) -> None:
    shutil.copy(desk / "photos" / "a.png", desk / "photos" / "cat.png")
    assert run("segment", "cat.png", "photos/cat.png", *NET, "-o", "out").code == 0
    assert len(list(Path("out").glob("cat-png-*-mask.png"))) == 2
    coco = json.loads(Path("out/instances.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["cat.png", "photos/cat.png"]


def test_an_interrupted_folder_goes_on(run: Run, desk: Path, cuts: list[str]) -> None:
    for i in range(4):
        shutil.copy(desk / "cat.png", desk / "photos" / f"c{i}.png")
    segment = ("segment", "photos", *NET, "-o", "out")
    cuts.append("!c2.png")
    stopped = run(*segment)
    assert stopped.code == 130
    assert "interrupted after 4 of 6; the same command goes on from here" in stopped.err
    assert len(json.loads(Path("out/instances.json").read_text())["images"]) == 4
    cuts.clear()
    rest = run(*segment)
    assert rest.code == 0
    assert cuts == ["c2.png", "c3.png"]
    assert "4 kept from an earlier run" in rest.err
    assert "6 done" in rest.err
    whole = Path("out/instances.json").read_bytes()
    cuts.clear()
    assert "6 kept" in run(*segment).err
    assert cuts == []
    assert Path("out/instances.json").read_bytes() == whole
    assert len(json.loads(whole)["annotations"]) == 6
    assert not list(Path("out").glob(".*"))


def test_a_folder_is_cut_again_where_something_changed(
    run: Run, desk: Path, cuts: list[str]
) -> None:
    def done_again(*more: str) -> list[str]:
        cuts.clear()
        assert run("segment", "photos", *NET, "-o", "out", *more).code == 0
        return sorted(cuts)

    both = ["a.png", "b.png"]
    assert done_again() == both
    for more in (
        ["-r", "guided"],
        ["-c", "dog"],
        ["-e", "threshold"],
        ["--low", "0.2"],
        ["--fill"],
    ):
        assert done_again(*more) == both, more
        assert done_again(*more) == []
    next(Path("out").glob("b-*-mask.png")).unlink()
    assert done_again("--fill") == ["b.png"]
    next(Path("out").glob("a-*.json")).write_text('{"key": ')
    assert done_again("--fill") == ["a.png"]
    shutil.copy("cat.png", "photos/a.png")
    assert done_again("--fill") == ["a.png"]


def test_interrupted_before_anything_was_done(run: Run, desk: Path, cuts: list[str]) -> None:
    cuts.append("!cat.png")
    done = run("segment", "cat.png", *NET, "-o", "new/out.html")
    assert done.code == 130
    assert done.err.endswith("interrupted after 0 of 1")
    assert not (desk / "new").exists()


def test_an_unreadable_photograph_is_passed_over(run: Run, desk: Path) -> None:
    (desk / "photos" / "a1.png").write_text("no")
    done = run("segment", "photos", *NET, "-o", "out")
    assert done.code == 1
    assert "! photos/a1.png is no image that can be read" in done.err
    assert "1 could not be cut (named above) 2 done: open out/index.html" in done.err
    assert "a1.png is no image" in Path("out/index.html").read_text()
    assert list(json.loads(Path("out/boxes.json").read_text())["failed"]) == ["photos/a1.png"]


def test_json_has_standard_output_for_itself(run: Run, desk: Path) -> None:
    (desk / "photos" / "bad.png").write_text("no")
    before = sorted(desk.iterdir())
    done = run("segment", "photos", *NET, "-c", "dog", "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert found["output"] is None
    assert found["facts"]["engine"] == "graph-cut"
    assert [r["photograph"] for r in found["results"]] == ["photos/a.png", "photos/b.png"]
    assert found["results"][0]["size"] == [32, 24]
    (one,) = found["results"][0]["objects"]
    assert (one["class"], one["channel"]) == ("dog", 1)
    assert 0 < one["area"] <= 32 * 24
    assert list(found["failed"]) == ["photos/bad.png"]
    assert sorted(desk.iterdir()) == before


def test_options_are_the_arguments(run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    segment = SEGMENT.segment

    def noted(net: object, photo: object, class_: object, **options: object) -> object:
        given.update(options, class_=class_)
        return segment(net, photo, class_, **options)

    monkeypatch.setattr(SEGMENT, "segment", noted)
    words = (
        "-c 2 --rule mask+rectify/centre --high .9 --low .4 --smoothing .05 "
        "--fill --shorter-side 20 --seed-at strongest -o a.png"
    )
    assert run("segment", "cat.png", *NET, *words.split()).code == 0
    wanted = {
        "class_": "2",
        "rule": "mask+rectify/centre",
        "engine": "graph-cut",
        "high": 0.9,
        "low": 0.4,
        "smoothing": 0.05,
        "threshold": 0.8,
        "fill": True,
        "shorter_side": 20,
        "seed": "strongest",
    }
    assert given == wanted
    words = words.replace("--high .9 --low .4", "--engine threshold --threshold .7")
    assert run("segment", "cat.png", *NET, *words.split()).code == 0
    other = {"engine": "threshold", "high": None, "low": 0.3, "threshold": 0.7}
    assert given == wanted | other


def test_a_photograph_without_an_object(run: Run, desk: Path) -> None:
    done = run("segment", "cat.png", "-m", "nets.py:dead", "--mask", "m.png", "-o", "out")
    assert done.code == 0
    assert "no object" in done.err
    assert "cat.png: there is no object for '" in done.err
    assert "'; the map is zero everywhere" in done.err
    assert not pixels("m.png").any()
    assert json.loads(Path("out/instances.json").read_text())["annotations"] == []
    assert json.loads(Path("out/boxes.json").read_text())["results"][0]["objects"][0]["box"] is None


def test_warnings_tell_photographs_apart(run: Run, desk: Path) -> None:
    shutil.copy(desk / "photos" / "a.png", desk / "photos" / "cat.png")
    done = run("segment", "cat.png", "photos/cat.png", "-m", "nets.py:dead", "--json")
    warnings = [record["warnings"] for record in json.loads(done.out)["results"]]
    assert [len(own) for own in warnings] == [1, 1]
    assert warnings[0][0].startswith("cat.png: there is no object")
    assert warnings[1][0].startswith("photos/cat.png: there is no object")


def test_masks_as_polygons(run: Run, desk: Path, cuts: list[str]) -> None:
    """They are the same masks; a folder that is finished is not cut again for them."""
    for masks in ((), ("--coco-masks", "polygon"), ("--coco-masks", "rle")):
        cuts.clear()
        done = run("segment", "photos", *NET, "-e", "threshold", "-o", "out", *masks)
        assert done.code == 0
        assert cuts == ([] if masks else ["a.png", "b.png"])
        coco = json.loads(Path("out/instances.json").read_text())
        truths = read_coco("out/instances.json", "photos")
        for annotation, name, truth in zip(coco["annotations"], ("a", "b"), truths, strict=True):
            assert isinstance(annotation["segmentation"], list) == (masks[1:] == ("polygon",))
            (file,) = Path("out").glob(f"{name}-*-mask.png")
            assert np.array_equal(truth.masks[0] > 0, pixels(file) > 0)
    assert run("segment", "cat.png", *NET, "--coco", "c.json", "--coco-masks", "polygon").code == 0
    assert isinstance(
        json.loads(Path("c.json").read_text())["annotations"][0]["segmentation"], list
    )


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("-c unicorn", 1, "unicorn"),
        ("-r nix", 2, "nix"),
        ("--engine axe", 2, "axe"),
        ("--seed-at home", 2, "home"),
        ("--high 0.2", 2, "give 0 <= low < high < 1"),
        ("--smoothing 3", 2, "from 0 to below 1"),
        ("--threshold 0.5", 2, "--threshold goes with --engine threshold"),
        ("-e threshold --high 0.9", 2, "--high goes with --engine graph-cut or grab-cut"),
        ("-e threshold --low 0", 2, "--low goes with --engine graph-cut or grab-cut"),
        ("-e grab-cut --threshold 0.5", 2, "--threshold goes with --engine threshold"),
        ("--coco-masks polygon", 2, "--coco-masks goes with --coco FILE.json, or a folder"),
        ("--coco c.json --coco-masks circles", 2, "circles"),
        ("--shorter-side 0", 2, "--shorter-side"),
        ("--mask m.jpg", 1, "--mask m.jpg has to end in .png"),
        ("--coco m.xml", 1, "--coco m.xml has to end in .json"),
        ("--voc m.txt", 1, "--voc m.txt has to end in .xml"),
        ("--mask m.png photos", 1, "--mask is of one photograph, and 3 are given"),
        ("--voc m.xml photos", 1, "--voc is of one photograph, and 3 are given"),
        ("-o cat.png", 1, "cat.png is a photograph to cut, and would be overwritten"),
        ("--mask cat.png", 1, "cat.png is a photograph to cut, and would be overwritten"),
        ("-o a.tar", 1, "a.tar is nothing phosphene writes"),
        ("nix.png", 1, "there is no file nix.png"),
    ],
)
def test_what_cannot_be(run: Run, desk: Path, words: str, code: int, sentence: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in desk.iterdir() if path.is_file()}
    done = run("segment", "cat.png", *NET, *words.split())
    assert done.code == code
    assert sentence in done.err
    after = {path: path.stat().st_mtime_ns for path in desk.iterdir() if path.is_file()}
    assert before == after


def test_the_network_is_at_fault(run: Run, desk: Path) -> None:
    done = run("segment", "photos", "-m", "nets.py:nan_weights", "-o", "out")
    assert done.code == 1
    assert done.err.count("photos") == 0
    assert not (desk / "out").exists()
    done = run("segment", "cat.png", "-m", "nets.py:nan_weights", "--mask", "new/m.png")
    assert done.code == 1
    assert not (desk / "new").exists()
    done = run("segment", "photos", "-m", "nets.py:smooth", "-r", "guided", "-o", "out")
    assert done.code == 1
    assert "! photos" not in done.err


def test_one_photograph_fails_among_good_ones(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = SEGMENT.segment
    errors: list[Exception] = [NotFinite("too bright"), RuntimeError(MEMORY)]

    def failing(net: object, photo: Path, *rest: object, **options: object) -> object:
        if photo.name != "cat.png":
            raise errors.pop(0)
        return segment(net, photo, *rest, **options)

    monkeypatch.setattr(SEGMENT, "segment", failing)
    done = run("segment", "cat.png", "photos", *NET, "-o", "out")
    assert done.code == 1
    assert "! photos/a.png: too bright" in done.err
    assert "photos/b.png needs more memory than there is: give a smaller --shorter" in done.err
    assert "2 could not be cut (named above) 1 done" in done.err


def test_results_are_no_photographs(run: Run, desk: Path, cuts: list[str]) -> None:
    for _ in range(2):
        assert run("segment", "photos", *NET, "-o", "photos").code == 0
    assert cuts == ["a.png", "b.png"]
    # A mask without its record, as a killed run leaves it.
    next(Path("photos").glob("a-*.json")).unlink()
    cuts.clear()
    assert run("segment", "photos", *NET, "-o", "photos").code == 0
    assert cuts == ["a.png"]
    shutil.copytree("photos", "out")
    for name in ("a.png", "b.png"):
        os.unlink(f"out/{name}")
    done = run("segment", "out", *NET, "-o", "out")
    assert "there are no photographs but phosphene's own results" in done.err


@pytest.mark.parametrize("verb", ["segment", "localize"])
def test_help_teaches(run: Run, verb: str) -> None:
    done = run(verb, "--help")
    assert done.code == 0
    for words in ("Examples", "--rule", "--engine", "OUT.html", "boxes.json", "[default:"):
        assert words in done.out, words
    examples = [line for line in done.out.splitlines() if line.strip().startswith("phosphene ")]
    assert len(examples) == 4
    assert all(len(line) <= 80 for line in examples)
    bare = run(verb)
    assert f"Usage: phosphene {verb}" in bare.out + bare.err


def test_help_loads_nothing_heavy() -> None:
    code = """if True:
        import sys
        from phosphene.cli.app import main
        for verb in ("segment", "localize"):
            try:
                main([verb, "--help"])
            except SystemExit as left:
                assert not left.code
        heavy = {"torch", "numpy", "PIL", "jinja2"} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
