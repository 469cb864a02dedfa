"""Open a recording and say what is in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import av

from affuse.corpora.clip import Tracks
from affuse.errors import BadInput, Unusable
from affuse.media.container import MAX_PIXELS, open_container, packets_of
from affuse.media.contents import Contents, contents_of
from affuse.media.cropping import Crop, cropping
from affuse.media.geometry import Geometry, geometry_of
from affuse.media.memory import TICK, InMemory, held_at
from affuse.media.still import still_of
from affuse.media.timing import Clock

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
        duration: In seconds, of what is there, whatever the file says.
        has_video: Whether it has moving images; cover art does not count.
        has_audio: Whether it has sound.
        width: Of the upright image, in pixels; 0 without images.
        height: Of the upright image, in pixels; 0 without images.
        fps: Mean frame rate in Hz; 0.0 without images.
        rotation: Degrees counter-clockwise by which the stored image is turned to be upright.
        sample_rate: Of the sound, in Hz; 0 without sound.
        channels: Of the sound; 0 without sound.
        tracks: Which tracks of sound and images are read.
        audio_tracks: How many tracks of sound there are.
        video_tracks: How many tracks of images there are.
        stated: In seconds, as the file says; None where it does not.
        still: Whether it is a single image.
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
    tracks: Tracks = field(default_factory=Tracks)
    audio_tracks: int = 0
    video_tracks: int = 0
    stated: float | None = None
    still: bool = False


@dataclass(frozen=True)
class Recording:
    """An open recording.

    Attributes:
        path: The file.
        container: PyAV's input container.
        video: The stream of images, or None.
        audio: The stream of sound, or None.
        contents: When what is there happens.
    """

    path: Path
    container: Any
    video: Any
    audio: Any
    contents: Contents
    _clocks: dict[str, Clock] = field(default_factory=dict)
    _geometries: dict[tuple[int, int, int], Geometry] = field(default_factory=dict)

    def time_of(self, frame: Any) -> float | None:
        """Seconds of the recording at which a frame begins; None when nothing tells.

        Frames are asked about in the order in which `decode` yields them.
        """
        kind = "video" if isinstance(frame, av.VideoFrame) else "audio"
        if frame.time is None or kind not in self._clocks:
            return None
        return self._clocks[kind].time_of(float(frame.time) * self.contents.scales[kind])

    @property
    def frame_rate(self) -> float:
        """Mean frame rate in Hz; 0.0 without images."""
        return self.contents.frame_rate

    @property
    def duration(self) -> float:
        """Length in seconds of what is there."""
        return self.contents.duration

    @cached_property
    def _crop(self) -> Crop:
        return cropping(self.path, self.video.index, self.video.width, self.video.height)

    def geometry_of(self, picture: Any) -> Geometry:
        """How a decoded image is shown, as its stream and the container say."""
        # to ask a frame of PyAV for all that comes with it keeps it until garbage is collected
        known = picture.width, picture.height, picture.rotation
        if known not in self._geometries:
            aspect = self.video.sample_aspect_ratio
            self._geometries[known] = geometry_of(picture, aspect, self._crop)
        return self._geometries[known]

    def decode(self, stream: Any, start: float = 0.0) -> Iterator[Any]:
        """Yield the frames of one stream, as far and as well as they can be decoded.

        Damaged parts are left out, with a warning in the log.

        Args:
            stream: `video` or `audio`.
            start: Frames before this time, in seconds of the recording, may be left out.

        Raises:
            Unusable: Nothing can be decoded.
        """
        self._start_clock(stream)
        frames = self._decode_from_here(stream)
        first = None
        stamp = self.stamp_of(stream, start) if start > WORTH_A_JUMP else None
        if stamp is not None:
            self._seek(stamp)
            first = next(frames, None)
            if first is None or first.time is None or first.time > stamp:
                self._seek(0.0)  # a file without an index can land too late
                frames = self._decode_from_here(stream)
                first = None
        first = first or next(frames, None)
        if first is None:
            raise Unusable(self.path, f"its {stream.type} cannot be decoded")
        yield first
        yield from frames

    def decode_all(self, streams: Sequence[Any]) -> Iterator[Any]:
        """Yield the frames of several streams in the order of the file; see `decode`.

        Args:
            streams: `video` and `audio`.
        """
        for stream in streams:
            self._start_clock(stream)
        yield from self._decode_from_here(*streams)

    def _start_clock(self, stream: Any) -> None:
        track = getattr(self.contents.timing, stream.type)
        if track is not None:
            self._clocks[stream.type] = Clock(track)

    def stamp_of(self, stream: Any, time: float) -> float | None:
        """The time stamp in seconds to jump to for a second of the recording; None for no jumps."""
        track = getattr(self.contents.timing, stream.type)
        if self.container.format.name not in SEEKABLE or track is None or not track.steady:
            return None
        return float(track.stamp_of(time) / self.contents.scales[stream.type])

    def _seek(self, time_stamp: float) -> None:
        try:
            self.container.seek(int(time_stamp * av.time_base))
        except av.FFmpegError:
            log.debug("%s: cannot jump to %.3f s", self.path, time_stamp)

    def _decode_from_here(self, *streams: Any) -> Iterator[Any]:
        damaged: set[str] = set()
        packets = packets_of(self.container, streams)
        while True:
            packet = None
            try:
                packet = next(packets, None)
                frames = [] if packet is None else packet.decode()
            except (av.FFmpegError, ValueError, OverflowError):
                damaged.add(streams[0].type if packet is None else packet.stream.type)
                continue
            except MemoryError as error:
                kind = streams[0].type if packet is None else packet.stream.type
                raise BadInput(self.path, f"its {kind} takes too much memory") from error
            if packet is None:
                break
            yield from frames
        for kind in sorted(damaged):
            _tell_damaged(self.path, kind)


@dataclass
class _Arrays:
    """What is asked of a stream of PyAV, of images or sound in memory."""

    type: str
    rate: int = 0
    time_base: Fraction = TICK
    thread_type: str = "NONE"


@dataclass(frozen=True)
class HeldRecording(Recording):
    """An open recording that is in memory.

    Attributes:
        held: The recording.
    """

    held: InMemory = field(kw_only=True)

    def geometry_of(self, picture: Any) -> Geometry:
        """Images in memory are shown as they are."""
        return Geometry(picture.width, picture.height)

    def stamp_of(self, stream: Any, time: float) -> float | None:
        """None: arrays are read from their beginning."""
        return None

    def _decode_from_here(self, *streams: Any) -> Iterator[Any]:
        yield from self.held.frames({stream.type for stream in streams})


@lru_cache(maxsize=256)  # said once, however often a recording is read
def _tell_damaged(path: Path, kind: str) -> None:
    log.warning("%s: parts of its %s are damaged and left out", path, kind)


@contextmanager
def open_recording(path: str | Path, tracks: Tracks | None = None) -> Iterator[Recording]:
    """Open a recording for one pass and close it again.

    Args:
        path: A file of this machine; nothing that it points to is opened.
        tracks: Which of its tracks are wanted; by default the file decides.

    Raises:
        BadInput: There is no such file, or neither sound nor images in it, or no such track.
    """
    path = Path(path)
    contents = contents_of(path, tracks)
    if (held := held_at(path)) is not None:
        video = None if held.images is None else _Arrays("video")
        audio = None if held.rate is None else _Arrays("audio", held.rate)
        yield HeldRecording(path, None, video, audio, contents, held=held)
        return
    with open_container(path) as container:
        numbers = contents.chosen.video, contents.chosen.audio
        video, audio = (None if n is None else container.streams[n] for n in numbers)
        if video is not None:
            # one core when the process is held to one, as the workers of affuse.execution are
            single = os.environ.get("OMP_NUM_THREADS") == "1"
            video.thread_type = "NONE" if single else "AUTO"
            video.thread_count = 1 if single else 0
            video.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        yield Recording(path, container, video, audio, contents)


def probe(path: str | Path, tracks: Tracks | None = None) -> MediaInfo:
    """Say what is in a recording; a stream of which nothing can be decoded does not count.

    Args:
        path: A file of this machine.
        tracks: Which of its tracks are wanted; by default the file decides.

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
        with open_recording(path, tracks) as recording:
            contents = recording.contents
            stream = getattr(recording, kind)
            if stream is None:
                continue
            if kind == "video":
                stream.thread_type = "NONE"  # threads would decode more than the one image
            try:
                frame = next(recording.decode(stream))
            except BadInput as error:
                failure = error
                continue
            found[f"has_{kind}"] = True
            if kind == "video":
                width, height = recording.geometry_of(frame).size
                found |= {"width": width, "height": height, "rotation": frame.rotation}
                found["fps"] = recording.frame_rate
            else:
                found |= {"sample_rate": frame.sample_rate, "channels": frame.layout.nb_channels}
    if failure is not None and not found:
        raise failure
    sound, pictures = contents.chosen.of
    return MediaInfo(
        Path(path),
        contents.duration,
        **{"has_video": False, "has_audio": False} | found,
        tracks=Tracks(
            contents.chosen.tracks.audio if found.get("has_audio") else None,
            contents.chosen.tracks.video if found.get("has_video") else None,
        ),
        audio_tracks=sound,
        video_tracks=pictures,
        stated=contents.stated,
    )
