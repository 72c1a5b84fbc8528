"""The table of studies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from phosphene.errors import PhospheneError
from phosphene.studies.registry import STUDIES, Need, StudyInfo, study
from tests.studies import fake

NAMES = (
    "errors initialisations naturalness descriptors strength beta jitter layers multiple scale "
    "bias locality streams units classes caricatures pairs votes solvers class-models "
    "correspondence invariance segmentation localization architectures selectivity finite-support "
    "foreground phase informed cascade labels deletion infidelity"
).split()


def test_names() -> None:
    assert list(STUDIES) == NAMES
    for name, info in STUDIES.items():
        assert info.name == name
        assert info.needs <= set(get_args(Need))
        assert info.summary
        assert len(info.summary) < 75
        assert "fig" in info.reference or "section" in info.reference or "table" in info.reference
        module, _, function = info.home.partition(":")
        assert module.startswith("phosphene.studies.")
        assert function.isidentifier()
        assert all(part.isidentifier() for part in module.split("."))


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, phosphene.studies.registry; assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_studies_are_loaded_when_they_are_run() -> None:
    from phosphene.studies.votes import votes

    assert study("votes").load() is votes
    assert StudyInfo("f", "s", "r", "tests.studies.fake:study").load() is fake.study


def test_what_is_not_there() -> None:
    with pytest.raises(PhospheneError, match="no study 'erors'; did you mean 'errors'"):
        study("erors")
    with pytest.raises(PhospheneError, match="there are errors, initialisations"):
        study("?")
    for home in ("tests.studies.nix:study", "tests.studies.fake:nix"):
        with pytest.raises(PhospheneError, match="'f' is not part of this version"):
            StudyInfo("f", "s", "r", home).load()


def test_a_study_whose_package_is_missing_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "incomplete_study.py").write_text("import no_such_package_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package_at_all"):
        StudyInfo("f", "s", "r", "incomplete_study:study").load()
