"""Whatever a file says about how its images are to be shown, they are read as they are shown."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affuse.media.geometry import decompose
from affuse.media.probe import probe
from affuse.media.timestamps import picture_times
from affuse.media.video import Frame, read_frames

WIDTH, HEIGHT = 96, 72


def texture(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """(H, W, 3): smooth, and different in every corner and colour."""
    random = np.random.default_rng(3)
    small = random.integers(30, 220, (5, 7, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def shown_by(mirror: bool, degrees: float) -> np.ndarray:
    """(2, 2): where a point of the stored image is shown, from the middle, y downwards."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[cos, sin], [-sin, cos]])  # counter-clockwise for the eye
    return turn @ np.diag([-1.0 if mirror else 1.0, 1.0])


def stored(image: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """The image that must be stored for `image` to be seen, on a canvas that holds it."""
    height, width = image.shape[:2]
    bounds = np.abs(linear.T) @ (width, height)
    size = (round(float(bounds[0])), round(float(bounds[1])))
    inverse = np.hstack([linear.T, np.zeros((2, 1))])
    centre = np.array([width - 1, height - 1]) / 2
    inverse[:, 2] = (np.array(size) - 1) / 2 - linear.T @ centre
    return np.asarray(cv2.warpAffine(image, inverse, size, borderMode=cv2.BORDER_REPLICATE))


def write(
    path: Path,
    image: np.ndarray,
    linear: np.ndarray | None = None,
    aspect: Fraction | None = None,
    count: int = 2,
    codec: str = "png",
    pixels: str = "rgb24",
) -> Path:
    """A recording of one image, shown `count` times, with a display matrix and pixel shape."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = image.shape[1], image.shape[0], pixels
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if linear is not None:
            (a, c), (b, d) = (linear * 65536).round().astype(int).tolist()
            stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        for _ in range(count):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def first(path: Path) -> Frame:
    frame = next(read_frames(path))
    assert frame.rgb().shape == (frame.height, frame.width, 3)
    info = probe(path)
    assert (info.width, info.height) == (frame.width, frame.height)
    return frame


def middle(image: np.ndarray, width: int, height: int) -> np.ndarray:
    y, x = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[y : y + height, x : x + width].astype(float)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    mirror=st.booleans(),
    turns=st.integers(0, 3),
    angle=st.sampled_from([0.0, 0.0, -1.0, 1.0, 0.5, 7.0, -20.0, 44.0]),
    aspect=st.sampled_from([None, Fraction(1), Fraction(2), Fraction(1, 2), Fraction(64, 45)]),
)
def test_the_plain_twin_is_seen(
    tmp_path: Path, mirror: bool, turns: int, angle: float, aspect: Fraction | None
) -> None:
    image = texture()
    linear = shown_by(mirror, 90 * turns + angle)
    picture = stored(image, linear)
    ratio = float(aspect or 1)
    height, width = picture.shape[:2]
    if aspect is not None:
        size = (round(width / max(ratio, 1)), round(height * min(ratio, 1)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    frame = first(write(tmp_path / "r.mov", picture, linear, aspect))
    if abs(angle) <= 1:  # near enough to be left as it is
        assert abs(frame.width - WIDTH) <= 4 and abs(frame.height - HEIGHT) <= 4
    part = (WIDTH // 2, HEIGHT // 2)
    error = np.abs(middle(frame.rgb(), *part) - middle(image, *part)).mean()
    assert error < (3.0 if abs(angle) not in (0.5, 1.0) else 6.0)  # mirrored it would be 30
    small = frame.rgb(max_side=48)
    assert max(small.shape) == 48
    expected = cv2.resize(frame.rgb(), small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(float) - expected).mean() < 3


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_flips_and_quarter_turns_are_exact(tmp_path: Path, mirror: bool, turns: int) -> None:
    image = texture()
    linear = shown_by(mirror, 90 * turns)
    picture = np.rot90(image, -turns)
    picture = picture[:, ::-1] if mirror else picture
    frame = first(write(tmp_path / "r.mov", picture, linear))
    np.testing.assert_array_equal(frame.rgb(), image)


@pytest.mark.parametrize("degrees", [-1, 1, 89, 91, -179, 179, 271])
def test_an_angle_of_a_degree_is_the_nearest_quarter_turn(tmp_path: Path, degrees: int) -> None:
    image = texture()
    picture = np.rot90(image, -round(degrees / 90))
    frame = first(write(tmp_path / "r.mov", picture, shown_by(False, degrees)))
    np.testing.assert_array_equal(frame.rgb(), image)


def test_the_scale_of_a_display_matrix_does_not_distort() -> None:
    for scale in (0.01, 1.0, 300.0):
        matrix = np.zeros((3, 3))
        matrix[:2, :2] = scale * shown_by(True, 90).T
        assert decompose(matrix) == (True, 1, 0.0)


@pytest.mark.parametrize(
    "matrix", [np.zeros((3, 3)), np.ones((3, 3)), np.full((3, 3), np.nan), None]
)
def test_a_display_matrix_that_shows_nothing_is_ignored(matrix: np.ndarray | None) -> None:
    assert decompose(matrix) == (False, 0, 0.0)


@pytest.mark.parametrize("aspect", [Fraction(1, 100), Fraction(9, 1), Fraction(999, 1000)])
def test_absurd_and_nearly_square_pixels_are_taken_for_square(
    tmp_path: Path, aspect: Fraction
) -> None:
    frame = first(write(tmp_path / "r.mov", texture(), aspect=aspect))
    np.testing.assert_array_equal(frame.rgb(), texture())


def test_side_data_without_a_name_does_not_hide_the_display_matrix(tmp_path: Path) -> None:
    """A camera's JPEG images in a video carry EXIF data, which PyAV cannot list."""
    from PIL import Image

    image = texture()
    exif = Image.Exif()
    exif[0x0112] = 2
    Image.fromarray(image[:, ::-1]).save(tmp_path / "1.jpg", quality=95, exif=exif)
    data = (tmp_path / "1.jpg").read_bytes()
    path = tmp_path / "r.mov"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        container.start_encoding()
        for number in range(3):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            container.mux(packet)
    assert len(picture_times(path)) == 3
    assert np.abs(first(path).rgb().astype(float) - image).mean() < 4


def test_a_call_that_turns_on_the_way_keeps_its_size_and_proportions(tmp_path: Path) -> None:
    """A telephone is turned: the stream goes on with images of other proportions."""
    wide, high = texture(96, 72), texture(72, 96)
    parts = []
    for name, image in (("a", wide), ("b", high)):
        path = write(tmp_path / f"{name}.h264", image, codec="libx264", pixels="yuv420p")
        parts.append(path.read_bytes())
    (tmp_path / "both.h264").write_bytes(b"".join(parts))
    frames = list(read_frames(tmp_path / "both.h264"))
    assert {(frame.width, frame.height) for frame in frames} == {(96, 72)}
    last = frames[-1].rgb().astype(float)
    expected = cv2.resize(high, (54, 72), interpolation=cv2.INTER_AREA)
    assert np.abs(last[:, 21:75] - expected).mean() < 6
    assert last[:, :19].max() < 12 and last[:, 77:].max() < 12


def test_what_matroska_crops_is_not_seen(tmp_path: Path) -> None:
    path = tmp_path / "r.mkv"
    write(path, texture(), codec="ffv1", pixels="bgr0")
    data = path.read_bytes()
    # PixelCropLeft and PixelCropTop, in the place of an empty element behind those of the size
    size, empty = bytes.fromhex("b08160 ba8148"), bytes.fromhex("ec 0100000000000002 0000")
    unit, other = bytes.fromhex("54b28104"), bytes.fromhex("55ee8100")
    old = b"\xe0\x8a" + size + unit + other + empty
    assert data.count(old) == 1
    crop = bytes.fromhex("54cc8110 54bb810a")
    data = data.replace(old, b"\xe0\x8e" + size + crop + other + b"\xec\x85" + bytes(5))
    path.write_bytes(data)
    np.testing.assert_array_equal(first(path).rgb(), texture()[10:, 16:])


def with_clean_aperture(data: bytes, fields: list[int]) -> bytes:
    """An MP4 whose description comes last, with a `clap` in that of its images."""
    begins = [data.rindex(kind) - 4 for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl")]
    begins += [data.rindex(b"stsd") - 4, data.rindex(b"stsd") + 12]
    end = begins[-1] + int.from_bytes(data[begins[-1] : begins[-1] + 4], "big")
    box = struct.pack(">I4s8i", 40, b"clap", *fields)
    grown = bytearray(data[:end] + box + data[end:])
    for at in begins:
        grown[at : at + 4] = (int.from_bytes(grown[at : at + 4], "big") + 40).to_bytes(4, "big")
    return bytes(grown)


def test_what_lies_outside_of_the_clean_aperture_is_not_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "r.mov", texture(), shown_by(False, 90))
    # 80 x 60 pixels whose middle is 4 to the right of and 2 above that of the image
    path.write_bytes(with_clean_aperture(path.read_bytes(), [80, 1, 60, 1, 4, 1, -4, 2]))
    frame = first(path)
    np.testing.assert_array_equal(frame.rgb(), np.rot90(texture()[4:64, 12:92]))


@pytest.mark.parametrize("fields", [[0, 0, 0, 0, 0, 0, 0, 0], [900, 1, 900, 1, 0, 1, 0, 1]])
def test_a_clean_aperture_that_makes_no_sense_is_ignored(tmp_path: Path, fields: list[int]) -> None:
    path = write(tmp_path / "r.mov", texture())
    path.write_bytes(with_clean_aperture(path.read_bytes(), fields))
    np.testing.assert_array_equal(first(path).rgb(), texture())
