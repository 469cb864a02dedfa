"""Extractors that take their share of one pass over the recording of a clip."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.corpora.clip import Clip, Tracks
from affuse.errors import AffuseError, Unusable
from affuse.features.blocks import blocks_of, joined
from affuse.features.extractor import Extractor
from affuse.features.stream import Stream, StreamSpec

if TYPE_CHECKING:
    from affuse.media.changes.registry import Change
    from affuse.media.face import Readings
    from affuse.media.reading import Reading

#: Consecutive parts of a stream, once the recording has been read; none where the clip lacks the
#: modality. Raises `BadInput` where a file of the clip cannot be used.
Blocks = Callable[[], Iterator[Stream]]
#: The stream of a window, by its number, once the recording has been read; None where there is no
#: such modality. Raises `BadInput` where a file of the clip cannot be used.
Windowed = Callable[[int], Stream | None]


class RecordingExtractor(ABC):
    """An extractor of what is in a recording.

    Attributes:
        spec: Of its stream.
    """

    spec: StreamSpec

    @abstractmethod
    def sources(self, clip: Clip) -> list[Path]:
        """See `Extractor`."""

    @abstractmethod
    def begin(self, clip: Clip, readings: Readings) -> Blocks:
        """Ask for what the stream of a clip is made from, before it is read.

        Raises:
            BadInput: A file of the clip cannot be used.
        """

    def begin_windows(self, clip: Clip, readings: Readings, starts: Sequence[float]) -> Windowed:
        """Ask for what a stream of a fixed span is made from, of each of some windows.

        By default the recording is read for each of them.

        Args:
            clip: A whole recording.
            readings: The passes over its files.
            starts: Seconds at which windows begin, 0 or more, not falling.

        Raises:
            BadInput: A file of the clip cannot be used.
        """
        return _each(self, clip, starts)

    def blocks(self, clip: Clip) -> Iterator[Stream]:
        """Consecutive parts of the stream; none where the clip lacks the modality.

        Raises:
            BadInput: A file of the clip cannot be used.
        """
        from affuse.media.face import Readings

        readings = Readings(clip.tracks)
        blocks = self.begin(clip, readings)
        readings.run()
        yield from blocks()

    def extract(self, clip: Clip) -> Stream | None:
        """The whole stream; see `blocks`."""
        return joined(self.blocks(clip))


def begin(extractor: Extractor, clip: Clip, readings: Readings) -> Blocks:
    """What any extractor makes of a clip, once the recording has been read.

    Raises:
        BadInput: A file of the clip cannot be used.
    """
    if isinstance(extractor, RecordingExtractor):
        return extractor.begin(clip, readings)
    return lambda: blocks_of(extractor, clip)


def begin_windows(
    extractor: Extractor, clip: Clip, readings: Readings, starts: Sequence[float]
) -> Windowed:
    """What any extractor makes of windows, once the recording has been read.

    Args:
        extractor: Of a stream of a fixed span.
        clip: See `RecordingExtractor.begin_windows`.
        readings: See there.
        starts: See there.
    """
    try:
        if isinstance(extractor, RecordingExtractor):
            return extractor.begin_windows(clip, readings, starts)
        return _each(extractor, clip, starts)
    except AffuseError as error:
        return partial(_refused, error)


def _each(extractor: Extractor, clip: Clip, starts: Sequence[float]) -> Windowed:
    """The windows of a clip, each read by itself."""

    def window(number: int) -> Stream | None:
        start = starts[number]
        return extractor.extract(replace(clip, start=start, end=start + (extractor.spec.span or 0)))

    return window


def _refused(error: AffuseError, number: int) -> Stream | None:
    raise error


def absent(number: int) -> Stream | None:
    """The window of a clip that lacks the modality."""
    return None


def begin_all(
    extractors: Mapping[str, Extractor], clip: Clip, readings: Readings | None = None
) -> dict[str, Blocks]:
    """What several extractors make of a clip, of one pass over each of its files.

    Args:
        extractors: By name.
        clip: The clip.
        readings: The passes, which others may take a share of.

    Returns:
        Name -> the blocks of the stream; what is wrong with one is raised by its own.
    """
    from affuse.media.face import Readings

    readings = readings or Readings(clip.tracks)
    begun: dict[str, Blocks] = {}
    for name, extractor in extractors.items():
        try:
            begun[name] = begin(extractor, clip, readings)
        except AffuseError as error:
            begun[name] = _raising(error)
    readings.run()
    return begun


def changed_readings(clip: Clip, changes: Sequence[Change]) -> Readings | None:
    """The passes over the files of a clip that are changed; None without a change."""
    from affuse.media.changes.clip import ClipChanges
    from affuse.media.face import Readings

    return Readings(clip.tracks, changes=ClipChanges(changes, clip.id)) if changes else None


def _raising(error: AffuseError) -> Blocks:
    def blocks() -> Iterator[Stream]:
        raise error

    return blocks


def nothing() -> Iterator[Stream]:
    """The stream of a clip that lacks the modality."""
    return iter(())


def has_pictures(path: Path, tracks: Tracks | None) -> bool:
    """Whether a file says that it has images.

    Raises:
        BadInput: It cannot be opened.
    """
    from affuse.media.contents import contents_of
    from affuse.media.still import still_of

    return still_of(path) is not None or contents_of(path, tracks).chosen.video is not None


def decoded(reading: Reading) -> bool:
    """Whether frames of a recording, which has been read, could be decoded.

    Raises:
        BadInput: It could not be read at all.
    """
    try:
        reading.check_frames()
    except Unusable:
        return False
    return True


def is_photograph(path: Path) -> bool:
    """Whether a file is a single image."""
    from affuse.media.still import still_of

    still = still_of(path)
    return still is not None and len(still.times) == 1


def duration_of(path: Path, tracks: Tracks | None) -> float:
    """Seconds of a recording."""
    from affuse.media.contents import contents_of
    from affuse.media.still import still_of

    still = still_of(path)
    return contents_of(path, tracks).duration if still is None else still.duration
