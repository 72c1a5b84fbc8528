"""`phosphene serve`: what it opens, what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from phosphene.atlas.serving.recorded import difference, recorded_model
from phosphene.atlas.serving.site_units import SiteUnits
from phosphene.atlas.site import write
from phosphene.survey.sweeping.job import print_of
from phosphene.zoo.demo import demo
from tests.atlas.atlases import atlas
from tests.cli.conftest import Ran

Run = Callable[..., Ran]


@contextmanager
def served(*arguments: object, cwd: Path | None = None) -> Iterator[dict[str, str]]:
    """Run the command until the block ends; then press Ctrl-C, which must end it well."""
    command = [sys.executable, "-m", "phosphene", "serve", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=cwd, env=environment
    ) as process:
        assert process.stderr is not None
        said: dict[str, str] = {"all": ""}
        try:
            for line in process.stderr:
                said["all"] += line
                found = re.fullmatch(r"(the atlas|drop a photograph): (http:\S+)\n", line)
                if found:
                    said[found[1]] = found[2]
                if "Ctrl-C ends" in line:
                    break
            assert "Ctrl-C ends" in said["all"], said["all"]
            yield said
            begun = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            assert time.monotonic() - begun < 15
            assert (process.returncode, out) == (0, "")
            assert "ended" in err
            assert "Traceback" not in err
        finally:
            process.kill()


def get(url: str) -> tuple[int, bytes]:
    try:
        with urlopen(url, timeout=30) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


def site_of(folder: Path, network: str) -> Path:
    """Write a site that says it is of a network."""
    write(replace(atlas(folder), facts={"network": network, "images": "12"}), folder)
    return folder


def test_a_network_is_served_and_ctrl_c_ends_it() -> None:
    with served("demo", "--port", 0) as said:
        assert "the atlas" not in said
        url = said["drop a photograph"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/live", url)
        status, page = get(url)
        assert status == 200
        assert b"What" in page
        question = json.dumps({"scene": 3}).encode()
        asked = Request(url + "/scene", data=question, headers={"Content-Type": "application/json"})
        with urlopen(asked, timeout=30) as answer:
            assert json.load(answer)["classes"][0]["name"] == "boat"


def test_a_site_of_a_known_network_has_both(tmp_path: Path) -> None:
    site_of(tmp_path, "demo")
    with served(tmp_path, "--port", 0) as said:
        assert get(said["the atlas"])[0] == 200
        assert get(said["drop a photograph"])[0] == 200
        # The drawn atlas is of no real network, and this is told.
        assert "demo has no layer 'fire2/concat'" in said["all"]


@pytest.mark.parametrize("name", ["nets.py:tiny", "", "hf:some/where"])
def test_no_file_that_a_site_names_is_opened(desk: Path, name: str) -> None:
    site = site_of(desk / "site", name)
    with served(site, "--port", 0, cwd=desk) as said:
        assert "drop a photograph" not in said
        assert "say --model" in said["all"]
        assert get(said["the atlas"])[0] == 200
        assert get(said["the atlas"] + "live")[0] == 404


def test_a_file_that_the_user_names_is(desk: Path) -> None:
    site = site_of(desk / "site", "something")
    with served(site, "-m", "nets.py:tiny", "--port", 0, cwd=desk) as said:
        assert get(said["drop a photograph"])[0] == 200


@pytest.mark.parametrize(
    ("name", "opened"),
    [
        ("demo", True), ("alexnet", True), ("torchvision:resnet18", True),
        ("timm:resnet18.a1_in1k", True), ("hf:a/b", False), ("timm:hf-hub:a/b", False),
        ("/etc/net.pt", False), ("net.caffemodel", False), ("evil.py:run", False),
        ("torchvision:../x", False), ("timm:a.py:f", False), ("demo\n", False), ("", False),
    ],
)  # fmt: skip
def test_which_names_a_site_may_have_opened(tmp_path: Path, name: str, opened: bool) -> None:
    site = SiteUnits(tmp_path, {}, {"network": name})
    assert recorded_model(site) == (name if opened else "")


def test_other_weights_than_the_site_was_made_of_are_told(tmp_path: Path) -> None:
    net = demo()
    site = SiteUnits(tmp_path, {}, {"network": "demo"})
    (tmp_path / ".work").mkdir()
    record = tmp_path / ".work" / "atlas.json"
    record.write_text(json.dumps({"network": f"demo ({print_of(net)})"}))
    layers = SiteUnits.of(site_of(tmp_path / "s", "demo")).layers
    same = replace(site, layers={"conv1": layers["conv1"]})
    assert difference(same, net) == ""
    record.write_text(json.dumps({"network": "demo (0123456789abcdef)"}))
    assert "other weights" in difference(same, net)
    for damaged in ("", "[1]", '{"network": 7}', "[" * 100_000):
        record.write_text(damaged)
        assert difference(same, net) == ""
    assert "no layer 'fire2/concat'" in difference(replace(site, layers=layers), net)
    other = replace(layers["conv1"], units=frozenset({32}))
    assert "fewer units" in difference(replace(site, layers={"conv1": other}), net)


def test_an_open_host_is_warned_of() -> None:
    with served("demo", "--host", "0.0.0.0", "--port", 0) as said:
        assert "opens this page to everybody" in said["all"]
        assert get(said["drop a photograph"])[0] == 200
    with served("demo", "--port", 0) as said:
        assert "everybody" not in said["all"]


def test_what_is_refused(run: Run, desk: Path) -> None:
    (desk / "empty").mkdir()
    ran = run("serve", "empty", "--port", 0)
    assert ran.code == 1
    assert "holds no atlas" in ran.err
    ran = run("serve", "demo", "-m", "demo")
    assert ran.code == 2
    assert "leave --model out" in ran.err
    ran = run("serve", "dem", "--port", 0)
    assert ran.code == 1
    assert "did you mean 'demo'" in ran.err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = run("serve", "--port", taken.getsockname()[1])
        assert ran.code == 1
        assert "give another --port" in ran.err
    assert run("serve", "--port", 70000).code == 2
    assert "no host" in run("serve", "--host", "no such host").err
