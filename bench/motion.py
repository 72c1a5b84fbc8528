"""Motion, side by side with its limits: worlds, building of pairs, loading of pairs.

    python bench/motion.py VIDEOS [--photographs PHOTOS] [--rounds N]

VIDEOS is a folder of folders of frames (DAVIS). Each part can be run alone, and says what it does:
`motion_worlds.py` (how exact flow is), `motion_building.py` (beside DIS alone), `motion_loading.py`
(beside decoding alone). Results go to `bench/results`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Run the three one after another."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("videos", type=Path)
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    rounds = ["--rounds", str(asked.rounds)]
    worlds = ["--photographs", str(asked.photographs)] if asked.photographs else []
    for script, more in (
        ("motion_worlds.py", worlds),
        ("motion_building.py", ["--videos", str(asked.videos), *rounds]),
        ("motion_loading.py", [str(asked.videos), *rounds]),
    ):
        print(f"== {script}", flush=True)
        subprocess.run([sys.executable, str(HERE / script), *more], check=True)


if __name__ == "__main__":
    main()
