"""Every snippet in README and docs runs: Python blocks as they stand, `phosphene` lines in shells.

A block is told what it needs by a comment before it: `<!-- needs: squeezenet -->` runs it only
where the shared material is. Blocks of a page run in order and share their names, in an empty
folder that holds the photographs `cat.png`, `coffee.png` and a folder `photos` of both.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
import skimage
from typer.testing import CliRunner

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?:<!-- needs: (\w+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!http|#)([^)#]+)")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    photographs = Path(skimage.__file__).parent / "data"
    (tmp_path / "photos").mkdir()
    for name, saved in (("chelsea.png", "cat.png"), ("coffee.png", "coffee.png")):
        shutil.copy(photographs / name, tmp_path / saved)
        shutil.copy(photographs / name, tmp_path / "photos" / saved)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def needed(what: str, request: pytest.FixtureRequest, desk: Path) -> None:
    assert what == "squeezenet"
    for file in (request.getfixturevalue("shared") / "data" / "squeezenet").iterdir():
        if not (desk / file.name).exists():
            os.symlink(file, desk / file.name)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_snippets_run(page: Path, desk: Path, request: pytest.FixtureRequest) -> None:
    names: dict[str, object] = {"__name__": "snippet"}
    for needs, language, code in BLOCK.findall(page.read_text()):
        if needs:
            try:
                needed(needs, request, desk)
            except pytest.skip.Exception:
                continue
        if language == "python":
            exec(compile(code, f"{page.name}", "exec"), names)
        elif language in ("shell", "sh", "bash", "console"):
            run_shell(code)


def run_shell(code: str) -> None:
    from phosphene.cli.app import app

    for line in code.replace("\\\n", " ").splitlines():
        command = line.strip().removeprefix("$ ").partition(" #")[0]
        if command.startswith("phosphene "):
            result = CliRunner().invoke(app, shlex.split(command)[1:], catch_exceptions=False)
            assert result.exit_code == 0, f"{command}\n{result.output}"
        else:
            assert not command or command.split()[0] in ("make", "git", "cd", "pip", "#"), command


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(BLOCK.sub("", page.read_text())):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_verb_has_a_page() -> None:
    from phosphene.cli.app import app

    for command in (*app.registered_commands, *app.registered_groups):
        assert (ROOT / "docs" / f"{command.name}.md").exists(), command.name
