"""`phosphene explain` when all goes well."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.cli.records import names_of
from tests.cli.conftest import Ran

Run = Callable[..., Ran]
NET = ("-m", "nets.py:net")


def test_a_page(run: Run, desk: Path) -> None:
    done = run("explain", "cat.png", *NET)
    assert done.code == 0
    assert done.out == ""
    assert "tiny on cpu, shown 16x16, RGB, shorter side 16" in done.err
    assert re.search(r"cat\.png \w+ \d+\.\d% \w+.* \(class \d\) at \(\d, \d\), [\d.]+", done.err)
    assert done.err.endswith("1 explained: open explanation.html")
    page = (desk / "explanation.html").read_text()
    assert page.count("data:image/png;base64,") == 5
    assert "http" not in re.sub(r"http-equiv", "", page)


@pytest.mark.parametrize("out", ["a.png", "a.JPG", "a.webp", "new/folder/a.png"])
def test_a_picture(run: Run, desk: Path, out: str) -> None:
    assert run("explain", "cat.png", *NET, "-o", out).code == 0
    with Image.open(desk / out) as picture:
        assert min(picture.size) > 200


def test_a_folder(run: Run, desk: Path) -> None:
    done = run("explain", "cat.png", "photos", *NET, "-o", "out")
    assert done.code == 0
    names = {re.sub(r"-\w{6}\.", ".", p.name) for p in (desk / "out").iterdir()}
    stems = ("cat-png", "a-png", "b-png")
    assert names == {"index.html", *(f"{s}{x}" for s in stems for x in (".png", ".json"))}
    index = (desk / "out" / "index.html").read_text()
    for name in re.findall(r'src="([^"]+)"', index):
        assert (desk / "out" / name).exists()
    assert "open out/index.html" in done.err
    record = json.loads(next((desk / "out").glob("cat-*.json")).read_text())
    assert record["facts"]["network"] == "tiny"
    assert {"phosphene", "torch", "python", "census", "preprocessing"} <= record["facts"].keys()


def test_names_that_are_not_ascii_or_html(run: Run, desk: Path) -> None:
    name = "Füße 猫 & <b>[red]%20#.png"
    (desk / "cat.png").rename(desk / name)
    done = run("explain", name, *NET, "-o", "out")
    assert done.code == 0
    assert name in done.err
    index = (desk / "out" / "index.html").read_text(encoding="utf-8")
    assert "<b>" not in index
    assert "%2520%23" in index


def test_two_photographs_of_one_name(run: Run, desk: Path) -> None:
    (desk / "photos" / "a.png").replace(desk / "photos" / "cat.png")
    done = run("explain", desk / "cat.png", desk / "photos" / "cat.png", *NET, "-o", "out")
    assert done.code == 0
    assert len(list((desk / "out").glob("cat-png-*.png"))) == 2
    assert "photos/cat.png" in done.err
    first, second = (json.loads(p.read_text()) for p in sorted((desk / "out").glob("*.json")))
    assert first["photograph"] != second["photograph"]
    assert first["signals"] != second["signals"]


def test_names() -> None:
    files = [Path("x.png"), Path("a/x.png"), Path("b/a/x.png"), Path("b/y.png")]
    assert list(names_of(files).values()) == ["x.png", "a/x.png", "b/a/x.png", "y.png"]
    assert names_of([]) == {}


def test_json_has_standard_output_for_itself(run: Run, desk: Path) -> None:
    (desk / "photos" / "bad.png").write_text("no")
    done = run("explain", "photos", *NET, "-u", "2", "-l", "conv", "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert [r["photograph"] for r in found["results"]] == ["photos/a.png", "photos/b.png"]
    assert list(found["failed"]) == ["photos/bad.png"]
    assert found["output"] is None
    assert {s["unit"].split()[0] for s in found["results"][0]["signals"]} == {"unit"}
    assert "photos/bad.png is no image" in done.err
    assert sorted(p.name for p in desk.iterdir()) == ["cat.png", "nets.py", "photos"]
    assert run("explain", "cat.png", *NET, "--json", "-o", "a.html").code == 0
    assert (desk / "a.html").exists()


def signals(done: Ran) -> list[dict[str, object]]:
    assert done.code == 0, done.err
    return json.loads(done.out)["results"][0]["signals"]  # type: ignore[no-any-return]


def test_rules(run: Run, desk: Path) -> None:
    explain = ("explain", "cat.png", *NET, "--json")
    assert [s["rule"] for s in signals(run(*explain))] == ["saliency", "deconvnet", "guided"]
    asked = signals(run(*explain, "-r", "guided", "--rule", "rectify/centre", "-r", "guided"))
    assert [s["rule"] for s in asked] == ["guided", "rectify/centre/identity"]
    assert len(signals(run(*explain, "-r", "all"))) == 8
    # Without ReLUs there is nothing that the other two would change.
    smooth = run("explain", "cat.png", "-m", "nets.py:smooth", "--json")
    assert [s["rule"] for s in signals(smooth)] == ["saliency"]


def test_units(run: Run, desk: Path) -> None:
    asked = ("3", "3@2,5", "3@centre", "3@positive", "strongest", "random", "mixture", "code")
    units = [word for unit in asked for word in ("--unit", unit)]
    explain = ("explain", "cat.png", *NET, "--json", "-r", "saliency", "-l", "act")
    found = signals(run(*explain, *units))
    assert [s["channel"] for s in found[:4]] == [3] * 4
    assert [s["at"] for s in found[1:4]] == [[2, 5], [7, 7], [-1, -1]]
    again = signals(run(*explain, *units, "--seed", "0"))
    other = signals(run(*explain, *units, "--seed", "3"))
    assert found == again
    assert found[6] != other[6]
    assert signals(run(*explain))[0]["unit"] == found[4]["unit"]


def test_classes(run: Run, desk: Path) -> None:
    explain = ("explain", "cat.png", *NET, "--json", "-r", "saliency")
    found = signals(run(*explain, "-c", "house cat", "-c", "dog@positive", "-c", "3@center"))
    assert [s["channel"] for s in found] == [0, 1, 3]
    assert found[1]["at"] == [-1, -1]
    assert found[2]["at"] == [3, 3]


def test_inner_layers_ten_crops_and_whole_photographs(run: Run, desk: Path) -> None:
    explain = ("explain", "cat.png", *NET, "-o", "a.html")
    assert run(*explain, "--layer", "scores", "--to", "conv").code == 0
    assert "saliency at conv" in (desk / "a.html").read_text()
    done = run(*explain, "--ten-crop", "--resize-to", "20", "-c", "dog")
    assert "dog (class 1), all positive positions" in done.err
    assert run(*explain, "--whole", "--json").code == 0


def test_attention_beside_the_rules(run: Run, desk: Path) -> None:
    rules = ("-r", "saliency", "-r", "contrastive", "-r", "grad-cam@conv")
    assert run("explain", "cat.png", *NET, *rules, "-o", "a.html").code == 0
    page = (desk / "a.html").read_text()
    assert re.search(r"contrastive at \w+", page)
    assert "grad-cam at conv" in page
    assert page.count("data:image/png;base64,") == 5
    found = signals(
        run("explain", "cat.png", *NET, *rules, "--ten-crop", "--resize-to", "20", "--json")
    )
    assert [s["to"] for s in found] == ["image", "act", "conv"]


def test_what_the_network_sees_can_be_said(run: Run, desk: Path) -> None:
    said = "--input-size 12x14 --mean 1,2,3 --std 2 --scale 255 --order BGR --resize-to 20"
    done = run("explain", "cat.png", *NET, *said.split(), "--interpolation", "bicubic")
    assert "shown 12x14, BGR * 255 - (1, 2, 3) / 2, shorter side 20" in done.err


def test_weights_and_labels(run: Run, desk: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from tests.cli import nets

    state = {name: value * 2 for name, value in nets.tiny().state_dict().items()}
    save_file(state, desk / "w.safetensors")
    torch.save(state, desk / "w.pt")
    (desk / "names.txt").write_text("one\ntwo\nthree\nfour\n")
    explain = ("explain", "cat.png", "-m", "nets.py:plain", "--input-size", "16", "--json")
    plain, first, second = (
        signals(run(*explain, "--labels", "names.txt", *weights))[0]
        for weights in ((), ("--weights", "w.safetensors"), ("--weights", "w.pt"))
    )
    assert first == second
    assert first["score"] != plain["score"]
    assert any(word in str(first["unit"]) for word in ("one", "two", "three", "four"))
    (desk / "names.txt").write_text("one\ntwo\n")
    done = run(*explain, "--labels", "names.txt")
    assert "! 2 class names were given, and plain has 4 classes" in done.err


@pytest.mark.parametrize("mode", ["CMYK", "I;16", "L", "RGBA", "LA", "P", "1", "animated"])
def test_photographs_of_every_sort(run: Run, desk: Path, mode: str) -> None:
    image = Image.effect_noise((24, 24), 90)
    suffix = {"CMYK": "jpg", "animated": "gif"}.get(mode, "png")
    if mode == "animated":
        image.save(desk / "x.gif", save_all=True, append_images=[image.rotate(90)])
    elif mode == "I;16":
        Image.fromarray(np.asarray(image).astype(np.uint16) * 257).save(desk / "x.png")
    else:
        image.convert("RGB").convert(mode).save(desk / f"x.{suffix}")
    assert run("explain", f"x.{suffix}", *NET, "--json").code == 0


def test_a_real_network(run: Run, desk: Path, shared: Path) -> None:
    data = shared / "data"
    model = data / "squeezenet" / "squeezenet.caffemodel"
    photo = data / "imagenet_sample" / "n01440764.jpg"
    done = run("explain", photo, "-m", model, "-c", "tench@positive", "--json")
    assert "227x227, BGR * 255 - (104, 117, 123), shorter side 256 (assumed" in done.err
    found = json.loads(done.out)["results"][0]
    assert found["classes"][0]["name"] == "tench"
    assert found["classes"][0]["probability"] > 0.99
    assert [s["channel"] for s in found["signals"]] == [0, 0, 0]
    assert not any(s["empty"] for s in found["signals"])
