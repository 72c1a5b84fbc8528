"""Make the pictures of README and docs, from a real network and photographs scikit-image ships.

    python tools/readme_pictures.py path/to/squeezenet.caffemodel

The photographs: "chelsea" (CC0, Stefan van der Walt), "coffee" (CC0, Rachel Michetti),
"astronaut" (public domain, NASA).
"""

from __future__ import annotations

import sys
from pathlib import Path

import skimage

from phosphene import ARCHITECTURES, explain, open_network, ten_crop

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"


def main(model: str) -> None:
    """Write every picture."""
    photographs = Path(skimage.__file__).parent / "data"
    cat, coffee = photographs / "chelsea.png", photographs / "coffee.png"
    net = open_network(model)
    explain(net, [cat, coffee]).save(PICTURES / "explain.png")
    explain(net, cat, layer="fire5/concat").save(PICTURES / "layer.png")
    explain(net, coffee, rules=ARCHITECTURES).save(PICTURES / "architectures.png")
    ten_crop(net, coffee, rules=("saliency", "guided")).save(PICTURES / "ten-crop.png")


if __name__ == "__main__":
    main(sys.argv[1])
