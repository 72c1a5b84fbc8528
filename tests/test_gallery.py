"""The gallery: its lines can be run, its page is what the script writes, pictures are remade."""

from __future__ import annotations

import importlib
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures" / "gallery"


sys.path.insert(0, str(ROOT / "tools"))
gallery = importlib.import_module("gallery")
entries = importlib.import_module("gallery_entries")
pages = importlib.import_module("gallery_page")
sys.path.pop(0)

GALLERY = gallery.read()
ENTRIES = list(GALLERY.entries.values())
DOCUMENTS = ["S14", "ZF", "ECCV", "IJCV", "Th"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    gallery.lay_out(tmp_path, None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_lines_can_be_run(entry, desk: Path) -> None:
    """Verbs and options are there, and photographs that are named."""
    from phosphene.cli.app import app

    assert sum(map(bool, (entry.lines, entry.python, entry.made_by))) == 1
    compile(entry.python, entry.id, "exec")
    (desk / gallery.NETWORK).touch()
    group = typer.main.get_command(app)
    for line in (*entry.lines, *(f"{line} {entry.quick}" for line in entry.lines[-1:])):
        program, verb, *arguments = shlex.split(line)
        assert program == "phosphene"
        with group.make_context("phosphene", [verb, *arguments]) as context:
            _, command, rest = group.resolve_command(context, [verb, *arguments])
            command.make_context(verb, rest, parent=context).close()
        for word in arguments:
            assert not word.endswith((".png", ".jpg")) or "/" in word or (desk / word).exists()
        assert ("squeezenet" in line) == (entry.network == "squeezenet")


def test_figures_of_all_documents_are_listed() -> None:
    assert list(GALLERY.documents) == DOCUMENTS
    counts = {key: len(document["figures"]) for key, document in GALLERY.documents.items()}
    assert counts["S14"] == 3
    assert counts["ECCV"] == 9
    for key, document in GALLERY.documents.items():
        for figure, ids in document["figures"].items():
            assert ids, (key, figure)


def test_all_figures_of_the_papers_are_there(shared: Path) -> None:
    """Captions of the texts, against what the page lists."""
    import re

    caption = {
        "ECCV": r"^Fig\. (\d+):",
        "IJCV": r"^Figure (\d+):",
        "S14": r"^Figure (\d+):",
        "Th": r"^Figure (\d+\.\d+):",
    }
    number = {"ECCV": "000", "IJCV": "001", "S14": "002", "Th": "004"}
    for key, pattern in caption.items():
        file = next((shared / "papers").glob(f"{number[key]}*.txt"))
        found = set(re.findall(pattern, file.read_text(), re.MULTILINE))
        assert len(found) >= 3
        assert found == listed(key), key


def listed(key: str) -> set[str]:
    """Numbers of the figures that the page lists: `figures 5.9, 5.10` are two."""
    names = (f for f in GALLERY.documents[key]["figures"] if f.startswith("figure"))
    return {number for name in names for number in name.split(" ", 1)[1].split(", ")}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_what_is_told_can_be_seen(entry) -> None:
    picture = PICTURES / f"{entry.id}.jpg"
    assert entry.paper.endswith((".", ")"))
    if entry.ours:
        assert picture.exists()
    if picture.exists():
        assert picture.stat().st_size <= 1.7 * gallery.LARGEST
        with Image.open(picture) as image:
            assert image.width <= gallery.WIDEST
            assert np.asarray(image.convert("L")).std() > 5


def test_no_picture_is_left_over() -> None:
    assert {file.stem for file in PICTURES.glob("*")} <= set(GALLERY.entries)


def test_the_page_is_what_the_script_writes() -> None:
    assert (ROOT / "docs" / "gallery.md").read_text() == pages.page(GALLERY)


def test_an_anchor_is_where_the_heading_is() -> None:
    import re

    page = pages.page(GALLERY)
    headings = {pages.anchor(title) for title in re.findall(r"^##+ (.+)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings
    assert len(re.findall(r"^### ", page, re.MULTILINE)) == len(ENTRIES)


@pytest.mark.slow
def test_what_has_no_network_is_made_again_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program and a line; a second run makes nothing, one with a changed line does."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    docs = tmp_path / "docs"
    call = [str(tmp_path), "--docs", str(docs), "--quick", "--only"]
    assert gallery.main([*call, "photographs", "lrn"]) == 0
    assert "lrn ..." in capsys.readouterr().out
    for name in ("photographs", "lrn"):
        picture = docs / "pictures" / "gallery" / f"{name}.jpg"
        with Image.open(picture) as image:
            assert image.width > 200
            assert np.asarray(image).std() > 20
    page = (docs / "gallery.md").read_text()
    assert "pictures/gallery/lrn.jpg" in page
    assert "pictures/gallery/evolution.jpg" not in page

    assert gallery.main([*call, "photographs", "lrn"]) == 0
    assert not capsys.readouterr().out
    record = tmp_path / "quick" / "records" / "photographs.json"
    record.write_text(record.read_text().replace('"mark": "', '"mark": "0'))
    assert gallery.main([*call, "photographs"]) == 0
    assert "photographs ..." in capsys.readouterr().out


def test_a_line_that_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = entries.Entry("lrn", "t", "demo", "p.", lines=("phosphene explain nowhere.png",))
    broken_too = {**GALLERY.entries, "lrn": broken}
    told = entries.Gallery(GALLERY.networks, GALLERY.documents, broken_too)
    monkeypatch.setattr(gallery, "read", lambda: told)
    assert gallery.main([str(tmp_path), "--docs", str(tmp_path / "docs"), "--only", "lrn"]) == 1
    assert "failed" in capsys.readouterr().out
    assert not (tmp_path / "docs" / "pictures" / "gallery" / "lrn.jpg").exists()


def test_a_figure_that_names_nothing_is_refused(tmp_path: Path) -> None:
    text = entries.TOML.read_text().replace('"figure 4" = "evolution"', '"figure 4" = "revolution"')
    (tmp_path / "gallery.toml").write_text(text)
    with pytest.raises(ValueError, match="there is no entry 'revolution'"):
        gallery.read(tmp_path / "gallery.toml")
