"""Sweeps shared out among processes: merged exactly, stopped, gone on with, told of what fails."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.errors import NetworkError, OutOfMemory, OutputError, PhospheneError, SettingError
from phosphene.survey.images import open_images
from phosphene.survey.sweep import sweep
from phosphene.survey.sweeping import sharing
from phosphene.survey.sweeping.board import Board
from phosphene.survey.sweeping.sending import sendable
from phosphene.survey.sweeping.standing import Standing, keep, read, settle, state_path, take_up
from phosphene.training import launching
from phosphene.zoo.demo import demo
from tests.survey.image_files import folder
from tests.survey.totals import Totals, alike

LAYERS = ("conv1", "relu3")


def missing_model() -> Network:
    raise NetworkError("this model is not here")


class Greedy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if len(x) > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return x


def greedy() -> Network:
    return Network(nn.Sequential(Greedy()), Preprocessing((8, 8)))


@pytest.fixture
def single_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)


@pytest.mark.slow
def test_two_workers_are_one(
    tmp_path: Path, single_thread: None, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("lightning_fabric")
    photos = folder(tmp_path / "photos", 130)
    (photos / "070.png").write_bytes(b"no image")
    images, out = open_images(photos), tmp_path / "out"
    one, two = Totals(LAYERS), Totals(LAYERS)
    first = sweep(demo(), images, {"t": one})
    # Begun by one, interrupted, and gone on with by two.
    sweep(demo(), images, {"t": Totals(LAYERS)}, folder=out, tick=_press_at(32))
    ticks: list[tuple[int, int | None]] = []
    second = sweep(
        demo(), images, {"t": two}, folder=out, workers=2, tick=lambda *t: ticks.append(t)
    )
    assert (first.count, second.count) == (129, 129)
    assert list(second.failed) == ["070.png"]
    assert alike(one, two)
    assert all(total == 130 for _, total in ticks)
    assert sorted(p.name for p in out.iterdir()) == [".lock", "state-0.safetensors"]
    assert "distributed" not in "".join(capfd.readouterr())


@pytest.mark.slow
def test_processes_that_others_have_started(tmp_path: Path, single_thread: None) -> None:
    """As torchrun starts them, with its variables."""
    pytest.importorskip("lightning_fabric")
    photos = folder(tmp_path / "photos", 66)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "import sys\n"
        "from phosphene.survey.images import open_images\n"
        "from phosphene.survey.sweep import sweep\n"
        "from phosphene.training.launching import leads\n"
        "from phosphene.zoo.demo import demo\n"
        "from tests.survey.totals import Totals\n"
        "t = Totals(('conv1', 'relu3'))\n"
        "swept = sweep(demo(), open_images(sys.argv[1]), {'t': t}, folder=sys.argv[2])\n"
        "print(swept.count, leads(), sum(map(int, t.state()['keys'])))\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(photos), str(tmp_path / "out")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[2],
            env={
                **os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2",
                "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
                "TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0",
            },
        )
        for rank in range(2)
    ]  # fmt: skip
    both = [process.communicate(timeout=300) for process in started]
    said = [out.split() for out, _ in both]
    assert all("distributed" not in err for _, err in both)
    one = Totals(LAYERS)
    sweep(demo(), open_images(photos), {"t": one})
    keys = str(int(one.state()["keys"].sum()))
    assert said == [["66", "True", keys], ["66", "False", keys]]
    again = Totals(LAYERS)
    assert sweep(
        demo(), open_images(photos), {"t": again}, folder=tmp_path / "out"
    ).count == 66  # fmt: skip
    assert alike(one, again)


def _press_at(at: int):  # type: ignore[no-untyped-def]
    def tick(done: int, total: int | None) -> None:
        if done == at:
            os.kill(os.getpid(), 2)

    return tick


# -- without starting any ----------------------------------------------------------------------


def test_what_goes_wrong_in_a_worker(tmp_path: Path) -> None:
    images = open_images(folder(tmp_path, 3, (4, 4)))
    collectors, board = {"t": Totals(["0"])}, Board.of(2)
    fabric = SimpleNamespace(global_rank=1, world_size=2, device=torch.device("cpu"))
    task = sharing.Task(None, images, collectors, tmp_path, {}, 16, False, 60.0, greedy)
    sharing._spawned(fabric, task, [(1, 0), (0, 0)], board, os.getppid())
    assert board.stopped
    with pytest.raises(OutOfMemory, match="smaller batch"):
        board.reraise()
    other = Board.of(1)
    fabric.global_rank = 0
    missing = replace(task, reopen=missing_model)
    sharing._spawned(fabric, missing, [], other, os.getppid())
    with pytest.raises(NetworkError, match="this model is not here"):
        other.reraise()


def standing_of(tmp_path: Path, seen: Mapping[int, int], job: dict[str, str]) -> None:
    """Write the state of a process that has seen parts: images by part."""
    for rank, (part, images) in enumerate(seen.items(), 1):
        totals, standing = Totals(()), Standing()
        totals._keys = torch.arange(images) + (part << 32)
        standing.note(part, images, images, {}, last=True)
        standing.seconds = float(images)
        keep(state_path(tmp_path, rank), standing, {"t": totals}, job)


def test_states_of_many_are_taken_up_once(tmp_path: Path) -> None:
    """Also where it was cut off between writing what was taken in and removing it."""
    job = {"network": "a"}
    standing_of(tmp_path, {0: 3, 5: 4, 9: 5}, job)
    totals = Totals(())
    base = take_up(tmp_path, {"t": totals}, job)
    assert (base.count, base.done, base.seconds) == (12, {0, 5, 9}, 5.0)
    keep(state_path(tmp_path, 0), base, {"t": totals}, job)
    cut_off = tmp_path / "copy"
    shutil.copytree(tmp_path, cut_off)
    settle(tmp_path, base)
    assert [p.name for p in tmp_path.glob("*.safetensors")] == ["state-0.safetensors"]
    for place in (tmp_path, cut_off):
        again = Totals(())
        found = take_up(place, {"t": again}, job)
        assert (found.count, found.done, found.seconds) == (12, {0, 5, 9}, 5.0)
        assert alike(again, totals)
    with pytest.raises(OutputError, match=r"another network \(there a, here b\)"):
        take_up(tmp_path, {"t": totals}, {"network": "b"})


def test_partial_parts_are_kept(tmp_path: Path) -> None:
    one, two = Standing(), Standing()
    one.note(3, 16, 16, {}, last=False)
    one.note(4, 64, 64, {"x": "damaged"}, last=True)
    two.note(3, 32, 16, {}, last=False)
    two.note(5, 8, 8, {}, last=False)
    one.absorb(two)
    assert one.rest(7) == [(0, 0), (1, 0), (2, 0), (3, 32), (5, 8), (6, 0)]
    keep(tmp_path / "s.safetensors", one, {}, {"a": "b"})
    found, states, job = read(tmp_path / "s.safetensors")
    assert found == one
    assert (states, job) == ({}, {"a": "b"})


def test_networks_that_cannot_be_sent() -> None:
    held = Network(nn.Sequential(nn.Conv2d(3, 4, 3)), Preprocessing((8, 8)))
    held.module.later = lambda x: x  # type: ignore[assignment]
    with pytest.raises(NetworkError, match=r"cannot be sent to other processes .*reopen="):
        sendable(held)
    alien = type("Alien", (nn.Sequential,), {"__module__": "no_such_module"})
    with pytest.raises(NetworkError, match="its class Alien is in no importable module"):
        sendable(Network(alien(nn.Conv2d(3, 4, 3)), Preprocessing((8, 8))))
    assert sendable(demo()).name == "demo"


def test_without_fabric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = open_images(folder(tmp_path, 70, (4, 4)))
    for name in [n for n in sys.modules if n.startswith("lightning_fabric")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(
        SettingError, match=r"needs Lightning Fabric: `pip install phosphene.survey"
    ):
        sweep(demo(), images, {"t": Totals(["conv1"])}, workers=2)


def test_fabric_is_not_loaded_for_one_worker() -> None:
    code = (
        "import sys, phosphene.survey.sweep, phosphene.survey.store\n"
        "assert 'lightning_fabric' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_who_has_started_us(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launching.launched() is None
    assert launching.leads()
    for name, value in (
        ("RANK", "3"), ("LOCAL_RANK", "1"), ("WORLD_SIZE", "4"), ("LOCAL_WORLD_SIZE", "2"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    assert launching.launched() == (2, 4)
    assert not launching.leads()
    with pytest.raises(SettingError, match="4 processes share a sweep by a folder"):
        sweep(demo(), open_images("demo"), {"t": Totals(["conv1"])})
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_NTASKS", "6")
    monkeypatch.setenv("SLURM_NNODES", "3")
    assert launching.launched() == (2, 6)
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    assert launching.launched() is None


def test_errors_on_the_board() -> None:
    board = Board.of(2)
    board.reraise()
    board.tell(1, (5, 2))
    assert board.figures() == [(0, 0), (5, 2)]
    board.fail(1, NetworkError("a network with an ümlaut"))
    assert board.stopped
    with pytest.raises(NetworkError, match="ümlaut"):
        board.reraise()
    other = Board.of(1)
    other.fail(0, type("Private", (PhospheneError,), {})("x" * 5000))
    with pytest.raises(PhospheneError, match=r"^x+$"):
        other.reraise()


def test_how_far_it_is_where_nobody_knows_how_long() -> None:
    told: list[tuple[int, int | None]] = []
    images = open_images("demo")
    object.__setattr__(images, "parts", [type("Open", (), {"count": None})() for _ in range(4)])
    found = [(0, 0)]
    tell = sharing.teller(lambda *t: told.append(t), images, lambda: found)
    for figures in ((5, 0), (10, 1), (10, 1), (21, 2)):
        found[0] = figures
        tell()
    assert told == [(5, None), (10, 40), (21, 42)]
