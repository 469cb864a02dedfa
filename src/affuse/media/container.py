"""Open local media files, and nothing that they or their names point to."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import av

from affuse.errors import BadInput

MAX_PIXELS = 1 << 28
"""Pixels of an image at most."""
RATES = (1000, 1_000_000)
"""Hz of sound at least and at most."""

# Formats that open other files or the network, read devices, or draw what they read.
_LEFT_OUT = {
    "adf", "alsa", "asf_stream", "avfoundation", "bin", "bktr", "concat", "concatf", "dash",
    "dshow", "fbdev", "gdigrab", "hls", "idf", "iec61883", "image2pipe", "imf", "jack", "kmsgrab",
    "lavfi", "libcdio", "libdc1394", "live_flv", "msnwctcp", "openal", "oss", "pulse", "rtp",
    "rtsp", "sap", "sdp", "smoothstreaming", "tty", "vfwcap", "video4linux2,v4l2", "vobsub",
    "webm_dash_manifest", "x11grab", "xbin", "xcbgrab",
}  # fmt: skip


@cache
def _options() -> dict[str, str]:
    formats = sorted(av.formats_available - _LEFT_OUT)
    return {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(formats),
        "pattern_type": "none",  # a % in a name is no pattern of names
        "max_pixels": str(MAX_PIXELS),
    }


@contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """Open a media file for one pass and close it again.

    Args:
        path: A file of this machine.

    Raises:
        BadInput: It is no file, or none that can be decoded.
    """
    check_file(path)
    try:
        container: Any = av.open(
            f"file:{path.absolute()}", options=_options(), metadata_errors="replace"
        )
    except Exception as error:  # PyAV raises ValueError, MemoryError, OverflowError and more
        raise BadInput(path, f"not a recording that can be decoded ({reason(error)})") from error
    with container:
        yield container


def check_file(path: Path) -> os.stat_result:
    """Refuse what is not a file with something in it.

    Returns:
        What the system says about it.

    Raises:
        BadInput: It is not there, a folder, a pipe or a device, or empty.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise BadInput(path, "no such file") from error
    except (OSError, ValueError) as error:
        raise BadInput(path, f"cannot be read ({reason(error)})") from error
    if stat.S_ISDIR(status.st_mode):
        raise BadInput(path, "is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(path, "is a pipe or a device; recordings are files")
    if status.st_size == 0:
        raise BadInput(path, "is empty")
    return status


def reason(error: Exception) -> str:
    """What went wrong, in one line."""
    if getattr(error, "errno", None) == errno.ENOMEM:
        return "a size that it states asks for more memory than there is"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())


def absurd(stream: Any) -> str | None:
    """What a stream says that cannot be; None for a sane one."""
    context = stream.codec_context
    if stream.type == "video" and context.width * context.height > MAX_PIXELS:
        return f"its images are said to have {context.width} x {context.height} pixels"
    if stream.type == "audio" and not RATES[0] <= (context.sample_rate or RATES[0]) <= RATES[1]:
        return f"its sound is said to have a sample rate of {context.sample_rate:,} Hz"
    return None


def packets_of(container: Any, streams: Any) -> Iterator[Any]:
    """Yield the packets of one or more streams of an open container.

    Raises:
        av.FFmpegError: The file is damaged; there are no more.
    """
    while True:
        try:
            yield from container.demux(streams)
        except IndexError:  # PyAV at a packet of a stream that was not announced; it goes on after
            continue
        return
