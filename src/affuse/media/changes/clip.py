"""What some changes do to the recording of a clip."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from affuse.media.changes.faces import FaceChange
from affuse.media.changes.images import FrameChange
from affuse.media.changes.registry import CHANGES, Change, acts_on
from affuse.media.channels import Samples
from affuse.media.sounding import Span
from affuse.media.tracks import Floats
from affuse.media.video import Frame

#: How a sound (N,) at a rate in Hz is changed by so much; the generator draws the rest.
SoundChange = Callable[[Samples, int, float, np.random.Generator], Samples]


class ClipChanges:
    """What some changes, one after the other, do to the recording of a clip.

    Frames are changed before faces are found in them, parts of faces are covered at last.

    Args:
        changes: Where there is a choice, the id of the clip alone decides.
        clip: Its id.
    """

    def __init__(self, changes: Sequence[Change], clip: str) -> None:
        self._clip = clip
        self._sound = [one for one in changes if acts_on(one.name) in ("sound", "time")]
        self._frames: Sequence[FrameChange] = self._made(changes, "frames")
        self._faces: Sequence[FaceChange] = self._made(changes, "faces")
        moved = (self._drawn(one)[0] for one in changes if acts_on(one.name) == "time")
        self._delay = sum(moved, 0.0)

    def _made(self, changes: Sequence[Change], on: str) -> list[Callable[..., Any]]:
        chosen = [one for one in changes if acts_on(one.name) == on]
        return [CHANGES[one.name].load()(*self._drawn(one)) for one in chosen]

    def _drawn(self, change: Change) -> tuple[float, np.random.Generator]:
        """The value of a change for the clip, and what draws the rest."""
        random = np.random.default_rng(zlib.crc32(f"{change} {self._clip}".encode()))
        return float(random.uniform(change.low, change.high)), random

    @property
    def of_sound(self) -> bool:
        """Whether the sound is changed."""
        return bool(self._sound)

    @property
    def of_faces(self) -> bool:
        """Whether parts of faces are covered."""
        return bool(self._faces)

    def sound(self, samples: Samples, rate: int) -> Samples:
        """All samples (N,) float32 at a rate in Hz -> (N,) float32."""
        for change in self._sound:
            value, random = self._drawn(change)
            does: SoundChange = CHANGES[change.name].load()
            samples = does(samples, rate, value, random)
        return samples

    def spans(self, spans: Sequence[Span], seconds: float) -> tuple[Span, ...]:
        """Where there is sound, of so many seconds, once it has been changed."""
        if not self._delay:
            return tuple(spans)
        moved = [
            (max(start + self._delay, 0.0), min(end + self._delay, seconds)) for start, end in spans
        ]
        return tuple((start, end) for start, end in moved if start < end)

    def frame(self, frame: Frame) -> Frame | None:
        """A frame of the recording; None where it is lost."""
        for change in self._frames:
            changed = change(frame)
            if changed is None:
                return None
            frame = changed
        return frame

    def face(self, frame: Frame, box: Floats, landmarks: Floats | None) -> Frame:
        """A frame that a face is cut out of: its box (4,) and landmarks (5, 2) in pixels."""
        for change in self._faces:
            frame = change(frame, box, landmarks)
        return frame
