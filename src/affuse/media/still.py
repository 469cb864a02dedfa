"""Files that are images, told by their content and never by their names."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from affuse.errors import BadInput
from affuse.execution.remembered import remembered
from affuse.media.geometry import Geometry, Size, exif_geometry
from affuse.media.memory import held_at

FORMATS = (
    "JPEG",
    "MPO",
    "PNG",
    "BMP",
    "TIFF",
    "WEBP",
    "GIF",
    "AVIF",
    "HEIF",
    "JPEG2000",
    "PPM",
)
"""Formats of images, by Pillow's names."""

SHOWN = 0.04
"""Seconds for which a single image counts, one twenty-fifth."""

_HEIF = rb"....ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1)"
_BEGINS = re.compile(
    rb"\xff\xd8\xff|\x89PNG|BM|II[*+]\0|MM\0[*+]|RIFF....WEBP|GIF8|....ftypavi[fs]|"
    rb"\0\0\0\x0cjP|\xff\x4f\xff\x51|P[1-6]\s|" + _HEIF,
    re.DOTALL,
)
_ORIENTATION = 0x0112  # tag of EXIF
_BRIEFEST = 0.011  # seconds; animations that ask for less are shown at ten images a second
_BY_FFMPEG = {"JPEG", "MPO", "PNG", "BMP", "WEBP"}  # as it decodes the same in a video
_MOVING = {"WEBP", "AVIF"}  # animations that FFmpeg does not read


@dataclass(frozen=True)
class Still:
    """A file that is an image, or an animation that FFmpeg cannot decode.

    Attributes:
        size: Width and height of the upright image, in pixels.
        times: Seconds at which each image begins, from 0.0.
        duration: Seconds.
    """

    size: Size
    times: tuple[float, ...]
    duration: float


def still_of(path: str | Path) -> Still | None:
    """What kind of image a file is; None when it is anything else.

    Images of several pages, exposures or resolutions are their first one. An animated GIF or PNG
    is None, for it is a video.

    Raises:
        BadInput: It is an image, but of more pixels than Pillow believes in, or damaged.
    """
    path = Path(path)
    if (held := held_at(path)) is not None:
        return Still(held.size, (0.0,), SHOWN) if held.is_still else None
    return _still_of(path) if path.is_file() else None


@remembered(256)
def _still_of(path: Path) -> Still | None:
    with _opened(path) as image:
        if image is None:
            return None
        animated = getattr(image, "is_animated", False)
        if animated and image.format in {"GIF", "PNG"}:
            return None
        if image.format == "JPEG" and _goes_on(path):
            return None
        times, duration = (0.0,), SHOWN
        if animated and image.format in _MOVING:
            starts = np.cumsum([0.0, *(seconds for _, seconds in _pages(image))]).tolist()
            times, duration = tuple(starts[:-1]), starts[-1]
        # Pillow turns TIFF itself
        turned = _orientation(image) >= 5 and image.format != "TIFF"
        return Still(image.size[::-1] if turned else image.size, times, duration)


def read_still(path: str | Path) -> Iterator[tuple[float, Any, Geometry]]:
    """Decode a file that `still_of` knows.

    What lies behind transparent parts is white; of more than 8 bits the upper ones count.

    Yields:
        Seconds at which an image begins, the frame of PyAV and its geometry.

    Raises:
        BadInput: It cannot be decoded, or ends too early.
    """
    path = Path(path)
    if (held := held_at(path)) is not None:
        yield from ((0.0, frame, Geometry(*held.size)) for frame in held.frames({"video"}))
        return
    still = still_of(path)
    assert still is not None
    with _opened(path) as image:
        assert image is not None
        try:
            for time, (page, _) in zip(still.times, _pages(image), strict=False):
                width, height = page.size
                geometry = exif_geometry(width, height, _orientation(page))
                yield time, _frame(page, path), geometry
        except Exception as error:  # each of Pillow's formats has errors of its own
            raise BadInput(path, f"is an image that cannot be decoded ({error})") from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Pillow's image; None when the file is not one of `FORMATS`."""
    with path.open("rb") as file:
        head = file.read(16)
    if not _BEGINS.match(head):
        yield None
        return
    from PIL import Image

    if re.match(_HEIF, head, re.DOTALL):
        import pi_heif

        pi_heif.register_heif_opener()
    Image.init()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image: Any = Image.open(path, formats=[f for f in FORMATS if f in Image.OPEN])
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise BadInput(path, f"is an image of more than {most} million pixels") from error
    except Exception as error:  # each of Pillow's formats has errors of its own
        if head[4:8] == b"ftyp":  # FFmpeg would take it for a film
            raise BadInput(path, "is an image that cannot be decoded (damaged)") from error
        yield None
        return
    with image:
        yield image


def _goes_on(path: Path) -> bool:
    """Whether another JPEG image follows at once: motion JPEG without a container."""
    data = path.read_bytes()
    container: Any
    try:
        with av.open(io.BytesIO(data), format="jpeg_pipe") as container:
            packet = next(container.demux(video=0), None)
    except (av.FFmpegError, OSError):
        return False
    end = 0 if packet is None else packet.size
    return data[:end].rstrip(b"\0").endswith(b"\xff\xd9") and data[end : end + 2] == b"\xff\xd8"


def _pages(image: Any) -> Iterator[tuple[Any, float]]:
    """The images of an animation and the seconds for which each is shown; else the first."""
    moving = getattr(image, "is_animated", False) and image.format in _MOVING
    for number in range(image.n_frames if moving else 1):
        if moving:
            image.seek(number)
        image.load()
        seconds = float(image.info.get("duration", 0)) / 1000
        yield image, seconds if seconds >= _BRIEFEST else 0.1


def _orientation(image: Any) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF data
        return 1
    return orientation if orientation in range(1, 9) else 1


def _frame(image: Any, path: Path) -> Any:
    """The image as it is stored, as a frame of PyAV."""
    container: Any
    if image.format in _BY_FFMPEG and image.mode in {"RGB", "L"}:
        try:
            with av.open(io.BytesIO(path.read_bytes())) as container:
                frame = next(container.decode(video=0))
            if (frame.width, frame.height) == image.size:
                return frame
        except (av.FFmpegError, StopIteration):
            pass
    return av.VideoFrame.from_ndarray(_rgb(image), format="rgb24")


def _rgb(image: Any) -> np.ndarray:
    """(H, W, 3) uint8 RGB of an image of any mode."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float64)
        # whole numbers have 16 bits, and others go from 0 to 1, unless they show that they do not
        largest = float(np.nan_to_num(values).max(initial=0))
        full = 65535 if largest > 255 or image.mode.startswith("I;16") else 255
        full = 1 if image.mode == "F" and largest <= 1 else full
        grey = np.nan_to_num(values).clip(0, full) * (255 / full)
        return np.repeat(grey.round().astype(np.uint8)[..., None], 3, 2)
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        picture = image.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return np.asarray(Image.alpha_composite(white, picture).convert("RGB"))
    return np.asarray(image.convert("RGB"))
