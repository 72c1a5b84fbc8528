"""A site over HTTP: its files, and nothing else on the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from phosphene.atlas.serving.files import SiteFiles
from phosphene.atlas.serving.site_units import SiteUnits, read_index, written_index
from phosphene.atlas.site import write
from phosphene.errors import OutputError
from tests.atlas.atlases import NASTY, atlas
from tests.atlas.serving import Running, network, running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with things around and in it that nobody shall get."""
    outer = tmp_path_factory.mktemp("outer")
    root = outer / "site"
    write(atlas(root), root)
    (outer / "secret.txt").write_text("secret")
    (root / ".work").mkdir()
    (root / ".work" / "atlas.json").write_text("{}")
    (root / "bad.js").write_text("alert(1)")
    (root / "static" / "more.js").write_text("alert(1)")
    (root / "static" / "atlas.js").write_text("alert(1)")
    (root / "blob.xyz").write_bytes(b"\0\1")
    os.symlink(outer / "secret.txt", root / "out.txt")
    os.symlink(outer, root / "up")
    os.symlink(root / "search.html", root / "inside.html")
    os.mkfifo(root / "pipe.txt")
    return root


@pytest.fixture(scope="module")
def at(folder: Path) -> Iterator[Running]:
    with running(folder) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html?q=1", "text/html; charset=utf-8"),
        ("/layers/conv1.html", "text/html; charset=utf-8"),
        ("/static/atlas.css", "text/css; charset=utf-8"),
        ("/static/atlas.js", "text/javascript; charset=utf-8"),
        ("/static/index.js", "text/javascript; charset=utf-8"),
        ("/pictures/m3.png", "image/png"),
        ("/pictures/m%33.png", "image/png"),
        ("/inside.html", "text/html; charset=utf-8"),
        ("/blob.xyz", "application/octet-stream"),
    ],
)
def test_files_are_served(at: Running, path: str, kind: str) -> None:
    reply = at.ask(path)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == kind
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    assert "connect-src" not in reply.headers["Content-Security-Policy"]
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/layers/../../secret.txt",
        "/layers/%2e%2e/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "/out.txt",
        "/up/secret.txt",
        "/.work/atlas.json",
        "/%2ework/atlas.json",
        "/pipe.txt",
        "/layers",
        "/layers/",
        "/static//atlas.css",
        "/nothing.html",
        "/index.html/x",
        "/index.html%00",
        "/%ff%fe",
        "/" + "a" * 5000,
        "/live",
        "/live/photographs",
    ],
)
def test_nothing_else_is(at: Running, path: str) -> None:
    reply = at.ask(path)
    assert reply.status == 404
    assert reply.json["error"]
    assert b"secret" not in reply.body


def test_an_absolute_path_is_no_way_out(at: Running, folder: Path) -> None:
    for slashes in ("/", "//", "/%2f"):
        assert at.ask(slashes + str(folder.parent / "secret.txt").lstrip("/")).status == 404


def test_of_scripts_only_our_own_are_served(at: Running) -> None:
    assert b"alert(1)" not in at.ask("/static/atlas.js").body
    assert at.ask("/static/more.js").status == 404
    # Elsewhere a script is no kind that browsers run.
    bad = at.ask("/bad.js")
    assert bad.headers["Content-Type"] == "application/octet-stream"
    assert bad.headers["Content-Disposition"] == "attachment"


def test_the_list_of_units_is_data(tmp_path: Path) -> None:
    write(atlas(tmp_path), tmp_path)
    original = (tmp_path / "static" / "index.js").read_bytes()
    data = read_index(original)
    assert read_index(written_index(data).encode()) == data
    with running(tmp_path) as at:
        assert read_index(at.ask("/static/index.js").body) == data
        (tmp_path / "static" / "index.js").write_bytes(original + b"alert(1);")
        assert at.ask("/static/index.js").status == 404
        for damaged in (b"", b"\xff", b'globalThis.atlasUnits = "[";', b"[" * 100_000):
            (tmp_path / "static" / "index.js").write_bytes(damaged)
            assert at.ask("/static/index.js").status == 404


def test_head_and_ranges(at: Running) -> None:
    whole = at.ask("/search.html")
    head = at.ask("/search.html", "HEAD")
    assert head.status == 200
    assert head.body == b""
    assert head.headers["Content-Length"] == str(len(whole.body))
    size = len(whole.body)
    for asked, start, end in (
        ("bytes=0-9", 0, 10),
        ("bytes=10-", 10, size),
        ("bytes=-7", size - 7, size),
        (f"bytes=5-{size + 50}", 5, size),
    ):
        part = at.ask("/search.html", headers={"Range": asked})
        assert part.status == 206
        assert part.body == whole.body[start:end]
        assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    for asked in ("bytes=9-2", "bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes=a-b"):
        assert at.ask("/search.html", headers={"Range": asked}).body == whole.body
    behind = at.ask("/search.html", headers={"Range": f"bytes={size}-"})
    assert behind.status == 416
    assert behind.headers["Content-Range"] == f"bytes */{size}"


def test_pages_lead_to_the_live_page_where_there_is_one(folder: Path, at: Running) -> None:
    assert b'href="/live"' not in at.ask("/").body
    with running(folder, network()) as both:
        assert b'href="/live"' in both.ask("/").body
        assert both.ask("/live").status == 200
        assert b"A test atlas" in both.ask("/live").body


def test_a_folder_without_an_atlas_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("a page")
    with pytest.raises(OutputError, match="holds no atlas"):
        SiteFiles.of(tmp_path)


def test_units_and_their_pictures_are_read_from_the_site(tmp_path: Path) -> None:
    write(atlas(tmp_path, nasty=True), tmp_path)
    site = SiteUnits.of(tmp_path)
    assert list(site.layers) == ["conv1", "fire2/concat", NASTY]
    assert site.address("conv1", 3) == "/units/conv1/3.html"
    assert site.address("conv1", 12) == site.address("conv2", 0) == ""
    first, second = site.strips(NASTY, 3)
    assert (first.title, len(first.pictures)) == ("Maximised", 4)
    assert len(second.pictures) == 9
    picture = second.pictures[0]
    assert (picture.address, picture.width, picture.height) == ("/pictures/p3.png", 64, 64)
    assert (picture.caption, picture.source) == ("caption of p3.png", "photo.jpg")
    assert len(site.facts) == 1


def test_a_hostile_site_names_no_files_and_no_addresses_elsewhere(tmp_path: Path) -> None:
    write(atlas(tmp_path), tmp_path)
    script = tmp_path / "static" / "index.js"
    data = read_index(script.read_bytes())
    for folder in ("units/../../", "https://elsewhere.example/", "/etc/", "units/a/b/", 7):
        data["layers"][0]["folder"] = folder
        script.write_text(written_index(data))
        assert "conv1" not in SiteUnits.of(tmp_path).layers
    data["layers"][0] = {"name": "conv1", "folder": "units/conv1/", "units": [["1"], [], 3, [True]]}
    script.write_text(written_index(data))
    assert SiteUnits.of(tmp_path).layers["conv1"].units == frozenset()
    data["layers"] = json.loads("7")
    script.write_text(written_index(data))
    assert SiteUnits.of(tmp_path).layers == {}
    write(atlas(tmp_path), tmp_path)
    page = tmp_path / "units" / "conv1" / "3.html"
    for source in (
        "https://elsewhere.example/x.png",
        "//elsewhere.example/x.png",
        "data:,x",
        "http://[",
    ):
        page.write_text(
            '<section class="strip" aria-label="a"><figure>'
            f'<img src="{source}" width="3" height="3"><img src="../../a.png" width="x" height="3">'
            "</figure></section>"
        )
        assert SiteUnits.of(tmp_path).strips("conv1", 3) == ()
    page.unlink()
    secret = tmp_path.parent / "other.html"
    secret.write_text('<section class="strip"><img src="/a.png" width="3" height="3"></section>')
    os.symlink(secret, page)
    assert SiteUnits.of(tmp_path).strips("conv1", 3) == ()
