"""Programs of the user's own, and every way in which they fail."""

from __future__ import annotations

import os
import pickle
import shlex
import signal
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import FlowError, SettingError
from phosphene.motion.estimators import open_estimator
from tests.motion.estimators.programs import program
from tests.motion.scenes import moved

DIS = "write_flo(sys.argv[3], estimated(*sys.argv[1:3]))"
PLACES = "{first} {second} {flow}"
PAIR = moved(64, 80, 2, -1)


@pytest.fixture(autouse=True)
def tidy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing stays behind in the folder of temporary files."""
    kept = tmp_path / "temporary"
    kept.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(kept))
    yield
    assert not list(kept.iterdir())


def line(file: Path, places: str = PLACES) -> str:
    return f"command:{shlex.quote(str(file))} {places}"


def test_estimates(tmp_path: Path) -> None:
    spec = line(program(tmp_path, "a flow", DIS))
    estimator = pickle.loads(pickle.dumps(open_estimator(spec)))
    assert estimator.name == spec
    assert np.array_equal(estimator(*PAIR).vectors, open_estimator("dis")(*PAIR).vectors)


@pytest.mark.parametrize(
    ("places", "body"),
    [
        ("{first.ppm} {second.ppm} {flow.npy}", "np.save(sys.argv[3], estimated(*sys.argv[1:3]))"),
        ("--out={flow.npz} {first} {second.bmp}",
         "np.savez(sys.argv[1][6:], flow=estimated(*sys.argv[2:4]))"),
        ("{first} {second} {flow.png}",
         "import cv2; u = estimated(*sys.argv[1:3]);"
         "r = np.round(64 * u + 2**15).astype(np.uint16); one = np.ones_like(r[..., :1]); "
         "cv2.imwrite(sys.argv[3], np.concatenate([one, r[..., 1:], r[..., :1]], 2))"),
    ],
    ids=["ppm and npy", "npz", "KITTI"],
)  # fmt: skip
def test_formats(tmp_path: Path, places: str, body: str) -> None:
    found = open_estimator(line(program(tmp_path, "flow", body), places))(*PAIR)
    assert np.abs(found.vectors - open_estimator("dis")(*PAIR).vectors).max() <= 1 / 128 + 1e-4


def test_steps_hand_over_files(tmp_path: Path) -> None:
    one = program(tmp_path, "one", "np.save(sys.argv[3], estimated(*sys.argv[1:3]))")
    two = program(tmp_path, "two", "write_flo(sys.argv[2], np.load(sys.argv[1]))")
    estimator = open_estimator(
        f"command:{one} {{first}} {{second}} {{raw.npy}} && {two} {{raw.npy}} {{flow}}"
    )
    assert np.array_equal(estimator(*PAIR).vectors, open_estimator("dis")(*PAIR).vectors)


def test_no_shell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    body = "assert sys.argv[4] == '$HOME;' and sys.argv[5] == 'touch'; " + DIS
    open_estimator(line(program(tmp_path, "flow", body), PLACES + " $HOME; touch made"))(*PAIR)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("sys.exit('no licence\\n')", r"flow ended with code 1; it said: no licence$"),
        ("print('only half'); sys.exit(3)", "ended with code 3; it said: only half"),
        ("os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
        ("pass", r"ended well, but left no flow at \{flow\}"),
        ("print('done?')", "left no flow at .*done"),
        ("open(sys.argv[3], 'w').write('flow')", "left no flow that can be read: what it left"),
        ("open(sys.argv[3], 'w')", "what it left is empty"),
        ("write_flo(sys.argv[3], np.zeros((80, 64, 2)))", "a flow of 64x80 for frames of 80x64"),
        ("1 / 0", "ended with code 1; it said: ZeroDivisionError"),
        ("print('\\x1b[31mred\\x1b[0m' + 'x' * 999); sys.exit(1)", r"said: .\[31mred.{280,300}$"),
    ],
)  # fmt: skip
def test_failures(tmp_path: Path, body: str, said: str) -> None:
    estimator = open_estimator(line(program(tmp_path, "flow", body)))
    with pytest.raises(FlowError, match=said) as caught:
        estimator(*PAIR)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_failing_step_ends_it(tmp_path: Path) -> None:
    one = program(tmp_path, "one", "sys.exit('broken')")
    two = program(tmp_path, "two", f"open({str(tmp_path / 'ran')!r}, 'w')")
    estimator = open_estimator(f"command:{one} {{first}} {{second}} && {two} {{flow}}")
    with pytest.raises(FlowError, match="one ended with code 1; it said: broken"):
        estimator(*PAIR)
    assert not (tmp_path / "ran").exists()


def test_time_limit_ends_its_children_too(tmp_path: Path) -> None:
    note = tmp_path / "child"
    body = (
        "import subprocess;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f"open({str(note)!r}, 'w').write(str(child.pid));"
        "print('working', flush=True); child.wait()"
    )
    estimator = open_estimator(line(program(tmp_path, "flow", body)), limit=1.5)
    with pytest.raises(FlowError, match=r"longer than 1.5 seconds; it said: working"):
        estimator(*PAIR)
    assert _ended(int(note.read_text()))


def test_interruption_ends_it(tmp_path: Path) -> None:
    note = tmp_path / "own"
    body = f"open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    estimator = open_estimator(line(program(tmp_path, "flow", body)))

    def press() -> None:
        while not (note.exists() and note.read_text()):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        estimator(*PAIR)
    thread.join()
    assert _ended(int(note.read_text()))


def _ended(number: int) -> bool:
    for _ in range(100):
        stat = Path(f"/proc/{number}/stat")
        try:
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_missing_program() -> None:
    with pytest.raises(FlowError, match=r"there is no program \./no-such-flow"):
        open_estimator("command:./no-such-flow {first} {second} {flow}")


def test_program_that_goes_away(tmp_path: Path) -> None:
    file = program(tmp_path, "flow", DIS)
    estimator = open_estimator(line(file))
    file.unlink()
    with pytest.raises(FlowError, match="flow cannot be run: No such file"):
        estimator(*PAIR)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cp {first} {second}", r"lacks \{flow\}"),
        ("cp {frist} {second} {flow}", r"lacks \{first\}.*it has 'frist'"),
        ("cp {first} {second} {flow} 'x", "cannot be split"),
        ("cp {first.jpg} {second} {flow}", "frames as .jpg"),
        ("cp {first} {second} {flow} {flow.npz}", "as .flo and as .npz"),
        ("cp {first} {second} {flow} &&", "names no program"),
        ("   ", "names no program"),
    ],
)
def test_lines_that_cannot_be(text: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        open_estimator(f"command:{text}")


def test_limit_that_cannot_be() -> None:
    with pytest.raises(SettingError, match="more than 0"):
        open_estimator("command:cp {first} {second} {flow}", limit=0)
