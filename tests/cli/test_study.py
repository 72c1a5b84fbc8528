"""`phosphene study`, on a study that costs nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phosphene.studies.findings import Findings
from phosphene.studies.methods import METHODS, Constants, engines
from phosphene.studies.plan import Plan
from phosphene.studies.registry import STUDIES, StudyInfo
from tests.cli.conftest import Ran
from tests.studies import fake

Run = Callable[..., Ran]
NET = ("-m", "nets.py:net")
NEEDS = frozenset({"photos", "strengths", "repeats"})


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    info = StudyInfo("fake", "costs nothing", "fig 0", "tests.studies.fake:study", NEEDS, 5)  # type: ignore[arg-type]
    monkeypatch.setitem(STUDIES, "fake", info)
    fake.COMPUTED.clear()
    fake.STOP_AFTER.clear()
    yield
    fake.COMPUTED.clear()
    fake.STOP_AFTER.clear()


def test_the_list(run: Run, desk: Path) -> None:
    for arguments in (("study",), ("study", "--list"), ("study", "errors", "--list")):
        done = run(*arguments)
        assert done.code == 0
        lines = done.out.splitlines()
        assert len(lines) == len(STUDIES) + 1
        assert lines[1].split()[0] == "errors"
        assert "Th: Mahendran's thesis" in done.err
        assert lines[1].endswith("IJCV table 5; Th fig 5.5")
    rows = json.loads(run("study", "--list", "--json").out)
    assert [row["name"] for row in rows] == list(STUDIES)
    assert rows[0]["needs"] == ["layers", "photos", "strengths"]


def test_help_teaches(run: Run) -> None:
    out = run("study", "--help").out
    examples = [line for line in out.splitlines() if line.strip().startswith("phosphene ")]
    assert len(examples) >= 4
    assert all(len(line) <= 80 for line in examples)
    for words in ("--layer", "-C", "--limit", "study-NAME/", "goes on where it was interrupted"):
        assert words in out, words


def test_a_study(run: Run, desk: Path) -> None:
    done = run("study", "fake", "photos", "cat.png", *NET)
    assert done.code == 0
    assert done.out == ""
    assert "means photo C mean a.png 1" in done.err
    assert "! a warning" in done.err
    assert done.err.endswith("Means <b>: open study-fake/index.html and study-fake/extra.html")
    folder = desk / "study-fake"
    data = json.loads((folder / "data.json").read_text())["data"]
    assert len(data["means"]) == 12
    assert data["odd"] is None
    assert data["repeats"] == 5
    assert len(list((folder / "cells").glob("*.json"))) == 12
    assert "Means &lt;b&gt;" in (folder / "index.html").read_text()


def test_json(run: Run, desk: Path) -> None:
    done = run("study", "fake", "cat.png", *NET, "-C", "2", "-C", "none", "--json", "-o", "x/y")
    found = json.loads(done.out)
    assert found["study"] == "fake"
    assert found["output"] == "x/y/index.html"
    assert found["data"]["means"][1] is None  # infinitely strong
    assert fake.COMPUTED == [("cat.png", 2.0), ("cat.png", float("inf"))]


def test_an_interrupted_study_goes_on(run: Run, desk: Path) -> None:
    fake.STOP_AFTER.append(3)
    command = ("study", "fake", "cat.png", "photos", *NET, "-C", "1", "-C", "2")
    done = run(*command)
    assert done.code == 130
    assert "interrupted after 3 of 6; the same command goes on from here" in done.err
    assert not (desk / "study-fake" / "index.html").exists()
    fake.STOP_AFTER.clear()
    assert run(*command).code == 0
    assert len(fake.COMPUTED) == len(set(fake.COMPUTED)) == 6
    # Neither its own pictures nor anything else is taken for a photograph when it is run again.
    assert run(*command[:2], ".", *command[4:]).code == 0
    assert len(fake.COMPUTED) == 6


def test_a_study_that_computes_nothing_leaves_nothing(run: Run, desk: Path) -> None:
    fake.COMPUTED.clear()
    fake.STOP_AFTER[:] = [0]
    assert run("study", "fake", "cat.png", *NET, "-o", "new/out", "--cells", "shared").code == 130
    assert not (desk / "shared").exists()
    assert not (desk / "new").exists()
    (desk / "there").mkdir()
    assert run("study", "fake", "cat.png", *NET, "-o", "there").code == 130
    assert (desk / "there").exists()
    # One that is refused while it runs.
    done = run("study", "foreground", "cat.png", *NET, "-l", "conv")
    assert done.code == 1
    assert not (desk / "study-foreground").exists()


def test_studies_can_share_their_cells(run: Run, desk: Path) -> None:
    command = ("study", "fake", "cat.png", *NET, "--cells", "shared")
    run(*command)
    run(*command, "-o", "other")
    assert len(fake.COMPUTED) == 4
    assert not (desk / "other" / "cells").exists()


def test_other_settings_are_computed_anew(run: Run, desk: Path) -> None:
    command = ("study", "fake", "cat.png", *NET, "-C", "1")
    for more in ((), ("--seed", "1"), ("--steps", "3"), ("--mean", "0.5"), ()):
        assert run(*command, *more).code == 0
    assert len(fake.COMPUTED) == 4


def test_a_photograph_that_cannot_be_read(run: Run, desk: Path) -> None:
    (desk / "photos" / "aa.png").write_text("no")
    done = run("study", "fake", "photos", *NET, "-C", "1", "--limit", "2")
    assert done.code == 1
    assert "! photos/aa.png is no image" in done.err
    assert "1 could not be read (named above)" in done.err
    assert [name for name, _ in fake.COMPUTED] == ["a.png", "b.png"]
    done = run("study", "fake", "photos/aa.png", *NET)
    assert done.code == 1
    assert "none of the photographs can be read" in done.err


def test_the_demo_brings_its_photographs(run: Run, desk: Path) -> None:
    assert run("study", "fake", "-C", "1", "--limit", "2").code == 0
    assert [name for name, _ in fake.COMPUTED] == ["image 0", "image 1"]
    done = run("study", "fake", *NET)
    assert done.code == 2
    assert "the study fake needs photographs" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("erors",), 2, "there is no study 'erors'; did you mean 'errors' or 'descriptors'?"),
        (("fake", "cat.png", "-l", "conv"), 2, "the study fake takes no --layer"),
        (("fake", "cat.png", "-c", "cat"), 2, "the study fake takes no --class"),
        (("fake", "cat.png", "-C", "0"), 2, "--strength '0' is no strength"),
        (("fake", "cat.png", "-C", "x"), 2, "--strength 'x' is no strength"),
        (("fake", "cat.png", "-C", "nan"), 2, "--strength 'nan' is no strength"),
        (("fake", "cat.png", "-o", "a.html"), 1, "a.html is no folder"),
        (("fake", "cat.png", "-o", "cat.png"), 1, "cat.png is no folder"),
        (("fake", "cat.png", *NET, "-o", "cat.png/x"), 1, "cannot be written: a file is in"),
        (("fake", "nix.png"), 1, "there is no file nix.png"),
        (("fake", "cat.png", "-m", "nix"), 1, "there is no network 'nix'"),
        (("fake", "cat.png", "--repeats", "0"), 2, "--repeats"),
        (("votes",), 1, "there are no votes in no file"),
        (("votes", "cat.png"), 1, "cat.png is no text"),
        (("class-models", "cat.png"), 2, "the study class-models takes no photographs"),
        (("votes", "-C", "1"), 2, "the study votes takes no --strength"),
        (("errors", "cat.png", "-e", "threshold"), 2, "the study errors takes no --engine"),
        (("fake", "cat.png", "--low", "0"), 2, "the study fake takes no --low"),
        (("votes", "--fill"), 2, "the study votes takes no --fill"),
        (("segmentation", "--method", "gided"), 2, "no method 'gided'; did you mean 'guided'?"),
        (("segmentation", "-e", "axe"), 2, "'axe' cuts nothing; choose one of graph-cut"),
        (("segmentation", "--seed-at", "home"), 2, "home"),
        (("segmentation", "--low", "0.95"), 2, "give 0 <= low < high < 1"),
        (
            ("segmentation", "-e", "threshold", "--high", "0.9"),
            2,
            "--high goes with --engine graph",
        ),
        (
            ("localization", "-e", "graph-cut", "--threshold", ".7"),
            2,
            "--threshold goes with --eng",
        ),
        (("localization", "--smoothing", "2"), 2, "from 0 to below 1"),
    ],
)
def test_errors(run: Run, desk: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = run("study", *arguments)
    assert done.code == code
    assert words in done.err
    assert {p.name for p in desk.iterdir()} <= {"cat.png", "photos", "nets.py", "__pycache__"}


def test_an_unknown_layer_or_class(run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = StudyInfo("fake", "s", "r", "tests.studies.fake:study", NEEDS | {"layers", "classes"})  # type: ignore[arg-type]
    monkeypatch.setitem(STUDIES, "fake", info)
    done = run("study", "fake", "cat.png", *NET, "-l", "conv9")
    assert done.code == 1
    assert "no layer 'conv9'; did you mean 'conv'?" in done.err
    assert "zebra" in run("study", "fake", "cat.png", *NET, "-c", "zebra").err
    assert not (desk / "study-fake").exists()


def test_votes(run: Run, desk: Path) -> None:
    heads = "subject,order,photograph,layer,left,right,winner\n"
    rows = "".join(f"ann,{n},a.png,fc8,1,none,left\n" for n in range(1, 9))
    (desk / "v.csv").write_text(heads + rows + "bob,x,,,,,\n")
    done = run("study", "votes", "v.csv", "-o", "votes.d/")
    assert done.code == 0
    assert "fc8 none 3 0 0 ± 0.000" in done.err
    assert "! v.csv, line 10: there is no photograph; left out" in done.err
    assert (desk / "votes.d" / "data.json").exists()


@pytest.mark.parametrize("name", ["segmentation", "localization"])
def test_maps_and_cuts_are_chosen(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """In the words of `segment`; what is not said is the study's own."""
    info = StudyInfo(name, "s", "r", "tests.studies.fake:study", frozenset({"photos", "cuts"}))  # type: ignore[arg-type]
    monkeypatch.setitem(STUDIES, name, info)
    given: dict[str, object] = {}
    plain = fake.study

    def noted(plan: Plan, **more: object) -> Findings:
        given.update(more)
        return plain(plan)

    monkeypatch.setattr(fake, "study", noted)
    words = (
        "--method guided --method blob --method guided -e threshold -e graph-cut --high .9 "
        "--low .4 --threshold .7 --shorter-side 64 --seed-at strongest --smoothing .05 --fill"
    )
    assert run("study", name, "--limit", "1", *words.split()).code == 0
    constants = Constants(0.9, 0.4, 0.7, 64, "strongest", 0.05, True)
    wanted = {
        "constants": constants,
        "methods": ("guided", "blob"),
        "by": ("threshold", "graph-cut"),
    }
    assert given == wanted
    assert run("study", name, "--limit", "1").code == 0
    assert given == {"constants": Constants(), "methods": tuple(METHODS), "by": engines()}


def test_a_study_of_chosen_maps_and_cuts(run: Run, desk: Path) -> None:
    words = ("--method", "guided", "-e", "threshold", "--threshold", "0.9", "--fill")
    done = run("study", "segmentation", "--limit", "2", *words)
    assert done.code == 0
    found = json.loads((desk / "study-segmentation" / "data.json").read_text())
    assert [(m["method"], m["engine"]) for m in found["data"]["methods"]] == [
        ("guided", "threshold")
    ]
    assert (found["facts"]["threshold"], found["facts"]["fill"]) == ("0.9", "True")
