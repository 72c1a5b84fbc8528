"""Photographs of every sort come in as 8-bit RGB, or with one clear sentence not at all."""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms

from phosphene import image as images
from phosphene.errors import ImageError, OutputError

RAMP = np.linspace(0, 255, 40 * 50).reshape(40, 50).astype(np.uint8)
PIXELS = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], -1)
LEVELS = [0, 1000, 32768, 65535]


def photograph() -> Image.Image:
    return Image.fromarray(PIXELS)


def close(image: Image.Image, wanted: np.ndarray, tolerance: float = 0) -> bool:
    assert image.mode == "RGB"
    return bool((np.abs(np.asarray(image).astype(int) - wanted) <= tolerance).all())


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(size: tuple[int, int], depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    """A PNG by hand: kinds that Pillow does not write, and sizes that nobody has."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    body = [chunk(b"IHDR", header), *more, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def read(folder: Path, content: bytes, name: str = "photo.png") -> Image.Image:
    (folder / name).write_bytes(content)
    return images.read(folder / name)


# -- kinds of pixels ---------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm", ".webp"])
def test_plain_photographs(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    photograph().save(path, lossless=True) if suffix == ".webp" else photograph().save(path)
    assert close(images.read(path), PIXELS)
    assert close(images.as_photograph(str(path)), PIXELS)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV"])
def test_other_colour_spaces(tmp_path: Path, mode: str) -> None:
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        there = ImageCms.buildTransform(srgb, lab, "RGB", "LAB")
        other = ImageCms.applyTransform(photograph(), there)
        assert other is not None
    else:
        other = photograph().convert(mode)
    # 8 bits of L*a*b* are coarse where sRGB ends.
    tolerance = {"LAB": 26, "YCbCr": 4}.get(mode, 8)
    assert close(images.as_photograph(other), PIXELS, tolerance)
    if mode != "HSV":
        other.save(tmp_path / "photo.tif")
        assert close(images.read(tmp_path / "photo.tif"), PIXELS, tolerance)


def test_a_cmyk_jpeg_is_no_negative(tmp_path: Path) -> None:
    # Adobe's JPEGs hold CMYK inverted, and so do all others that are met with in practice.
    photograph().convert("CMYK").save(tmp_path / "adobe.jpg", quality=98)
    content = (tmp_path / "adobe.jpg").read_bytes()
    marker = content.index(b"\xff\xeeZ".replace(b"Z", b"\x00\x0eAdobe"))
    assert close(images.read(tmp_path / "adobe.jpg"), PIXELS, 10)
    plain = content[:marker] + content[marker + 16 :]
    assert close(read(tmp_path, plain, "plain.jpg"), PIXELS, 10)


def test_sixteen_bits(tmp_path: Path) -> None:
    grey = [[round(v / 257)] * 3 for v in LEVELS]
    rows = b"\0" + b"".join(struct.pack(">H", v) for v in LEVELS)
    assert close(read(tmp_path, png((4, 1), 16, 0, rows)), np.array([grey]), 1)
    colour = b"\0" + b"".join(struct.pack(">HHH", v, 0, 65535 - v) for v in LEVELS)
    wanted = np.array([[[v // 257, 0, 255 - v // 257] for v in LEVELS]])
    assert close(read(tmp_path, png((4, 1), 16, 2, colour)), wanted, 1)
    clear = png((4, 1), 16, 0, rows, chunk(b"tRNS", struct.pack(">H", 1000)))
    assert np.asarray(read(tmp_path, clear))[0, 1].tolist() == [255, 255, 255]
    Image.fromarray(np.array([LEVELS], np.uint16)).save(tmp_path / "photo.tif")
    assert close(images.read(tmp_path / "photo.tif"), np.array([grey]), 1)


@pytest.mark.parametrize(
    ("pixels", "wanted"),
    [
        (np.array([[0, 1000, 65535]], np.int32), [0, 4, 255]),
        (np.array([[0, 100, 255]], np.int32), [0, 100, 255]),
        (np.array([[-5, 100_000, 200_000]], np.int32), [0, 128, 255]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, np.nan, 1]], np.float32), [0, 0, 255]),
        (np.array([[0, 100, 255]], np.float32), [0, 100, 255]),
        (np.array([[0, 0, 65535]], np.float32), [0, 0, 255]),
        (np.zeros((1, 3), np.float32), [0, 0, 0]),
    ],
)
def test_deep_tiffs(tmp_path: Path, pixels: np.ndarray, wanted: list[int]) -> None:
    Image.fromarray(pixels).save(tmp_path / "photo.tif")
    assert np.asarray(images.read(tmp_path / "photo.tif"))[0, :, 1].tolist() == wanted


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_few_levels(tmp_path: Path, mode: str) -> None:
    image = photograph().convert(mode)
    image.save(tmp_path / "photo.png")
    assert close(images.read(tmp_path / "photo.png"), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGBa", "La"])
def test_transparency_is_on_white(mode: str) -> None:
    image = photograph() if mode.startswith("RGB") else photograph().convert("L")
    colours = np.asarray(image.convert("RGB"))
    image.putalpha(Image.fromarray(RAMP))
    shown = np.asarray(images.as_photograph(image.convert(mode))).astype(float)
    alpha = RAMP[..., None] / 255
    assert np.abs(shown - (colours * alpha + 255 * (1 - alpha))).max() <= 3


def test_a_palette_with_alpha_is_on_white() -> None:
    image = Image.new("RGBA", (2, 1), (100, 0, 0, 0))
    image.putpixel((1, 0), (200, 0, 0, 255))
    shown = np.asarray(images.as_photograph(image.convert("PA")))
    assert shown.tolist() == [[[255, 255, 255], [200, 0, 0]]]


def test_a_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "photo.png", transparency=1)
    assert np.asarray(images.read(tmp_path / "photo.png")).tolist() == [
        [[10, 20, 30], [255, 255, 255]]
    ]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_of_an_animation_the_first_frame(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("blue", "red", "red")]
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:])
    assert close(images.read(tmp_path / f"a{suffix}"), np.array([0, 0, 255]), 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_photographs_stand_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    corner = np.zeros((16, 32, 3), np.uint8)
    corner[:8, :8] = 255
    undo = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.get(orientation)
    stored = Image.fromarray(corner)
    if undo is not None:
        stored = stored.transpose(images._UPRIGHT[undo])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored.save(tmp_path / f"a{suffix}", exif=exif)
    found = images.read(tmp_path / f"a{suffix}")
    assert found.size == (32, 16)
    assert close(found, corner, 40)
    with Image.open(tmp_path / f"a{suffix}") as opened:
        assert close(images.as_photograph(opened), corner, 40)
        # What a person has turned by hand keeps the tag, and is not turned again.
        by_hand = opened.copy()
    assert images.as_photograph(by_hand).size == by_hand.size


def test_damaged_exif_is_no_reason_to_refuse(tmp_path: Path) -> None:
    photograph().save(tmp_path / "a.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    assert close(images.read(tmp_path / "a.png"), PIXELS)


# -- colour profiles ---------------------------------------------------------------------------


def swapped_profile() -> bytes:
    """An RGB profile whose red and green are each other's: what it does cannot be overlooked."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    tags = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, green = tags[b"rXYZ"] + 4, tags[b"gXYZ"] + 4
    profile[red : red + 8], profile[green : green + 8] = (
        profile[green : green + 8],
        profile[red : red + 8],
    )
    return bytes(profile)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colour_profiles_hold(tmp_path: Path, mode: str) -> None:
    red = Image.new("RGB", (4, 4), (250, 5, 5)).convert(mode)
    red.save(tmp_path / "a.png", icc_profile=swapped_profile())
    r, g, b = np.asarray(images.read(tmp_path / "a.png"))[0, 0].tolist()
    assert g > 240
    assert max(r, b) < 20


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("profile", [b"no profile at all", swapped_profile()])
def test_a_profile_that_does_not_fit_is_passed_over(mode: str, profile: bytes) -> None:
    image = photograph().convert(mode)
    image.info["icc_profile"] = profile
    shown = images.as_photograph(image)
    if mode != "RGB" or profile.startswith(b"no"):
        assert close(shown, np.asarray(image.convert("RGB")))


# -- files that are no photographs --------------------------------------------------------------


def jpeg(folder: Path, **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(folder / "whole.jpg", **options)
    return (folder / "whole.jpg").read_bytes()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95, 0.999])
def test_a_truncated_jpeg_is_no_half_grey_picture(
    tmp_path: Path, share: float, progressive: bool
) -> None:
    content = jpeg(tmp_path, progressive=progressive, quality=95)
    with pytest.raises(ImageError, match=r"cut\.jpg is damaged"):
        read(tmp_path, content[: int(len(content) * share)], "cut.jpg")


@pytest.mark.parametrize("suffix", [".png", ".gif", ".webp", ".tif", ".bmp", ".jp2"])
def test_truncated_files(tmp_path: Path, suffix: str) -> None:
    photograph().save(tmp_path / f"whole{suffix}")
    content = (tmp_path / f"whole{suffix}").read_bytes()
    with pytest.raises(ImageError, match=r"is damaged|no image"):
        read(tmp_path, content[: len(content) * 2 // 3], f"cut{suffix}")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a.jpg", "a.jpg is empty"),
        (b"only words\n" * 9, "a.jpg", "a.jpg is no image that can be read: give a JPEG"),
        (b"\0\0\0\x18ftypheic", "a.HEIC", "HEIC photograph, which is not read here: save it as"),
        (png((60_000, 60_000), 8, 2, b"\0"), "a.png", "3600000000 pixels, as a decompression bomb"),
        (png((0, 5), 8, 2, b"\0"), "a.png", "no image that can be read"),
    ],
)
def test_what_is_no_photograph(tmp_path: Path, content: bytes, name: str, message: str) -> None:
    with pytest.raises(ImageError, match=re.escape(message)) as raised:
        read(tmp_path, content, name)
    assert str(raised.value).startswith(str(tmp_path / name))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(), "may not be read: check its permissions"),
        (MemoryError(), "needs more memory than there is"),
        (OSError(errno.EIO, "Input/output error"), "is damaged"),
        (struct.error("unpack requires 4 bytes"), "is damaged"),
    ],
)
def test_a_file_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(Image, "open", fails)
    with pytest.raises(ImageError, match=message):
        images.read(tmp_path / "a.jpg")


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="there is no file"):
        images.read(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="is a folder"):
        images.read(tmp_path)


# -- arrays ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        PIXELS,
        PIXELS.astype(np.int64),
        PIXELS.astype(np.uint16) * 257,
        PIXELS / 255,
        (PIXELS / 255).astype(np.float32) + 1e-5,
        np.dstack([PIXELS, np.full_like(RAMP, 255)]),
        np.asfortranarray(PIXELS),
        torch.from_numpy(PIXELS.copy()),
    ],
    ids=["uint8", "int64", "uint16", "float64", "rounding", "alpha", "fortran", "tensor"],
)
def test_arrays(array: np.ndarray) -> None:
    assert close(images.as_photograph(array), PIXELS)


@pytest.mark.parametrize("array", [RAMP, RAMP[..., None], RAMP / 255, RAMP[::-1][::-1]])
def test_grey_arrays(array: np.ndarray) -> None:
    assert close(images.as_photograph(array), np.stack([RAMP] * 3, -1))


def test_masks() -> None:
    assert close(images.as_photograph(RAMP > 99), 255 * np.stack([RAMP > 99] * 3, -1))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((3, 5, 7)), r"shape \(3, 5, 7\) is no photograph.*channels first"),
        (np.zeros(7), r"shape \(7,\)"),
        (np.zeros((0, 4, 3)), "holds no pixels"),
        (np.full((4, 4), 2.0), "pixels run from 2 to 2: give floats"),
        (np.full((4, 4), np.nan), "pixels run from nan"),
        (np.full((4, 4), -1), "pixels run from -1 to -1"),
        (np.full((4, 4), 256), "pixels run from 256"),
        (np.zeros((4, 4), complex), "ndarray is no photograph"),
        (None, "NoneType is no photograph: give a file"),
        (b"\xff\xd8", "bytes is no photograph"),
        ({"photo": 1}, "dict is no photograph"),
        ([[1, 2], [3]], "list is no photograph"),
        (Image.new("RGB", (0, 4)), "an image of 0x4 holds no pixels"),
    ],
)
def test_what_is_no_array_of_pixels(given: object, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        images.as_photograph(given)  # type: ignore[arg-type]


def test_tensors_and_back() -> None:
    tensor = images.to_tensor(photograph())
    assert tensor.shape == (3, 40, 50)
    assert float(tensor.max()) == 1
    assert close(images.to_image(tensor), PIXELS)
    odd = torch.tensor([[[-1.0, 0.5, 2.0, float("nan")]]], dtype=torch.bfloat16)
    assert np.asarray(images.to_image(odd))[0, :, 2].tolist() == [0, 128, 255, 0]


# -- finding -----------------------------------------------------------------------------------


def test_folders_are_searched(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "Füße/猫.webp", "Füße/notes.txt", ".hidden.jpg", ".git/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    names = ["Füße/猫.webp", "a.png", "b.JPG"]
    found = images.find([tmp_path])
    assert sorted(str(p.relative_to(tmp_path)) for p in found) == sorted(names)
    assert found == sorted(found)
    # Each once, and what is named is taken whatever it is called.
    odd = tmp_path / "Füße" / "notes.txt"
    assert images.find([tmp_path / "b.JPG", odd, tmp_path]) == [
        tmp_path / "b.JPG",
        odd,
        *(p for p in found if p.name != "b.JPG"),
    ]


def test_a_hidden_folder_may_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.png").touch()
    assert images.find([tmp_path / ".cache"]) == [tmp_path / ".cache" / "a.png"]


def test_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="holds no image files"):
        images.find([tmp_path])
    with pytest.raises(ImageError, match="there is no file"):
        images.find([tmp_path / "none.jpg"])


# -- writing -----------------------------------------------------------------------------------


def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / ("n" * 250)
    for content in (b"first", b"second"):
        with images.replacing(target) as file:
            file.write(content)
            assert not target.exists() or target.read_bytes() == b"first"
        assert target.read_bytes() == content
    assert list(target.parent.iterdir()) == [target]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    with images.replacing(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"new"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("mine"), ImageError("mine")])
def test_what_goes_wrong_meanwhile_leaves_the_old_file(
    tmp_path: Path, error: BaseException
) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def write() -> None:
        with images.replacing(tmp_path / "a") as file:
            file.write(b"new")
            raise error

    with pytest.raises(type(error)):
        write()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("call", ["replace", "write"])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fails(*_: object) -> None:
        raise full

    def write() -> None:
        with images.replacing(tmp_path / "a.bin") as file:
            file.write(b"x")
            if call == "write":
                raise full

    if call == "replace":
        monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OutputError, match=r"a.bin cannot be written: No space left"):
        write()
    assert not list(tmp_path.iterdir())


def test_a_file_larger_than_allowed(tmp_path: Path) -> None:
    code = """if True:
        import resource, sys
        from PIL import Image
        from phosphene.errors import OutputError
        from phosphene.image import replacing
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        for kind in ("PNG", "JPEG", "WEBP"):
            try:
                with replacing(sys.argv[1]) as file:
                    noise = Image.effect_noise((500, 500), 90)
                    noise.save(file, kind, **({"quality": 100} if kind != "PNG" else {}))
            except OutputError as error:
                print(error)
    """
    target = tmp_path / "a.png"
    done = subprocess.run(
        [sys.executable, "-c", code, target], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done
    assert all(line.startswith(f"{target} cannot be written: ") for line in lines)
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for place, reason in (("file/a.png", "Not a directory|File exists"), ("folder", "directory")):
        with (
            pytest.raises(OutputError, match=f"cannot be written: .*({reason})"),
            images.replacing(tmp_path / place) as file,
        ):
            file.write(b"x")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with (
        pytest.raises(OutputError, match="Permission denied"),
        images.replacing(tmp_path / "file") as file,
    ):
        file.write(b"x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
