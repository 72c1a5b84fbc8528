"""NumPy's files: others' too, and never unpickled."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phosphene.errors import FlowError
from phosphene.motion.flow import Flow
from phosphene.motion.flow_files import read_flow, write_flow
from phosphene.motion.flow_files.npz import decode_npy, decode_npz, encode_npz

VECTORS = np.random.default_rng(2).normal(0, 10, (6, 9, 2)).astype(np.float32)


def saved(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_round_trip_keeps_every_bit(tmp_path: Path) -> None:
    flow = Flow.of(VECTORS, VECTORS[:, :, 0] > -5)
    write_flow(flow, tmp_path / "a.npz")
    back = read_flow(tmp_path / "a.npz")
    np.testing.assert_array_equal(back.vectors, flow.vectors)
    np.testing.assert_array_equal(back.valid, flow.valid)


@pytest.mark.parametrize(
    "arrays",
    [
        {"flow": VECTORS},
        {"vectors": VECTORS.astype(">f8")},
        {"anything": VECTORS, "label": np.arange(3)},
        {"flow": VECTORS.transpose(2, 0, 1), "image": np.zeros((6, 9, 3))},
        {"flow": np.asfortranarray(VECTORS)},
        {"flow": VECTORS, "note": np.array([{"a": 1}], dtype=object)},
    ],
    ids=["flow", "big-endian", "the only one", "channels first", "fortran", "beside objects"],
)
def test_others_files_are_understood(arrays: dict[str, Any]) -> None:
    np.testing.assert_array_equal(decode_npz(saved(**arrays), "a.npz").vectors, VECTORS)


def test_a_bare_array_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VECTORS)
    np.testing.assert_array_equal(read_flow(tmp_path / "a.npy").vectors, VECTORS)


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    trap = np.empty((2, 2, 2), dtype=object)
    with pytest.raises(FlowError, match=r"a\.npz holds Python objects, which are not unpickled"):
        decode_npz(saved(flow=trap), "a.npz")
    np.save(tmp_path / "a.npy", trap)
    with pytest.raises(FlowError, match=r"a\.npy holds Python objects"):
        read_flow(tmp_path / "a.npy")


def test_what_holds_no_flow_is_said() -> None:
    content = saved(image=np.zeros((4, 5)), label=np.arange(3))
    with pytest.raises(FlowError, match=r"a\.npz holds image \(4, 5\), label \(3,\), but no flow"):
        decode_npz(content, "a.npz")
    with pytest.raises(FlowError, match=r"a\.npz: an array of shape \(4, 5, 3\) is no flow"):
        decode_npz(saved(image=np.zeros((4, 5, 3))), "a.npz")
    with pytest.raises(FlowError, match=r"a\.npz: validity of shape \(2, 2\) does not fit"):
        decode_npz(saved(flow=VECTORS, valid=np.ones((2, 2))), "a.npz")
    with pytest.raises(FlowError, match=r"a\.npz holds nothing, but no flow"):
        decode_npz(saved(), "a.npz")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_refused(kept: float) -> None:
    content = encode_npz(Flow.of(VECTORS))
    with pytest.raises(FlowError, match=r"^a\.npz is damaged or cut short"):
        decode_npz(content[: int(kept * len(content))], "a.npz")


def test_a_damaged_byte_is_found() -> None:
    content = bytearray(encode_npz(Flow.of(VECTORS)))
    content[len(content) // 3] ^= 0xFF
    with pytest.raises(FlowError, match=r"^a\.npz is damaged"):
        decode_npz(bytes(content), "a.npz")


def _npy(shape: tuple[int, ...], data: bytes = b"") -> bytes:
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + data


@pytest.mark.parametrize(
    "shape", [(2**40, 2**40, 2), (40000, 40000, 2), (3, 3, 2), (-1, 1, 2), (2**62, 4, 2)]
)
def test_hostile_sizes_are_refused_before_anything_is_allocated(shape: tuple[int, ...]) -> None:
    member = _npy(shape, bytes(16))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("flow.npy", member)
    with pytest.raises(FlowError, match="damaged or cut short"):
        decode_npz(file.getvalue(), "a.npz")
    with pytest.raises(FlowError, match="damaged or cut short"):
        decode_npy(member, "a.npy")


def test_a_header_that_is_no_python_is_refused() -> None:
    content = _npy((6, 9, 2), VECTORS.tobytes()).replace(b"(6, 9, 2), }", b"((6, 9, 2, }")
    with pytest.raises(FlowError, match=r"^a\.npy is damaged"):
        decode_npy(content, "a.npy")


def test_a_member_longer_than_its_entry_says_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flow.npy", _npy((1000, 1000, 2), bytes(8_000_000)))
    content = file.getvalue()
    entry = content.rindex(b"PK\x01\x02")
    lied = content[: entry + 24] + (200).to_bytes(4, "little") + content[entry + 28 :]
    with pytest.raises(FlowError, match="damaged or cut short"):
        decode_npz(lied, "a.npz")
