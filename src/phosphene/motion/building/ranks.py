"""Which of several processes this is, where torchrun or SLURM has started it."""

from __future__ import annotations

import os

from phosphene.errors import SettingError


def rank() -> tuple[int, int]:
    """Return which process this is, and of how many; (0, 1) where it is alone.

    torchrun says it in RANK and WORLD_SIZE, SLURM's srun in SLURM_PROCID and SLURM_NTASKS. In a
    shell that salloc or sbatch has opened there is one process, whatever was allotted.

    Raises:
        SettingError: They do not fit.
    """
    known = os.environ
    if {"RANK", "WORLD_SIZE"} <= known.keys():
        one, many = known["RANK"], known["WORLD_SIZE"]
    elif {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_ID"} <= known.keys():
        if known.get("SLURM_JOB_NAME") in ("bash", "interactive"):
            return 0, 1
        one, many = known["SLURM_PROCID"], known["SLURM_NTASKS"]
    else:
        return 0, 1
    if not (one.isdecimal() and many.isdecimal() and int(one) < int(many)):
        raise SettingError(
            f"the environment says that this is process {one} of {many}: unset RANK and "
            "WORLD_SIZE, or start it by torchrun or srun"
        )
    return int(one), int(many)
