import io
import json
import tarfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import FlowError, OutputError, SettingError
from phosphene.motion.shards import Keys, ShardIndex, shards_of, writing


def write(path: Path, count: int = 3) -> Path:
    with writing(path) as shard:
        for i in range(count):
            members = {"jpg": bytes([i]) * (100 + 500 * i), "json": b"{}"}
            if i != 1:
                members["flow.png"] = b"flow" * i
            shard.add(f"cows-{i:04d}", members)
        shard.failed["dog.mp4"] = "it is empty"
        shard.facts["gap"] = 5
    return path


def member(path: Path, index: ShardIndex, suffix: str, i: int) -> bytes:
    offset, size = index.members[suffix][i]
    return path.read_bytes()[offset : offset + size]


def test_the_index_points_at_what_was_added(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs-000000.tar")
    index = ShardIndex.read(path)
    assert list(index.keys) == ["cows-0000", "cows-0001", "cows-0002"]
    assert member(path, index, "jpg", 2) == b"\x02" * 1100
    assert member(path, index, "flow.png", 2) == b"flowflow"
    assert index.members["flow.png"][1].tolist() == [-1, -1]
    assert index.members["jpg"].dtype == np.int64
    assert index.failed == {"dog.mp4": "it is empty"}
    assert index.facts == {"gap": 5}
    assert index.size == path.stat().st_size
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pairs-000000.json", "pairs-000000.tar"]


def test_it_is_a_tar_that_others_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar")
    with tarfile.open(path) as tar:
        assert tar.getnames()[:2] == ["cows-0000.jpg", "cows-0000.json"]
        first = tar.getmember("cows-0002.jpg")
        assert (first.mtime, first.uid, first.gid, first.mode) == (0, 0, 0, 0o644)
        assert tar.extractfile(first).read() == b"\x02" * 1100


def test_headers_say_the_same_as_the_index(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar")
    read, scanned = ShardIndex.read(path), ShardIndex.scan(path)
    assert scanned.keys == read.keys
    assert scanned.damage == ""
    assert scanned.members.keys() == read.members.keys()
    for suffix, places in read.members.items():
        np.testing.assert_array_equal(scanned.members[suffix], places)


def test_the_same_samples_are_the_same_bytes(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a" / "x.tar"), write(tmp_path / "b" / "x.tar")
    assert one.read_bytes() == other.read_bytes()
    assert one.with_suffix(".json").read_bytes() == other.with_suffix(".json").read_bytes()


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_shard_cut_short_is_refused(tmp_path: Path, kept: float) -> None:
    path = write(tmp_path / "a.tar")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(FlowError, match="cut short"):
        ShardIndex.read(path)


def test_a_scan_says_how_many_are_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", count=6)
    index = ShardIndex.read(path)
    path.write_bytes(path.read_bytes()[: index.members["flow.png"][4, 0] + 3])
    scanned = ShardIndex.scan(path)
    assert list(scanned.keys) == [f"cows-{i:04d}" for i in range(4)]
    assert "first 4 samples are whole" in scanned.damage


def test_a_damaged_header_ends_a_scan(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", count=6)
    content = bytearray(path.read_bytes())
    at = int(ShardIndex.read(path).members["jpg"][3, 0]) - 512
    content[at : at + 512] = b"\xff" * 512
    path.write_bytes(content)
    assert len(ShardIndex.scan(path)) == 3
    assert "damaged" in ShardIndex.scan(path).damage


def test_compressed_tars_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("a.jpg"), io.BytesIO())
    with pytest.raises(FlowError, match="gzip"):
        ShardIndex.scan(tmp_path / "a.tar")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"format": 1}', b"[" * 5000])
def test_an_index_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "a.tar")
    path.with_suffix(".json").write_bytes(content)
    with pytest.raises(FlowError, match="no index"):
        ShardIndex.read(path)


@pytest.mark.parametrize(
    "wrong",
    [
        [[0], [9]],
        [[0, 0, 10**9], [9, 9, 9]],
        [[0, -1, 0], [1, 1, 1]],
        [[0.5, 1, 1], [1, 1, 1]],
    ],
)
def test_an_index_that_points_nowhere(tmp_path: Path, wrong: list[list[int]]) -> None:
    path = write(tmp_path / "a.tar")
    beside = path.with_suffix(".json")
    given = json.loads(beside.read_text())
    given["members"]["jpg"] = wrong
    beside.write_text(json.dumps(given))
    with pytest.raises(FlowError, match="no index"):
        ShardIndex.read(path)


def test_nothing_is_left_of_a_shard_that_failed(tmp_path: Path) -> None:
    before = write(tmp_path / "a.tar").read_bytes()
    with suppress(ZeroDivisionError), writing(tmp_path / "a.tar") as shard:
        shard.add("b", {"jpg": b"b"})
        raise ZeroDivisionError
    assert (tmp_path / "a.tar").read_bytes() == before
    assert len(ShardIndex.read(tmp_path / "a.tar")) == 3
    assert len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_is_said_in_a_sentence() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    from phosphene.motion.shards.writing import ShardWriter

    with pytest.raises(OSError, match="space"), open("/dev/full", "wb", buffering=0) as file:
        ShardWriter(file).add("a", {"jpg": b"a"})
    with pytest.raises(OutputError), writing("/dev/null/a.tar") as shard:
        shard.add("a", {"jpg": b"a"})


@pytest.mark.parametrize("key", ["", "a.b", "x" * 200, "é"])
def test_keys_that_cannot_be(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingError), writing(tmp_path / "a.tar") as shard:
        shard.add(key, {"jpg": b""})


def test_a_key_stands_once(tmp_path: Path) -> None:
    with writing(tmp_path / "a.tar") as shard:
        shard.add("a", {"jpg": b""})
        with pytest.raises(SettingError, match="before"):
            shard.add("a", {"jpg": b""})


def test_an_empty_shard_is_a_shard(tmp_path: Path) -> None:
    with writing(tmp_path / "a.tar") as shard:
        shard.failed["x"] = "why"
    assert len(ShardIndex.read(tmp_path / "a.tar")) == 0


def test_shards_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in (2, 0, 1):
        write(tmp_path / f"p-{i:03d}.tar")
    monkeypatch.chdir(tmp_path)
    names = ["p-000.tar", "p-001.tar", "p-002.tar"]
    assert [p.name for p in shards_of(".")] == names
    assert [str(p) for p in shards_of("p-{000..001}.tar")] == names[:2]
    assert [str(p) for p in shards_of(["p-*.tar", "p-001.tar"])] == names
    with pytest.raises(FlowError, match=r"p-003\.tar"):
        shards_of("p-{002..003}.tar")


def test_keys_are_a_sequence() -> None:
    keys = Keys(["a", "bc", ""])
    assert list(keys) == ["a", "bc", ""]
    assert keys[-2] == "bc"
    assert keys[1:] == ["bc", ""]
    assert keys == Keys(["a", "bc", ""])
    assert keys != Keys(["ab", "c", ""])
    with pytest.raises(IndexError):
        keys[3]
