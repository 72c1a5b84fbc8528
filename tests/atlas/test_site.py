"""The files of a site: where they are, what they hold, and that every text in them stays text."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from phosphene.atlas import site as writing
from phosphene.atlas.model import Atlas, LayerEntry, Picture, UnitEntry
from phosphene.atlas.places import Places, picture_address
from phosphene.atlas.ranking import rank
from phosphene.atlas.search import block, index_script, layer_data
from phosphene.errors import OutputError
from tests.atlas.atlases import NASTY, atlas

VOID = {"meta", "img", "input", "link"}
TAGS = set(
    "html head meta title link script body a header nav span div form input button svg circle path "
    "main h1 h2 p ul li section figure figcaption g rect text image polygon table caption thead "
    "tbody tr th td dialog dl dt dd kbd code fieldset legend label select option output ol b img i "
    "noscript desc defs clippath use tspan small".split()
)
PLOT_TAGS = {"clippath", "defs", "use", "g", "path", "rect", "text", "desc", "tspan"}


class Reader(HTMLParser):
    """Reads a page strictly: what is opened must be closed, in order."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(page.read_text("utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.text.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def pages(index: Path) -> list[Path]:
    return sorted(index.parent.rglob("*.html"))


def test_every_unit_and_layer_has_a_page(site):
    names = {page.relative_to(site.parent).as_posix() for page in pages(site)}
    assert {"index.html", "search.html", "layers/conv1.html", "units/conv1/11.html"} <= names
    assert "layers/fire2-concat.html" in names
    assert len(names) == 2 + 3 + 3 * 12


def test_addresses_do_not_depend_on_the_other_layers():
    def entry(name):
        return LayerEntry(name, "", (1, 1, 1), "", ())

    names = ["a/b", "A-B", "../..", "", "\u6f22", "a" * 500, "conv_1", "con\0"]
    slugs = Places.of(Atlas("", (), tuple(entry(name) for name in names))).slugs
    assert slugs[0] == "a-b"
    assert slugs[1] == "a-b-2"
    assert slugs[2:5] == ("layer", "layer-2", "layer-3")
    assert slugs[6] == "conv_1"
    assert len({slug.casefold() for slug in slugs}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9._-]{1,70}", slug) and slug[0] != "." for slug in slugs)


@pytest.mark.parametrize("which", ["site", "nasty_site"])
def test_pages_are_well_formed_and_only_templates_make_tags(which, request):
    for page in pages(request.getfixturevalue(which)):
        read = Reader(page)
        assert {tag for tag, _ in read.tags} <= TAGS | PLOT_TAGS
        for tag, attributes in read.tags:
            assert not [name for name in attributes if name.startswith("on")], (page, tag)


@pytest.mark.parametrize("which", ["site", "nasty_site"])
def test_every_link_leads_to_a_file(which, request):
    index = request.getfixturevalue(which)
    for page in pages(index):
        for tag, attributes in Reader(page).tags:
            for name in ("href", "src"):
                address = attributes.get(name)
                if address is None or tag == "use" or address == "":
                    continue
                path, _ = urldefrag(address)
                assert not re.match(r"[a-z]+:|//|/", path), address
                if path:
                    target = (page.parent / unquote(path)).resolve()
                    assert target.is_file(), (page, address)
                    assert target.is_relative_to(index.parent.resolve())


def test_pages_forbid_everything_that_is_not_the_sites(nasty_site):
    for page in pages(nasty_site):
        read = Reader(page)
        (policy,) = [m["content"] for m in read.all("meta") if "http-equiv" in m]
        assert policy.startswith("default-src 'none'")
        assert "script-src 'self' file:;" in policy
        for script in read.all("script"):
            assert "src" in script or script["type"] == "application/json"
        assert "http" not in re.sub(
            r'http-equiv="|^.*generator.*$', "", page.read_text(), flags=re.M
        )


def test_texts_arrive_as_they_are(nasty_site):
    folder = nasty_site.parent
    index = Reader(nasty_site)
    assert NASTY in index.text["h1"]
    assert NASTY in index.text["li"]
    assert NASTY in index.text["dt"]
    assert any(text == NASTY for text in index.text["a"])
    slug = Places.of(atlas(folder, nasty=True)).slugs[-1]
    unit = Reader(folder / "units" / slug / "3.html")
    assert NASTY in "".join(unit.text["span"])
    assert any(section.get("aria-label") == NASTY for section in unit.all("section"))


def test_data_blocks_end_no_script(nasty_site):
    slug = Places.of(atlas(nasty_site.parent, nasty=True)).slugs[-1]
    text = (nasty_site.parent / "layers" / f"{slug}.html").read_text()
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert not re.search(r"[<>&\u2028]", data)
    read = json.loads(data)
    assert read["name"] == NASTY
    assert [NASTY, NASTY] in read["concepts"]
    assert read["units"][0][1] == NASTY


def test_the_index_holds_every_unit(tmp_path):
    made = atlas(tmp_path)
    text = index_script(made, Places.of(made))
    assert text.isascii()
    found = re.fullmatch(r"globalThis\.atlasUnits = (\".*\");\n", text)
    layers = json.loads(json.loads(found[1]))["layers"]
    assert [layer["name"] for layer in layers] == [layer.name for layer in made.layers]
    assert [len(layer["units"]) for layer in layers] == [12, 12, 12]
    for layer, given in zip(layers, made.layers, strict=True):
        for unit, entry in zip(layer["units"], given.units, strict=True):
            index, label, flags, concepts, values, pictures = unit
            assert (index, label) == (entry.index, entry.label)
            assert tuple(layer["flags"][k] for k in flags) == entry.flags
            assert [tuple(layer["concepts"][k]) for k, _, _ in concepts] == [
                (c.name, c.category) for c in entry.concepts
            ]
            assert [iou for _, iou, _ in concepts] == pytest.approx([c.iou for c in entry.concepts])
            named = zip(layer["statistics"], values, strict=True)
            assert dict(named) == pytest.approx(dict(entry.statistics), rel=1e-5)
            assert [p[0] for p in pictures] == [p.file for p in entry.thumbnails.values()]


def test_numbers_that_json_does_not_know():
    unit = UnitEntry(0, statistics={"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1e300})
    layer = LayerEntry("x", "", (1, 1, 1), "", (unit,))
    data = json.loads(block(layer_data(layer, Places.of(Atlas("", (), (layer,))), 0)))
    a, b, c, d = data["units"][0][4]
    assert a is None
    assert (b, c) == (1.7e308, -1.7e308)
    assert d == pytest.approx(1e300)


@pytest.mark.parametrize(
    ("file", "address"),
    [
        ("pictures/a.png", "pictures/a.png"),
        ("a:b.png", "a%3Ab.png"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("a b?c#d%2e.png", "a%20b%3Fc%23d%252e.png"),
        ('"><b>.png', "%22%3E%3Cb%3E.png"),
        ("a\udcffb.png", "a%FFb.png"),
        ("\ud800.png", "%3F.png"),
        ("../secret.png", ""),
        ("a/../../secret.png", ""),
        ("a\\..\\secret.png", ""),
        ("/etc/passwd", ""),
        ("//host/x.png", ""),
        ("\\\\host\\x.png", ""),
        ("", ""),
    ],
)
def test_pictures_are_inside_of_the_site_or_not_shown(file, address):
    assert picture_address(Picture(file, 1, 1)) == address


def test_a_picture_that_leads_out_is_a_blank(tmp_path):
    out = Picture("../secret.png", 8, 8, "caption")
    unit = UnitEntry(0, {"maximised": out})
    layer = LayerEntry("x", "Conv2d", (1, 1, 1), "", (unit,))
    index = writing.write(Atlas("t", (), (layer,)), tmp_path)
    for page in pages(index):
        assert "secret" not in page.read_text()
        assert Reader(page).all("img") == []
    assert "secret" not in (tmp_path / "static" / "index.js").read_text()


def literal_rank(values, value):
    return 1 + sum(other > value for other in values)


def test_ranks_are_counted_from_the_largest():
    values = [3.0, 1.0, 3.0, 7.0, math.nan, 0.5]
    units = [UnitEntry(k, statistics={"s": v}) for k, v in enumerate(values)]
    units.append(UnitEntry(6))
    found = rank(LayerEntry("x", "", (7, 1, 1), "", tuple(units)))
    numbers = [v for v in values if not math.isnan(v)]
    for value, (one,) in zip(values, found[:-1], strict=True):
        assert one.count == 5
        assert one.rank == (0 if math.isnan(value) else literal_rank(numbers, value))
        if not math.isnan(value):
            others = [0.5 if v == value else float(v < value) for v in numbers]
            assert one.share == pytest.approx((sum(others) - 0.5) / 4)
    assert found[-1] == ()
    assert found[3][0].share == 1.0
    assert found[5][0].share == 0.0


def test_the_table_of_layers_counts_detectors_concepts_and_dead_units(site):
    rows = re.findall(r"<tr>\s*<th scope=\"row\">.*?</tr>", site.read_text(), re.S)
    cells = [re.sub(r"<[^>]*>", " ", cell).strip() for cell in re.findall(r"<td.*?</td>", rows[0])]
    # IoU is index / 12: units 6 to 11 detect one of three concepts, and 9 is dead.
    assert cells == ["Conv2d", "12", "8 \u00d7 8", "size 7, stride 2, centre 3", "6", "3", "1"]


def test_it_says_how_far_it_is_and_counts_every_file(tmp_path):
    said = []
    made = atlas(tmp_path)
    before = set(tmp_path.rglob("*"))
    writing.write(made, tmp_path, tick=lambda done, total, what: said.append((done, total, what)))
    written = [path for path in set(tmp_path.rglob("*")) - before if path.is_file()]
    assert [done for done, _, _ in said] == list(range(1, len(written) + 1))
    assert {total for _, total, _ in said} == {len(written)}
    assert said[-1][2] == "overview"


def test_equal_atlases_give_equal_files(tmp_path):
    for name in ("a", "b"):
        writing.write(atlas(tmp_path / name), tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_bare_atlases_are_written(tmp_path):
    empty = LayerEntry("", "", (), "", ())
    for number, made in enumerate(
        (Atlas("", (), ()), Atlas("t", (), (empty, replace(empty, units=(UnitEntry(5),)))))
    ):
        index = writing.write(made, tmp_path / str(number))
        for page in pages(index):
            Reader(page)


def test_a_folder_that_cannot_be_is_an_error(tmp_path):
    (tmp_path / "site").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        writing.write(Atlas("t", (), ()), tmp_path / "site")
