"""The page of the interpretability study: what is in it, and what must not be."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from phosphene.errors import ImageError, OutputError
from phosphene.studies.pairs import pairs_page, save_pairs

NASTY = "</script><script>alert('x')</script> \" & <!-- {{ 7*7 }}"


def picture(seed: int, size: int = 12) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8))


def pictures(
    photos: tuple[str, ...] = ("a.png", "b.png"),
    layers: tuple[str, ...] = ("pool1", "fc8"),
    strengths: tuple[float | None, ...] = (None, 100.0, 1.0),
    size: int = 12,
) -> dict[tuple[str, str, float | None], Image.Image]:
    keys = [(p, la, c) for p in photos for la in layers for c in strengths]
    return {key: picture(seed, size) for seed, key in enumerate(keys)}


def study_of(page: str) -> dict:  # type: ignore[type-arg]
    (text,) = re.findall(r'<script type="application/json" id="study">(.*?)</script>', page)
    return json.loads(text)  # type: ignore[no-any-return]


class Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]


def decoded(uri: str) -> np.ndarray:
    head, _, body = uri.partition(",")
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))


def test_every_picture_is_there_once() -> None:
    given = pictures()
    study = study_of(pairs_page(given))
    assert [(s["photograph"], s["layer"], s["depth"]) for s in study["sets"]] == [
        ("a.png", "pool1", 0), ("a.png", "fc8", 1), ("b.png", "pool1", 0), ("b.png", "fc8", 1)
    ]  # fmt: skip
    assert len(study["images"]) == len(set(study["images"])) == 12
    for entry in study["sets"]:
        assert set(entry["images"]) == {"none", "100", "1"}
        for condition, number in entry["images"].items():
            strength = None if condition == "none" else float(condition)
            original = given[entry["photograph"], entry["layer"], strength]
            assert (decoded(study["images"][number]) == np.asarray(original)).all()


def test_many_pictures_are_jpeg() -> None:
    given = pictures(photos=("a.png",), layers=("fc8",), size=1200)
    (first, *_) = study_of(pairs_page(given))["images"]
    assert first.startswith("data:image/jpeg")
    assert decoded(first).shape == (1200, 1200, 3)


def test_the_page_needs_nothing_else() -> None:
    page = pairs_page(pictures())
    assert "http" not in page.replace("http-equiv", "")
    tags = Elements(page).tags
    assert not any({"src", "href", "onclick"} & attrs.keys() for _, attrs in tags)
    (policy,) = [a["content"] for t, a in tags if a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:")


def test_the_page_can_be_used_by_anyone() -> None:
    page = pairs_page(pictures(), "Study of <foxes>")
    elements = Elements(page)
    assert len(elements.ids) == len(set(elements.ids))
    assert '<h1 dir="auto">Study of &lt;foxes&gt;</h1>' in page
    assert {attrs.get("lang") for tag, attrs in elements.tags if tag == "html"} == {"en"}
    assert all(attrs.get("alt") for tag, attrs in elements.tags if tag == "img")
    fields = [attrs["id"] for tag, attrs in elements.tags if tag == "input"]
    labels = [attrs.get("for") for tag, attrs in elements.tags if tag == "label"]
    assert set(fields) <= set(labels)
    assert any(attrs.get("name") == "viewport" for _, attrs in elements.tags)
    for ident in re.findall(r'\bat\("([\w-]+)"\)', page):
        assert ident in elements.ids, ident


def test_pictures_do_not_say_what_they_are() -> None:
    """No label is shown, and no picture carries one."""
    given = pictures(photos=("a.png",), layers=("fc8",))
    info = PngInfo()
    info.add_text("strength", "secret")
    file = io.BytesIO()
    picture(0).save(file, "PNG", pnginfo=info)
    given["a.png", "fc8", 1.0] = Image.open(io.BytesIO(file.getvalue()))
    page = pairs_page(given)
    for uri in study_of(page)["images"]:
        assert b"secret" not in base64.b64decode(uri.partition(",")[2])
    body = page.partition("<body>")[2].partition('<script type="application/json"')[0]
    for word in ("fc8", "a.png", "none"):
        assert word not in body


def test_names_are_escaped() -> None:
    given = pictures(photos=(NASTY, "b"), layers=(NASTY,))
    page = pairs_page(given, NASTY)
    assert "<script>alert" not in page
    assert page.count("</script>") == 2
    assert "<!--" not in page
    study = study_of(page)
    assert study["title"] == NASTY
    assert study["sets"][0]["photograph"] == study["sets"][0]["layer"] == NASTY
    assert sum(tag == "script" for tag, _ in Elements(page).tags) == 2


def test_a_page_is_told_by_its_contents() -> None:
    given = pictures()
    first = study_of(pairs_page(given))["page"]
    assert re.fullmatch(r"[0-9a-f]{12}", first)
    assert study_of(pairs_page(given))["page"] == first
    given["a.png", "fc8", 1.0] = picture(99)
    assert study_of(pairs_page(given))["page"] != first


def test_what_makes_no_pair() -> None:
    with pytest.raises(ImageError, match="2 pictures make no pair"):
        pairs_page(pictures(photos=("a",), strengths=(1.0,)))
    lone = {**pictures(photos=("a",)), ("b", "pool1", 1.0): picture(7)}
    assert {s["photograph"] for s in study_of(pairs_page(lone))["sets"]} == {"a"}


def test_saving(tmp_path: Path) -> None:
    path = save_pairs(pictures(), tmp_path / "new" / "pairs.html", "Füchse")
    assert path.read_text(encoding="utf-8") == pairs_page(pictures(), "Füchse")
    with pytest.raises(OutputError, match="cannot be written"):
        save_pairs(pictures(), path / "inside.html")
