"""The live page and the questions it asks, by path.

| path | method | takes | answers |
|---|---|---|---|
| `/live` | GET | | the page |
| `/live/FILE` | GET | | its style and scripts |
| `/live/scenes/N.png` | GET | | a drawn scene, where the network is the demo |
| `/live/photographs` | POST | bytes of an image | `photo`, what the network sees, the classes |
| `/live/scene` | POST | `scene` | the same, of a drawn scene |
| `/live/explain` | POST | `photo`, `class` (index or name) | signals and maps |
| `/live/units` | POST | `photo`, `layers` | the strongest units |
| `/live/unit` | POST | `photo`, `layer`, `unit` | what it was in the photograph, its patches |
| `/live/alike` | POST | `photo` | photographs of the site that excite the same units |
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from PIL import Image

from phosphene.atlas.pages import script, stylesheet
from phosphene.atlas.serving import live_page
from phosphene.atlas.serving.answers import HTML, LIVE_POLICY, NO_STORE, Answer, Refused, as_json
from phosphene.atlas.serving.likeness import alike
from phosphene.atlas.serving.photographs import Photograph, Shelf, decode
from phosphene.atlas.serving.requests import Request, number, text, texts
from phosphene.atlas.serving.seeing import Seeing
from phosphene.atlas.serving.sketches import Json
from phosphene.atlas.serving.worker import Worker
from phosphene.errors import PhospheneError, out_of_memory

T = TypeVar("T")
_CSS, _JS = "text/css; charset=utf-8", "text/javascript; charset=utf-8"
_NOT_FOUND = "there is no such page here"


class Live:
    """Answers what the live page asks.

    Args:
        seeing: The network.
        worker: Where it is run.
        title: What the site is called; empty without one.
        notes: Sentences a reader should not miss.
    """

    def __init__(
        self, seeing: Seeing, worker: Worker, title: str = "", notes: tuple[str, ...] = ()
    ) -> None:
        self.seeing = seeing
        self.worker = worker
        self.title = title
        self.notes = notes
        self.shelf = Shelf()
        self._asked: dict[str, Callable[[Request], Json]] = {
            "/live/photographs": self._photograph,
            "/live/scene": self._scene,
            "/live/explain": self._explain,
            "/live/units": self._units,
            "/live/unit": self._unit,
            "/live/alike": self._alike,
        }

    def methods(self, path: str) -> tuple[str, ...]:
        """Return the methods that a path answers to."""
        return ("POST",) if path in self._asked else ("GET", "HEAD")

    def get(self, path: str) -> Answer:
        """Return the page, or what belongs to it.

        Raises:
            Refused: There is no such thing.
        """
        if path == "/live":
            return Answer(self.page, HTML, policy=LIVE_POLICY, headers=NO_STORE)
        name = path.removeprefix("/live/")
        if name in self._files:
            return self._files[name]
        raise Refused(404, _NOT_FOUND)

    def post(self, request: Request) -> Answer:
        """Answer a question.

        Raises:
            Refused: It cannot be answered.
        """
        return as_json(self._asked[request.path](request))

    @cached_property
    def page(self) -> bytes:
        """The page; the first time the network is run for it."""
        return live_page.page(self.seeing, self.title, self.notes, len(self._scenes)).encode()

    @cached_property
    def _files(self) -> dict[str, Answer]:
        files = {
            "atlas.css": Answer(stylesheet().encode(), _CSS),
            "live.css": Answer(live_page.read("live.css"), _CSS),
            "theme.js": Answer(script("theme.js").encode(), _JS),
            "atlas.js": Answer(script("atlas.js").encode(), _JS),
            "live.js": Answer(live_page.read("live.js"), _JS),
            "pictures.js": Answer(live_page.read("pictures.js"), _JS),
        }
        for index, scene in enumerate(self._scenes):
            file = io.BytesIO()
            scene.save(file, "PNG")
            files[f"scenes/{index}.png"] = Answer(file.getvalue(), "image/png")
        return files

    @cached_property
    def _scenes(self) -> list[Image.Image]:
        """The drawn scenes, which are offered where the network was trained on such."""
        from phosphene.zoo.demo import DemoNet, demo_scenes

        if not isinstance(self.seeing.net.module, DemoNet):
            return []
        return [Image.fromarray(scene.image) for scene in demo_scenes()]

    def _photograph(self, request: Request) -> Json:
        data = request.photograph()
        return self._compute(lambda: self._first(self.seeing.look(decode(data))))

    def _scene(self, request: Request) -> Json:
        scene = number(request.question(frozenset({"scene"}))["scene"], "scene")
        if scene >= len(self._scenes):
            raise Refused(404, "there is no such scene")
        return self._compute(lambda: self._first(self.seeing.look(self._scenes[scene])))

    def _first(self, photograph: Photograph) -> Json:
        found = {"shown": self.seeing.shown(photograph), "classes": self.seeing.likely(photograph)}
        return {"photo": self.shelf.keep(photograph), **found}

    def _explain(self, request: Request) -> Json:
        asked = request.question(frozenset({"photo", "class"}))
        photograph, wanted = self._kept(asked), asked["class"]
        named = text(wanted, "class") if isinstance(wanted, str) else number(wanted, "class")
        return self._compute(lambda: self.seeing.explain(photograph, named))

    def _units(self, request: Request) -> Json:
        asked = request.question(frozenset({"photo", "layers"}))
        photograph, layers = self._kept(asked), texts(asked["layers"], "layers")
        return {"layers": self._compute(lambda: self.seeing.units(photograph, layers))}

    def _unit(self, request: Request) -> Json:
        asked = request.question(frozenset({"photo", "layer", "unit"}))
        layer, unit = text(asked["layer"], "layer"), number(asked["unit"], "unit")
        photograph = self._kept(asked)
        return self._compute(lambda: self.seeing.unit(photograph, layer, unit))

    def _alike(self, request: Request) -> Json:
        photograph = self._kept(request.question(frozenset({"photo"})))

        def find() -> list[Json]:
            site, layers = self.seeing.site, list(self.seeing.chosen)
            if site is None or not layers:
                return []
            found = self.seeing.units(photograph, layers)
            units = ([unit["unit"] for unit in entry["units"]] for entry in found)
            return alike(site, dict(zip(layers, units, strict=True)))

        return {"photographs": self._compute(find)}

    def _kept(self, asked: dict[str, Any]) -> Photograph:
        return self.shelf.find(text(asked["photo"], "photo"))

    def _compute(self, work: Callable[[], T]) -> T:
        """Compute something in its turn; what can be foreseen to go wrong is said in a sentence."""
        try:
            return self.worker.do(work)
        except (PhospheneError, MemoryError, RuntimeError) as error:
            if out_of_memory(error):
                raise Refused(
                    503, "there is not enough memory: give a smaller --input-size"
                ) from None
            if isinstance(error, PhospheneError):
                raise Refused(422, str(error)) from None
            raise
