"""Reading by content, writing by suffix, and nothing half-written."""

from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import FlowError, OutputError
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files import read_flow, write_flow

FLOW = Flow.of(np.random.default_rng(0).uniform(-20, 20, (8, 12, 2)))


@pytest.mark.parametrize("suffix", [".flo", ".png", ".npz"])
def test_content_counts_not_the_name(suffix: str, tmp_path: Path) -> None:
    write_flow(FLOW, tmp_path / f"a{suffix}")
    (tmp_path / f"a{suffix}").rename(tmp_path / "b.dat")
    back = read_flow(tmp_path / "b.dat")
    np.testing.assert_allclose(back.vectors, FLOW.vectors, atol=1 / 128)


def test_unknown_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"a\.txt is no name for flow: let it end in \.flo"):
        write_flow(FLOW, tmp_path / "a.txt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "is empty"), (b"\xff\xd8\xff\xe0 a photograph", "is no flow")]
)
def test_other_files_are_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.flo").write_bytes(content)
    with pytest.raises(FlowError, match=rf"a\.flo {said}: give a Middlebury \.flo, a KITTI"):
        read_flow(tmp_path / "a.flo")


def test_missing_files_and_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"there is no file .*a\.flo: check the path"):
        read_flow(tmp_path / "a.flo")
    with pytest.raises(FlowError, match="is a folder"):
        read_flow(tmp_path)


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file, no folder")
    with pytest.raises(OutputError, match="cannot be written"):
        write_flow(FLOW, tmp_path / "a" / "b.flo")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_failure_on_the_way_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_flow(FLOW, tmp_path / "a.flo")
    before = (tmp_path / "a.flo").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("phosphene.image.os.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_flow(Flow.of(np.zeros((3, 3, 2))), tmp_path / "a.flo")
    assert (tmp_path / "a.flo").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
