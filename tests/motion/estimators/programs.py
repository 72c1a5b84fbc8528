"""Programs that stand in for those of others: Python that really estimates, or fails."""

from __future__ import annotations

import sys
from pathlib import Path

_HEAD = """
import sys, os, time
import numpy as np
from PIL import Image
def frame(path):
    image = Image.open(path)
    assert image.mode == "RGB", image.mode
    return np.asarray(image)
def estimated(first, second):
    import cv2
    cv2.setNumThreads(1)
    grey = [cv2.cvtColor(frame(p), cv2.COLOR_RGB2GRAY) for p in (first, second)]
    return cv2.DISOpticalFlow_create(2).calc(*grey, None)
def write_flo(path, flow):
    with open(path, "wb") as file:
        file.write(b"PIEH" + np.array(flow.shape[1::-1], "<i4").tobytes())
        file.write(flow.astype("<f4").tobytes())
"""


def program(folder: Path, name: str, body: str) -> Path:
    """Write an executable of Python."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!{sys.executable}\n{_HEAD}\n{body}\n")
    file.chmod(0o755)
    return file
