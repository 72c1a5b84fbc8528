from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import FlowError, SettingError
from phosphene.motion.contact_sheet import contact_sheet
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files.kitti import encode_png
from phosphene.motion.shards import writing
from phosphene.motion.statistics import EDGES, statistics
from tests.motion.filmed import texture


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, list[Flow]]:
    """A shard made elsewhere, as it were: no index, no facts."""
    import io

    from PIL import Image

    rng, flows = np.random.default_rng(0), []
    with writing(tmp_path / "a.tar") as shard:
        for i in range(7):
            size = (20, 30 + i % 2)
            scale = (0.1, 1, 10, 100)[i % 4]
            flows.append(Flow.of(rng.normal(0, scale, (*size, 2)), rng.random(size) < 0.9))
            file = io.BytesIO()
            Image.fromarray(texture(i, (64, 64))[: size[0], : size[1]]).save(file, "png")
            members = {"png": file.getvalue(), "flow.png": encode_png(flows[-1])}
            shard.add(f"{i:04d}", members)
    (tmp_path / "a.json").unlink()
    return tmp_path, flows


def test_they_are_what_counting_finds(made: tuple[Path, list[Flow]]) -> None:
    folder, flows = made
    found = statistics(folder, sample=None, threshold=0.5)
    lengths = [
        [np.hypot(x, y) for (x, y), known in zip(row, valid, strict=True) if known]
        for flow in flows
        for row, valid in zip(flow.vectors, flow.valid, strict=True)
    ]
    every = np.sort(np.concatenate(lengths))
    assert found.pairs == found.sampled == 7
    assert found.valid == pytest.approx(len(every) / sum(f.valid.size for f in flows))
    # As stored, by steps of 1/64 pixel.
    assert found.mean == pytest.approx(every.mean(), abs=0.01)
    assert found.longest == pytest.approx(every[-1], abs=0.02)
    for name, value in found.quantiles.items():
        assert value == pytest.approx(np.quantile(every, float(name)), abs=1 / 16 + 0.02, rel=0.05)
    expected = [np.count_nonzero((every >= a) & (every < b)) for a, b in pairwise(EDGES)]
    assert np.abs(found.lengths - expected).max() <= 0.02 * len(every)
    assert found.lengths.sum() == len(every)
    assert found.still == pytest.approx((every < 0.5).mean(), abs=0.01)
    still = [(flow.magnitude[flow.valid] < 0.5).mean() for flow in flows]
    assert found.still_pairs == pytest.approx(np.mean(np.array(still) >= 0.95))
    assert found.sizes == {"30x20": 4, "31x20": 3}
    assert statistics(folder, sample=3, seed=1).sampled == 3


def test_what_cannot_be_counted(made: tuple[Path, list[Flow]], tmp_path: Path) -> None:
    with pytest.raises(SettingError):
        statistics(made[0], threshold=0)
    with pytest.raises(SettingError):
        contact_sheet(made[0], 0)
    (tmp_path / "none").mkdir()
    with pytest.raises(FlowError):
        statistics(tmp_path / "none")


def test_a_sheet_shows_other_pairs_by_another_seed(made: tuple[Path, list[Flow]]) -> None:
    sheets = [contact_sheet(made[0], 3, seed=seed, arrows=True) for seed in range(3)]
    assert len({tuple(pair.name for pair in sheet.pairs) for sheet in sheets}) > 1
    rows = sheets[0].panel().rows
    assert [len(tiles) for _, tiles in rows] == [3, 3, 3]
    assert "px on average" in rows[0][1][1].caption
