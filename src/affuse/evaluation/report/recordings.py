"""A little of the recordings of clips, small enough for a page: images and sound."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from affuse.corpora.clip import Clip
from affuse.corpora.packed import packed_picture
from affuse.corpora.registry import read_corpus
from affuse.corpora.together import TOGETHER, among_others
from affuse.errors import BadInput
from affuse.media.data_uri import data_uri, jpeg_uri
from affuse.media.encode import encoded_mp3
from affuse.media.probe import probe
from affuse.media.reading import Heard, Reading
from affuse.media.video import Frame

#: Images of a clip, their longer side in pixels, and their JPEG quality.
FRAMES, SIDE, QUALITY = 4, 176, 72
#: Seconds of sound at most, its rate in Hz and bits per second.
SECONDS, RATE, BITS = 10.0, 22050, 40_000
#: Bytes of all that a page has of recordings.
MOST = 8_000_000


@dataclass(frozen=True)
class Excerpt:
    """What a page shows of a clip.

    Args:
        images: Seconds of the clip, and a JPEG as a data URI.
        sound: An MP3 as a data URI; empty for none.
        note: Why something is not there.
    """

    images: list[tuple[float, str]] = field(default_factory=list)
    sound: str = ""
    note: str = ""

    @property
    def size(self) -> int:
        """Bytes on the page."""
        return len(self.sound) + sum(len(uri) for _, uri in self.images)


def read_clips(corpus: str, root: Path) -> dict[str, Clip]:
    """The clips of a corpus by id; of several, `a+b`, each lies in a folder of its name.

    Args:
        corpus: Name of it.
        root: Where it lies.

    Raises:
        BadInput: It does not lie there.
    """
    names = corpus.split(TOGETHER)
    if len(names) == 1:
        return {clip.id: clip for clip in read_corpus(corpus, root).clips}
    clips = (
        among_others(clip, name) for name in names for clip in read_corpus(name, root / name).clips
    )
    return {clip.id: clip for clip in clips}


def excerpts(clips: Sequence[str], corpus: str, root: Path) -> dict[str, Excerpt]:
    """Excerpts of clips, in their order, as long as all of them fit in `MOST` bytes.

    Args:
        clips: Their ids.
        corpus: Name of the corpus.
        root: Where it lies.

    Raises:
        BadInput: The folder holds none of the clips.
    """
    known = read_clips(corpus, root)
    if not any(clip in known for clip in clips):
        raise BadInput(root, f"holds none of the clips, such as {clips[0]}")
    found: dict[str, Excerpt] = {}
    left = MOST
    for name in dict.fromkeys(clips):
        one = excerpt(known[name]) if name in known else Excerpt(note=f"not below {root.name}")
        if one.size > left:
            one = Excerpt(note="left out: the page has enough of recordings")
        left -= one.size
        found[name] = one
    return found


def excerpt(clip: Clip) -> Excerpt:
    """A few images, evenly spaced, and the beginning of the sound.

    What cannot be read is said, and the rest is shown.
    """
    try:
        if clip.video is None and clip.images is not None:
            return Excerpt(_pictures(clip))
        return _recorded(clip)
    except BadInput as error:
        return Excerpt(note=error.reason)


class _Taker:
    """Takes some frames of a window."""

    def __init__(self, start: float, end: float) -> None:
        self.start: float | None = start
        self.end: float | None = end
        self._wanted = deque(start + (np.arange(FRAMES) + 0.5) * (end - start) / FRAMES)
        self.images: list[tuple[float, np.ndarray]] = []

    def see(self, frame: Frame) -> None:
        if self._wanted and frame.time >= self._wanted[0]:
            while self._wanted and frame.time >= self._wanted[0]:
                self._wanted.popleft()
            self.images.append((frame.time - (self.start or 0.0), frame.rgb(SIDE)))

    def finish(self) -> None:
        self._wanted.clear()


def _recorded(clip: Clip) -> Excerpt:
    """Of a recording, whose sound may be another file."""
    readings: dict[Path, Reading] = {}
    for path in (clip.video, clip.audio):
        if path is not None and path not in readings:
            readings[path] = Reading(path, clip.tracks)
    if not readings:
        return Excerpt(note="has no recording here")
    end = clip.end if clip.end is not None else max(probe(path).duration for path in readings)
    taker = _Taker(clip.start, end)
    heard: Heard | None = None
    if clip.video is not None:
        readings[clip.video].watch(taker)
    if clip.audio is not None:
        heard = readings[clip.audio].listen(RATE, clip.start, min(end, clip.start + SECONDS))
        heard.keep()
    for reading in readings.values():
        reading.run()
    note = _lost(clip, readings)
    sound = ""
    if clip.audio is not None and heard is not None and not note:
        found = readings[clip.audio].sound(heard)
        if found is not None and len(found.samples):
            sound = data_uri("audio/mpeg", encoded_mp3(found.samples, RATE, BITS))
    if sound and end - clip.start > SECONDS:
        note = f"the first {SECONDS:g} of {end - clip.start:.0f} seconds of sound"
    return Excerpt([(time, jpeg_uri(image, QUALITY)) for time, image in taker.images], sound, note)


def _lost(clip: Clip, readings: Mapping[Path, Reading]) -> str:
    """Why the sound cannot be used."""
    if clip.audio is None:
        return ""
    try:
        readings[clip.audio].surveyed()
    except BadInput as error:
        return error.reason
    return ""


def _pictures(clip: Clip) -> list[tuple[float, str]]:
    """Of images that came instead of a recording."""
    assert clip.images is not None
    if clip.row is not None:
        picture = packed_picture(clip.images, clip.row)
        return [(0.0, jpeg_uri(_small(np.asarray(picture)), QUALITY))]
    files = sorted(clip.images.glob("*.jpg")) if clip.images.is_dir() else []
    places = {round(place) for place in np.linspace(0, max(len(files) - 1, 0), FRAMES)}
    found = []
    for place in sorted(places) if files else ():
        image = cv2.imread(str(files[place]))
        if image is None:
            raise BadInput(files[place], "is no image")
        small = _small(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        found.append((float(place), jpeg_uri(small, QUALITY)))
    return found


def _small(picture: np.ndarray) -> np.ndarray:
    """An image whose longer side has at most `SIDE` pixels; small ones are enlarged."""
    scale = SIDE / max(picture.shape[:2])
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
