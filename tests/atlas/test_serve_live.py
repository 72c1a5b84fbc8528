"""The live page's questions over HTTP: what is answered, who is refused, and that it stays up."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from phosphene.atlas.serving import photographs, requests
from phosphene.atlas.serving.doors import Doors, is_loopback, url_of
from phosphene.atlas.serving.server import Server
from phosphene.atlas.serving.sketches import bounds_in
from phosphene.atlas.site import write
from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.unit import Unit
from phosphene.errors import OutputError
from phosphene.saliency.explain import explain
from phosphene.zoo.demo import demo
from tests.atlas.atlases import atlas
from tests.atlas.serving import LAYERS, Running, network, photograph, running


@pytest.fixture(scope="module")
def at() -> Iterator[Running]:
    with running(net=network()) as server:
        yield server


@pytest.fixture(scope="module")
def with_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("site")
    write(atlas(folder), folder)
    with running(folder, network()) as server:
        yield server


@pytest.fixture
def photo(at: Running) -> str:
    return str(at.drop().json["photo"])


def pixels(sent: dict[str, object]) -> Image.Image:
    text = str(sent["src"]).removeprefix("data:image/png;base64,")
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    assert image.size == (sent["width"], sent["height"])
    return image


# -- what is answered ----------------------------------------------------------------------------


def test_a_photograph_is_classified(at: Running) -> None:
    reply = at.drop()
    assert reply.status == 200
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Content-Type"] == "application/json"
    found = reply.json
    net = network()
    wanted = net.classify(Image.open(io.BytesIO(photograph())), 4)
    got = [(entry["name"], entry["probability"]) for entry in found["classes"]]
    assert [name for name, _ in got] == [name for name, _ in wanted]
    assert [p for _, p in got] == pytest.approx([p for _, p in wanted])
    assert pixels(found["shown"]).size == (16, 16)


@pytest.mark.parametrize("wanted", [2, "robin", "house cat"])
def test_a_class_is_explained_as_explain_does(at: Running, photo: str, wanted: int | str) -> None:
    found = at.question("/live/explain", photo=photo, **{"class": wanted}).json
    net = network()
    image, _ = net.prepare(Image.open(io.BytesIO(photograph())))
    same = explain(net, image, Unit.of_class(wanted))
    assert found["class"]["index"] == int(same[0].channel[0])
    assert [p["rule"] for p in found["pictures"]] == ["saliency", "deconvnet", "guided"]
    for entry, saliency in zip(found["pictures"], same, strict=True):
        shown = (saliency.shown()[0] * 255).round().byte().permute(1, 2, 0).numpy()
        assert (torch.tensor(shown) == torch.tensor(list(pixels(entry["signal"]).tobytes()))
                .reshape(16, 16, 3)).all()  # fmt: skip


def test_the_strongest_units_and_one_sent_back(at: Running, photo: str) -> None:
    layer = "fire2/concat"
    found = at.question("/live/units", photo=photo, layers=["conv1", layer]).json["layers"]
    assert [entry["layer"] for entry in found] == ["conv1", layer]
    net = network()
    image, _ = net.prepare(Image.open(io.BytesIO(photograph())))
    code = net[layer](image)[0].flatten(1)
    values, units = code.amax(1).topk(8)
    assert [unit["unit"] for unit in found[1]["units"]] == units.tolist()
    assert [unit["value"] for unit in found[1]["units"]] == pytest.approx(values.tolist())
    first = found[1]["units"][0]
    assert first["at"] == [int(code[units[0]].argmax()) // 8, int(code[units[0]].argmax()) % 8]
    one = at.question("/live/unit", photo=photo, layer=layer, unit=first["unit"]).json
    assert {k: one[k] for k in first} == {**first, "value": pytest.approx(first["value"])}
    assert [p["rule"] for p in one["pictures"]] == ["saliency", "deconvnet", "guided"]
    assert one["strips"] == []
    # What it sees is its receptive field, 7 by 7 pixels, and the signal is cut alike.
    assert pixels(one["patch"]).size == pixels(one["pictures"][0]["signal"]).size == (7, 7)


def test_units_lead_to_the_site(with_site: Running) -> None:
    photo = with_site.drop().json["photo"]
    layers = with_site.question("/live/units", photo=photo, layers=list(LAYERS)).json["layers"]
    for layer, slug in zip(layers, ("conv1", "fire2-concat", "fire3-concat"), strict=True):
        for unit in layer["units"]:
            assert unit["page"] == f"/units/{slug}/{unit['unit']}.html"
            assert with_site.ask(unit["page"]).status == 200
    one = with_site.question("/live/unit", photo=photo, layer="conv1", unit=3).json
    assert [strip["title"] for strip in one["strips"]] == ["Maximised", "Strongest patches"]
    assert with_site.ask(one["strips"][1]["pictures"][0]["src"]).status == 200


def test_photographs_alike_are_those_on_the_pages_of_strong_units(with_site: Running) -> None:
    photo = with_site.drop().json["photo"]
    (found,) = with_site.question("/live/alike", photo=photo).json["photographs"]
    assert found["source"] == "photo.jpg"
    assert found["units"] == 3 * 8
    assert len(found["patches"]) == 3
    assert {patch["layer"] for patch in found["patches"]} == set(LAYERS)
    assert with_site.ask(found["patches"][0]["page"]).status == 200


def test_without_a_site_nothing_is_alike(at: Running, photo: str) -> None:
    assert at.question("/live/alike", photo=photo).json == {"photographs": []}


def test_the_demo_offers_its_scenes() -> None:
    with running(net=demo()) as at:
        assert at.ask("/").status == 303
        assert at.ask("/").headers["Location"] == "/live"
        assert b"/live/scenes/11.png" in at.ask("/live").body
        assert at.ask("/live/scenes/3.png").headers["Content-Type"] == "image/png"
        assert at.ask("/live/scenes/12.png").status == 404
        found = at.question("/live/scene", scene=3).json
        assert len(found["classes"]) == 5
        for scene, status in ((12, 404), (-1, 400), ("1", 400), (True, 400), (1.0, 400)):
            assert at.question("/live/scene", scene=scene).status == status


def test_other_networks_offer_none(at: Running) -> None:
    assert b"/live/scenes/" not in at.ask("/live").body
    assert at.question("/live/scene", scene=0).status == 404


def test_a_network_without_rectifiers_and_one_without_classes() -> None:
    plain = Network(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)), Preprocessing((16, 16)))
    with running(net=plain) as at:
        photo = at.drop().json["photo"]
        found = at.question("/live/explain", photo=photo, **{"class": 1}).json
        assert [p["rule"] for p in found["pictures"]] == ["saliency"]

    class Arg(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(self.conv(x).argmax(1))

    with running(net=Network(Arg(), Preprocessing((16, 16)))) as at:
        found = at.drop().json
        assert found["classes"] == []
        reply = at.question("/live/explain", photo=found["photo"], **{"class": 1})
        assert reply.status == 422
        assert "no class scores" in reply.json["error"]
        units = at.question("/live/units", photo=found["photo"], layers=["conv"]).json["layers"]
        assert len(units[0]["units"]) == 4


def test_boxes_on_an_image() -> None:
    assert bounds_in((2, 4, 4, 2), (8, 8)) == [0.5, 0.25, 0.25, 0.5]
    assert bounds_in((-4, -4, 3, 3), (8, 8)) == [0.0, 0.0, 0.0, 0.0]
    assert bounds_in((-4, -4, 40, 40), (8, 8)) == [0.0, 0.0, 1.0, 1.0]


# -- photographs that are none -------------------------------------------------------------------


def bomb() -> bytes:
    """A PNG that says it is 20,000 by 20,000."""
    data = bytearray(photograph())
    data[16:24] = (20_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"hello", "no image"),
        (photograph()[:300], "damaged"),
        (photograph(kind="JPEG")[:300], "damaged"),
        (bomb(), "more pixels"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "no image"),
    ],
    ids=["empty", "text", "png cut", "jpeg cut", "bomb", "postscript"],
)
def test_what_is_no_photograph_is_refused_in_a_sentence(
    at: Running, data: bytes, said: str
) -> None:
    reply = at.drop(data)
    assert reply.status == 422
    assert said in reply.json["error"]
    assert "\n" not in reply.json["error"]
    assert at.drop().status == 200


def test_a_photograph_of_many_pixels_is_refused_before_it_is_unpacked(
    at: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs.Image, "MAX_IMAGE_PIXELS", 500)
    warnings.simplefilter("ignore")  # all that Pillow does below twice as many
    assert "more pixels" in at.drop().json["error"]


def test_other_kinds_of_photographs_are_read(at: Running) -> None:
    for kind in ("JPEG", "WEBP", "TIFF", "BMP", "GIF"):
        assert at.drop(photograph(kind=kind), Content_Type="application/octet-stream").status == 200


def test_photographs_stay_in_memory_and_few_of_them(at: Running, tmp_path: Path) -> None:
    assert at.live is not None
    first = at.drop().json["photo"]
    names = {at.drop(photograph(seed)).json["photo"] for seed in range(photographs.KEPT)}
    assert len(names) == len(at.live.shelf) == photographs.KEPT
    reply = at.question("/live/alike", photo=first)
    assert reply.status == 404
    assert "drop it again" in reply.json["error"]
    assert at.question("/live/alike", photo=names.pop()).status == 200
    assert len(first) >= 24


# -- questions that are none ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("explain", {"class": 4}, 422),
        ("explain", {"class": -1}, 400),
        ("explain", {"class": 10**30}, 400),
        ("explain", {"class": "zebra"}, 422),
        ("explain", {"class": "x" * 501}, 400),
        ("explain", {"class": None}, 400),
        ("explain", {"class": [1]}, 400),
        ("explain", {"class": 1.5}, 400),
        ("explain", {}, 400),
        ("explain", {"class": 1, "more": 1}, 400),
        ("units", {"layers": ["nothing"]}, 422),
        ("units", {"layers": ["__class__"]}, 422),
        ("units", {"layers": []}, 400),
        ("units", {"layers": "conv1"}, 400),
        ("units", {"layers": [7]}, 400),
        ("units", {"layers": ["conv1"] * 100}, 400),
        ("unit", {"layer": "conv1", "unit": 12}, 422),
        ("unit", {"layer": "conv1", "unit": -1}, 400),
        ("unit", {"layer": "conv1", "unit": "3"}, 400),
        ("unit", {"layer": "nothing", "unit": 3}, 422),
        ("unit", {"layer": {}, "unit": 3}, 400),
    ],
)
def test_questions_are_checked(
    at: Running, photo: str, path: str, asked: dict[str, object], status: int
) -> None:
    reply = at.question(f"/live/{path}", photo=photo, **asked)
    assert reply.status == status
    assert reply.json["error"]


def test_a_photograph_that_is_not_there(at: Running) -> None:
    for photo, status in (("x", 404), (7, 400), (None, 400)):
        assert at.question("/live/explain", photo=photo, **{"class": 1}).status == status


@pytest.mark.parametrize("body", ["", "{", "7", "[]", '"x"', "\xff", "[" * 20_000])
def test_a_question_has_to_be_json(at: Running, body: str) -> None:
    data = body.encode("latin-1")
    reply = at.ask("/live/explain", "POST", data, {"Content-Type": "application/json"})
    assert reply.status == 400
    assert "JSON" in reply.json["error"]


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; a=b"]
)
def test_what_forms_can_send_is_refused(at: Running, kind: str) -> None:
    assert at.drop(Content_Type=kind).status == 415
    assert at.question("/live/explain", {"Content-Type": kind}, photo="x").status == 415


def test_methods_and_paths(at: Running, with_site: Running) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "POST", "BREW"):
        reply = at.ask("/live", method)
        assert reply.status == 405
        assert "GET" in reply.headers["Allow"]
        assert reply.json["error"]
    for method in ("GET", "HEAD"):
        reply = at.ask("/live/explain", method)
        assert (reply.status, reply.headers["Allow"]) == (405, "POST")
    assert with_site.ask("/index.html", "POST", b"").status == 405
    for path in ("/live/nothing", "/live/../live", "/live/live.html", "/lively", "/x", "/live/"):
        assert at.ask(path).status == 404
    assert at.ask("http://127.0.0.1/live").status == 400


def test_the_page_may_do_nothing_but_ask_its_server(at: Running) -> None:
    page = at.ask("/live")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for part in ("script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    for name in ("atlas.css", "live.css", "theme.js", "atlas.js", "live.js", "pictures.js"):
        assert at.ask(f"/live/{name}").status == 200
    assert at.ask("/live", "HEAD").body == b""


# -- how much, and how -----------------------------------------------------------------------------


def test_a_large_body_is_refused_before_it_is_read(at: Running) -> None:
    for length in (requests.LARGEST_PHOTOGRAPH + 1, 10**40):
        reply = at.drop(b"", Content_Length=str(length))
        assert reply.status == 413
        assert "32 MB" in reply.json["error"]
        assert reply.headers["Connection"] == "close"
    data = json.dumps({"photo": "x" * requests.LARGEST_QUESTION, "class": 1})
    assert at.ask("/live/explain", "POST", data, {"Content-Type": "application/json"}).status == 413


def test_whoever_sends_too_much_still_hears_why(at: Running) -> None:
    reply = at.drop(bytes(requests.LARGEST_PHOTOGRAPH + 1))
    assert reply.status == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "", "0x10", "+5", "\u0665"])
def test_a_body_has_to_say_how_long_it_is(at: Running, length: str) -> None:
    lines = ["POST /live/photographs HTTP/1.1", f"Host: 127.0.0.1:{at.port}"]
    lines += ["Content-Type: image/png", f"Content-Length: {length}"]
    assert raw(at, lines).split()[1] == "411"


def test_chunks_and_two_lengths_are_refused(at: Running) -> None:
    lines = ["POST /live/photographs HTTP/1.1", f"Host: 127.0.0.1:{at.port}"]
    lines += ["Content-Type: image/png"]
    assert raw(at, [*lines, "Transfer-Encoding: chunked"], "0\r\n\r\n").split()[1] == "411"
    assert raw(at, [*lines, "Content-Length: 1", "Content-Length: 2"]).split()[1] == "411"
    assert raw(at, [*lines, "Content-Length: 10"], "short").split()[1] == "400"


def test_what_is_no_request_is_answered_as_json(at: Running) -> None:
    for line in ("nonsense", "GET / HTTP/9.9", "GET /" + "a" * 70_000 + " HTTP/1.1"):
        answer = raw(at, [line])
        assert answer.split()[1] in ("400", "414", "505")
        assert "application/json" in answer
    assert at.ask("/live").status == 200


def raw(at: Running, lines: list[str], body: str = "") -> str:
    """Send a request as it stands, say no more, and return what comes back."""
    with socket.create_connection(("127.0.0.1", at.port), timeout=20) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        connection.shutdown(socket.SHUT_WR)
        parts = iter(lambda: connection.recv(2**16), b"")
        return b"".join(parts).decode()


def test_a_body_that_is_not_read_is_no_second_request(at: Running) -> None:
    smuggled = f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{at.port}\r\n\r\n"
    lines = ["GET /nothing HTTP/1.1", f"Host: 127.0.0.1:{at.port}"]
    answer = raw(at, [*lines, f"Content-Length: {len(smuggled)}"], smuggled)
    assert answer.count("HTTP/1.1 ") == 1


def test_one_thing_is_computed_at_a_time_and_few_wait() -> None:
    with running(net=network(), waiting=2) as at:
        assert at.live is not None
        photo = at.drop().json["photo"]
        begun, go = threading.Event(), threading.Event()
        busy = threading.Thread(
            target=at.live.worker.do, args=(lambda: (begun.set(), go.wait(20)),)
        )
        busy.start()
        assert begun.wait(20)
        replies: list[int] = []
        asked = {"photo": photo, "class": 1}
        askers = [
            threading.Thread(
                target=lambda: replies.append(at.question("/live/explain", **asked).status)
            )
            for _ in range(5)
        ]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(0.5)
        # Two wait, three are sent away.
        assert sorted(replies) == [503] * 3
        reply = at.question("/live/explain", **asked)
        assert reply.status == 503
        assert "busy" in reply.json["error"]
        assert reply.headers["Retry-After"] == "5"
        go.set()
        for asker in [busy, *askers]:
            asker.join(20)
        assert sorted(replies) == [200] * 2 + [503] * 3


def test_photographs_come_in_a_few_at_a_time(at: Running) -> None:
    held = 0
    while at.server.reading.acquire(blocking=False):
        held += 1
    try:
        assert at.drop().status == 503
    finally:
        for _ in range(held):
            at.server.reading.release()
    assert held == 4
    assert at.drop().status == 200


def test_what_goes_wrong_here_is_told_here_alone(
    at: Running, photo: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert at.live is not None

    def fails(*_: object) -> None:
        raise ValueError("a secret of the inside")

    monkeypatch.setattr(at.live.seeing, "explain", fails)
    reply = at.question("/live/explain", photo=photo, **{"class": 1})
    assert reply.status == 500
    assert b"secret" not in reply.body
    assert "a secret of the inside" in capfd.readouterr().err

    def exhausts(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(at.live.seeing, "explain", exhausts)
    reply = at.question("/live/explain", photo=photo, **{"class": 1})
    assert reply.status == 503
    assert "memory" in reply.json["error"]


# -- who may ask -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
def test_own_names_are_known(at: Running, name: str) -> None:
    assert at.ask("/live", headers={"Host": f"{name}:{at.port}"}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}", "127.0.0.1", "127.0.0.1:{other}", "127.0.0.1.evil.example:{port}",
        "localhost:{port}.evil", "10.0.0.7:{port}", "127.0.0.1:{port}:{port}", "[::2]:{port}",
        "user@127.0.0.1:{port}", "127.0.0.1:\u0668",
    ],
)  # fmt: skip
def test_other_names_are_refused(at: Running, with_site: Running, host: str) -> None:
    for server in (at, with_site):
        named = host.format(port=server.port, other=server.port + 1)
        for path in ("/live", "/", "/live/nothing"):
            reply = server.ask(path, headers={"Host": named.encode().decode("latin-1")})
            assert reply.status == 403
            assert "Host" in reply.json["error"]
        assert server.drop(Host=named.encode().decode("latin-1")).status == 403


def test_a_request_needs_one_host(at: Running) -> None:
    assert raw(at, ["GET /live HTTP/1.1"]).split()[1] == "400"
    host = f"Host: 127.0.0.1:{at.port}"
    assert raw(at, ["GET /live HTTP/1.1", host, host]).split()[1] == "400"


def test_other_sites_may_not_ask(at: Running) -> None:
    own = f"http://127.0.0.1:{at.port}"
    assert at.drop(Origin=own, Sec_Fetch_Site="same-origin").status == 200
    for origin in ("http://evil.example", "null", own + "1", f"https://127.0.0.1:{at.port}",
                   f"http://localhost:{at.port}"):  # fmt: skip
        assert at.drop(Origin=origin).status == 403
        assert at.question("/live/alike", {"Origin": origin}, photo="x").status == 403
    for site in ("cross-site", "same-site", "none"):
        assert at.drop(Sec_Fetch_Site=site).status == 403


def test_a_said_host_is_known_and_all_addresses_where_all_are_listened_on() -> None:
    said = Doors.of("my.machine", 80)
    assert said.check_host(["my.machine"]) == "my.machine"
    assert said.check_host(["localhost:80"])
    for host in ("10.0.0.7", "other.machine"):
        with pytest.raises(Exception, match="names another server"):
            said.check_host([host])
    every = Doors.of("0.0.0.0", 8765)
    for host in ("10.0.0.7:8765", "[fe80::1]:8765", f"{socket.gethostname()}:8765"):
        assert every.check_host([host]) == host.lower()
    with pytest.raises(Exception, match="names another server"):
        every.check_host(["evil.example:8765"])
    assert Doors.of("::1", 1).check_host(["[::1]:1"])


def test_addresses() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.7", "example.org", "")))
    assert url_of("127.0.0.1", 5) == "http://127.0.0.1:5/"
    assert url_of("0.0.0.0", 5) == "http://localhost:5/"
    assert url_of("::1", 5) == "http://[::1]:5/"


# -- where ---------------------------------------------------------------------------------------


def test_the_next_free_port_is_taken_unless_one_is_said() -> None:
    with Server() as first, Server() as second:
        ports = [server.server_address[1] for server in (first, second)]
        assert 8765 <= ports[0] < ports[1]
        with pytest.raises(OutputError, match=f"port {ports[0]} cannot be listened on"):
            Server(port=int(ports[0]))
    with pytest.raises(OutputError, match="no host"):
        Server("no such host")
    with pytest.raises(OutputError, match="cannot be listened on"):
        Server("192.0.2.1", 0)


def test_only_this_machine_is_listened_to() -> None:
    with Server(port=0) as server:
        assert server.server_address[0] == "127.0.0.1"
