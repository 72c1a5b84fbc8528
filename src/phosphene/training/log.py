"""The log of a run: a row for every epoch, as CSV and for TensorBoard.

Rows and state are written one after the other, so that a run that was killed may have said more
than its state knows. When it goes on, an epoch's row takes the place of the one that is there, and
of all behind it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from phosphene.errors import FormatError, SettingError
from phosphene.image import replacing
from phosphene.training.processes import rank
from phosphene.training.run import Epoch

COLUMNS = ("epoch", "updates", "loss", "measured", "rate", "seconds")

Log = Callable[[Epoch, int, float], None]
"""Called with an epoch, the updates so far, and the seconds that this part of the run took."""


class CsvLog:
    """Rows of `epoch, updates, loss, measured, rate, seconds`; the first process writes.

    Losses have six digits behind the point: those of cross-pixel similarity differ in the third.
    Seconds are of all parts of a run together.

    Args:
        path: The file.

    Raises:
        FormatError: A file of other columns is there.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._rows = self._read()
        self._before: float | None = None

    def __call__(self, epoch: Epoch, updates: int, seconds: float) -> None:
        """Write an epoch's row.

        Args:
            epoch: What it came to.
            updates: Updates of the whole run so far.
            seconds: Since this part of the run began.
        """
        if rank() > 0:
            return
        self._rows = [row for row in self._rows if int(row[0]) < epoch.number]
        if self._before is None:  # how long earlier parts took
            self._before = float(self._rows[-1][-1]) if self._rows else 0.0
        measured = "" if epoch.measured is None else f"{epoch.measured:.6f}"
        self._rows.append(
            [
                str(epoch.number),
                str(updates),
                f"{epoch.loss:.6f}",
                measured,
                f"{epoch.rate:.6g}",
                f"{self._before + seconds:.1f}",
            ]
        )
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *self._rows])
        with replacing(self.path) as file:
            file.write(text.getvalue().encode())

    def _read(self) -> list[list[str]]:
        try:
            rows = list(csv.reader(self.path.read_text().splitlines()))
            if rows and tuple(rows[0]) == COLUMNS:
                [(int(row[0]), float(row[-1])) for row in rows[1:]]
                return rows[1:]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, IndexError):
            pass
        raise FormatError(
            f"{self.path} is no log of a training run: remove it, or name another folder"
        )


class TensorBoardLog:
    """The same numbers for TensorBoard, over updates; the first process writes.

    Args:
        folder: Where its files go.

    Raises:
        SettingError: TensorBoard is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise SettingError(
                "TensorBoard is not installed: `pip install tensorboard`, or read log.csv"
            ) from error
        self._make: Any = SummaryWriter
        self._folder = str(folder)
        self._writer: Any = None

    def __call__(self, epoch: Epoch, updates: int, seconds: float) -> None:
        """Write an epoch's numbers."""
        if rank() > 0:
            return
        if self._writer is None:
            # What an earlier part has said of these updates and later ones is left out.
            self._writer = self._make(self._folder, purge_step=updates)
        self._writer.add_scalar("loss", epoch.loss, updates)
        if epoch.measured is not None:
            self._writer.add_scalar("measured", epoch.measured, updates)
        self._writer.add_scalar("rate", epoch.rate, updates)
        self._writer.flush()
