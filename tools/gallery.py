"""Remake the figures of the five documents, and write docs/gallery.md about them.

    python tools/gallery.py WORK --network squeezenet.caffemodel   # all of it
    python tools/gallery.py WORK                                   # what needs no such file
    python tools/gallery.py WORK --only evolution units --quick    # do the lines work at all

`gallery.toml` beside this file says which line makes which figure, and what it shows. The lines run
in WORK, among photographs that scikit-image ships; what is done is not run again unless its lines
or the network change. Of entries that are not run, pictures and page stay as they are. With
--quick, steps and photographs are few, and nothing is written to docs but into WORK/quick.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gallery_entries import Entry, read
from gallery_page import DOCS, PICTURES, page
from PIL import Image

from phosphene.image import replacing
from phosphene.panel import Panel, Plot, Series, Table, Tile
from phosphene.view import draw

NETWORK = "squeezenet.caffemodel"
WIDEST, LARGEST = 1000, 120_000
"""Of a picture, in pixels and in bytes."""
PHOTOS = {
    "cat.png": "chelsea.png",
    "coffee.png": "coffee.png",
    "astronaut.png": "astronaut.png",
    "rocket.jpg": "rocket.jpg",
    "camera.png": "camera.png",
}
"""Names of photographs in the folder that lines run in, and scikit-image's."""


def lay_out(desk: Path, network: Path | None) -> None:
    """Put photographs, and the network with what belongs to it, where lines run."""
    import skimage

    shipped = Path(skimage.__file__).parent / "data"
    (desk / "photos").mkdir(parents=True, exist_ok=True)
    for name, file in PHOTOS.items():
        for place in (desk / name, desk / "photos" / name):
            if not place.exists():
                shutil.copy(shipped / file, place)
    if network is None:
        return
    beside = [(network, NETWORK), (network.with_suffix(".prototxt"), "squeezenet.prototxt")]
    beside += [(network.parent / name, name) for name in ("deploy.prototxt", "labels.csv")]
    for source, name in beside:
        if source.exists():
            (desk / name).unlink(missing_ok=True)
            (desk / name).symlink_to(source.resolve())


def made(entry: Entry, desk: Path, quick: bool) -> bool:
    """Run an entry's lines if need be, and say whether it is there."""
    weights = desk / NETWORK
    needs = entry.network == "squeezenet"
    # Not all of the file: it is large, and the published one is known by its size.
    state = (weights.stat().st_size,) if needs else ()
    told = json.dumps([*entry.commands(quick), *state]).replace(sys.executable, "python")
    record = desk / "records" / f"{entry.id}.json"
    mark = hashlib.sha256(told.encode()).hexdigest()
    if record.exists() and json.loads(record.read_text())["mark"] == mark:
        return True
    print(f"{entry.id} ...", end=" ", flush=True)
    record.parent.mkdir(exist_ok=True)
    began = time.monotonic()
    log = record.with_suffix(".log")
    with log.open("w") as stream:
        for command in entry.commands(quick):
            ran = subprocess.run(command, cwd=desk, stdout=stream, stderr=stream, check=False)
            if ran.returncode == 130:
                raise KeyboardInterrupt
            if ran.returncode:
                print(f"failed: see {log}")
                return False
    seconds = round(time.monotonic() - began, 1)
    with replacing(record) as file:
        file.write(json.dumps({"mark": mark, "seconds": seconds}).encode())
    print(f"{seconds:.0f} s")
    return True


def picture(entry: Entry, desk: Path) -> Image.Image:
    """Return what an entry shows.

    Raises:
        LookupError, OSError: It is not there.
    """
    if isinstance(entry.shown, dict):
        return draw(_panel(desk / str(entry.shown.get("of", entry.id)), entry.shown))
    images = []
    for pattern in entry.shown or (f"{entry.id}/panel.png",):
        (file,) = sorted(desk.glob(pattern))[-1:] or [desk / pattern]
        with Image.open(file) as found:
            images.append(found.convert("RGB"))
    size = max(image.width for image in images), sum(image.height for image in images)
    sheet, top = Image.new("RGB", size, "white"), 0
    for image in images:
        sheet.paste(image, (0, top))
        top += image.height
    return sheet


def _panel(folder: Path, shown: dict[str, Any]) -> Panel:
    """Read some of what a folder's panel consists of."""
    found = json.loads((folder / "facts.json").read_text())["panels"][shown.get("panel", 1) - 1]

    def chosen(what: str) -> list[Any]:
        every = range(1, len(found[what]) + 1) if shown.get(what) == "all" else shown.get(what, ())
        return [found[what][number - 1] for number in every]

    def tiles(row: dict[str, Any]) -> Iterator[Tile]:
        for number in shown.get("tiles", range(1, len(row["tiles"]) + 1)):
            tile = row["tiles"][number - 1]
            with Image.open(folder / tile["file"]) as image:
                yield Tile(image.convert("RGB"), tile["caption"])

    rows = tuple((row["heading"], tuple(tiles(row))) for row in chosen("rows"))
    tables = tuple(
        Table(t["title"], tuple(t["columns"]), tuple(_lines(t["rows"], shown)), t["note"])
        for t in chosen("tables")
    )
    return Panel("", rows, plots=tuple(map(_plot, chosen("plots"))), tables=tables)


def _lines(rows: list[list[Any]], shown: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for number in shown.get("lines", range(1, len(rows) + 1)):
        yield tuple(rows[number - 1])


def _plot(told: dict[str, Any]) -> Plot:
    series = tuple(
        Series(
            line["name"],
            tuple(line["x"]),
            tuple(math.nan if y is None else y for y in line["y"]),
            tuple(math.nan if y is None else y for y in line["spread"]),
        )
        for line in told["series"]
    )
    return Plot(told["title"], series, told["x"], told["y"], told["kind"], told["log"])


def jpeg(image: Image.Image) -> bytes:
    """Write a picture small enough for a page."""
    if image.width > WIDEST:
        size = WIDEST, round(image.height * WIDEST / image.width)
        image = image.resize(size, Image.Resampling.LANCZOS)
    for quality in (85, 78, 70, 60, 50):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= LARGEST:
            break
    return file.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is missing; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--network", type=Path, help=f"SqueezeNet 1.0's {NETWORK}")
    parser.add_argument("--only", nargs="+", metavar="ID")
    parser.add_argument("--quick", action="store_true", help="few steps; leaves docs alone")
    parser.add_argument("--docs", type=Path, help="instead of docs/, or of WORK/quick")
    given = parser.parse_args(arguments)
    gallery = read()
    desk = (given.work / "quick" if given.quick else given.work).resolve()
    docs = given.docs or (desk / "docs" if given.quick else DOCS)
    if unknown := set(given.only or ()) - set(gallery.entries):
        parser.error(f"there is no entry {', '.join(sorted(unknown))}")
    if given.network and not given.network.is_file():
        parser.error(f"there is no file {given.network}")
    lay_out(desk, given.network)
    whole = True
    for entry in gallery.entries.values():
        if (given.only and entry.id not in given.only) or (
            entry.network == "squeezenet" and not given.network
        ):
            continue
        maker = gallery.entries[entry.made_by] if entry.made_by else entry
        if not made(maker, desk, given.quick):
            whole = False
            continue
        try:
            content = jpeg(picture(entry, desk))
        except (OSError, LookupError) as error:
            print(f"{entry.id}: there is no such picture: {error}")
            whole = False
            continue
        with replacing(docs / PICTURES / f"{entry.id}.jpg") as file:
            file.write(content)
    with replacing(docs / "gallery.md") as file:
        file.write(page(gallery, docs).encode())
    return 0 if whole else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
