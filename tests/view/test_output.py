import json
import os
import re
import subprocess
import sys

import pytest
from PIL import Image

from phosphene import view
from phosphene.errors import OutputError
from phosphene.panel import Panel, Shows, Tile
from tests.view.panels import NASTY, nasty, noise, table


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


def test_a_folder_with_a_dot_that_is_there_already(tmp_path):
    (tmp_path / "run.2").mkdir()
    assert view.save(table(rows=1), tmp_path / "run.2").parent == tmp_path / "run.2"


def test_saving_twice(tmp_path):
    for _ in range(2):
        view.save(nasty(), tmp_path / "result")
        view.save(nasty(), tmp_path / "result.html")
    assert not [p for p in tmp_path.rglob("*") if p.name.endswith(".part")]


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
    assert view.__all__ == ["draw", "fragment", "page", "png", "save"]


def test_the_room_is_light():
    code = "import sys, phosphene.view; print({'torch', 'jinja2', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout
    assert "jinja2" not in done.stdout
