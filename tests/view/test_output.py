import json
import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from phosphene import view
from phosphene.errors import OutputError
from phosphene.panel import Panel, Plot, Series, Shows, Table, Tile
from phosphene.view.plots import plot_image, plot_svg
from phosphene.view.tables import to_csv, to_latex, to_markdown
from tests.view.panels import NASTY, nasty, nasty_numbers, noise, numbers, table


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [(".png", "PNG"), (".jpg", "JPEG"), (".jpeg", "JPEG"), (".webp", "WEBP"), (".PNG", "PNG")],
)
def test_pictures(tmp_path, suffix, kind):
    path = view.save(table(), tmp_path / "new folder" / f"panel{suffix}")
    with Image.open(path) as image:
        assert image.format == kind
        assert image.size == view.draw(table()).size


@pytest.mark.parametrize("suffix", [".html", ".htm", ".HTML"])
def test_pages(tmp_path, suffix):
    path = view.save(table(), str(tmp_path / f"panel{suffix}"))
    assert path.read_text("utf-8") == view.page(table())


def test_several_panels_are_stacked(tmp_path):
    one, two = table(), table(rows=1)
    heights = [view.draw(panel).height for panel in (one, two)]
    with Image.open(view.save([one, two], tmp_path / "both.png")) as image:
        assert image.height == sum(heights)
    assert view.save([], tmp_path / "none.png").exists()


def test_a_folder_of_everything(tmp_path):
    panel = table()
    assert view.save(panel, tmp_path / "result") == tmp_path / "result" / "index.html"
    folder = tmp_path / "result"
    record = json.loads((folder / "facts.json").read_text())["panels"][0]
    assert record["title"] == panel.title
    assert record["facts"] == panel.facts
    assert record["warnings"] == list(panel.warnings)
    names = []
    for row, (heading, tiles) in zip(record["rows"], panel.rows, strict=True):
        assert row["heading"] == heading
        for stored, tile in zip(row["tiles"], tiles, strict=True):
            names.append(stored["file"])
            with Image.open(folder / stored["file"]) as image:
                assert image.tobytes() == tile.image.tobytes()
    assert "001-2-photo-0-saliency.png" in names
    assert sorted(os.listdir(folder)) == sorted([*names, "facts.json", "index.html", "panel.png"])


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "/etc/passwd", "..", "C:\\x", "x" * 5000, "\0", "CON", NASTY, "蒲公英"]
)
def test_names_in_the_folder_are_safe_and_unique(tmp_path, name):
    tiles = (Tile(noise(20), name), Tile(noise(20), name))
    panel = Panel(name, ((name, tiles), (name, tiles)))
    view.save([panel, panel], tmp_path / "result")
    assert os.listdir(tmp_path) == ["result"]
    names = set(os.listdir(tmp_path / "result")) - {"index.html", "panel.png", "facts.json"}
    assert len(names) == 8
    assert all(re.fullmatch(r"[a-z0-9-]{1,120}\.png", n) for n in names)


def test_a_folder_holds_plots_and_tables(tmp_path):
    panel = numbers()
    folder = view.save(panel, tmp_path / "result").parent
    record = json.loads((folder / "facts.json").read_text())["panels"][0]
    files = [
        name for part in ("plots", "tables") for each in record[part] for name in each["files"]
    ]
    assert sorted(os.listdir(folder)) == sorted([*files, "facts.json", "index.html", "panel.png"])
    assert "plot-1-error-by-layer.svg" in files
    assert "table-2-scores.tex" in files
    for stored, plot in zip(record["plots"], panel.plots, strict=True):
        svg, png = (folder / name for name in stored["files"])
        assert svg.read_text("utf-8") == plot_svg(plot)
        ElementTree.parse(svg)
        with Image.open(png) as image:
            assert image.tobytes() == plot_image(plot).tobytes()
        assert [s["y"] for s in stored["series"]] == [list(s.y) for s in plot.series]
        assert (stored["kind"], stored["log"]) == (plot.kind, plot.log)
    stored, table = record["tables"][0], panel.tables[0]
    assert stored["rows"] == [list(row) for row in table.rows]
    writers = (to_markdown, to_csv, to_latex)
    for name, write in zip(stored["files"], writers, strict=True):
        assert (folder / name).read_bytes().decode() == write(table)


def test_numbers_json_does_not_know(tmp_path):
    x = (1.0, float("nan"), float("inf"), np.float32(0.5), np.int64(2))
    panel = Panel(
        "t",
        (),
        plots=(Plot("", (Series("s", x, x),)),),
        tables=(Table("", ("a", "b"), (("x", float("nan")), ("y", None))),),
    )
    folder = view.save([panel, panel], tmp_path / "result").parent
    text = (folder / "facts.json").read_text()
    record = json.loads(text, parse_constant=lambda name: pytest.fail(name))["panels"][1]
    assert record["plots"][0]["series"][0]["y"] == [1.0, None, None, 0.5, 2]
    assert record["tables"][0]["rows"] == [["x", None], ["y", None]]
    assert (folder / "plot-2-1.svg").exists()
    assert (folder / "table-1-1.csv").read_text() == "a,b\nx,nan\ny,\n"


def test_a_folder_of_nasty_numbers(tmp_path):
    names = os.listdir(view.save(nasty_numbers(), tmp_path / "result").parent)
    assert len(names) == 2 * 2 + 3 + 3
    assert all(re.fullmatch(r"[a-z0-9-]{1,120}\.(png|svg|md|csv|tex|html|json)", n) for n in names)


def test_a_folder_with_a_dot_that_is_there_already(tmp_path):
    (tmp_path / "run.2").mkdir()
    assert view.save(table(rows=1), tmp_path / "run.2").parent == tmp_path / "run.2"


def test_saving_twice(tmp_path):
    for _ in range(2):
        view.save(nasty(), tmp_path / "result")
        view.save(nasty(), tmp_path / "result.html")
    assert not [p for p in tmp_path.rglob("*") if p.name.endswith(".part")]


def test_another_result_in_the_same_folder_leaves_nothing_of_the_first(tmp_path):
    first, second = (Panel("t", (("", (Tile(noise(), name),)),)) for name in ("one", "two"))
    view.save([first, numbers()], tmp_path / "result")
    folder = tmp_path / "result"
    (folder / "mine.png").write_text("")
    (folder / "sub").mkdir()
    (folder / "sub" / "001-1-one.png").write_text("")
    view.save(second, folder)
    names = {"001-1-two.png", "facts.json", "index.html", "panel.png", "mine.png", "sub"}
    assert set(os.listdir(folder)) == names
    assert (folder / "sub" / "001-1-one.png").exists()
    # What a record may not name.
    record = json.loads((folder / "facts.json").read_text())
    record["panels"][0]["rows"][0]["tiles"] += [
        {"file": f} for f in ("../x.png", "sub", "", "..", "\0")
    ]
    (folder / "facts.json").write_text(json.dumps(record))
    (tmp_path / "x.png").write_text("")
    view.save(first, folder)
    assert (tmp_path / "x.png").exists()
    assert set(os.listdir(folder)) == names - {"001-1-two.png"} | {"001-1-one.png"}


@pytest.mark.parametrize("record", ["", "[]", '{"panels": 1}', '{"panels": [{"rows": [[]]}]}'])
def test_a_damaged_record_removes_nothing(tmp_path, record):
    folder = tmp_path / "result"
    view.save(table(rows=1), folder)
    before = set(os.listdir(folder))
    (folder / "facts.json").write_text(record)
    view.save(Panel("t", (("", (Tile(noise(), "x"),)),)), folder)
    assert before <= set(os.listdir(folder))


def test_an_unknown_suffix_is_told_the_known_ones(tmp_path):
    with pytest.raises(OutputError, match=r"\.pdf.*\.png, \.jpg, .*\.html, \.htm"):
        view.save(table(), tmp_path / "panel.pdf")


def test_a_picture_too_tall_for_its_format(tmp_path):
    with pytest.raises(OutputError, match=r"16383.*\.png"):
        view.save([table(rows=10)] * 8, tmp_path / "panel.webp")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["panel.png", "panel.jpg", "panel.webp"])
def test_a_failing_write_leaves_what_was_there(tmp_path, monkeypatch, name):
    path = view.save(table(rows=1), tmp_path / name)
    before = path.read_bytes()

    def fail(self, file, *_, **__):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OutputError, match="No space left"):
        view.save(table(), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", ["panel.png", "panel.html", "panel"])
def test_a_folder_that_cannot_be_written(tmp_path, name):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        view.save(table(), tmp_path / "file" / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        view.save(table(), tmp_path / "locked" / "panel.png")


def test_a_file_in_the_folders_place(tmp_path):
    (tmp_path / "result").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        view.save(table(), tmp_path / "result")
    assert (tmp_path / "result").read_text() == "in the way"


def test_results_show_themselves(tmp_path):
    class Result(Shows):
        def panel(self):
            return table(rows=1)

    result = Result()
    assert result.save(tmp_path / "r.html").exists()
    assert result.picture().size == view.draw(table(rows=1)).size
    assert result._repr_png_().startswith(b"\x89PNG")
    assert result._repr_html_().startswith('<div class="phosphene">')


def test_public_names():
    assert view.__all__ == ["clear", "draw", "fragment", "page", "png", "save", "save_movie"]


def test_the_room_is_light():
    heavy = {"torch", "jinja2", "matplotlib", "av"}
    code = f"import sys, phosphene.view; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
