"""The thesis's estimators, with programs that stand in for those of their authors."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import FlowError
from phosphene.motion.estimators import open_estimator
from tests.motion.estimators.programs import program
from tests.motion.scenes import moved

PAIR = moved(64, 80, 2, -1)
# The signature of pyflow's one function (github.com/pathak22/pyflow).
PYFLOW = """
import numpy as np, cv2
def coarse2fine_flow(im1, im2, alpha, ratio, minWidth, outer, inner, sor, colType=0):
    assert (alpha, ratio, minWidth, outer, inner, sor, colType) == (.012, .75, 20, 7, 1, 30, 0)
    for image in (im1, im2):
        assert image.dtype == np.float64 and image.flags.c_contiguous and 0.5 < image.max() <= 1
    grey = [cv2.cvtColor((i * 255).round().astype("uint8"), cv2.COLOR_RGB2GRAY) for i in (im1, im2)]
    cv2.setNumThreads(1)
    flow = cv2.DISOpticalFlow_create(2).calc(*grey, None).astype(np.float64)
    return flow[..., 0].copy(), flow[..., 1].copy(), im2
"""


def test_coarse2fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyflow.py").write_text(PYFLOW)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    expected = open_estimator("dis")(*PAIR).vectors
    for spec in ("coarse2fine", f"coarse2fine:{sys.executable}"):
        estimator = open_estimator(spec)
        assert estimator.name == spec
        assert np.array_equal(estimator(*PAIR).vectors, expected)


def test_coarse2fine_without_pyflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with pytest.raises(FlowError, match="No module named 'pyflow'"):
        open_estimator("coarse2fine")(*PAIR)


def test_coarse2fine_without_its_python() -> None:
    with pytest.raises(FlowError, match="there is no program /no/python"):
        open_estimator("coarse2fine:/no/python")


EDGES = (
    "image = frame(sys.argv[1]).astype(np.float32).mean(2) / 255;"
    "np.abs(np.gradient(image)[1]).astype('<f4').tofile(sys.argv[2])"
)
# x1 y1 x2 y2 a line, and what else DeepMatching writes.
MATCHES = """
options = sys.argv[3:]
if {deep}:
    assert options[:3] == ["-png_settings", "-improved_settings", "-out"], options
flow = estimated(*sys.argv[1:3])
with open(options[-1], "w") as file:
    for y in range(2, flow.shape[0], 4):
        for x in range(2, flow.shape[1], 4):
            file.write(f"{{x}} {{y}} {{x + flow[y, x, 0]}} {{y + flow[y, x, 1]}} 1.0 0\\n")
"""
# The nearest match for every pixel, in place of the interpolation along edges.
EPIC = """
first, second, edges, matches, out = sys.argv[1:]
shape = frame(first).shape[:2]
assert np.fromfile(edges, "<f4").size == shape[0] * shape[1]
found = np.loadtxt(matches)
y, x = np.mgrid[: shape[0], : shape[1]]
near = ((x[..., None] - found[:, 0]) ** 2 + (y[..., None] - found[:, 1]) ** 2).argmin(-1)
write_flo(out, (found[:, 2:4] - found[:, :2])[near])
"""


@pytest.mark.parametrize(
    ("names", "deep"),
    [
        (("edges", "deepmatching", "epicflow"), True),
        (("edges", "deepmatching-static", "epicflow-static"), True),
        (("edges", "flowfields", "epicflow"), False),
    ],
)
def test_epicflow(tmp_path: Path, names: tuple[str, str, str], deep: bool) -> None:
    for name, body in zip(names, (EDGES, MATCHES.format(deep=deep), EPIC), strict=True):
        program(tmp_path / "my bin", name, body)
    estimator = open_estimator(f"epicflow:{tmp_path / 'my bin'}")
    found = estimator(*PAIR)
    assert np.median(np.abs(found.vectors - (2, -1))) < 0.1


@pytest.mark.parametrize("missing", ["edges", "deepmatching", "epicflow"])
def test_epicflow_lacks_a_program(tmp_path: Path, missing: str) -> None:
    for name in {"edges", "deepmatching", "epicflow"} - {missing}:
        program(tmp_path, name, "pass")
    with pytest.raises(FlowError, match=f"holds no executable {missing}"):
        open_estimator(f"epicflow:{tmp_path}")


def test_epicflow_lacks_its_folder(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="there is no folder"):
        open_estimator(f"epicflow:{tmp_path / 'none'}")


def test_epicflow_names_the_step_that_fails(tmp_path: Path) -> None:
    program(tmp_path, "edges", EDGES)
    program(tmp_path, "deepmatching", "sys.exit('image too large')")
    program(tmp_path, "epicflow", EPIC)
    with pytest.raises(FlowError, match="deepmatching ended with code 1; it said: image too large"):
        open_estimator(f"epicflow:{tmp_path}")(*PAIR)
