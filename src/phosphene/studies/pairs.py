"""A page that asks people which of two inversions is more interpretable.

Every subject sees each photograph and layer once, in an order of their own, as a random pair of
the conditions on random sides, and chooses the picture "whose content is more easily understood".
The page is one file that needs no network; votes stay in the subject's browser until they are
downloaded, as CSV or JSON, for `studies.votes`.

*Reference.* Mahendran, thesis 2018, section 5.4.2.2, *Naturalness*, and figure 5.7: 25 photographs,
layers pool1, relu3, pool5 and fc8, strengths 1 and 100 and no regulariser.

*Departures.* A subject may say that he cannot tell; such answers are exported as `skip`.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from phosphene.errors import ImageError
from phosphene.image import replacing
from phosphene.studies.plan import called

if TYPE_CHECKING:
    from jinja2 import Environment

Pictures = Mapping[tuple[str, str, float | None], Image.Image]
"""By photograph, layer (in the order of their depth) and strength; `None` for no regulariser."""

VERSION = 1
"""Of the columns that the page exports."""
TITLE = "Which picture is more interpretable?"
_EXACT_TOTAL = 4_000_000
"""Up to so many pixels on the page together, each picture is a PNG, else a JPEG."""


def pairs_page(pictures: Pictures, title: str = TITLE) -> str:
    """Write the page.

    Args:
        pictures: Inversions, 8-bit RGB. A photograph and layer of which there is only one is left
            out.
        title: Heading, and the name of the study in what is exported.

    Returns:
        An HTML document with all pictures inside, each once. Its study is told by a hash of its
        contents, so that votes of different pages are not mixed up.

    Raises:
        ImageError: No photograph and layer has pictures of two strengths.
    """
    layers = list(dict.fromkeys(layer for _, layer, _ in pictures))
    sets: dict[tuple[str, str], dict[str, Image.Image]] = {}
    for (photo, layer, strength), image in pictures.items():
        sets.setdefault((photo, layer), {})[called(strength)] = image
    sets = {place: images for place, images in sets.items() if len(images) > 1}
    if not sets:
        raise ImageError(
            f"{len(pictures)} pictures make no pair: give inversions of the same photograph and "
            "layer at two strengths or more"
        )
    shown = [image for images in sets.values() for image in images.values()]
    exact = sum(image.width * image.height for image in shown) <= _EXACT_TOTAL
    uris: dict[str, int] = {}
    entries = [
        {
            "photograph": photo,
            "layer": layer,
            "depth": layers.index(layer),
            "images": {
                condition: uris.setdefault(_data_uri(image, exact), len(uris))
                for condition, image in images.items()
            },
        }
        for (photo, layer), images in sets.items()
    ]
    page = hashlib.sha256(repr((VERSION, title, entries, list(uris))).encode()).hexdigest()[:12]
    study: dict[str, Any] = {"version": VERSION, "page": page, "title": title}
    study |= {"sets": entries, "images": list(uris)}
    template = _environment().get_template("pairs.html")
    return template.render(title=title, count=len(entries), study=study)


def save_pairs(pictures: Pictures, path: str | Path, title: str = TITLE) -> Path:
    """Write the page to a file, whole or not at all.

    Raises:
        ImageError: There is no pair.
        OutputError: It cannot be written.
    """
    content = pairs_page(pictures, title).encode()
    with replacing(path) as file:
        file.write(content)
    return Path(path)


def _data_uri(image: Image.Image, exact: bool) -> str:
    # A copy of the pixels alone: what else an image carries may say how it was made.
    image = image.convert("RGB")
    image = Image.frombytes("RGB", image.size, image.tobytes())
    file = io.BytesIO()
    if exact:
        image.save(file, "PNG")
    else:
        image.save(file, "JPEG", quality=95, subsampling=0)
    kind = "png" if exact else "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode("ascii")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates", encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
