"""Programs of the user's own as estimators: frames go out as files, flow comes back as one.

A line such as

    ./flow --fast {first} {second} {flow}

is split as a shell would split it, but no shell runs it. In each run a `{name}` becomes a file in a
folder that is made for it and removed again. `{first}` and `{second}` are the frames, 8-bit RGB as
PNG (`{first.ppm}` for PPM, and so on for what Pillow writes), and the program leaves its flow at
`{flow}`, a `.flo` unless it says otherwise (`{flow.png}`, `{flow.npz}`, `{flow.npy}`). All other
names are files between one step and the next: `&&` separates steps.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from PIL import Image

from phosphene.errors import FlowError, SettingError, nearest
from phosphene.motion.estimators.estimator import Estimator, Pixels, checked
from phosphene.motion.flow import Flow

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)(\.[a-z0-9]+)?\}")
_SUFFIXES = {"first": ".png", "second": ".png", "flow": ".flo"}
_PICTURES = (".png", ".ppm", ".bmp", ".tif", ".tiff")  # jpg would change the frames
_NEEDED = ("first", "second", "flow")


def opened(family: str, rest: str, *, device: str, limit: float) -> Estimator:
    """Open `command:LINE`.

    Raises:
        SettingError: The line cannot be split, or lacks a place.
        FlowError: A program in it does not exist.
    """
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise SettingError(f"the command {rest!r} cannot be split into words: {error}") from None
    steps: list[list[str]] = [[]]
    for word in words:
        if word == "&&":
            steps.append([])
        else:
            steps[-1].append(word)
    return Command(f"command:{rest}", steps, limit)


class Command:
    """An estimator that runs one program, or several after another, for every two frames.

    Attributes:
        name: What it was opened by.
        steps: Words of every step, with places such as `{flow}` in them.
        limit: Seconds that all steps together may take.
    """

    def __init__(self, name: str, steps: Sequence[Sequence[str]], limit: float = 600.0) -> None:
        """Check that everything is there that will be run.

        Raises:
            SettingError: There is no program, a place is missing or cannot be.
            FlowError: A program does not exist.
        """
        self.name, self.limit = name, limit
        self.steps = tuple(tuple(words) for words in steps)
        if not limit > 0:
            raise SettingError(f"a limit of {limit:g} seconds: give more than 0")
        if not all(self.steps):
            raise SettingError(f"{name} names no program: write its command line behind the colon")
        places = [place for words in self.steps for word in words for place in _places(word)]
        names = {place for place, _ in places}
        for needed in _NEEDED:
            if needed not in names:
                slip = nearest(needed, names - set(_NEEDED), 1)
                raise SettingError(
                    f"{name} lacks {{{needed}}}: the line must say where the frames {{first}} and "
                    f"{{second}} and the {{flow}} go{slip.replace('did you mean', 'it has')[:-1]}"
                )
        for place, suffix in places:
            if place in ("first", "second") and suffix not in _PICTURES:
                raise SettingError(
                    f"{name} asks for frames as {suffix}: take {', '.join(_PICTURES)}"
                )
        if len(written := {suffix for place, suffix in places if place == "flow"}) > 1:
            raise SettingError(f"{name} writes its flow as {' and as '.join(sorted(written))}")
        for program, *_ in self.steps:
            if not _PLACE.search(program) and shutil.which(program) is None:
                raise FlowError(
                    f"there is no program {program}, which {name.partition(':')[0]} runs: install "
                    "it, or give its whole path"
                )

    def __call__(self, first: Pixels, second: Pixels) -> Flow:
        """Estimate the flow; see `Estimator`.

        Raises:
            FlowError: A program fails or takes too long, or leaves no flow of the frames' size.
        """
        from phosphene.motion.flow_files import read_flow

        first, second = checked(first, second)
        with tempfile.TemporaryDirectory(prefix="phosphene-flow-") as kept:
            folder = Path(kept)
            words = [[_filled(word, folder) for word in step] for step in self.steps]
            places = [p for step in self.steps for word in step for p in _places(word)]
            for place, suffix in set(places):
                if place in ("first", "second"):
                    frame = first if place == "first" else second
                    Image.fromarray(frame).save(folder / (place + suffix))
            last = ""
            end = time.monotonic() + self.limit
            for step in words:
                last = _ran(step, folder, end, self.limit)
            result = folder / next("flow" + suffix for place, suffix in places if place == "flow")
            program = Path(words[-1][0]).name
            if not result.exists():
                raise FlowError(f"{program} ended well, but left no flow at {{flow}}{_said(last)}")
            try:
                flow = read_flow(result)
            except FlowError as error:
                why = str(error).replace(str(result), "what it left")
                raise FlowError(f"{program} left no flow that can be read: {why}") from None
        if flow.size != first.shape[:2]:
            one, other = (f"{w}x{h}" for h, w in (flow.size, first.shape[:2]))
            raise FlowError(f"{program} left a flow of {one} for frames of {other}")
        return flow


def _places(word: str) -> list[tuple[str, str]]:
    """List the places in a word, with the suffix of each."""
    return [(name, suffix or _SUFFIXES.get(name, "")) for name, suffix in _PLACE.findall(word)]


def _filled(word: str, folder: Path) -> str:
    def file(found: re.Match[str]) -> str:
        return str(folder / (found[1] + (found[2] or _SUFFIXES.get(found[1], ""))))

    return _PLACE.sub(file, word)


def _ran(words: list[str], folder: Path, end: float, limit: float) -> str:
    """Run a step to its end; return the last line it said."""
    program, said = Path(words[0]).name, folder / "said"
    with open(said, "wb") as out:
        try:
            # A session of its own, so that all that it starts ends with it.
            running = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        except OSError as error:
            raise FlowError(f"{program} cannot be run: {error.strerror or error}") from None
        try:
            code = running.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise FlowError(
                f"{program} was stopped, as two frames took longer than {limit:g} seconds"
                f"{_said(_last_line(said))}"
            ) from None
        finally:
            _stopped(running)
    last = _last_line(said)
    if code:
        how = f"ended with code {code}" if code > 0 else f"was killed by {_signal(-code)}"
        raise FlowError(f"{program} {how}{_said(last)}")
    return last


def _stopped(running: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, and what it started."""
    if running.poll() is None:
        with suppress(OSError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def _last_line(file: Path) -> str:
    with open(file, "rb") as said:
        said.seek(max(0, file.stat().st_size - 10_000))
        lines = said.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _said(line: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in line)[:300]
    return f"; it said: {shown}" if shown else ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
