"""A model file applied to recordings of any length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from affuse.corpora.clip import Tracks
from affuse.errors import AffuseError, BadInput, Unusable
from affuse.features.catalogue import Sources, is_stream
from affuse.features.extractor import check_length
from affuse.features.speakers import NO_BASELINE
from affuse.inference.asked import asked_spec
from affuse.inference.attribution.explainer import STRETCH, check_stretch
from affuse.inference.attribution.parts import sound_bands
from affuse.inference.baseline import Baseline, BaselineReader
from affuse.inference.extraction import Extraction, Voice
from affuse.inference.given import Named, RecordingLike, is_path, name_of_given, opened
from affuse.inference.many import Recordings, predict_all_of
from affuse.inference.person import PersonWork
from affuse.media.probe import probe
from affuse.models.bundled import BUNDLED
from affuse.models.opening import open_model
from affuse.models.spec import Windows
from affuse.tasks.prediction import Prediction
from affuse.tasks.registry import TASKS, task_of

#: What becomes of what is said about a moment of low quality.
LowQuality = Literal["withhold", "keep"]
#: Windows of one recording at most.
_WINDOWS = 1_000_000
#: Share of the work that decoding a recording and looking for faces is about.
_DECODING = 0.8
_NOTHING = {
    frozenset({"audio", "video"}): "has neither sound nor a face",
    frozenset({"audio"}): "has no sound",
    frozenset({"video"}): "has no face",
}


class Predictor:
    """Slides a model over recordings, the same way its training clips were cut.

    Threads may share one; other processes make their own.

    Args:
        model: Model file, or an ONNX file of one, of classes or of continuous valence and arousal;
            by default the bundled model.
        hop: Seconds from window to window: they begin at 0, hop, 2 hop, ... of every recording.
            By default windows of classes are spread evenly over each recording, a quarter of the
            window apart at most, and those of continuous valence and arousal lie two thirds of it
            apart.
        device: Torch device; `cpu` for an ONNX file.
        source: File or folder of imported features, for models that read them; several as
            stream name -> path.
        windows: How windows lie, of a model of continuous valence and arousal; by default as its
            file says.
        smoothing: Seconds over which its values are averaged, or `published`: 20 frames of
            valence and 50 of arousal; by default as its file says.
        low_quality: What `predict` does with what rests on nothing that is seen or heard well
            (`affuse.tasks.quality`): `withhold` it, or `keep` it; by default emotions that are
            named are withheld, and continuous valence and arousal are kept.
        baseline: Recordings of the person who is going to be predicted, of a model that was trained
            with `normalisation: speaker`; or what `BaselineReader` made of some. It is that of the
            main person of a recording; of others nothing is known.
        explain: Whether predictions tell what they rest on (`Prediction.explanation`), which takes
            many times as long.
        stretch: Seconds of sound or images that explanations withhold at a time; 0.5 by default.

    Raises:
        BadInput: The model file cannot be used: its model gives features alone, ends in something
            else than its task needs, or reads a stream that affuse does not make. It has no use
            for a baseline, or a recording of it cannot be used.
        AffuseError: The model has no such windows or smoothing, or the stretch is too short.

    Examples:
        >>> from affuse import Predictor
        >>> predictor = Predictor(hop=0.5)  # loads the model once, for many recordings
        >>> for name, result in predictor.predict_many(["talk.mp4", "missing.mp4"]):
        ...     print(name, result)
        talk Timeline('talk.mp4', 1.20 s, happy ...)
        missing missing.mp4: no such file
    """

    def __init__(
        self,
        model: str | Path | None = None,
        hop: float | None = None,
        device: str = "cpu",
        source: Sources = None,
        windows: Windows | None = None,
        smoothing: float | Literal["published"] | None = None,
        low_quality: LowQuality | None = None,
        baseline: Baseline | Sequence[RecordingLike] = (),
        explain: bool = False,
        stretch: float | None = None,
    ) -> None:
        model = BUNDLED if model is None else Path(model)
        self.explain, self.stretch = explain, STRETCH if stretch is None else stretch
        check_stretch(self.stretch)
        self.low_quality = low_quality
        self.file = model
        self.applied = open_model(model, device)
        spec = self.applied.spec
        if spec.task not in TASKS:
            raise BadInput(model, "gives features alone; there is nothing to predict")
        self.task = task_of(spec.task, spec.outputs)
        self.task.check_model(self.applied, model)
        self.spec = self.applied.spec = asked_spec(model, spec, hop, windows, smoothing)
        for name in self.spec.streams:
            if not is_stream(name):
                raise BadInput(model, f"reads the stream {name}, which affuse does not make yet")
        self.device, self.hop = device, hop
        self.window = self.spec.seconds
        self.streams = Extraction(model, self.spec.streams, source)
        self.baselines = self.spec.baselines
        if not isinstance(baseline, Baseline):
            reader = BaselineReader(model, self.spec, source) if baseline else None
            baseline = reader.read_all(baseline) if reader else Baseline()
        if baseline.recordings and self.baselines is None:
            raise BadInput(model, NO_BASELINE)
        self.baseline = baseline

    def predict(
        self, recording: RecordingLike, thumbnails: bool = True, tracks: Tracks | None = None
    ) -> Prediction:
        """What the model says about one recording.

        Args:
            recording: Any file that PyAV opens, with sound, images or both, or a single image: its
                path, its bytes or a binary file object; or arrays (`affuse.InMemory`).
            thumbnails: Whether to take key frames.
            tracks: Which tracks of sound and images to read; by default the file decides.

        Returns:
            What the task of the model predicts: a `Timeline` of classes, or a `ValuesTimeline`.

        Raises:
            BadInput: The file cannot be decoded.
            Unusable: It is too short, or has neither sound nor a face that can be used, or none of
                what the model cannot do without.
        """
        (timeline,) = self.predict_people(recording, 1, "all", thumbnails, tracks)
        return timeline

    def predict_people(
        self,
        recording: RecordingLike,
        people: int = 1_000_000,
        voice: Voice = "speaker",
        thumbnails: bool = True,
        tracks: Tracks | None = None,
        reached: Callable[[float], None] = lambda share: None,
    ) -> list[Prediction]:
        """What the model says about the people of one recording, each by themselves.

        Args:
            recording: As in `predict`.
            people: For how many people there are timelines at most.
            voice: Whether the sound is taken to be that of everybody who is seen, or of the one
                whose mouth goes with it; where that is not sure it is nobody's.
            thumbnails: As in `predict`.
            tracks: As in `predict`.
            reached: Called with how much is done, 0 to 1, again and again; an estimate.

        Returns:
            One for each of them, the main person first; without those about whom nothing can be
            said.

        Raises:
            BadInput: As in `predict`.
            Unusable: As in `predict`, of the main person.
            AffuseError: More than one person, and a model that reads streams of a fixed span.
        """
        if fixed := [n for n, spec in self.spec.streams.items() if spec.span and people > 1]:
            raise AffuseError(f"the model reads {fixed[0]}, which is of the main person only")
        first, *others = self.read(recording, thumbnails, tracks, people, voice, reached)
        if not first.known.any():
            there = {name for name, p in first.presence.items() if p.share}
            absent = frozenset(first.presence) - there or frozenset(first.presence)
            raise Unusable(first.source, "; ".join(first.notes) or _NOTHING[absent])
        found = [first, *(timeline for timeline in others if timeline.known.any())]
        if self.low_quality == "keep":
            return found
        return [one.withhold(everything=self.low_quality == "withhold") for one in found]

    def predict_many(
        self,
        recordings: Recordings,
        thumbnails: bool = True,
    ) -> Iterator[tuple[str, Prediction | BadInput]]:
        """What the model says about several recordings, one after the other.

        One that cannot be used does not end the others.

        Args:
            recordings: Any of what `predict` takes, or name -> such; folders and patterns of file
                names such as `clips/*.mp4` stand for the recordings in them.
            thumbnails: As in `predict`.

        Yields:
            The name of the recording, as `affuse.inference.many.named` gives it, and what the model
            says about it, or the error, which names the reason.

        Raises:
            AffuseError: The model cannot be applied to any; something is no recording.
        """
        yield from predict_all_of(lambda given: self.predict(given, thumbnails), recordings)

    def read(
        self,
        recording: RecordingLike | Named,
        thumbnails: bool = False,
        tracks: Tracks | None = None,
        people: int = 1,
        voice: Voice = "all",
        reached: Callable[[float], None] = lambda share: None,
    ) -> list[Prediction]:
        """The same as `predict_people`, also where nothing can be said throughout.

        Args:
            recording: As in `predict`.
            thumbnails: As in `predict`.
            tracks: As in `predict`.
            people: As in `predict_people`.
            voice: As in `predict_people`.
            reached: As in `predict_people`.

        Raises:
            BadInput: The file cannot be decoded.
            TooShort: It is too short, both in what is heard and in what is seen.
        """
        with opened(recording) as path, self.streams.computed():
            found = self._read(path, thumbnails, tracks, people, voice, reached)
        if is_path(recording):
            return found
        source = Path(name_of_given(recording))
        return [replace(timeline, source=source, in_memory=True) for timeline in found]

    def _read(
        self,
        path: Path,
        thumbnails: bool,
        tracks: Tracks | None,
        people: int,
        voice: Voice,
        reached: Callable[[float], None],
    ) -> list[Prediction]:
        """The same of a file."""
        info = probe(path, tracks)
        if not info.still:
            check_length(info.path, info.duration)
        if info.duration > _WINDOWS * (hop := self.hop or self.spec.hop):
            raise BadInput(
                info.path,
                f"is {info.duration:,.1f} s long: more than {_WINDOWS:,} windows, {hop:g} s apart; "
                f"set a hop of {info.duration / _WINDOWS:.2g} s or more",
            )
        moments = self.task.moments(info)
        plan = self.task.plan(self.spec, self.applied.leader, moments.duration, self.hop)
        starts = plan.starts.clip(min=0).tolist()

        def decoded(seconds: float) -> None:
            reached(_DECODING * min(max(seconds / info.duration, 0.0), 1.0))

        bands = sound_bands(self.spec.streams, self.spec.normalisation) if self.explain else ()
        found = self.streams.read(info, thumbnails, people, voice, starts, decoded, bands)
        count = max(1, min(people, len(found.people)))

        def answered(windows: int) -> None:
            reached(_DECODING + (1 - _DECODING) * windows / (count * len(plan.starts)))

        stretch = self.stretch if self.explain else None
        work = PersonWork(self.file, self.task, self.applied, info, found, moments, plan, stretch)
        return [
            work.prediction(person, count, self.baseline if person == 0 else Baseline(), answered)
            for person in range(count)
        ]
