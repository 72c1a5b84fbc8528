import base64
import io
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from phosphene import view
from phosphene.panel import Panel, Tile
from phosphene.view import inline
from tests.view.panels import NASTY, nasty, nasty_numbers, noise, numbers, scores, table

VOID = {"meta", "img", "input"}
TAGS = set(
    "html head meta title style body main header h1 h2 h3 h4 details summary ol ul li a form input "
    "output article section div figure img figcaption dl dt dd table tr th td p script".split()
)
ATTRIBUTES = set(
    "lang charset name content http-equiv class dir id aria-label style src alt width height "
    "loading decoding href role hidden type placeholder scope".split()
)


class Reader(HTMLParser):
    """Reads a document strictly: what is opened must be closed, in order."""

    def __init__(self, document):
        super().__init__()
        self.open, self.tags, self.text = [], [], {}
        self.feed(document)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names))
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and data.strip():
            self.text.setdefault(self.open[-1], []).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


SVG_TAGS = set("svg desc g defs path use clippath rect text tspan pattern".split())
NUMBER_TAGS = TAGS | SVG_TAGS | {"caption", "thead", "tbody"}
DOCUMENTS = {
    "page": lambda panel: view.page(panel),
    "titled": lambda panel: view.page([panel, panel], title=NASTY),
    "fragment": lambda panel: view.fragment(panel),
}


@pytest.fixture(params=DOCUMENTS)
def write(request):
    return DOCUMENTS[request.param]


@pytest.mark.parametrize("make", [table, nasty, lambda: Panel("t", ()), lambda: table(rows=20)])
def test_only_the_templates_make_tags(write, make):
    document = Reader(write(make()))
    assert {tag for tag, _ in document.tags} <= TAGS
    assert {name for _, attributes in document.tags for name in attributes} <= ATTRIBUTES
    assert len(document.all("script")) <= 1


def test_texts_arrive_as_they_are(write):
    document = Reader(write(nasty()))
    assert document.text["figcaption"][0] == NASTY
    assert document.text["dd"][0] == NASTY
    assert document.text["th"][0] == NASTY
    assert document.text["td"][0] == "</script>" + NASTY
    assert document.text["li"][0] == NASTY
    assert all(NASTY in image["alt"] for image in document.all("img"))
    assert all(section["aria-label"] == NASTY for section in document.all("section"))


def test_scripts_and_styles_hold_nothing_of_the_panel():
    def inner(document):
        return re.findall(r"<(script|style)>(.*?)</\1>", document, re.DOTALL)

    assert inner(view.page(nasty(), title="t")) == inner(view.page(table(), title="t"))
    assert len(inner(view.page(nasty()))) == 2


def test_nothing_is_fetched(write):
    document = write(table(rows=20))
    for _, attributes in Reader(document).tags:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("data:image/", "#"))
    text = re.sub(r"base64,[^\"]*", "", document)
    assert not re.search(r"url\(|@import|https?:|//\w|<link|<iframe|srcset", text)


def test_pages_forbid_fetching():
    policy = [m["content"] for m in Reader(view.page(table())).all("meta") if "http-equiv" in m]
    assert policy[0].startswith("default-src 'none'")


def test_what_no_page_can_hold_is_replaced(write):
    panel = Panel("a\udcffb\0c", (("\x1b[31m", (Tile(noise(20), "\ud800", "\a"),)),), {"\0": "\0"})
    document = write(panel)
    document.encode("utf-8")
    assert "a\ufffdb\ufffdc" in document
    assert not re.search(r"[\0-\x08\x0e-\x1f]", document)


def test_few_pictures_are_exact():
    panel = table()
    images = Reader(view.page(panel)).all("img")
    tiles = [tile for _, tiles in panel.rows for tile in tiles]
    assert len(images) == len(tiles)
    for attributes, tile in zip(images, tiles, strict=True):
        assert attributes["src"].startswith("data:image/png;base64,")
        stored = Image.open(io.BytesIO(base64.b64decode(attributes["src"].split(",")[1])))
        assert stored.tobytes() == tile.image.tobytes()
        assert (attributes["width"], attributes["height"]) == ("200", "200")


def test_many_pictures_are_small_but_maps_stay_exact(monkeypatch):
    monkeypatch.setattr(inline, "_EXACT_TOTAL", 100)
    smooth = Image.linear_gradient("L").convert("RGB")
    panel = Panel("t", (("", (Tile(smooth), Tile(noise(13)))),))
    photograph, small = (i["src"] for i in Reader(view.page(panel)).all("img"))
    assert photograph.startswith("data:image/webp")
    stored = Image.open(io.BytesIO(base64.b64decode(photograph.split(",")[1]))).convert("RGB")
    assert np.abs(np.asarray(stored, int) - np.asarray(smooth, int)).mean() < 1
    assert small.startswith("data:image/png")


def test_a_giant_is_reduced_for_the_page():
    (image,) = Reader(view.page(Panel("t", (("", (Tile(noise(5000, 100)),)),)))).all("img")
    assert (image["width"], image["height"]) == ("2048", "41")


def test_pages_of_many_rows_have_an_index_and_a_filter():
    few, many = Reader(view.page(table(rows=12))), Reader(view.page(table(rows=13)))
    assert not few.all("form")
    assert "hidden" in many.all("form")[0]  # without a script there is nothing to filter with
    targets = {"#" + section["id"] for section in many.all("section")}
    assert {link["href"] for link in many.all("a")} == targets
    assert len(targets) == 13


def test_pictures_are_described_and_lazy(write):
    for image in Reader(write(table())).all("img"):
        assert image["loading"] == "lazy"
        assert image["alt"]


@pytest.mark.parametrize("panels", [table(), [table(), table()]], ids=["one", "two"])
def test_headings_descend_one_by_one(panels):
    levels = [int(tag[1]) for tag, _ in Reader(view.page(panels)).tags if re.match(r"h\d$", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= sooner + 1 for sooner, later in pairwise(levels))


def test_ids_are_unique_also_for_the_same_panel_twice():
    ids = [a["id"] for _, a in Reader(view.page([table(), table()])).tags if "id" in a]
    assert len(ids) == len(set(ids)) == 6


def test_titles():
    assert Reader(view.page(table())).text["title"] == ["network, layer"]
    assert Reader(view.page([table(), table()])).text["title"] == ["network, layer and 1 more"]
    assert Reader(view.page(table(), title="mine")).text["h1"] == ["mine"]
    assert Reader(view.page(table(), title="mine")).text["h2"][0] == "network, layer"
    assert Reader(view.page([])).text["title"] == ["phosphene"]


def test_a_fragment_reaches_nothing_outside_itself():
    document = Reader(view.fragment(table()))
    assert document.tags[0] == ("div", {"class": "phosphene"})
    assert not document.all("script")
    assert not any("id" in attributes for _, attributes in document.tags)
    for rule in re.findall(r"([^{}]+)\{", document.text["style"][0]):
        assert all(part.strip().startswith(".phosphene") for part in rule.split(","))


def test_a_fragment_of_many_rows_says_what_it_leaves_out():
    document = view.fragment(table(rows=30, size=20))
    assert len(Reader(document).all("section")) == 24
    assert "6 more rows" in document


def test_equal_notes_stand_once():
    document = Reader(view.page(table(rows=1)))
    assert document.text["dd"] == ["a note"]
    assert document.text["dt"] == ["photograph, saliency, guided"]


@pytest.mark.parametrize("make", [numbers, nasty_numbers])
def test_only_templates_and_drawings_make_tags_of_numbers(write, make):
    document = Reader(write(make()))
    assert {tag for tag, _ in document.tags} <= NUMBER_TAGS
    assert not [n for _, attributes in document.tags for n in attributes if n.startswith("on")]
    assert len(document.all("script")) <= 1
    assert len(document.all("style")) == 1


def test_texts_of_numbers_arrive_as_they_are(write):
    document, line = Reader(write(nasty_numbers())), " ".join(NASTY.split())
    assert document.text["caption"][0] == NASTY
    assert document.text["th"][:3] == [line] * 3
    assert document.text["td"][0] == line
    assert all(svg["aria-label"] == line for svg in document.all("svg"))


def test_nothing_is_fetched_for_numbers(write):
    document = write(numbers())
    for _, attributes in Reader(document).tags:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith("#")
    assert not re.search(r"url\((?!#)|@import|https?:|//\w|<link|<iframe|srcset", document)


@pytest.mark.parametrize("write", [view.page, view.fragment])
def test_tables_are_tables(write):
    document = Reader(write(Panel("t", (), tables=(scores(),))))
    scopes = [cell["scope"] for cell in document.all("th")]
    assert scopes == ["col"] * 4 + ["row"] * 3
    assert document.text["caption"] == ["scores"]
    assert document.text["p"] == ["of nobody knows what"]
    assert document.text["td"][:3] == ["64", "0.50", "\u2013"]
    aligned = [cell.get("class") for cell in document.all("td")]
    assert aligned == ["number", "number", None] * 3
    (region,) = [d for d in document.all("div") if d.get("class") == "numbers"]
    assert region["tabindex"] == "0"  # what scrolls must be reached by the keyboard
    assert region["aria-label"] == "scores"


@pytest.mark.parametrize(
    "documents",
    [
        lambda: view.page([numbers(), numbers(), table(rows=1)]),
        lambda: view.fragment(numbers()) + view.fragment(nasty_numbers()),
    ],
    ids=["page", "fragments"],
)
def test_ids_of_plots_are_unique_and_found(documents):
    text = documents()
    ids = [a["id"] for _, a in Reader(text).tags if "id" in a]
    assert len(ids) == len(set(ids)) > 10
    assert set(re.findall(r'(?:<use[^>]* href="|url\()#([^")]+)', text)) <= set(ids)


def test_numbers_stand_in_for_pictures(write):
    assert "No pictures" in write(Panel("t", ()))
    assert "No pictures" not in write(numbers())
    assert len(Reader(view.page(numbers())).all("svg")) == 2


def test_headings_descend_with_plots_too():
    both = Panel("t", table().rows, plots=numbers().plots, tables=numbers().tables)
    for panels in (both, [both, both]):
        tags = [tag for tag, _ in Reader(view.page(panels)).tags]
        levels = [int(tag[1]) for tag in tags if re.match(r"h\d$", tag)]
        assert all(later <= sooner + 1 for sooner, later in pairwise(levels))
