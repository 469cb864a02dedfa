"""One pass over a recording, for all that want something of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np

from affuse.corpora.clip import Tracks
from affuse.errors import BadInput, Unusable
from affuse.media.audio import Listener, Sound, Survey, Tap, sound_start
from affuse.media.band_stop import Band, BandStop
from affuse.media.changes.clip import ClipChanges
from affuse.media.channels import Samples
from affuse.media.probe import WORTH_A_JUMP, Recording, open_recording
from affuse.media.sounding import Span
from affuse.media.still import still_of
from affuse.media.video import Frame, Framing, frames_start, still_frames


class FrameTaker(Protocol):
    """Takes the frames of a window.

    Attributes:
        start: Beginning of the window in seconds of the recording; None is the beginning.
        end: End of the window; None is the end.
    """

    start: float | None
    end: float | None

    def see(self, frame: Frame) -> None:
        """Take a frame, one after the other; let go of it soon, for it holds a buffer."""
        ...

    def finish(self) -> None:
        """The last one has come."""
        ...


class Heard:
    """The sound of a window at one rate, for all that want it.

    Args:
        rate: As in `Tap`.
        start: As in `Tap`.
        end: As in `Tap`.
        rounded_up: As in `Tap`.
        changes: What is done to all of it, at its end.
        without: Frequencies that are taken out of it.
    """

    def __init__(
        self,
        rate: int,
        start: float | None,
        end: float | None,
        rounded_up: bool,
        changes: ClipChanges | None = None,
        without: Band | None = None,
    ) -> None:
        self.wanted = rate, start or None, end, rounded_up
        self.without = without
        self._filter = None if without is None else BandStop(without, rate)
        self._unchanged: list[Samples] = []
        self._changes = changes
        take = self._give if changes is None else self._unchanged.append
        self.tap = Tap(rate, start, end, rounded_up, take)
        self.spans: tuple[Span, ...] = ()
        self._sinks: list[Callable[[Samples], None]] = []
        self._parts: list[Samples] | None = None

    def to(self, sink: Callable[[Samples], None]) -> None:
        """Let a sink have the samples (N,) float32, one part after the other."""
        self._sinks.append(sink)

    def keep(self) -> None:
        """Keep all samples."""
        if self._parts is None:
            self._parts = []
            self.to(self._parts.append)

    @property
    def samples(self) -> Samples:
        """(N,) float32, those that were kept."""
        self._parts = [np.concatenate([np.zeros(0, np.float32), *(self._parts or ())])]
        return self._parts[0]

    def finish(self, spans: tuple[Span, ...]) -> None:
        """All of it has come, and it is known where there was sound."""
        self.spans = spans
        if self._changes is not None and self._unchanged:
            whole, rate = np.concatenate(self._unchanged), self.wanted[0]
            changed, self._unchanged = self._changes.sound(whole, rate), []
            self.spans = self._changes.spans(spans, len(whole) / rate)
            for first in range(0, len(changed), rate):  # as it comes otherwise
                self._give(changed[first : first + rate])
        if self._filter is not None:
            self._hand_on(self._filter.finish())

    def _give(self, samples: Samples) -> None:
        self._hand_on(samples if self._filter is None else self._filter.push(samples))

    def _hand_on(self, samples: Samples) -> None:
        for sink in self._sinks:
            sink(samples)


class Reading:
    """One pass over a recording.

    Args:
        path: The recording.
        tracks: Which of its tracks are wanted; by default the file decides.
        changes: What is done to it before anybody hears or sees it; of sound that is changed all
            is in memory.
    """

    def __init__(
        self, path: Path, tracks: Tracks | None = None, changes: ClipChanges | None = None
    ) -> None:
        self.path, self.tracks, self._changes = path, tracks, changes
        self._takers: list[FrameTaker] = []
        self._heard: list[Heard] = []
        self._levels = False
        self._lost: dict[str, BadInput] = {}
        self._found: Survey | None = None
        self._passed: Callable[[float], None] | None = None
        self._without: Band | None = None

    @contextmanager
    def without(self, band: Band) -> Iterator[None]:
        """Who asks for sound meanwhile hears it without a band of frequencies."""
        self._without = band
        try:
            yield
        finally:
            self._without = None

    def watch(self, taker: FrameTaker) -> None:
        """Ask for frames."""
        self._takers.append(taker)

    def listen(
        self, rate: int, start: float | None, end: float | None, rounded_up: bool = False
    ) -> Heard:
        """Ask for sound; see `Tap`."""
        changes = self._changes if self._changes is not None and self._changes.of_sound else None
        new = Heard(rate, start, end, rounded_up, changes, self._without)
        for heard in self._heard:
            if (heard.wanted, heard.without) == (new.wanted, new.without):
                return heard
        self._heard.append(new)
        return new

    def survey(self) -> None:
        """Ask for what is to be known of all the sound."""
        self._levels = True

    def on_time(self, passed: Callable[[float], None]) -> None:
        """Have a function called with the seconds that are decoded, as they are."""
        self._passed = passed

    def check_frames(self) -> None:
        """Make sure, once it has been read, that there were frames.

        Raises:
            BadInput: There are none, or none that can be decoded.
        """
        if "video" in self._lost:
            raise self._lost["video"]

    @property
    def has_frames(self) -> bool:
        """Whether there were frames, once it has been read."""
        return "video" not in self._lost

    def surveyed(self) -> Survey | None:
        """What is to be known of the sound, once it has been read; None where there is none.

        Raises:
            Unusable: It cannot be used.
        """
        if "audio" in self._lost:
            raise self._lost["audio"]
        return self._found

    def sound(self, heard: Heard) -> Sound | None:
        """What was heard, once it has been read; see `surveyed`."""
        found = self.surveyed()
        if found is None:
            return None
        return Sound(heard.samples, heard.wanted[0], heard.spans, found.notes)

    def run(self) -> None:
        """Read the recording, and hand out what was asked for.

        What cannot be read is told to who asks for it.
        """
        try:
            self._read()
        except BadInput as error:
            self._lost = {"video": error, "audio": error}

    def _read(self) -> None:
        if still_of(self.path) is not None:
            for frame in still_frames(self.path):
                self._show(frame)
            for taker in self._takers:
                taker.finish()
            return
        with open_recording(self.path, self.tracks) as recording:
            video = recording.video if self._takers else None
            audio = recording.audio if self._heard or self._levels else None
            if self._takers and video is None:
                self._lost["video"] = BadInput(self.path, "has no images")
            seen = self._begin("video") if video is not None else 0.0
            heard = self._begin("audio") if audio is not None else 0.0
            together = [stream for stream in (video, audio) if stream is not None]
            if len(together) == 2 and max(seen, heard) <= WORTH_A_JUMP:
                self._take(recording, recording.decode_all(together), ["video", "audio"])
                return
            if audio is not None:
                self._take(
                    recording, recording.decode(audio, sound_start(recording, heard)), ["audio"]
                )
            if video is not None:
                self._take(
                    recording, recording.decode(video, frames_start(recording, seen)), ["video"]
                )

    def _begin(self, kind: str) -> float:
        """The second from which on somebody wants something of a kind."""
        if kind == "video":
            return min(taker.start or 0.0 for taker in self._takers)
        return 0.0 if self._levels else min(heard.wanted[1] or 0.0 for heard in self._heard)

    def _take(self, recording: Recording, decoded: Iterator[Any], kinds: Sequence[str]) -> None:
        """Hand on what is decoded, until nobody wants more."""
        framing = Framing(recording) if "video" in kinds else None
        listener = Listener(recording, [one.tap for one in self._heard], self._levels)
        came: set[str] = set()
        wanted = set(kinds)
        for decoded_frame in _decodable(decoded):
            if self._passed is not None and decoded_frame.time is not None:
                self._passed(float(decoded_frame.time))
            if isinstance(decoded_frame, av.VideoFrame):
                came.add("video")
                if framing is not None and not self._show(framing.frame(decoded_frame)):
                    wanted.discard("video")
            else:
                came.add("audio")
                listener.hear(decoded_frame)
                if listener.full:
                    wanted.discard("audio")
            if not wanted:
                break
        for kind in set(kinds) - came:
            self._lost[kind] = Unusable(self.path, f"its {kind} cannot be decoded")
        if "video" in came:
            for taker in self._takers:
                taker.finish()
        if "audio" in came:
            self._learn(listener)

    def _learn(self, listener: Listener) -> None:
        try:
            self._found = listener.finish()
        except Unusable as error:
            self._lost["audio"] = error
            return
        for heard in self._heard:
            heard.finish(listener.spans(*heard.wanted[1:3]))

    def _show(self, frame: Frame) -> bool:
        """Show a frame to those who want it; returns whether somebody may want further ones."""
        shown = frame if self._changes is None else self._changes.frame(frame)
        more = False
        for taker in self._takers:
            if taker.end is not None and frame.time >= taker.end:
                continue
            more = True
            if shown is not None and (taker.start is None or frame.time >= taker.start):
                taker.see(shown)
        return more


def _decodable(decoded: Iterator[Any]) -> Iterator[Any]:
    """What can be decoded, if anything."""
    try:
        yield from decoded
    except Unusable:  # nothing can
        return
