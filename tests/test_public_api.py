"""The everyday names, frozen: a change here is a change for every user."""

from __future__ import annotations

import subprocess
import sys

import phosphene

NAMES = [
    "ARCHITECTURES", "CONTRASTIVE", "Codes", "DECONVNET", "DSIFT", "Direction", "EXCITATION",
    "Excitation", "Explanation", "GRAD_CAM", "GUIDED", "GradCam", "HOG", "LATTICE",
    "Localization", "Maxima", "Network", "Occlusion", "PhospheneError", "PreImage",
    "Preprocessing", "ReceptiveField", "Recipe", "Representation", "Reversal", "SALIENCY",
    "Saliency", "Segmentation", "Tape", "Unit", "Watch", "activate", "backward", "caricature",
    "class_model", "explain", "explain_many", "invert", "localize", "measure_maxima", "occlude",
    "open_network", "register_rule", "segment", "style", "ten_crop", "texture",
]  # fmt: skip


def test_names() -> None:
    assert phosphene.__all__ == NAMES, "say the change in CHANGELOG.md, then here"
    for name in NAMES:
        assert getattr(phosphene, name).__doc__, name
    assert dir(phosphene) == NAMES


def test_importing_loads_no_torch() -> None:
    code = "import sys, phosphene, phosphene.cli.app; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_error_is_in_the_tree() -> None:
    from phosphene import errors

    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, Exception)]
    for kind in kinds:
        assert issubclass(kind, errors.PhospheneError)
        assert kind is errors.PhospheneError or f"── {kind.__name__}" in (errors.__doc__ or "")
