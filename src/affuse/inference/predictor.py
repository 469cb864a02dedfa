"""A model file applied to recordings of any length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from affuse.corpora.clip import Clip, Tracks
from affuse.errors import AffuseError, BadInput, Unusable
from affuse.features.batch import collate, normalise
from affuse.features.catalogue import Sources, is_stream
from affuse.features.extractor import check_length, undecodable
from affuse.features.stream import Stream, StreamSpec, window_of, window_starts
from affuse.features.windows import grid_starts
from affuse.inference.confidence import weighed
from affuse.inference.extraction import LEFT_OUT, Extraction, clip_of, where_heard
from affuse.inference.keyframes import key_frames
from affuse.inference.people import face_of
from affuse.inference.presence import Presence
from affuse.inference.timeline import KeyFrame, Timeline
from affuse.inference.values import ValuesTimeline, presence_of, values_over_time
from affuse.media.audio import Survey
from affuse.media.probe import MediaInfo, probe
from affuse.media.sounding import Span
from affuse.models.modelfile import ModelSpec, Windows, load_model, move_to
from affuse.models.systems.rjca.published import FRAMES
from affuse.models.systems.rjca.published import MODELS as JOINT_ATTENTION

_BATCH = 16
#: Windows of one recording at most.
_WINDOWS = 1_000_000
_NOTHING = {
    frozenset({"audio", "video"}): "has neither sound nor a face",
    frozenset({"audio"}): "has no sound",
    frozenset({"video"}): "has no face",
}


class Predictor:
    """Slides a model over recordings, the same way its training clips were cut.

    Args:
        model: Model file, of classes or of values over time.
        hop: Seconds from window to window: they begin at 0, hop, 2 hop, ... of every recording.
            By default windows of classes are spread evenly over each recording, a quarter of the
            window apart at most, and those of values over time lie two thirds of it apart.
        device: Torch device.
        source: File or folder of imported features, for models that read them; several as
            stream name -> path.
        windows: How windows lie, of a model of values over time; by default as its file says.
        smoothing: Seconds over which its values are averaged, or `published`: 20 frames of
            valence and 50 of arousal; by default as its file says.

    Raises:
        BadInput: The model file cannot be used: its model gives one value per clip, or reads a
            stream that affuse does not make.
        AffuseError: The model has no such windows or smoothing.
    """

    def __init__(
        self,
        model: Path,
        hop: float | None = None,
        device: str = "cpu",
        source: Sources = None,
        windows: Windows | None = None,
        smoothing: float | Literal["published"] | None = None,
    ) -> None:
        self.file = model
        self.model, spec = load_model(model)
        if self.model.head == "clip":
            raise BadInput(
                model, "gives one value per clip; classes and values over time are predicted"
            )
        self.spec = _applied(model, spec, hop, windows, smoothing)
        for name in self.spec.streams:
            if not is_stream(name):
                raise BadInput(model, f"reads the stream {name}, which affuse does not make yet")
        move_to(self.model, device)
        self.device, self.hop = device, hop
        self.window = self.spec.seconds
        self.streams = Extraction(model, self.spec.streams, source)

    def predict(
        self, path: Path, thumbnails: bool = True, tracks: Tracks | None = None
    ) -> Timeline | ValuesTimeline:
        """What the model says about one recording.

        Args:
            path: Any file that PyAV opens, with sound, pictures or both; also a single picture.
            thumbnails: Whether to take key frames.
            tracks: Which tracks of sound and pictures to read; by default the file decides.

        Returns:
            A `Timeline` of a model of classes, a `ValuesTimeline` of one of values over time.

        Raises:
            BadInput: The file cannot be decoded.
            Unusable: It is too short, or has neither sound nor a face that can be used, or none of
                what the model cannot do without.
        """
        timeline = self.read(path, thumbnails, tracks)
        if not timeline.known.any():
            there = {name for name, p in timeline.presence.items() if p.share}
            absent = frozenset(timeline.presence) - there or frozenset(timeline.presence)
            raise Unusable(timeline.source, "; ".join(timeline.notes) or _NOTHING[absent])
        return timeline

    def read(
        self,
        path: Path,
        thumbnails: bool = False,
        tracks: Tracks | None = None,
        heard: Sequence[Span] | None = None,
    ) -> Timeline | ValuesTimeline:
        """The same as `predict`, also where nothing can be said throughout.

        Args:
            path: The recording.
            thumbnails: Whether to take key frames.
            tracks: Which tracks of sound and pictures to read; by default the file decides.
            heard: (start, end) in seconds between which it has sound, if the file does not tell.

        Raises:
            BadInput: The file cannot be decoded.
            TooShort: It is too short, both in what is heard and in what is seen.
        """
        info = probe(Path(path), tracks)
        if not info.still:
            check_length(info.path, info.duration)
        if info.duration > _WINDOWS * (hop := self.hop or self.spec.hop):
            raise BadInput(
                info.path,
                f"is {info.duration:,.1f} s long: more than {_WINDOWS:,} windows, {hop:g} s apart; "
                f"set a hop of {info.duration / _WINDOWS:.2g} s or more",
            )
        face = face_of(info, self.spec.streams.values())
        turn, others = (0, 0) if face is None else (face.turn, face.others)
        there = thumbnails and info.has_video
        pictures = key_frames(info.path, info.duration, turn, info.tracks) if there else []
        timeline: Timeline | ValuesTimeline
        if self.model.head == "frames":
            timeline = values_over_time(
                self.model, self.spec, self.streams, info, self.hop, pictures, heard
            )
        else:
            timeline = self._classes(info, pictures, heard)
        return replace(timeline, others=others)

    def _classes(
        self, info: MediaInfo, pictures: list[KeyFrame], heard: Sequence[Span] | None
    ) -> Timeline:
        clip = clip_of(info)
        if self.hop is None:  # as `evaluate` does
            starts = window_starts(info.duration, self.window, self.spec.hop)
        else:
            starts = grid_starts(info.duration, self.window, self.hop)
        notes = [f"{reason}{LEFT_OUT}" for reason in undecodable(info).values()]
        sound = self.streams.survey(info, notes, heard)
        whole = self.streams.whole(clip, info.duration, sound, notes)
        samples = [self._window(clip, whole, float(start), info, sound) for start in starts]
        presence: dict[str, Presence] = {}
        for name, spec in self.spec.streams.items():
            stream = whole[name] if name in whole else joined_windows(spec, samples, starts)
            presence.setdefault(spec.modality, presence_of(stream, spec, info.duration, sound))
        ends = np.minimum(starts + self.window, info.duration)
        starts = np.maximum(starts, 0)
        shares = {
            name: np.array([p.within(a, b) for a, b in zip(starts, ends, strict=True)])
            for name, p in presence.items()
        }
        probabilities, ratings = weighed(self._scores, samples, self.spec.streams, shares)
        return Timeline(
            source=info.path,
            tracks=info.tracks,
            duration=info.duration,
            presence=presence,
            model={"name": self.spec.model, "window": self.window, **self.spec.training},
            key_frames=pictures,
            classes=self.spec.classes,
            starts=starts,
            ends=ends,
            probabilities=probabilities,
            ratings=ratings,
            window_presence=shares,
            notes=list(dict.fromkeys(notes)),
        )

    def _window(
        self,
        clip: Clip,
        whole: dict[str, Stream],
        start: float,
        info: MediaInfo,
        sound: Survey | None,
    ) -> dict[str, Stream]:
        """All streams of one window; those of a fixed span are computed for it."""
        part = replace(clip, start=max(start, 0.0), end=start + self.window)
        streams = {}
        for name, spec in self.spec.streams.items():
            if name in whole:
                streams[name] = whole[name]
                continue
            stream = self.streams.stream(name, part)
            streams[name] = where_heard(stream, spec, sound, info.duration, part.start)
        return window_of(streams, self.spec.streams, start, self.window)

    def _scores(self, samples: list[dict[str, Stream]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Probabilities (W, C) float32, NaN where nothing is present, and ratings (W,) by name."""
        parts = []
        ratings: dict[str, list[np.ndarray]] = {}
        for first in range(0, len(samples), _BATCH):
            group = samples[first : first + _BATCH]
            batch = collate(group, self.spec.streams).to(self.device)
            with torch.inference_mode():
                output = self.model(normalise(batch, self.spec.normalisation))
            scores = output.logits.float().softmax(-1).cpu().numpy()
            for name, values in output.ratings.items():
                ratings.setdefault(name, []).append(values.float().cpu().numpy())
            empty = np.array([not any(s.mask.any() for s in x.values()) for x in group])
            if not np.isfinite(scores[~empty]).all():
                raise BadInput(self.file, "gives numbers that are not finite")
            scores[empty] = np.nan
            parts.append(scores)
        return np.concatenate(parts), {n: np.concatenate(x) for n, x in ratings.items()}


def _applied(
    path: Path,
    spec: ModelSpec,
    hop: float | None,
    windows: Windows | None,
    smoothing: float | Literal["published"] | None,
) -> ModelSpec:
    """The spec of a model file with what was asked for instead of what it says.

    Raises:
        BadInput: The model does not have that.
        AffuseError: Windows that lie end to end have no distance, or the distance would leave
            something out.
    """
    if (windows, smoothing) != (None, None) and spec.task != "valence-arousal":
        raise BadInput(path, "gives no values over time; windows and smoothing are for these")
    if "published" in (windows, smoothing) and spec.model not in JOINT_ATTENTION:
        raise BadInput(
            path,
            f"holds {spec.model}; published windows and smoothing are those of "
            f"{', '.join(JOINT_ATTENTION)}",
        )
    spec = replace(spec, windows=windows or spec.windows)
    if hop is not None and spec.windows == "published":
        raise AffuseError("published windows lie end to end; a hop is for overlapping ones")
    if hop is not None and not 0 < hop <= spec.seconds:
        raise AffuseError(
            f"a hop of {hop:g} s: expected more than 0 and at most the window of the model, "
            f"{spec.seconds:g} s, so that nothing is left out"
        )
    if smoothing == "published":
        if other := [name for name in spec.classes if name not in FRAMES]:
            raise BadInput(path, f"gives {other[0]}, which has no published smoothing")
        return replace(spec, smoothing=[FRAMES[name] for name in spec.classes])
    return spec if smoothing is None else replace(spec, smoothing=smoothing)


def joined_windows(
    spec: StreamSpec, samples: list[dict[str, Stream]], starts: np.ndarray
) -> Stream:
    """Where windows of a stream of a fixed span have frames, as a mask of the whole recording."""
    rate = spec.rate or 1.0
    places = []
    for sample, start in zip(samples, starts, strict=True):
        stream = sample[spec.name]
        first = round((max(float(start), 0.0) + stream.start) * rate)
        places.append(first + np.flatnonzero(stream.mask))
    mask = np.zeros(1 + max((int(p.max()) for p in places if len(p)), default=-1), bool)
    for some in places:
        mask[some] = True
    return Stream(np.zeros((len(mask), 0), np.float32), mask)
