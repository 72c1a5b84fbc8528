"""A hand-made Broden directory of three images, one of them without a label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

INDEX = """image,split,ih,iw,sh,sw,color,object,scene
set/a.png,train,8,8,4,4,set/a_color.png,set/a_object.png;set/a_object_1.png,3
set/b.png,val,8,8,4,4,,,3
set/c.png,val,8,8,4,4,,,
"""
CATEGORY = """name,first,last,count,frequency
color,1,5,2,2
object,2,5,2,2
scene,3,3,1,2
"""
LABEL = """number,name,category,frequency,coverage,syns
1,red,color(1),1,0.5,
2,car,object(1),1,0.25,automobile
3,street,scene(2),2,2.0,
5,wheel,object(1);color(1),1,0.25,
"""
CODES = {
    "color": "code,number,name,frequency,coverage\n1,1,red,1,0.5\n2,5,wheel,1,0.25\n",
    "object": "code,number,name,frequency,coverage\n1,2,car,1,0.25\n2,5,wheel,1,0.25\n",
    "scene": "code,number,name,frequency,coverage\n1,3,street,2,2.0\n",
}


def small_broden(folder: Path) -> Path:
    """Write it.

    Image a: the left half is red, the upper right quarter a car, its first row a wheel, too; and
    the whole of it a street, as is b.
    """
    images = folder / "images" / "set"
    images.mkdir(parents=True)
    for name in "abc":
        Image.new("RGB", (8, 8), (10, 20, 30)).save(images / f"{name}.png")
    color, car, wheel = np.zeros((3, 4, 4, 3), np.uint8)
    color[:, :2, 0] = 1
    car[:2, 2:, 0] = 2
    wheel[0, 2:, 0] = 5
    for name, pixels in (("color", color), ("object", car), ("object_1", wheel)):
        Image.fromarray(pixels).save(images / f"a_{name}.png")
    (folder / "index.csv").write_text(INDEX)
    (folder / "category.csv").write_text(CATEGORY)
    (folder / "label.csv").write_text(LABEL)
    for category, text in CODES.items():
        (folder / f"c_{category}.csv").write_text(text)
    return folder
