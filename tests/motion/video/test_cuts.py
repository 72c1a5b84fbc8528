from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.motion.video import cuts
from phosphene.motion.video.cuts import GLANCE, change, cut_between, glance
from phosphene.motion.video.folders import Folder
from tests.motion.filmed import panned, texture
from tests.reference import scene_cuts


def glances(frames: list[np.ndarray]) -> list[np.ndarray]:
    return [glance(frame) for frame in frames]


@pytest.mark.parametrize("seeds", [(0, 0), (0, 1)])
def test_it_is_what_the_definitions_say(seeds: tuple[int, int]) -> None:
    first = texture(seeds[0], GLANCE)
    second = np.roll(texture(seeds[1], GLANCE), 3, axis=1) // 2
    found = change(first, second)
    assert not found.grey
    assert found.colours == pytest.approx(scene_cuts.colours(first, second))
    grey = [np.repeat(frame[:, :, :1], 3, 2) for frame in (first, second)]
    assert change(*grey).colours == pytest.approx(scene_cuts.luma(*grey))
    # Of a part, as loops are slow.
    one, other = first[:16, :16], second[:16, :16]
    planes = [frame.transpose(2, 0, 1).astype(np.float32) for frame in (one, other)]
    expected = scene_cuts.unfound(one.tolist(), other.tolist(), 8, 10)
    assert cuts._unfound(*planes) == pytest.approx(expected, rel=1e-4)
    assert found.structure == max(
        cuts._unfound(*pair)
        for pair in permutations(f.transpose(2, 0, 1).astype(np.float32) for f in (first, second))
    )


def test_grey_scenes_are_told_apart_by_their_luma() -> None:
    dark, bright = (np.repeat(texture(s, GLANCE)[:, :, :1], 3, 2) for s in (0, 1))
    found = change(dark // 2, 127 + bright // 2)
    assert found.grey
    assert found.cut
    assert not change(dark, np.roll(dark, 4, axis=1)).cut


def test_a_pan_is_no_cut() -> None:
    seen = glances(panned(12, (120, 200), (12, 2)))
    assert not cut_between(seen[0], seen[-1], iter(seen))
    assert not any(change(one, other).cut for one, other in pairwise(seen))


def test_a_flash_is_no_cut() -> None:
    one = texture(0, (120, 200))
    flash = (255 * (one / 255) ** 0.6).astype(np.uint8)
    assert change(glance(one), glance(flash)).colours > 0.2
    assert not cut_between(glance(one), glance(flash), [])


def test_a_fade_from_black_and_a_dissolve_part_scenes() -> None:
    one, other = texture(0, (120, 200)), texture(1, (120, 200)) // 2
    assert cut_between(glance(np.zeros_like(one)), glance(one), [])
    mixed = [(one * (1 - t) + other * t).astype(np.uint8) for t in np.linspace(0, 1, 9)]
    seen = glances(mixed)
    assert cut_between(seen[0], seen[-1], iter(seen[1:-1]))


def test_black_stays_black() -> None:
    black = np.zeros((*GLANCE, 3), np.uint8)
    assert change(black, black).colours == 0
    assert not change(black, black).cut


def test_real_videos_have_no_cuts_within_and_one_where_they_meet(shared: Path) -> None:
    folders = sorted((shared / "data/davis/frames").iterdir())
    videos = []
    for path in folders:
        video = Folder(path, path.name)
        videos.append(list(video.glances(range(0, len(video), 2))))
    for seen in videos:
        for i in range(0, len(seen) - 3, 3):
            # Every second frame: twice as fast as they are.
            assert not cut_between(seen[i], seen[i + 3], iter(seen[i + 1 : i + 3]))
    for one, other in pairwise([*videos, videos[0]]):
        assert cut_between(one[-2], other[1], iter((one[-1], other[0])))
        assert cut_between(other[-1], one[0], iter(()))


def test_photographs_are_scenes_of_their_own(shared: Path) -> None:
    paths = sorted((shared / "data/imagenet_sample").glob("*.jpg"))[:25]
    seen = [glance(np.asarray(Image.open(path).convert("RGB"))) for path in paths]
    found = [change(one, other).cut for one, other in pairwise(seen)]
    assert sum(found) >= len(found) - 1
