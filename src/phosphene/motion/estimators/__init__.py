"""Estimators of flow by name.

| name | estimator |
|---|---|
| `dis`, `dis:medium` | dense inverse search of OpenCV; `dis:fast`, `dis:ultrafast` are quicker |
| `farneback` | polynomial expansion, of OpenCV |
| `tvl1` | total variation and L1 data term, where OpenCV comes with contributed modules |
| `raft:FILE` | RAFT of torchvision with your weights; `raft:large:FILE`, `raft:small:FILE` |
| `coarse2fine[:PYTHON]` | Ce Liu's, which the thesis took: pyflow, from a Python that has it |
| `epicflow:FOLDER` | EpicFlow on DeepMatching or FlowFields, from a folder of executables |
| `command:LINE` | any program: its command line, with `{first}`, `{second}` and `{flow}` in it |
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from phosphene.errors import SettingError, nearest
from phosphene.motion.estimators.estimator import Estimator as Estimator

DEFAULT = "dis:medium"

# What the names begin with, and where each is made: module of this package.
_FAMILIES = {
    "dis": "opencv",
    "farneback": "opencv",
    "tvl1": "opencv",
    "raft": "raft",
    "coarse2fine": "presets",
    "epicflow": "presets",
    "command": "command",
}
_NAMES = (*_FAMILIES, "dis:ultrafast", "dis:fast", "dis:medium", "raft:large", "raft:small")


def open_estimator(spec: str = DEFAULT, *, device: str = "cpu", limit: float = 600.0) -> Estimator:
    """Open an estimator by its name.

    Args:
        spec: See the table above.
        device: Where RAFT runs: `cpu`, `cuda`, `cuda:1`, `mps`. The others run on the CPU.
        limit: Seconds that a program of yours may take for two frames.

    Raises:
        SettingError: No estimator goes by that name, or what stands behind the colon cannot be.
        FlowError: What it needs is not installed.
        FormatError: Its weights cannot be understood.

    >>> open_estimator("dis:fast").name
    'dis:fast'
    """
    family, _, rest = spec.strip().partition(":")
    if family not in _FAMILIES:
        offers = nearest(spec, _NAMES) or f": take one of {', '.join(_FAMILIES)}"
        raise SettingError(f"there is no estimator {spec!r}{offers}")
    module = import_module(f"phosphene.motion.estimators.{_FAMILIES[family]}")
    opened: Callable[..., Estimator] = module.opened
    return opened(family, rest.strip(), device=device, limit=limit)


def describe() -> tuple[tuple[str, str], ...]:
    """List every way of naming an estimator, with a line on it."""
    rows = [line[2:-2].split(" | ", 1) for line in (__doc__ or "").splitlines() if "| `" in line]
    return tuple((name.replace("`", ""), text.replace("`", "")) for name, text in rows)
