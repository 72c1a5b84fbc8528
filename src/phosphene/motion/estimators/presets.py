"""The thesis's own estimators, by programs of their authors, which do not come with phosphene.

*References*: Liu, "Beyond Pixels: Exploring New Representations and Applications for Motion
Analysis", PhD thesis, MIT 2009; Revaud, Weinzaepfel, Harchaoui & Schmid, "EpicFlow: Edge-Preserving
Interpolation of Correspondences for Optical Flow", CVPR 2015; Weinzaepfel, Revaud, Harchaoui &
Schmid, "DeepFlow: Large displacement optical flow with deep matching", ICCV 2013; Bailer, Taetz &
Stricker, "Flow Fields: Dense Correspondence Fields for Highly Accurate Large Displacement Optical
Flow Estimation", ICCV 2015.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from phosphene.errors import FlowError, SettingError
from phosphene.motion.estimators.command import Command
from phosphene.motion.estimators.estimator import Estimator

# Weight of smoothness, ratio of the pyramid, its least width, outer and inner fixed-point and SOR
# iterations, as the authors of the thesis's pairs took them (Pathak et al., CVPR 2017).
COARSE2FINE = (0.012, 0.75, 20, 7, 1, 30)

_PYFLOW = """
import sys
import numpy
import pyflow
from PIL import Image
first, second = (numpy.asarray(Image.open(file)).astype(float) / 255 for file in sys.argv[1:3])
u, v, _ = pyflow.coarse2fine_flow(first.copy(order="C"), second.copy(order="C"), CONSTANTS)
numpy.save(sys.argv[3], numpy.stack([u, v], 2))
""".replace("CONSTANTS", ", ".join(map(str, COARSE2FINE)))

# Programs of EpicFlow: what each is called in the folder, and what it is run with.
_EDGES = (("edges",), "{first} {edges.bin}")
_MATCHES = (
    (("deepmatching", "deepmatching-static"),
     "{first} {second} -png_settings -improved_settings -out {matches.txt}"),
    (("flowfields", "FlowFields"), "{first} {second} {matches.txt}"),
)  # fmt: skip
_EPIC = (("epicflow", "epicflow-static"), "{first} {second} {edges.bin} {matches.txt} {flow}")


def opened(family: str, rest: str, *, device: str, limit: float) -> Estimator:
    """Open `coarse2fine[:PYTHON]` or `epicflow:FOLDER`.

    Raises:
        SettingError: No folder is given.
        FlowError: A program is not there.
    """
    return _epicflow(rest, limit) if family == "epicflow" else _coarse2fine(rest, limit)


def _coarse2fine(python: str, limit: float) -> Command:
    """Run pyflow (github.com/pathak22/pyflow) in a Python that can import it."""
    step = [python or sys.executable, "-c", _PYFLOW, "{first}", "{second}", "{flow.npy}"]
    return Command("coarse2fine" + (f":{python}" if python else ""), [step], limit)


def _epicflow(folder: str, limit: float) -> Command:
    if not folder:
        raise SettingError(
            "epicflow needs the folder of its executables: give it as epicflow:FOLDER"
        )
    if not Path(folder).is_dir():
        raise FlowError(f"there is no folder {folder} with executables of EpicFlow")
    matches = next((m for m in _MATCHES if _program(folder, m[0])), None)
    if matches is None:
        raise FlowError(
            f"{folder} holds no executable deepmatching or flowfields: EpicFlow begins with matches"
        )
    steps = []
    for names, line in (_EDGES, matches, _EPIC):
        program = _program(folder, names)
        if program is None:
            raise FlowError(
                f"{folder} holds no executable {names[0]}: EpicFlow takes edges, deepmatching (or "
                "flowfields) and epicflow from there"
            )
        steps.append([program, *line.split()])
    return Command(f"epicflow:{folder}", steps, limit)


def _program(folder: str, names: tuple[str, ...]) -> str | None:
    return next((p for name in names if (p := shutil.which(name, path=folder))), None)
