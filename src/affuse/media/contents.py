"""What is in a file: which of its tracks are read, and when their contents happen.

A file is looked through once, without decoding, and what was found is remembered while its size and
the time of its last change stay.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from affuse.corpora.clip import Tracks
from affuse.errors import BadInput
from affuse.execution.remembered import remembered
from affuse.media.container import check_file, open_container, packets_of
from affuse.media.counts import INTERVAL, Floats, Stamps
from affuse.media.memory import InMemory, held_at
from affuse.media.selection import Chosen, choose
from affuse.media.timing import Timing, place

FASTEST = 300.0
"""Images per second beyond which a file is not believed."""
NEAR = 0.05
"""Seconds by which what a header says may refine what is there."""
_PADDED = {"matroska,webm"}  # formats whose headers count what a decoder leaves out
_OUT_OF_SCALE = 4.0  # times that packets of sound are longer or shorter than what they hold
_MANY = 10  # steps between packets that are no pauses any more if all are as long
_APART = 3.0  # times that images last longer or shorter than the sound
_SLOW = 5.0  # images per second below which sound may tell that there were more
_COMMON = (25.0, 30.0)  # images per second
_UNKNOWN = 48_000  # Hz of sound that does not say
_BLOCK = 0.02  # seconds of a packet of sound of which nothing tells


@dataclass(frozen=True)
class Contents:
    """What is in a file.

    Attributes:
        chosen: The tracks that are read.
        timing: When their contents happen.
        scales: Kind -> factor by which its time stamps are too small; 1 but for absurd headers.
        complete: Whether all images have time stamps.
        frame_rate: Mean frame rate in Hz; 0.0 without images.
        stated: Length in seconds as the header says, or None.
        padded: Whether that counts samples of sound that are not to be heard.
    """

    chosen: Chosen
    timing: Timing
    scales: dict[str, float]
    complete: bool
    frame_rate: float
    stated: float | None
    padded: bool

    @property
    def duration(self) -> float:
        """Seconds of the recording; the header's own if it ends where the last of them does."""
        found = self.timing.duration
        if self.stated is None:
            return found
        near = max(NEAR, 2.01 / self.frame_rate if self.frame_rate else 0.0)
        longest = found if self.padded else found + near
        return (
            self.stated if min(self.timing.last, found - near) <= self.stated <= longest else found
        )


def contents_of(path: Path, tracks: Tracks | None = None) -> Contents:
    """Look through a file.

    Args:
        path: The file.
        tracks: Which tracks are to be read; by default the file decides.

    Raises:
        BadInput: It cannot be opened, or has neither sound nor images, or no such track.
    """
    if (held := held_at(path, tracks)) is not None:
        return _of_arrays(held)
    check_file(path)
    asked = tracks or Tracks()
    try:
        found = _look(path.absolute(), Tracks())
        ours = found.chosen.tracks
        same = asked.audio in (None, ours.audio) and asked.video in (None, ours.video)
        return found if same else _look(path.absolute(), asked)
    except BadInput as error:  # with the name that the user gave it
        raise BadInput(path, error.reason) from error
    except MemoryError as error:
        raise BadInput(path, "takes more memory than there is") from error


def _of_arrays(held: InMemory) -> Contents:
    video = None if held.images is None else 0
    audio = None if held.sound is None else 0
    count = held.sound is not None, held.images is not None
    chosen = Chosen(video, audio, Tracks(audio, video), (int(count[0]), int(count[1])), False)
    scales = {"video": 1.0, "audio": 1.0}
    return Contents(chosen, held.timing(), scales, True, held.frame_rate, None, False)


@remembered(16)
def _look(path: Path, tracks: Tracks) -> Contents:
    with open_container(path) as container:
        chosen = choose(path, container, tracks)
        if not chosen.compared:
            return _contents(container, chosen)
    with open_container(path) as container:
        return _contents(container, chosen)


def _contents(container: Any, chosen: Chosen) -> Contents:
    video = None if chosen.video is None else container.streams[chosen.video]
    audio = None if chosen.audio is None else container.streams[chosen.audio]
    packets, skips = _packets(container, [s for s in (video, audio) if s is not None])
    sound, slow_sound = (
        (None, 1.0)
        if audio is None or not len(packets[audio.index])
        else _sound(packets[audio.index], audio, skips[audio.index])
    )
    heard = 0.0 if sound is None else float(sound.lengths.sum())
    shown, slow, complete = (
        (None, 1.0, True)
        if video is None or not len(packets[video.index])
        else _pictures(packets[video.index], video, heard)
    )
    timing = place(shown, sound)
    rate = 0.0
    if video is not None:
        times = np.zeros(0) if timing.video is None else np.unique(timing.video.starts)
        rate = _rate(times, frame_rate(video))
    stated = container.duration
    return Contents(
        chosen,
        timing,
        {"video": slow, "audio": slow_sound},
        complete,
        rate,
        stated / 1e6 if stated else None,
        container.format.name in _PADDED,
    )


def _packets(
    container: Any, streams: list[Any]
) -> tuple[dict[int, np.ndarray], dict[int, tuple[int, int]]]:
    """The packets of streams, without those that are not to be presented.

    Returns:
        Of each stream (N, 5): place, presentation and decoding stamp, length, bytes; stamps are in
        seconds, NaN where there are none. Of sound, how many samples are not to be heard of the
        first and of the last packet.
    """
    found = {stream.index: array("d") for stream in streams}
    ends: dict[int, list[Any]] = {s.index: [] for s in streams if s.type == "audio"}
    try:
        for number, packet in enumerate(packets_of(container, streams)):
            size = packet.size
            if not size or packet.is_discard:  # an edit list hides what is to be discarded
                continue
            index, nan = packet.stream_index, math.nan
            stamps = (packet.pts, packet.dts, packet.duration)
            found[index].extend((number, *(nan if x is None else x for x in stamps), size))
            if index in ends:
                ends[index][1:] = [packet]
    except (av.FFmpegError, OSError, ValueError):  # a damaged file ends here
        pass
    tables, skips = {}, {}
    for stream in streams:
        table = np.array(found.pop(stream.index), np.float64).reshape(-1, 5)
        table[:, 1:4] *= float(stream.time_base)
        table[:, 3] = np.nan_to_num(table[:, 3])
        tables[stream.index] = table
        if ends.get(stream.index):
            first, last = ends[stream.index][0], ends[stream.index][-1]
            skips[stream.index] = _skipped(first)[0], _skipped(last)[1]
    return tables, skips


def _skipped(packet: Any) -> tuple[int, int]:
    """Samples at the beginning and at the end of a packet that are not to be heard."""
    if not packet.has_sidedata("skip_samples"):
        return 0, 0
    data = bytes(packet.get_sidedata("skip_samples"))
    return int.from_bytes(data[:4], "little"), int.from_bytes(data[4:8], "little")


def _sound(table: np.ndarray, stream: Any, skips: tuple[int, int]) -> tuple[Stamps, float]:
    """The packets of sound, and the factor by which their time stamps are too small."""
    context, rate = stream.codec_context, stream.rate or _UNKNOWN
    starts, stated = table[:, 1], table[:, 3]
    held = np.zeros(len(table))  # seconds of sound in a packet, where its size tells
    if context.frame_size:
        held[:] = context.frame_size / rate
    elif context.name.startswith("pcm_") and context.bit_rate:
        held = table[:, 4] * 8 / context.bit_rate
    scale = _sound_scale(starts, held)
    usual = float(np.median(held[held > 0])) if held.any() else _BLOCK
    lengths = np.where((stated > 0) & (stated <= _OUT_OF_SCALE * max(usual, 1.0)), stated, usual)
    absurd = (held > 0) & (lengths > _OUT_OF_SCALE * held)
    lengths = np.where(absurd, held, lengths) if scale == 1 else np.where(held > 0, held, usual)
    starts = _filled(starts * scale, lengths)
    before, after = (samples / rate for samples in skips)
    starts[0], lengths[0] = starts[0] + before, lengths[0] - before
    lengths[-1] -= after
    heard = lengths > 0
    heard[int(np.argmax(heard))] = True  # something stays
    stamps = Stamps(starts[heard], lengths[heard], table[heard, 2] * scale, table[heard, 0])
    if scale == 1 and stream.start_time is not None:
        begin = float(stream.start_time * stream.time_base)
        if abs(begin - stamps.starts[0]) <= NEAR:  # without what a decoder leaves out
            stamps.starts[0] = begin
    return stamps, scale


def _sound_scale(starts: Floats, held: Floats) -> float:
    """The factor by which time stamps of sound are too small; 1 where they can be believed.

    Stamps of another scale are too far apart, or too near, by the same factor throughout. Packets
    with pauses between them are apart too, by factors that differ or of a few packets only.

    Args:
        starts: Seconds of each packet, NaN where it does not say.
        held: Seconds of sound in each; 0 where its size does not tell.
    """
    stamped = np.isfinite(starts)
    steps, before = np.diff(starts[stamped]), held[stamped][:-1]
    known = before > 0
    if np.count_nonzero(known) < 2:
        return 1.0
    factors = steps[known] / before[known]
    low, usual, high = np.percentile(factors, (10, 50, 90))
    far = low > _OUT_OF_SCALE and len(factors) >= _MANY and high <= 2 * low
    near = 0 < high < 1 / _OUT_OF_SCALE and usual > 0
    return float(1 / usual) if far or near else 1.0


def _pictures(table: np.ndarray, stream: Any, heard: float) -> tuple[Stamps, float, bool]:
    """The packets of images, the factor of their time stamps, and whether all have one.

    Args:
        table: Of the packets.
        stream: Their stream.
        heard: Seconds of sound beside them.
    """
    starts = table[:, 1]
    complete = bool(np.isfinite(starts).all())
    rate = nominal_rate(stream)
    scale = 1.0
    steps = np.diff(np.unique(starts[np.isfinite(starts)]))
    if len(steps):
        usual = float(np.median(steps))
        apart = heard > 0 and not 1 / _APART < len(starts) * usual / heard < _APART
        alike = [
            one
            for one in (rate, *_COMMON[: None if usual > 1 / _SLOW else 0])
            if abs(len(starts) / one - heard) <= 0.1 * heard
        ]
        if apart and alike:
            scale = 1 / alike[0] / usual
        elif usual < 1 / FASTEST:
            scale = 1 / rate / usual
    starts = _filled(starts * scale, np.full(len(starts), 1 / frame_rate(stream)))
    stated = table[:, 3] if scale == 1 else np.zeros(len(table))
    return Stamps(starts, stated, table[:, 2] * scale, table[:, 0]), scale, complete


def _filled(starts: Floats, lengths: Floats) -> Floats:
    """Time stamps; a packet without one follows its predecessor."""
    missing = np.flatnonzero(np.isnan(starts))
    if not len(missing):
        return starts
    if len(missing) == len(starts):
        constant = np.ptp(lengths) == 0
        return np.arange(len(starts)) * lengths[0] if constant else np.cumsum(lengths) - lengths
    for packet in missing.tolist():
        starts[packet] = 0.0 if packet == 0 else starts[packet - 1] + lengths[packet - 1]
    return starts


def frame_rate(stream: Any) -> float:
    """Mean frame rate in Hz that a stream of images says; 25.0 where it says none."""
    return float(stream.average_rate or stream.guessed_rate or 25)


def nominal_rate(stream: Any) -> float:
    """Frame rate in Hz that the images themselves say, else the file; 25.0 for absurd ones."""
    rates = (stream.codec_context.framerate, stream.guessed_rate, stream.average_rate)
    return next((float(rate) for rate in rates if rate and 5 <= rate <= 120), 25.0)


def _rate(times: Floats, stated: float) -> float:
    """Mean frame rate in Hz: the stated one where the images bear it out."""
    if len(times) < 2:
        return stated if 1 <= stated <= FASTEST else 1 / INTERVAL
    mean, usual = 1 / np.array([np.diff(times).mean(), np.median(np.diff(times))])
    if np.any(np.abs(np.log2(np.array([mean, usual]) / stated)) < 1):
        return stated
    return round(float(mean if abs(np.log2(mean / usual)) < 0.1 else usual), 4)
