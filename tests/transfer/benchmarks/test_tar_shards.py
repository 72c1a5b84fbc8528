"""Tar shards of photographs and classes."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import ImageError, SettingError
from phosphene.transfer.benchmarks import open_tar_shards, overlap
from phosphene.transfer.benchmarks import tar_shards as module
from phosphene.transfer.benchmarks.records import InMemory
from tests.transfer.layouts import write_shards


@pytest.fixture
def shards(classes: InMemory, tmp_path: Path) -> Path:
    write_shards(classes, tmp_path)
    return tmp_path


def test_any_photograph_is_read_by_itself(classes: InMemory, shards: Path):
    found = open_tar_shards(shards, classes=classes.classes)
    assert found.classes == classes.classes
    assert np.array_equal(found.class_of, classes.class_of)
    assert found.notes == ()
    for index in (23, 0, 11, -1):
        error = np.asarray(found.image(index), float) - np.asarray(classes.image(index), float)
        assert np.abs(error).mean() < 6
    assert found.name(11) == "train00000011"
    copy = pickle.loads(pickle.dumps(found))
    assert copy.image(11).tobytes() == found.image(11).tobytes()


def test_the_same_as_webdataset_reads(shards: Path, classes: InMemory):
    """A literal reading of the format: in order, by the names up to the first dot."""
    samples: dict[str, dict[str, bytes]] = {}
    for path in sorted(shards.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                content = tar.extractfile(member)
                assert content is not None
                samples.setdefault(key, {})[suffix] = content.read()
    found = open_tar_shards(shards)
    assert [found.name(i) for i in range(len(found))] == list(samples)
    assert found.class_of.tolist() == [int(s["cls"]) for s in samples.values()]


def test_splits_are_words_in_names_or_folders(classes: InMemory, tmp_path: Path):
    write_shards(classes, tmp_path, "train")
    write_shards(classes, tmp_path, "val")
    assert open_tar_shards(tmp_path, "val").name(0) == "val00000000"
    assert len(open_tar_shards(tmp_path)) == 2 * len(classes)
    with pytest.raises(SettingError, match="no shard has 'test' in its name"):
        open_tar_shards(tmp_path, "test")
    write_shards(classes, tmp_path / "test", "other")
    assert open_tar_shards(tmp_path, "test").name(0) == "other00000000"
    ranges = open_tar_shards(f"{tmp_path}/demo-train-{{000000..000001}}.tar")
    assert len(ranges) == 20


def test_one_key_in_two_sets_is_no_overlap(classes: InMemory, tmp_path: Path):
    write_shards(classes, tmp_path / "a")
    write_shards(classes, tmp_path / "b")
    one, other = open_tar_shards(tmp_path / "a"), open_tar_shards(tmp_path / "b")
    assert overlap(one, other) == ()
    assert len(overlap(one, open_tar_shards(tmp_path / "a" / "demo-train-000001.tar"))) == 10


def test_an_index_is_kept_and_renewed(
    classes: InMemory, shards: Path, monkeypatch: pytest.MonkeyPatch
):
    index = shards / "index.npz"
    first = open_tar_shards(shards, index=index)
    with monkeypatch.context() as patched:
        patched.setattr(module, "_scanned", None)  # headers are not read again
        second = open_tar_shards(shards, index=index)
    assert [second.name(i) for i in range(24)] == [first.name(i) for i in range(24)]
    assert np.array_equal(first.class_of, second.class_of)
    assert first.image(7).tobytes() == second.image(7).tobytes()
    assert first.notes == second.notes
    write_shards(classes, shards, "more")
    assert len(open_tar_shards(shards, index=index)) == 48
    assert len(open_tar_shards(shards, index=index)) == 48


def test_another_file_is_no_index_and_stays(shards: Path):
    for content in (b"mine", b"PK\x03\x04nothing"):
        (shards / "notes.txt").write_bytes(content)
        with pytest.raises(ImageError, match=r"notes.txt is no index of these shards"):
            open_tar_shards(shards, index=shards / "notes.txt")
        assert (shards / "notes.txt").read_bytes() == content


def test_an_index_is_never_unpickled(shards: Path):
    bad = io.BytesIO()
    np.savez(bad, format=np.array([{}], dtype=object))
    (shards / "bad.npz").write_bytes(bad.getvalue())
    with pytest.raises(ImageError, match="no index"):
        open_tar_shards(shards, index=shards / "bad.npz")


def test_an_index_that_leads_out_of_the_shards_is_refused(shards: Path):
    index = shards / "index.npz"
    open_tar_shards(shards, index=index)
    with np.load(index) as kept:
        arrays = {name: kept[name] for name in kept.files}
    arrays["places"][3, 1] = 2**62
    np.savez(index, **arrays)
    with pytest.raises(ImageError, match="no index"):
        open_tar_shards(shards, index=index)


@pytest.mark.parametrize("label", [b"", b"cat", b"-1", b"3.5", b"\x80\x04K\x03.", b"1" * 40])
def test_a_class_is_a_number_in_plain_text(tmp_path: Path, label: bytes):
    _shard(tmp_path / "a.tar", {"one.jpg": b"x", "one.cls": label})
    with pytest.raises(ImageError, match=r"the class of one in .*a.tar is b"):
        open_tar_shards(tmp_path)


def test_samples_that_lack_something_are_said(tmp_path: Path, classes: InMemory):
    content = io.BytesIO()
    classes.image(0).save(content, "PNG")
    png = content.getvalue()
    members = {"a.png": png, "a.cls": b"2\n", "b.png": png, "c.cls": b"1", "d.txt": b"x"}
    _shard(tmp_path / "a.tar", members)
    found = open_tar_shards(tmp_path)
    assert len(found) == 1
    assert found.class_of.tolist() == [2]
    assert found.image(0).tobytes() == classes.image(0).tobytes()
    assert any(n.startswith("3 samples of ") and n.endswith(": b, c, d") for n in found.notes)
    assert any("classes have no names: 3 are taken" in note for note in found.notes)
    assert "no photograph is of 0, 1" in found.notes
    _shard(tmp_path / "a.tar", {"d.txt": b"x"})
    with pytest.raises(ImageError, match=r"each needs KEY.jpg and KEY.cls"):
        open_tar_shards(tmp_path)


def test_classes_need_names_enough(shards: Path, tmp_path: Path):
    names = tmp_path / "classes.txt"
    names.write_text("arrow\ncactus\n")
    with pytest.raises(ImageError, match="is of class 5, and 2 classes have names"):
        open_tar_shards(shards, classes=names)


def test_damaged_shards(shards: Path):
    path = shards / "demo-train-000001.tar"
    found = open_tar_shards(shards)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match="is cut off: fetch the shard again"):
        found.image(18)
    again = open_tar_shards(shards)
    assert 14 <= len(again) < 24
    assert any("is damaged" in note for note in again.notes)
    path.write_bytes(b"\x1f\x8b" + content)
    with pytest.raises(ImageError, match="is packed by gzip"):
        open_tar_shards(shards)
    with pytest.raises(ImageError, match="there is no shard"):
        open_tar_shards(shards / "other.tar")


def test_a_damaged_photograph_is_named(tmp_path: Path):
    _shard(tmp_path / "a.tar", {"one.jpg": b"no jpeg", "one.cls": b"0"})
    with pytest.raises(ImageError, match=r"one of .*a.tar cannot be read as an image"):
        open_tar_shards(tmp_path).image(0)


def _shard(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
