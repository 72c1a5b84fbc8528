"""Sintel's masks and HD1K's uncertainty, found beside the flow."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files import write_flow
from phosphene.motion.flow_files.hd1k import read_hd1k
from phosphene.motion.flow_files.sintel import read_sintel
from tests.reference import flow_png

RNG = np.random.default_rng(3)
FLOW = Flow.of(RNG.uniform(-20, 20, (5, 7, 2)))


def mask(path: Path, size: tuple[int, int] = (5, 7)) -> np.ndarray:
    drawn = RNG.random(size) < 0.3
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(drawn.astype(np.uint8) * 255).save(path)
    return drawn


def test_sintel_s_masks(tmp_path: Path) -> None:
    place = tmp_path / "flow" / "alley_1" / "frame_0001.flo"
    write_flow(FLOW, place)
    bare = read_sintel(place)
    assert bare.occluded is None
    assert bare.flow.valid.all()
    invalid = mask(tmp_path / "invalid" / "alley_1" / "frame_0001.png")
    occluded = mask(tmp_path / "occlusions" / "alley_1" / "frame_0001.png")
    found = read_sintel(place)
    np.testing.assert_array_equal(found.flow.valid, ~invalid)
    np.testing.assert_array_equal(found.occluded, occluded)
    np.testing.assert_array_equal(found.flow.vectors[~invalid], FLOW.vectors[~invalid])
    assert (found.flow.vectors[invalid] == 0).all()


def test_a_mask_that_does_not_fit_is_said(tmp_path: Path) -> None:
    place = tmp_path / "flow" / "alley_1" / "frame_0001.flo"
    write_flow(FLOW, place)
    other = tmp_path / "invalid" / "alley_1" / "frame_0001.png"
    mask(other, (5, 8))
    with pytest.raises(FlowError, match=r"the mask .*frame_0001\.png of \(5, 8\) does not fit"):
        read_sintel(place)
    other.write_bytes(other.read_bytes()[:60])
    with pytest.raises(FlowError, match=r"the mask .*frame_0001\.png is damaged"):
        read_sintel(place)


def test_flow_outside_of_sintel_has_no_masks(tmp_path: Path) -> None:
    write_flow(FLOW, tmp_path / "a.flo")
    assert read_sintel(tmp_path / "a.flo").occluded is None


def test_hd1k_s_uncertainty(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    place = tmp_path / "hd1k_flow_gt" / "flow_occ" / "000000_0010.png"
    write_flow(FLOW, place)
    assert read_hd1k(place).uncertainty is None
    beside = tmp_path / "hd1k_flow_uncertainty" / "flow_unc" / "000000_0010.png"
    beside.parent.mkdir(parents=True)
    beside.write_bytes(flow_png.encoded([[(64 * (i + j),) for j in range(7)] for i in range(5)]))
    found = read_hd1k(place)
    assert found.uncertainty is not None
    assert np.isnan(found.uncertainty[0, 0])
    assert found.uncertainty[4, 6] == 2.5
    beside.write_bytes(flow_png.encoded([[(64,)]]))
    with pytest.raises(FlowError, match=r"of \(1, 1\) does not fit"):
        read_hd1k(place)
