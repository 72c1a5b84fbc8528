"""A small network to run the command line on, and a way to run it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.cli.app import main


@dataclass(frozen=True)
class Ran:
    """What a run of the command line came to.

    Attributes:
        code: Exit code.
        out: Standard output.
        err: Standard error, in one line: boxes and wrapping taken away.
    """

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def ran(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        code = left.value.code
        return Ran(
            code if isinstance(code, int) else 0, out, " ".join(err.replace("│", "").split())
        )

    return ran


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with `nets.py` and three photographs, two of them in `photos`."""
    shutil.copy(Path(__file__).with_name("nets.py"), tmp_path)
    (tmp_path / "photos").mkdir()
    for i, name in enumerate(("cat.png", "photos/a.png", "photos/b.png")):
        noise = np.random.default_rng(i).integers(0, 255, (24, 32, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path
