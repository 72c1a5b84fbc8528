"""`phosphene localize`: what it does not share with `segment`."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.cli.conftest import Ran

Run = Callable[..., Ran]
NET = ("-m", "nets.py:net")
LOCALIZE = importlib.import_module("phosphene.segmentation.localize")


def test_a_page(run: Run, desk: Path) -> None:
    done = run("localize", "cat.png", *NET, "--top", "3")
    assert done.code == 0
    assert "1 done: open localization.html" in done.err
    shown = [float(n) for n in re.findall(r"\w+ (\d\.\d\d) (?:box|no object)", done.err)]
    assert len(shown) == 3
    assert shown == sorted(shown, reverse=True)
    assert (desk / "localization.html").exists()


def test_classes_in_order_of_their_scores(run: Run, desk: Path) -> None:
    done = run("localize", "cat.png", "photos", "--top", "4", "-o", "out")
    assert done.code == 0
    assert "photograph class largest score where mask" in done.err
    boxes = json.loads(Path("out/boxes.json").read_text())
    assert "largest score anywhere" in boxes["facts"]["classes in order of"]
    for result in boxes["results"]:
        scores = [one["score"] for one in result["objects"]]
        assert scores == sorted(scores, reverse=True)
        assert {one["order"] for one in result["objects"]} == {"score"}
        for one in result["objects"]:
            assert f"{one['class']} {one['score']:.2f} " in done.err
    first = boxes["results"][0]["objects"][0]
    heading = f"cat.png: {first['class']}, score {first['score']:.2f}</h2>"
    assert heading in Path("out/index.html").read_text()


def test_a_square_photograph_has_probabilities_and_a_wide_one_scores(run: Run, desk: Path) -> None:
    """Of the demo network, whose answer to its own size is one and else a map."""
    Image.new("RGB", (96, 96), "red").save("square.png")
    done = run("localize", "square.png", "cat.png", "--top", "2", "-e", "threshold", "--json")
    square, wide = json.loads(done.out)["results"]
    assert [one["order"] for one in square["objects"]] == ["probability"] * 2
    assert [one["order"] for one in wide["objects"]] == ["score"] * 2
    assert "classes in order of" not in json.loads(done.out)["facts"]
    said = run("localize", "square.png", "cat.png", "--top", "2", "-e", "threshold").err
    assert "photograph class probability or largest score where" in said
    first, best = square["objects"][0], wide["objects"][0]
    assert f"square.png {first['class']} {first['probability']:.1%} " in said
    assert f"cat.png {best['class']} {best['score']:.2f} " in said


def test_a_folder(run: Run, desk: Path) -> None:
    localize = ("localize", "photos", *NET, "--top", "2", "-o", "out")
    assert run(*localize).code == 0
    boxes = json.loads(Path("out/boxes.json").read_text())
    for result in boxes["results"]:
        masks = [one["mask"] for one in result["objects"]]
        assert len(set(masks)) == 2
        for one in result["objects"]:
            assert one["mask"].endswith(f"-{one['channel']}.png")
            assert (desk / "out" / one["mask"]).exists()
    found = [one for result in boxes["results"] for one in result["objects"] if one["box"]]
    coco = json.loads(Path("out/instances.json").read_text())
    assert [a["id"] for a in coco["annotations"]] == list(range(1, len(found) + 1))
    for annotation, one in zip(coco["annotations"], found, strict=True):
        assert annotation["category_id"] == one["channel"] + 1
        assert annotation["area"] == one["area"]
    assert {image["id"] for image in coco["images"]} == {a["image_id"] for a in coco["annotations"]}
    ids = [category["id"] for category in coco["categories"]]
    assert len(ids) == len(set(ids))
    objects = [
        o for xml in Path("out").glob("*.xml") for o in ElementTree.parse(xml).iter("object")
    ]
    assert len(objects) == len(found)


def test_a_second_run_computes_nothing(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    localize = ("localize", "photos", *NET, "-o", "photos")
    assert run(*localize, "--top", "2").code == 0
    before = Path("photos/boxes.json").read_bytes()
    whole = LOCALIZE.localize

    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(LOCALIZE, "localize", never)
    done = run(*localize, "--top", "2")
    assert done.code == 0
    assert "2 kept" in done.err
    assert Path("photos/boxes.json").read_bytes() == before
    monkeypatch.setattr(LOCALIZE, "localize", whole)
    assert "kept" not in run(*localize, "--top", "1").err


def test_the_protocol_of_2014(run: Run, desk: Path) -> None:
    simonyan = ("localize", "cat.png", *NET, "--protocol", "simonyan", "--top", "2")
    done = run(*simonyan, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["facts"]["protocol"] == "simonyan"
    assert len(found["results"][0]["objects"]) == 2
    assert found["facts"]["classes in order of"] == "probability"
    said = run(*simonyan).err
    assert "photograph class probability where" in said
    shown = [float(n) for n in re.findall(r"(\d+\.\d)% (?:box|no object)", said)]
    assert len(shown) == 2
    assert shown == sorted(shown, reverse=True)
    refused = run(*simonyan, "--seed-at", "strongest")
    assert refused.code == 2
    assert "ten crops start at all positive positions" in refused.err


def test_single_files(run: Run, desk: Path) -> None:
    files = ("--voc", "v.xml", "--coco", "c.json", "-o", "a.png")
    assert run("localize", "cat.png", *NET, "-n", "4", *files).code == 0
    assert ElementTree.parse("v.xml").findtext("filename") == "cat.png"
    assert len(json.loads(Path("c.json").read_text())["images"]) == 1
    assert (desk / "a.png").exists()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("--top 0", 2, "--top"),
        ("--protocol none", 2, "none"),
        ("--class cat", 2, "--class"),
        ("--mask a.png", 2, "--mask"),
        ("-e threshold --low 0.1", 2, "--low goes with --engine graph-cut"),
        ("--low 1", 2, "give 0 <= low < high < 1"),
    ],
)
def test_what_cannot_be(run: Run, desk: Path, words: str, code: int, sentence: str) -> None:
    done = run("localize", "cat.png", *NET, *words.split())
    assert done.code == code
    assert sentence in done.err


def test_an_unreadable_photograph_is_passed_over(run: Run, desk: Path) -> None:
    (desk / "photos" / "0.png").touch()
    done = run("localize", "photos", *NET, "--json")
    assert done.code == 1
    assert "! photos/0.png is empty" in done.err
    assert len(json.loads(done.out)["results"]) == 2
