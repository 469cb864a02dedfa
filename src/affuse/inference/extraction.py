"""The streams of a recording, made the way those of the training were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import Unusable
from affuse.features.catalogue import (
    Sources,
    create_extractor,
    imported_streams,
    pattern_of,
    source_of,
)
from affuse.features.extractor import Extractor, check_length, check_same_stream
from affuse.features.stream import Stream, StreamSpec
from affuse.media.audio import Survey, survey
from affuse.media.probe import MediaInfo
from affuse.media.sounding import Span, within
from affuse.models.embedded import unpack_networks

#: How a note ends on what cannot be used.
LEFT_OUT = "; it is left out"


class Extraction:
    """The extractors of a model's streams, each made when it is first needed.

    Args:
        model: The model file, which may hold the frozen networks of its streams.
        specs: The streams of the model, by name.
        source: Where imported features are read from, and networks that are not to be those of
            the file.
    """

    def __init__(
        self, model: Path, specs: Mapping[str, StreamSpec], source: Sources = None
    ) -> None:
        self.specs, self.source = dict(specs), source
        self._extractors: dict[str, Extractor] = {}
        self._folder = TemporaryDirectory(prefix="affuse-")
        digests = {
            name: spec.recipe["weights"]
            for name, spec in self.specs.items()
            if "weights" in spec.recipe and source_of(name, source) is None
        }
        held = unpack_networks(model, set(digests.values()), Path(self._folder.name))
        within = {name: held[digest] for name, digest in digests.items() if digest in held}
        if within and (source is None or isinstance(source, Mapping)):
            self.source = {**(source or {}), **within}

    def stream(self, name: str, clip: Clip, notes: list[str] | None = None) -> Stream:
        """A stream of a clip; without frames where the modality is not there or cannot be used.

        Args:
            name: Of the stream.
            clip: The recording, or a part of it.
            notes: Gets the reason why the modality cannot be used.

        Raises:
            BadInput: A file that belongs to the clip, such as imported features, cannot be used.
            AffuseError: The stream is not made as the training clips' was.
        """
        spec = self.specs[name]
        stream = None
        extractor = self._extractor(name, clip)
        if extractor is not None:
            try:
                stream = extractor.extract(clip)
            except Unusable as error:
                if notes is not None:
                    notes.append(f"{error.reason}{LEFT_OUT}")
        if stream is None:
            return Stream(np.zeros((0, *spec.shape), spec.dtype), np.zeros(0, bool))
        return stream

    def check(self, clip: Clip) -> None:
        """Refuse a stream that is not made as the training clips' was, before it is made.

        Args:
            clip: The recording.

        Raises:
            AffuseError: There is one.
        """
        for name in self.specs:
            self._extractor(name, clip)

    def _extractor(self, name: str, clip: Clip) -> Extractor | None:
        """What makes a stream; None where the clip has nothing to make it of."""
        there = clip.video if self.specs[name].modality == "video" else clip.audio
        if there is None and source_of(name, self.source) is None:
            return None
        if name not in self._extractors:
            extractor = create_extractor(name, self.source)
            check_same_stream(extractor.spec, self.specs[name])
            self._extractors[name] = extractor
        return self._extractors[name]

    def whole(
        self, clip: Clip, duration: float, sound: Survey | None, notes: list[str]
    ) -> dict[str, Stream]:
        """The streams that describe a whole recording, not one window of a fixed span.

        Args:
            clip: The recording.
            duration: Its length in seconds.
            sound: What `survey` found.
            notes: Gets the reasons why modalities cannot be used.
        """
        return {
            name: where_heard(self.stream(name, clip, notes), spec, sound, duration)
            for name, spec in self.specs.items()
            if spec.span is None
        }

    def survey(
        self, info: MediaInfo, notes: list[str], heard: Sequence[Span] | None = None
    ) -> Survey | None:
        """Where a recording has sound and where it is silent, for models that read sound.

        Args:
            info: The recording.
            notes: Gets what is wrong with its sound.
            heard: (start, end) in seconds between which it has sound, if the file does not tell.
        """
        if not info.has_audio or all(spec.modality != "audio" for spec in self.specs.values()):
            return None
        try:
            found = survey(info.path, info.tracks)
            if found is not None and heard is not None:
                return replace(found, spans=tuple(heard))
            if found is not None:
                check_length(info.path, found.seconds, "its sound")
                notes += found.notes
            return found
        except Unusable as error:
            notes.append(f"{error.reason}{LEFT_OUT}")
            return None


def where_heard(
    stream: Stream,
    spec: StreamSpec,
    sound: Survey | None,
    duration: float,
    start: float = 0.0,
) -> Stream:
    """A stream without what it has, inside of the recording, where there is no sound.

    Args:
        stream: Of the recording, or of a window.
        spec: Its spec; streams of pictures, and those that are imported, stay as they are.
        sound: What was found in the sound of the recording.
        duration: Of the recording in seconds.
        start: Of the window in seconds.
    """
    if (
        sound is None
        or spec.modality != "audio"
        or not spec.rate
        or pattern_of(spec.name) in imported_streams()
    ):
        return stream
    times = start + stream.start + np.arange(len(stream.mask)) / spec.rate
    there = stream.mask & (within(sound.spans, times) | (times >= duration))
    return replace(stream, mask=there)


def clip_of(info: MediaInfo) -> Clip:
    """A recording as a clip."""
    path: Path = info.path
    return Clip(
        id=path.stem,
        video=path if info.has_video else None,
        audio=path if info.has_audio else None,
        tracks=info.tracks,
    )
