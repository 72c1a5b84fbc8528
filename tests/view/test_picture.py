import io
import json

import numpy as np
import pytest
from PIL import Image

from phosphene import view
from phosphene.panel import Panel, Table, Tile
from phosphene.view import below, grid, sheet
from phosphene.view.grid import Grid
from phosphene.view.plots import plot_image
from phosphene.view.tabular import Tabular
from tests.view.panels import (
    NASTY,
    energy,
    errors,
    found,
    nasty,
    nasty_numbers,
    noise,
    numbers,
    scores,
    table,
)  # fmt: skip


def one_row(*tiles, heading=""):
    return Panel("title", ((heading, tuple(tiles)),))


def test_tiles_keep_their_pixels_where_their_size_allows():
    panel = table()
    picture = view.draw(panel)
    assert picture.mode == "RGB"
    for _, tiles in panel.rows:
        for tile in tiles:
            assert found(tile.image, picture) == 1


def test_small_maps_are_enlarged_cell_by_cell():
    small = noise(16)
    cells = small.resize((160, 160), Image.Resampling.NEAREST)
    assert found(cells, view.draw(one_row(Tile(small)))) == 1


def test_a_row_has_one_height_and_maps_between_whole_factors_keep_even_cells():
    photograph, small = noise(227), noise(13, seed=1)
    panel = one_row(Tile(photograph), Tile(small))
    assert Grid.of(panel).rows[0].sizes == ((227, 227), (227, 227))
    picture = np.asarray(view.draw(panel))
    y, x = np.argwhere((picture == np.asarray(photograph)[0, 0]).all(-1))[0]
    left = x + 227 + 12
    centers = ((np.arange(13) + 0.5) * 227 / 13).astype(int)
    assert (picture[y + centers][:, left + centers] == np.asarray(small)).all()


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((300, 100), (480, 160)),
        ((6000, 4000), (480, 320)),
        ((200, 900), (71, 320)),
        ((8000, 20), (2344, 6)),
        ((1, 5000), (1, 320)),
        ((28, 28), (168, 168)),
    ],
)
def test_sizes(size, shown):
    panel = one_row(Tile(noise(*size)))
    assert Grid.of(panel).rows[0].sizes == (shown,)
    assert view.draw(panel).width <= sheet.WIDEST


def test_shared_captions_stand_once_above_their_columns():
    panel = table()
    assert Grid.of(panel).captions == ("photograph", "saliency", "guided")
    apart = table(captions=("photograph", "saliency", "guided"))
    rows = tuple(
        (heading, tuple(Tile(t.image, f"{t.caption} {number}") for t in tiles))
        for number, (heading, tiles) in enumerate(apart.rows)
    )
    apart = Panel(apart.title, rows, apart.facts, apart.warnings)
    assert Grid.of(apart).captions == ("", "", "")
    assert view.draw(apart).height > view.draw(panel).height


def test_a_caption_that_says_more_stays_under_its_tile():
    column = [Tile(noise(), c) for c in ("guided", "guided: zero everywhere", "guided")]
    panel = Panel("t", tuple(("", (tile,)) for tile in column))
    assert Grid.of(panel).captions == ("guided",)
    plain = Panel("t", tuple(("", (Tile(noise(), "guided"),)) for _ in column))
    assert view.draw(panel).height > view.draw(plain).height


@pytest.mark.parametrize(
    "captions", [("a", "b", "b"), ("", "b", "b"), ("b1", "b", "b"), ("", "", ""), ("a", "b", "c")]
)
def test_captions_that_differ_are_not_column_headings(captions):
    panel = Panel("t", tuple(("", (Tile(noise(), caption),)) for caption in captions))
    assert Grid.of(panel).captions == ("",)


def test_short_headings_stand_beside_their_rows():
    beside, above = table(heading="conv{}"), table(heading="a long heading of photograph {}.jpg")
    assert Grid.of(beside).aside
    assert not Grid.of(above).aside
    assert view.draw(beside).height < view.draw(above).height


def test_rows_wrap_before_they_get_too_wide():
    tiles = [Tile(noise(300, seed=k), str(k)) for k in range(17)]
    picture = view.draw(one_row(*tiles))
    assert picture.width <= 2400
    assert picture.height > 3 * 300
    for tile in tiles:
        assert found(tile.image, picture) == 1


def test_a_wide_table_wraps_too():
    panel = table(rows=2, captions=tuple("abcdefghijkl"))
    assert Grid.of(panel).columns == ()
    assert view.draw(panel).width <= 2400


def test_rows_of_different_lengths():
    rows = (("a", (Tile(noise(), "x"),)), ("b", (Tile(noise(), "x"),) * 2), ("none", ()))
    assert Grid.of(Panel("t", rows)).width == 2 * 200 + 12


@pytest.mark.parametrize(
    "panel",
    [
        Panel("", ()),
        Panel("nothing", (), {"a": "b"}, ("no image was found",)),
        Panel("a row of nothing", (("row", ()), ("row", ()))),
        Panel("gray and no pixels", (("", (Tile(Image.new("L", (0, 0))),)),)),
        Panel("gray", (("", (Tile(Image.new("L", (9, 9))), Tile(Image.new("RGBA", (9, 9))))),)),
        nasty(),
        nasty_numbers(),
    ],
    ids=["empty", "no rows", "no tiles", "no pixels", "modes", "nasty", "nasty numbers"],
)
def test_odd_panels_are_drawn(panel):
    assert view.draw(panel).width >= 100
    assert view.fragment(panel)
    assert view.page(panel)


def test_warnings_are_red_and_facts_gray():
    colors = {color for _, color in view.draw(table()).getcolors(1 << 24)}
    rgb = [tuple(bytes.fromhex(c[1:])) for c in (sheet.RED, sheet.FAINT, sheet.INK)]
    assert colors.issuperset(rgb)


def test_more_rows_than_a_picture_can_hold_are_said_to_be_missing(monkeypatch):
    monkeypatch.setattr(grid, "TALLEST", 2000)
    monkeypatch.setattr(sheet, "TALLEST", 2000)
    said = []
    text = sheet.Sheet.text
    monkeypatch.setattr(sheet.Sheet, "text", lambda s, t, *a, **k: (said.append(t), text(s, t, *a)))
    assert view.draw(table(rows=30)).height <= 2000
    assert any("of 30 rows are shown" in line for line in said)


def test_png_says_how_it_was_made():
    image = Image.open(io.BytesIO(view.png(table())))
    assert image.format == "PNG"
    assert json.loads(image.text["phosphene"]) == {"network": "demo", "seed": "0"}
    assert image.text["Title"] == "network, layer"
    assert Image.open(io.BytesIO(view.png(nasty()))).text["Title"].startswith(NASTY[:20])


def test_drawing_is_repeatable_and_leaves_tiles_alone():
    panel = table()
    before = panel.rows[0][1][0].image.tobytes()
    assert view.png(panel) == view.png(panel)
    assert panel.rows[0][1][0].image.tobytes() == before


def inked(image):
    """Cut out of a plot a part that begins at a dark pixel: white would be found everywhere."""
    y, x = np.argwhere(np.asarray(image).sum(-1) < 300)[0]
    return image.crop((x, y, x + 200, y + 200))


def test_plots_stand_below_the_tiles_side_by_side():
    rows = table(rows=1).rows
    drawn = [plot_image(plot, 1.25, titled=False) for plot in (errors(), energy())]
    one = view.draw(Panel("t", rows, plots=(errors(),)))
    both = view.draw(Panel("t", rows, plots=(errors(), energy())))
    assert found(rows[0][1][0].image, both) == 1
    assert found(inked(drawn[0]), one) == 1
    assert [found(inked(image), both) for image in drawn] == [1, 1]
    assert one.width < 2 * drawn[0].width < both.width <= 2400
    assert both.height == one.height + max(i.height for i in drawn) - drawn[0].height


def test_many_plots_wrap():
    four = view.draw(Panel("t", (), plots=(errors(),) * 4))
    two = view.draw(Panel("t", (), plots=(errors(),) * 2))
    assert four.width == two.width
    assert four.height > 1.8 * two.height


def test_columns_of_tables_are_aligned():
    rows = (("a", 1111.0), ("b", 11.0), ("c", 1.0))
    plain = np.asarray(view.draw(Panel("", (), tables=(Table("", ("", ""), rows),))))
    ink = (plain == tuple(bytes.fromhex(sheet.INK[1:]))).all(-1)
    lines = np.flatnonzero(np.diff(np.r_[False, ink.any(1)].astype(int)) == 1)
    ends = [np.flatnonzero(ink[top : top + 9].any(0)).max() for top in lines]
    assert len(ends) == 3
    assert max(ends) - min(ends) <= 1


def test_what_was_not_measured_is_a_dash():
    texts = {text for line in Tabular.of(scores()).lines for text in line}
    assert {"\u2013", "\u22120.25", "0.50", "192"} <= texts


def test_a_wide_or_long_table_says_what_it_leaves_out():
    wide = Table("", tuple(f"column {k}" for k in range(90)), (tuple(range(90)),) * 300)
    made = Tabular.of(wide)
    assert made.width <= 2400 - 2 * sheet.MARGIN
    assert "200 of 300 rows and" in made.left_out
    assert "of 90 columns are shown" in made.left_out
    assert Tabular.of(scores()).left_out == ""
    assert view.draw(Panel("", (), tables=(wide,))).width <= 2400


def test_more_than_a_picture_can_hold(monkeypatch):
    for module in (below, grid, sheet):
        monkeypatch.setattr(module, "TALLEST", 2000)
    monkeypatch.setattr("phosphene.view.picture.TALLEST", 2000)
    said = []
    text = sheet.Sheet.text
    monkeypatch.setattr(sheet.Sheet, "text", lambda s, t, *a, **k: (said.append(t), text(s, t, *a)))
    panel = Panel("t", table(rows=9).rows, plots=(errors(),) * 9, tables=(scores(),) * 99)
    assert view.draw(panel).height <= 2000
    assert {"rows", "plots", "tables"} <= {line.split(" are shown")[0].split()[-1] for line in said}


def test_no_word_of_missing_pictures_where_there_are_numbers(monkeypatch):
    said = []
    text = sheet.Sheet.text
    monkeypatch.setattr(sheet.Sheet, "text", lambda s, t, *a, **k: (said.append(t), text(s, t, *a)))
    view.draw(numbers())
    assert "no pictures" not in said
