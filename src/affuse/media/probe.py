"""Open a recording and say what is in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from affuse.errors import BadInput
from affuse.media.cropping import cropping
from affuse.media.geometry import geometry_of
from affuse.media.still import still_of

log = logging.getLogger(__name__)

SEEKABLE = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
"""Containers whose time stamps mean the same after a jump as in a read from the beginning."""

WORTH_A_JUMP = 5.0
"""Seconds from the beginning up to which decoding is as quick as jumping."""


@dataclass(frozen=True)
class MediaInfo:
    """What is in a recording.

    Attributes:
        path: The file.
        duration: In seconds, as the file says; a truncated file may hold less.
        has_video: Whether it has moving pictures; cover art does not count.
        has_audio: Whether it has sound.
        width: Of the upright picture, in pixels; 0 without pictures.
        height: Of the upright picture, in pixels; 0 without pictures.
        fps: Mean frame rate in Hz; 0.0 without pictures.
        rotation: Degrees counter-clockwise by which the stored picture is turned to be upright.
        sample_rate: Of the sound, in Hz; 0 without sound.
        channels: Of the sound; 0 without sound.
        still: Whether it is a single picture.
    """

    path: Path
    duration: float
    has_video: bool
    has_audio: bool
    width: int = 0
    height: int = 0
    fps: float = 0.0
    rotation: int = 0
    sample_rate: int = 0
    channels: int = 0
    still: bool = False


@dataclass(frozen=True)
class Recording:
    """An open recording.

    Attributes:
        path: The file.
        container: PyAV's input container.
        video: The stream of pictures, or None.
        audio: The stream of sound, or None.
        origin: Time stamp in seconds of the beginning: the earlier of the streams' first ones.
    """

    path: Path
    container: Any
    video: Any
    audio: Any
    origin: float

    def time_of(self, frame: Any) -> float | None:
        """Seconds of the recording at which a decoded frame begins; None when nothing tells."""
        return None if frame.time is None else float(frame.time) - self.origin

    @property
    def duration(self) -> float:
        """Length in seconds as the file says, 0.0 when it does not."""
        return (self.container.duration or 0) / 1e6

    def decode(self, stream: Any, start: float = 0.0) -> Iterator[Any]:
        """Yield the frames of one stream, as far and as well as they can be decoded.

        Damaged parts are left out, with a warning in the log.

        Args:
            stream: `video` or `audio`.
            start: Frames before this time, in seconds of the recording, may be left out.

        Raises:
            BadInput: Nothing can be decoded.
        """
        frames = self._decode_from_here(stream)
        first = None
        if start > WORTH_A_JUMP and self.container.format.name in SEEKABLE:
            self._seek(self.origin + start)
            first = next(frames, None)
            if first is None or first.time is None or first.time > self.origin + start:
                self._seek(0.0)  # a file without an index can land too late
                frames = self._decode_from_here(stream)
                first = None
        first = first or next(frames, None)
        if first is None:
            raise BadInput(self.path, f"its {stream.type} cannot be decoded")
        yield first
        yield from frames

    def _seek(self, time_stamp: float) -> None:
        try:
            self.container.seek(int(time_stamp * av.time_base))
        except av.FFmpegError:
            log.debug("%s: cannot jump to %.3f s", self.path, time_stamp)

    def _decode_from_here(self, stream: Any) -> Iterator[Any]:
        damaged = 0
        packets = self.container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                frames = [] if packet is None else packet.decode()
            except av.FFmpegError:
                damaged += 1
                continue
            if packet is None:
                break
            yield from frames
        if damaged:
            log.warning("%s: %d parts of its %s are damaged", self.path, damaged, stream.type)


@contextmanager
def open_recording(path: str | Path) -> Iterator[Recording]:
    """Open a recording for one pass and close it again.

    Raises:
        BadInput: There is no such file, or neither sound nor pictures in it.
    """
    path = Path(path)
    if path.is_dir():
        raise BadInput(path, "is a directory")
    if not path.exists():
        raise BadInput(path, "no such file")
    if path.is_file() and path.stat().st_size == 0:
        raise BadInput(path, "is empty")
    try:
        container: Any = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(path, f"not a recording that can be decoded ({reason})") from error
    with container:
        if container.format.name == "tty":  # FFmpeg would draw a text file
            raise BadInput(path, "not a recording that can be decoded (text)")
        video, audio = streams_of(container)
        if video is None and audio is None:
            raise BadInput(path, "has neither sound nor pictures")
        streams = [stream for stream in (video, audio) if stream is not None]
        if video is not None:
            # one core when the process is held to one, as the workers of affuse.execution are
            single = os.environ.get("OMP_NUM_THREADS") == "1"
            video.thread_type = "NONE" if single else "AUTO"
            video.thread_count = 1 if single else 0
        starts = [s.start_time * s.time_base for s in streams if s.start_time is not None]
        yield Recording(path, container, video, audio, float(min(starts, default=0.0)))


def streams_of(container: Any) -> tuple[Any, Any]:
    """The first streams of moving pictures and of sound in an open container, or None each."""
    video = next(filter(_is_video, container.streams.video), None)
    audio = next(filter(_is_decodable, container.streams.audio), None)
    return video, audio


def _is_decodable(stream: Any) -> bool:
    return stream.codec_context is not None


def _is_video(stream: Any) -> bool:
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return _is_decodable(stream) and not Disposition(stream.disposition) & still


def frame_rate(stream: Any) -> float:
    """Mean frame rate of a stream of pictures in Hz; 25.0 when the file does not tell."""
    return float(stream.average_rate or stream.guessed_rate or 25)


def probe(path: str | Path) -> MediaInfo:
    """Say what is in a recording; a stream of which nothing can be decoded does not count.

    Raises:
        BadInput: The file cannot be opened, or nothing in it can be decoded.
    """
    if (still := still_of(path)) is not None:
        width, height = still.size
        count = len(still.times)
        rate = count / still.duration
        return MediaInfo(
            Path(path), still.duration, True, False, width, height, rate, still=count == 1
        )
    found: dict[str, Any] = {}
    failure = None
    for kind in ("video", "audio"):
        with open_recording(path) as recording:
            stream = getattr(recording, kind)
            if stream is None:
                continue
            if kind == "video":
                stream.thread_type = "NONE"  # threads would decode more than the one picture
            try:
                frame = next(recording.decode(stream))
            except BadInput as error:
                failure = error
                continue
            found[f"has_{kind}"] = True
            if kind == "video":
                crop = cropping(path, stream.index, stream.width, stream.height)
                width, height = geometry_of(frame, stream.sample_aspect_ratio, crop).size
                found |= {"width": width, "height": height, "rotation": frame.rotation}
                found["fps"] = frame_rate(stream)
            else:
                found |= {"sample_rate": frame.sample_rate, "channels": frame.layout.nb_channels}
    if failure is not None and not found:
        raise failure
    return MediaInfo(
        Path(path), _duration(path), **{"has_video": False, "has_audio": False} | found
    )


def _duration(path: str | Path) -> float:
    """Seconds as the container says, or else from the time stamps of its packets."""
    with open_recording(path) as recording:
        if recording.container.duration:
            return recording.duration
        end = recording.origin
        pictures = 0
        for packet in recording.container.demux(recording.video or recording.audio):
            pictures += packet.stream is recording.video and packet.size > 0
            if packet.pts is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if end == recording.origin and pictures:  # a bare stream without time stamps
            return pictures / frame_rate(recording.video)
        return end - recording.origin
