"""The log: a row an epoch, and none that a run that goes on does not know."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from phosphene.errors import FormatError, SettingError
from phosphene.training.log import COLUMNS, CsvLog, TensorBoardLog
from phosphene.training.run import Epoch


def test_rows_say_what_an_epoch_came_to(tmp_path: Path):
    log = CsvLog(tmp_path / "log.csv")
    log(Epoch(1, 6.2383249, -6.1, 1e-4), 100, 3.21)
    log(Epoch(2, 6.2, None, 1e-5), 200, 6.5)
    assert (tmp_path / "log.csv").read_text().splitlines() == [
        "epoch,updates,loss,measured,rate,seconds",
        "1,100,6.238325,-6.100000,0.0001,3.2",
        "2,200,6.200000,,1e-05,6.5",
    ]


def test_rows_behind_the_state_are_cut(tmp_path: Path):
    path = tmp_path / "log.csv"
    first = CsvLog(path)
    for number in (1, 2, 3):
        first(Epoch(number, 1.0 / number, None, 0.1), number, 10.0 * number)
    # The state knows one epoch; the second comes again, and time goes on from the first.
    again = CsvLog(path)
    again(Epoch(2, 0.75, None, 0.1), 2, 4.0)
    again(Epoch(3, 0.5, None, 0.1), 3, 9.0)
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert [row[2] for row in rows] == ["1.000000", "0.750000", "0.500000"]
    assert [row[-1] for row in rows] == ["10.0", "14.0", "19.0"]


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", f"{','.join(COLUMNS)}\nx,1,1,1,1,1\n", f"{','.join(COLUMNS)}\n\n", "\0"]
)
def test_other_files_are_left_alone(tmp_path: Path, text: str):
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match="no log of a training run"):
        CsvLog(path)
    assert path.read_text() == text


def test_only_the_first_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("phosphene.training.log.rank", lambda: 1)
    CsvLog(tmp_path / "log.csv")(Epoch(1, 1.0, None, 0.1), 1, 1.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is not None, reason="TensorBoard is here"
)
def test_without_tensorboard_it_says_so(tmp_path: Path):
    with pytest.raises(SettingError, match="TensorBoard is not installed"):
        TensorBoardLog(tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_gets_the_same_numbers(tmp_path: Path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TensorBoardLog(tmp_path)
    log(Epoch(1, 2.5, -2.0, 0.1), 10, 1.0)
    log(Epoch(2, 1.5, None, 0.1), 20, 2.0)
    found = EventAccumulator(str(tmp_path))
    found.Reload()
    assert [(e.step, e.value) for e in found.Scalars("loss")] == [(10, 2.5), (20, 1.5)]
    assert [e.value for e in found.Scalars("measured")] == [-2.0]
