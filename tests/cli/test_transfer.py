"""`phosphene transfer`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from phosphene.cli import transfer_run
from phosphene.transfer.benchmarks.records import InMemory
from tests.cli.conftest import Ran
from tests.transfer.drawn import drawn_set, drawn_sorted
from tests.transfer.layouts import write_class_folders, write_voc07

Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("transfer")
    write_class_folders(drawn_sorted(6, 0), place / "sorted")
    write_voc07(drawn_set(10, 1), place / "voc07", {"trainval": range(6), "test": range(6, 10)})
    return place


def test_networks_are_rows_of_one_table(run: Run, data: Path, tmp_path: Path) -> None:
    told = ("transfer", "probing", data / "sorted", "--held-out", 0.4,
            "--layers", "relu1_2,relu3_2", "-m", "motion-small:random",
            "-m", "motion-small:rotation", "--updates", 4, "--batch", 8,
            "-o", tmp_path / "out")  # fmt: skip
    ran = run(*told)
    assert ran.code == 0
    for said in ("motion-small:random", "motion-small:rotation", "relu1_2", "measured here"):
        assert said in ran.out
    assert "open" in ran.err
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"index.html", "compared.json", "facts.json"} <= files
    assert any(name.endswith(".tex") for name in files)
    again = run(*told, "--json")
    assert again.code == 0
    measured = json.loads(again.out)["measured"]
    assert measured == json.loads((tmp_path / "out" / "compared.json").read_text())["measured"]


def test_voc_by_its_own_splits_with_what_was_reported(run: Run, data: Path, tmp_path: Path) -> None:
    ran = run("transfer", "classification", data / "voc07", "--layer", "relu5", "--with",
              "frozen=yes", "--with", "tests=2", "--updates", 2, "--batch", 2, "--seeds", "0,1",
              "-o", tmp_path / "out")  # fmt: skip
    assert ran.code == 0
    assert "CPFS-CE" in ran.out
    assert "quoted" in ran.out
    assert "±" in ran.out
    assert (tmp_path / "out" / "demo" / "seed-1").is_dir()


@pytest.mark.parametrize(
    "name", ["classification", "detection", "segmentation", "probing", "retrained"]
)
def test_constants_are_listed(run: Run, name: str) -> None:
    ran = run("transfer", name, "--constants")
    assert ran.code == 0
    assert "rate" in ran.out
    assert "momentum" in ran.out


@pytest.mark.parametrize(
    ("told", "code", "says"),
    [
        (("probing", "-o", "o"), 2, "give DATA"),
        (("probing", "sorted"), 2, "give -o"),
        (("probing", "nowhere", "-o", "o"), 1, "nowhere"),
        (("probing", "sorted", "-o", "o"), 1, "no split"),
        (("probing", "sorted", "-o", "o", "--with", "soup=1"), 2, "no constant 'soup'"),
        (("probing", "sorted", "-o", "o", "--with", "mirorr=no"), 2, "did you mean 'mirror'"),
        (("probing", "sorted", "-o", "o", "--with", "mirror=perhaps"), 2, "mirror is yes or no"),
        (("probing", "sorted", "-o", "o", "--with", "drops=a,b"), 2, "whole numbers with commas"),
        (("probing", "sorted", "-o", "o", "--with", "rate"), 2, "says no value"),
        (("probing", "sorted", "-o", "o", "--seeds", "one"), 2, "are no seeds"),
        (("probing", "sorted", "-o", "o", "--held-out", "0.5", "--test", "x"), 2, "exclude"),
        (("classification", "voc07", "-o", "o"), 2, "name one with --layer"),
        (("classification", "voc07", "-o", "o", "--layer", "a,b"), 2, "are several"),
        (("classification", "voc07", "-o", "o", "--layer", "a", "--preset", "x"), 2,
         "thesis or s3"),
        (("segmentation", "voc07", "-o", "o", "--updates", "9"), 2, "falls=400,500,550"),
        (("probing", "sorted", "-o", "o", "--held-out", "0.5", "-m", "demo", "-m", "demo"), 2,
         "given twice"),
        (("detection", "voc07", "-o", "o", "--workers", "3"), 1, "cannot be shared evenly by 3"),
        (("retrained", "sorted", "-o", "o", "--layer", "relu7", "--workers", "2"), 1,
         "runs in one process"),
    ],
)  # fmt: skip
def test_what_is_refused(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch, told: tuple[str, ...], code: int,
    says: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(data)
    ran = run("transfer", *told)
    assert ran.code == code
    assert says in " ".join(ran.err.split())
    assert not (data / "o").exists()


def test_stopped_segmentations_end_with_130_and_go_on(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ("transfer", "segmentation", data / "labelled", "--test", data / "labelled",
            "--layers", "relu1,relu3", "--with", "falls=3,4", "--with", "crop=64",
            "--with", "points=16", "--with", "buffer=2", "--with", "hidden=8", "--batch", 2,
            "--with", "stride=8", "-o", tmp_path / "out")  # fmt: skip

    @contextmanager
    def pressed(what: str) -> Iterator[Callable[[int, int, str], None]]:
        yield lambda done, total, now: os.kill(os.getpid(), signal.SIGINT) if done == 2 else None

    def opened(*given: object) -> tuple[InMemory, InMemory]:
        return drawn_set(4, 0), drawn_set(2, 1)

    monkeypatch.setattr(transfer_run, "_data", opened)
    with monkeypatch.context() as patch:
        patch.setattr(transfer_run, "followed", pressed)
        ran = run(*told)
    assert ran.code == 130
    assert "the same command goes on" in ran.err
    assert not (tmp_path / "out" / "compared.json").exists()
    assert run(*told).code == 0
    assert (tmp_path / "out" / "compared.json").exists()
