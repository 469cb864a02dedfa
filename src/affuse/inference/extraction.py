"""The streams of a recording, made the way those of the training were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, Unusable
from affuse.features.catalogue import (
    Sources,
    create_extractor,
    imported_streams,
    pattern_of,
    source_of,
)
from affuse.features.extractor import Extractor, check_length, check_same_stream, undecodable
from affuse.features.recorded import Blocks, Windowed, begin_all, begin_windows
from affuse.features.sound import SoundExtractor
from affuse.features.stream import Stream, StreamSpec
from affuse.inference.attribution.parts import SoundBand
from affuse.inference.keyframes import KeyFrames
from affuse.media.audio import Survey
from affuse.media.engine import Engine, computed_by
from affuse.media.face import FaceSearch, Readings
from affuse.media.loudness import Loudness
from affuse.media.probe import MediaInfo
from affuse.media.quality import FaceSeries
from affuse.media.reading import Reading
from affuse.media.shown import showing
from affuse.media.sounding import within
from affuse.media.speaking import SOUND_RATE, Envelope, Speaking, speaking
from affuse.media.tracks import Track
from affuse.media.watching import MOST
from affuse.models.embedded import unpack_networks
from affuse.models.frozen.graph import GraphStream
from affuse.models.onnx_metadata import is_onnx
from affuse.tasks.prediction import KeyFrame

#: How a note ends on what cannot be used.
LEFT_OUT = "; it is left out"
#: Faces of one frame that are looked at, at most.
CROWD = 32

#: Whose the sound is: that of everybody who is seen, or of the one who speaks.
Voice = Literal["all", "speaker"]


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
        self._engine: Engine = "onnxruntime" if is_onnx(model) else "torch"
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

    def computed(self) -> AbstractContextManager[None]:
        """A block in which face detectors are made that run where the model does."""
        return computed_by(self._engine)

    def _extractor(self, name: str, clip: Clip) -> Extractor | None:
        """What makes a stream; None where the clip has nothing to make it of."""
        there = clip.video if self.specs[name].modality == "video" else clip.audio
        if there is None and source_of(name, self.source) is None:
            return None
        return self.extractor(name)

    def extractor(self, name: str) -> Extractor:
        """What makes a stream.

        Raises:
            AffuseError: The stream is not made as the training clips' was, or its network is not
                there.
        """
        if name not in self._extractors:
            trained = self.specs[name]
            if "weights" in trained.recipe and source_of(name, self.source) is None:
                raise AffuseError(
                    f"the model file does not hold the network of stream {name}; say where it "
                    f"is: --source {name}=PATH"
                )
            path = source_of(name, self.source)
            if path is not None and is_onnx(path):
                self._extractors[name] = GraphStream(trained, path)
                return self._extractors[name]
            classes = trained.recipe["classes"] if trained.kind == "scores" else ()
            extractor = create_extractor(name, self.source, classes)
            check_same_stream(extractor.spec, trained)
            self._extractors[name] = extractor
        return self._extractors[name]

    def read(
        self,
        info: MediaInfo,
        key_frames: bool = False,
        people: int = 1,
        voice: Voice = "all",
        starts: Sequence[float] = (),
        passed: Callable[[float], None] | None = None,
        without: Sequence[SoundBand] = (),
    ) -> Extracted:
        """Read a recording once, for all streams.

        Args:
            info: The recording.
            key_frames: Whether to take key frames.
            people: For how many people streams of faces are wanted, at most.
            voice: Whether the sound belongs to all of them, or to the one who speaks.
            starts: Seconds of the windows, for streams of a fixed span.
            passed: Called with the seconds that are decoded, as they are.
            without: Streams of sound are made once more without each of these bands.

        Raises:
            AffuseError: A stream is not made as the training clips' was.
        """
        speaks = voice == "speaker" and info.has_audio and info.has_video
        clip = clip_of(info)
        readings = Readings(info.tracks, max(MOST, min(people, CROWD)), mouths=speaks)
        if passed is not None:
            readings.of(info.path).on_time(passed)
        extractors = {
            name: extractor
            for name in self.specs
            if (extractor := self._extractor(name, clip)) is not None
        }
        fixed = {
            name: begin_windows(extractors.pop(name), clip, readings, starts)
            for name, spec in self.specs.items()
            if spec.span is not None and name in extractors
        }
        frames = None
        if key_frames and info.has_video:
            frames = KeyFrames(showing(info.path, info.tracks), info.duration)
            readings.of(info.path).watch(frames)
        hears = any(spec.modality == "audio" for spec in self.specs.values())
        if hears and info.has_audio:
            readings.of(info.path).survey()
        envelope = Envelope()
        if speaks:
            readings.of(info.path).listen(SOUND_RATE, None, None).to(envelope.push)
        filtered: dict[SoundBand, Blocks] = {}
        for part in without:
            extractor = extractors.get(part.stream)
            if isinstance(extractor, SoundExtractor):
                with readings.of(info.path).without(part.band):
                    filtered[part] = extractor.begin(clip, readings)
        blocks = begin_all(extractors, clip, readings)
        search = readings.search_of(info.path)
        notes = [f"{reason}{LEFT_OUT}" for reason in undecodable(info).values()]
        sound = None
        if hears and info.has_audio:
            sound = _surveyed(readings.of(info.path), notes)
        turn = search.track.turn if search is not None and search.track is not None else 0
        taken = [] if frames is None else frames.turned(turn)
        found = Extracted(self.specs, blocks, fixed, sound, search, taken, notes, filtered)
        if speaks and sound is not None and len(found.people) > 1 and search is not None:
            mouths = [search.mouth(person) for person in found.people]
            found.speaking = speaking(found.people, mouths, envelope.values)
            if (unsure := found.speaking.unsure) >= 0.005:
                notes.append(
                    f"where several people are seen it is not clear who speaks for {unsure:.0%} of "
                    "the time; the sound counts for nobody then"
                )
        return found


@dataclass
class Extracted:
    """What was found in one pass over a recording.

    Attributes:
        specs: Of the streams of the model.
        blocks: Name -> parts of a stream.
        fixed: Name -> windows of a stream of a fixed span.
        sound: What is to be known of its sound; None without sound.
        search: The people in it; None where no stream looks for faces.
        key_frames: Small images, if they were asked for.
        notes: What cannot be used, or was put right.
        filtered: Parts of streams of sound without a band of frequencies.
        speaking: Who of them speaks when; None where all hear the sound as their own.
    """

    specs: Mapping[str, StreamSpec]
    blocks: Mapping[str, Blocks]
    fixed: Mapping[str, Windowed]
    sound: Survey | None
    search: FaceSearch | None
    key_frames: list[KeyFrame]
    notes: list[str]
    filtered: Mapping[SoundBand, Blocks]
    speaking: Speaking | None = None

    @property
    def people(self) -> list[Track]:
        """The people who are seen, the main one first."""
        return [] if self.search is None else self.search.people

    @property
    def loudness(self) -> Loudness | None:
        """How loud the sound is over time; None without sound."""
        return None if self.sound is None else self.sound.loudness

    def quality_of(self, person: int) -> FaceSeries | None:
        """How well the face of somebody is seen over time; None where it was not cut out."""
        return self.search.quality(self.people[person]) if self.search and self.people else None

    def parts(self, duration: float, person: int = 0) -> Iterator[tuple[str, Stream | None]]:
        """Consecutive parts of the streams, those of all streams in the order of time.

        Args:
            duration: Of the recording in seconds.
            person: Whose face streams are of, from 0.

        Yields:
            The name of a stream, and a part of it; None at its end.

        Raises:
            BadInput: A file that belongs to the recording, such as imported features, cannot be
                used.
        """
        if self.search is not None and self.people:
            self.search.track = self.people[person]
        names = [name for name, spec in self.specs.items() if spec.span is None]
        running = {name: self._of(name) for name in names}
        due = dict.fromkeys(names, -np.inf)
        while due:
            name = min(due, key=lambda name: due[name])
            part = next(running[name], None)
            if part is None:
                del due[name]
                yield name, None
                continue
            rate = self.specs[name].rate
            due[name] = part.start + len(part.mask) / rate if rate else np.inf
            yield name, self._heard(part, self.specs[name], duration, person)

    def without(self, band: SoundBand, duration: float, person: int = 0) -> Iterator[Stream]:
        """Consecutive parts of a stream of sound without a band, as `parts` gives them with it."""
        for part in self.filtered[band]():
            yield self._heard(part, self.specs[band.stream], duration, person)

    def _heard(self, part: Stream, spec: StreamSpec, duration: float, person: int) -> Stream:
        """A part of a stream, absent where there is no sound that is somebody's."""
        return self._spoken(where_heard(part, spec, self.sound, duration), spec, person)

    def window(self, name: str, number: int, start: float, duration: float) -> Stream:
        """A window of a stream of a fixed span; without frames where nothing is there.

        Args:
            name: Of the stream.
            number: Of the window.
            start: Of the window in seconds.
            duration: Of the recording in seconds.

        Raises:
            BadInput: A file that belongs to the recording cannot be used.
        """
        spec, stream = self.specs[name], None
        if name in self.fixed:
            with suppress(Unusable):
                stream = self.fixed[name](number)
        if stream is None:
            return Stream(np.zeros((0, *spec.shape), spec.dtype), np.zeros(0, bool))
        return where_heard(stream, spec, self.sound, duration, start)

    def _spoken(self, part: Stream, spec: StreamSpec, person: int) -> Stream:
        """A part of a stream without the sound that is not somebody's voice."""
        if self.speaking is None or spec.modality != "audio" or not spec.rate:
            return part
        times = part.start + np.arange(len(part.mask)) / spec.rate
        return replace(part, mask=part.mask & self.speaking.of(person, times))

    def _of(self, name: str) -> Iterator[Stream]:
        if name in self.blocks:
            try:
                yield from self.blocks[name]()
            except Unusable as error:
                self.notes.append(f"{error.reason}{LEFT_OUT}")


def _surveyed(reading: Reading, notes: list[str]) -> Survey | None:
    """What is to be known of the sound of a recording; `notes` get what is wrong with it."""
    try:
        found = reading.surveyed()
        if found is not None:
            check_length(reading.path, found.seconds, "its sound")
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
        spec: Its spec; streams of images, and those that are imported, stay as they are.
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
