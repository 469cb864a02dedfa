"""Which of the tracks of a file are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

from affuse.corpora.clip import Tracks
from affuse.errors import BadInput
from affuse.media.container import absurd, packets_of

_LISTENED = 10.0  # seconds of every track that are compared
_QUIETER = 100.0  # times, by amplitude, that a track without content is quieter than the loudest
_LOOKED = 10  # images of every track that are compared
_NAMES = {"audio": "sound", "video": "images"}


@dataclass(frozen=True)
class Chosen:
    """The tracks of a file that are read.

    Attributes:
        video: Index of the stream of images in the container, or None.
        audio: Index of the stream of sound in the container, or None.
        tracks: The same, counted from 0 among the tracks of its kind.
        of: How many tracks there are: (sound, images).
        compared: Whether the container was read to compare their content.
    """

    video: int | None
    audio: int | None
    tracks: Tracks
    of: tuple[int, int]
    compared: bool


def choose(path: Path, container: Any, asked: Tracks) -> Chosen:
    """Choose a track of images and one of sound.

    What was asked for is taken; else those that the file marks as default; among several the first
    that has content. Cover art and thumbnails are no images.

    Args:
        path: What an error names.
        container: Open, and not read yet; it is read where tracks compete.
        asked: Numbers of tracks, or None for the file to decide.

    Raises:
        BadInput: There is neither sound nor images, or no such track.
    """
    there = {"video": container.streams.video, "audio": container.streams.audio}
    found: dict[str, Any] = {}
    reasons = []
    compared = False
    for kind, streams in there.items():
        number = getattr(asked, kind)
        if number is not None:
            found[kind] = _asked(path, streams, kind, number)
            continue
        usable = [stream for stream in streams if is_usable(stream)]
        reasons += [text for s in usable if (text := absurd(s))]
        rivals = default_first([s for s in usable if not absurd(s)])
        compared = compared or len(rivals) > 1
        found[kind] = (
            _with_content(container, rivals) if len(rivals) > 1 else next(iter(rivals), None)
        )
    if found["video"] is None and found["audio"] is None:
        raise BadInput(path, reasons[0] if reasons else "has neither sound nor images")
    indices = {kind: None if s is None else s.index for kind, s in found.items()}
    numbers = {
        kind: None if s is None else [one.index for one in there[kind]].index(s.index)
        for kind, s in found.items()
    }
    return Chosen(
        indices["video"],
        indices["audio"],
        Tracks(numbers["audio"], numbers["video"]),
        (len(there["audio"]), len(there["video"])),
        compared,
    )


def streams_of(container: Any, asked: Tracks | None = None) -> tuple[Any, Any]:
    """The streams of images and of sound of a source that is read once, or None each.

    What comes later is not known yet, so content does not decide between tracks.

    Raises:
        LookupError: There is no such track.
    """
    found: list[Any] = []
    for kind in ("video", "audio"):
        streams = list(getattr(container.streams, kind))
        number = getattr(asked, kind, None)
        if number is not None:
            if not 0 <= number < len(streams):
                raise LookupError(_no_track(streams, kind, number))
            found.append(streams[number])
        else:
            usable = [s for s in streams if is_usable(s) and not absurd(s)]
            found.append(next(iter(default_first(usable)), None))
    return found[0], found[1]


def is_usable(stream: Any) -> bool:
    """Whether a stream can be decoded and is no still that goes with the others."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return stream.codec_context is not None and not Disposition(stream.disposition) & still


def default_first(streams: Sequence[Any]) -> list[Any]:
    """The streams that a file marks as default, or all where it marks none."""
    marked = [s for s in streams if Disposition(s.disposition) & Disposition.default]
    return marked or list(streams)


def _asked(path: Path, streams: Sequence[Any], kind: str, number: int) -> Any:
    if not 0 <= number < len(streams):
        raise BadInput(path, _no_track(streams, kind, number))
    stream = streams[number]
    if stream.codec_context is None:
        raise BadInput(path, f"track {number} of its {_NAMES[kind]} cannot be decoded")
    if text := absurd(stream):
        raise BadInput(path, text)
    return stream


def _no_track(streams: Sequence[Any], kind: str, number: int) -> str:
    count = len(streams)
    tracks = f"{count} (0 to {count - 1})" if count > 1 else "one (0)" if count else "none"
    return f"has no track {number} of {_NAMES[kind]}; it has {tracks}"


def _with_content(container: Any, streams: list[Any]) -> Any:
    """The first of several streams that has content."""
    content = _loudness if streams[0].type == "audio" else _variety
    amounts = []
    for stream in streams:
        with suppress(av.FFmpegError):
            container.seek(0)
        amounts.append(content(container, stream))
    enough = max(amounts) / _QUIETER
    return next(s for s, amount in zip(streams, amounts, strict=True) if amount >= enough)


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    try:
        for packet in packets_of(container, stream):
            yield from packet.decode()
    except Exception:  # whatever PyAV says: what cannot be decoded is no content
        return


def _loudness(container: Any, stream: Any) -> float:
    """Root mean square of the first seconds of sound, 0.0 to 1.0."""
    total, count, seconds = 0.0, 0, 0.0
    for frame in _frames(container, stream):
        samples = frame.to_ndarray()
        if samples.dtype.kind in "iu":
            middle = 128 if samples.dtype == np.uint8 else 0
            samples = (samples.astype(np.float64) - middle) / np.iinfo(samples.dtype).max
        samples = samples[np.isfinite(samples)]
        total += float(np.square(samples, dtype=np.float64).sum())
        count += samples.size
        seconds += frame.samples / frame.sample_rate
        if seconds >= _LISTENED:
            break
    return float(np.sqrt(total / count)) if count else 0.0


def _variety(container: Any, stream: Any) -> float:
    """How much the first images differ, within themselves and from each other, in grey levels."""
    pictures: list[np.ndarray] = []
    for frame in _frames(container, stream):
        small = frame.reformat(64, 36, "gray8").to_ndarray()
        pictures.append(small.astype(np.float32))
        if len(pictures) == _LOOKED:
            break
    if not pictures:
        return 0.0
    stack = np.stack(pictures)
    within, between = stack.std(axis=(1, 2)).mean(), stack.std(axis=0).mean()
    return float(within * (len(stack) - 1) + between)  # a still is none of moving images
