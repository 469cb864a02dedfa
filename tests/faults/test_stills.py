"""A file is an image when its content says so; its name, depth and orientation do not matter."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from affuse.cli.main import main
from affuse.errors import BadInput
from affuse.media.probe import probe
from affuse.media.timestamps import picture_times
from affuse.media.video import read_frames
from tests.faults.test_geometry import texture
from tests.predictions import timeline_of

# texture(64, 48), HEVC in HEIF, stored upright on its side with an `irot` of three quarter turns
HEIC = """
    AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAA
    AAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAVEAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABo
    dmMxAAAAAA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEA
    GEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAA
    AwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAADAAAAAB
    AAAAQAAAAAH////wAAAAAgAAAAAAAAACAAAAEGlyb3QDAAAAAAAAAAAAABhpcG1hAAAAAAAAAAEAAQWBAgOEhQAAAVlt
    ZGF0AAABTSgBrwngPfU+dXWWVsNAU7BD4Q40onJ9HLVkFHLaFrytaLH/42SHNj4DxjP8r5A/FyVBqeZePL7oiZ+b15zH
    tMhJTvaPlF1l62cOienWgLlAKMcjGqxi1m7xkq09s3NVvMx60OXKyNhFgZHqLO2kG/WLQ3Qjj6tzyl32ET3YAaf1pSvb
    NZqtjqJfnE5+nazPfClQjqAMOH+NQFfICFHYVjPPT8v4HA+haH8OQJ+/EYli27sxwdrO05t4EU7l2/NcNgI2hDd2snT8
    WVc7lz3ItwV7a2rZH0JtNun16SUbb8h4LZyl9H+cX4vaTn3VBqME97WFqXJlg8vbTykQkYQDZoz7D5fWG7CCoV2MPzUo
    4wCKUyXRAlcuLmPOqZQx/PXbZw10GqAiYIGLSchQ7alUzPeN/nRFZmimOrKB7Zb3ey+MvXLJCuPg1sYW414U3A==
"""


def read(path: Path) -> np.ndarray:
    """The only image, (H, W, 3), at time 0."""
    (frame,) = read_frames(path)
    assert frame.time == 0 and picture_times(path).tolist() == [0.0]
    info = probe(path)
    assert info.still and info.has_video and not info.has_audio
    assert (info.width, info.height) == (frame.width, frame.height)
    return frame.rgb()


def differs(picture: np.ndarray, other: np.ndarray) -> float:
    assert picture.shape == other.shape
    return float(np.abs(picture.astype(float) - other).mean())


def oriented(image: np.ndarray, orientation: int) -> np.ndarray:
    """What is stored for `image` to be seen with an EXIF orientation (row 0 and column 0 of it)."""
    edges = {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: image.transpose(1, 0, 2),
        6: image[:, ::-1].transpose(1, 0, 2),
        7: image[::-1, ::-1].transpose(1, 0, 2),
        8: image[::-1].transpose(1, 0, 2),
    }
    return np.ascontiguousarray(edges[orientation])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(oriented(texture(), orientation))
    lossless = {"lossless": True} if kind == "WEBP" else {}
    picture.save(tmp_path / "r", kind, exif=exif, quality=95, **lossless)
    assert differs(read(tmp_path / "r"), texture()) < 4


KINDS = ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "AVIF", "GIF", "JPEG2000", "PPM"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["noname", "wrong.mp4", "wrong.jpg", "a.b.heic"])
def test_pictures_are_told_by_content(tmp_path: Path, kind: str, name: str) -> None:
    Image.fromarray(texture()).save(tmp_path / name, kind)
    assert differs(read(tmp_path / name), texture()) < 6


@pytest.mark.parametrize("name", ["photo.heic", "noname"])
def test_a_telephone_s_picture_is_read_upright(tmp_path: Path, name: str) -> None:
    pytest.importorskip("pi_heif")
    (tmp_path / name).write_bytes(base64.b64decode(HEIC))
    assert differs(read(tmp_path / name), texture(64, 48)) < 5


def test_colours_of_every_depth_and_mode(tmp_path: Path) -> None:
    image, path = texture(), tmp_path / "r"
    grey = np.asarray(Image.fromarray(image).convert("L"))
    deep, deep_grey = image.astype(np.uint16) * 257, grey.astype(np.uint16) * 257
    expected = np.repeat(grey[..., None], 3, 2)
    for suffix in (".png", ".tiff"):
        cv2.imwrite(str(tmp_path / f"d{suffix}"), deep[..., ::-1])
        assert differs(read(tmp_path / f"d{suffix}"), image) < 1
        cv2.imwrite(str(tmp_path / f"g{suffix}"), deep_grey)
        assert differs(read(tmp_path / f"g{suffix}"), expected) < 1
    cv2.imwrite(str(tmp_path / "f.tiff"), grey.astype(np.float32) / 255)
    assert differs(read(tmp_path / "f.tiff"), expected) < 1
    picture = Image.fromarray(image)
    for mode, kind, error in [
        ("L", "PNG", 1.0),
        ("LA", "PNG", 1.0),
        ("L", "JPEG", 3.0),
        ("RGBA", "PNG", 0.0),
        ("P", "PNG", 20.0),
        ("CMYK", "JPEG", 4.0),
        ("CMYK", "TIFF", 1.0),
    ]:
        picture.convert(mode).save(path, kind, quality=95)
        wanted = expected if mode.startswith("L") else image
        assert differs(read(path), wanted) <= error, (mode, kind)
    picture.convert("1").save(path, "PNG")
    assert set(np.unique(read(path))) == {0, 255}


def test_behind_what_is_transparent_it_is_white(tmp_path: Path) -> None:
    image = texture()
    alpha = np.full(image.shape[:2], 255, np.uint8)
    alpha[:20] = 0
    Image.fromarray(np.dstack([image, alpha])).save(tmp_path / "r.png")
    picture = read(tmp_path / "r.png")
    assert (picture[:20] == 255).all()
    np.testing.assert_array_equal(picture[20:], image[20:])


def test_of_several_pages_the_first_is_read(tmp_path: Path) -> None:
    first, other = Image.fromarray(texture()), Image.fromarray(texture()[::-1].copy())
    for name, kind in (("scan.tiff", "TIFF"), ("phone.jpg", "MPO")):
        first.save(tmp_path / name, kind, save_all=True, append_images=[other], quality=95)
        assert differs(read(tmp_path / name), texture()) < 4


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_animations_are_videos(tmp_path: Path, kind: str) -> None:
    pictures = [Image.fromarray(np.roll(texture(), 8 * i, 1)) for i in range(4)]
    options: dict[str, Any] = {"duration": [200, 400, 200, 200], "quality": 95}
    pictures[0].save(tmp_path / "r", kind, save_all=True, append_images=pictures[1:], **options)
    frames = list(read_frames(tmp_path / "r"))
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.2, 0.6, 0.8], abs=0.011)
    assert picture_times(tmp_path / "r") == pytest.approx([0.0, 0.2, 0.6, 0.8], abs=0.011)
    for frame, picture in zip(frames, pictures, strict=True):
        assert differs(frame.rgb(), np.asarray(picture)) < 6
    info = probe(tmp_path / "r")
    assert not info.still and info.has_video and not info.has_audio
    assert (info.width, info.height) == (96, 72)


def test_motion_jpeg_without_a_container_is_a_video(tmp_path: Path) -> None:
    Image.fromarray(texture()).save(tmp_path / "one.jpg", quality=95)
    data = (tmp_path / "one.jpg").read_bytes()
    (tmp_path / "noname").write_bytes(data * 5)
    assert len(list(read_frames(tmp_path / "noname"))) == 5
    assert not probe(tmp_path / "noname").still
    (tmp_path / "photo.jpg").write_bytes(data + b"\0\0\0\x18ftypmp42" + data)
    assert differs(read(tmp_path / "photo.jpg"), texture()) < 4, "with a film behind it"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "AVIF", "BMP"])
def test_a_picture_that_ends_too_early_is_one_line(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "photo"
    Image.fromarray(texture()).save(path, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(BadInput, match="photo"):
        list(read_frames(path))
    assert main(["predict", str(path), "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.count("photo") == 1 and "Traceback" not in err


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_telephone_s_picture_that_ends_too_early_is_one_line(
    tmp_path: Path, share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pi_heif")
    data = base64.b64decode(HEIC)
    (tmp_path / "photo.heic").write_bytes(data[: round(share * len(data))])
    assert main(["predict", str(tmp_path / "photo.heic"), "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.count("photo.heic: is an image that cannot be decoded") == err.count("photo") == 1


def test_a_picture_of_absurd_size_is_one_line(tmp_path: Path) -> None:
    Image.fromarray(texture()).save(tmp_path / "r.bmp")
    data = bytearray((tmp_path / "r.bmp").read_bytes())
    data[18:26] = (60_000).to_bytes(4, "little") * 2
    (tmp_path / "r.bmp").write_bytes(data)
    for read_it in (probe, lambda path: list(read_frames(path))):
        with pytest.raises(BadInput, match="more than 178 million pixels"):
            read_it(tmp_path / "r.bmp")


def test_one_photograph_is_read_alike_however_it_is_stored(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    from affuse.corpora.synthetic.portrait import photograph

    image = photograph()
    plain = tmp_path / "plain.png"
    Image.fromarray(image).save(plain)
    expected = timeline_of(plain)
    assert expected.presence["video"].share == 1
    exif = Image.Exif()
    exif[0x0112] = 7
    Image.fromarray(oriented(image, 7)).save(tmp_path / "seven", "JPEG", quality=98, exif=exif)
    Image.fromarray(image).save(tmp_path / "photo.jfif", "JPEG", quality=98)
    Image.fromarray(image).save(tmp_path / "noname", "TIFF")
    Image.fromarray(image).save(tmp_path / "photo.avif", "AVIF", quality=90)
    for name in ("seven", "photo.jfif", "noname", "photo.avif"):
        found = timeline_of(tmp_path / name)
        np.testing.assert_allclose(found.overall, expected.overall, atol=0.05)
