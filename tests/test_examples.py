"""The notebooks run from end to end, as a person runs them, in an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
EXECUTE = "from nbclient.cli import main; main()"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(notebook: Path, tmp_path: Path) -> None:
    shutil.copy(notebook, tmp_path)
    private = {name: str(tmp_path / name) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR")}
    run = subprocess.run(
        [sys.executable, "-c", EXECUTE, "--inplace", "--timeout=300", notebook.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, **private},
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    cells = json.loads((tmp_path / notebook.name).read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code)
    pictures = [
        data
        for cell in code
        for output in cell["outputs"]
        if (data := output.get("data", {})) and {"image/png", "text/html"} & set(data)
    ]
    assert len(pictures) >= 4


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_kept_without_its_results(notebook: Path) -> None:
    cells = json.loads(notebook.read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells)


def test_there_are_three() -> None:
    assert len(NOTEBOOKS) == 3
