"""A model file applied to recordings of any length."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.features.batch import collate, normalise
from affuse.features.catalogue import Sources, is_stream
from affuse.features.extractor import check_length
from affuse.features.stream import Stream, StreamSpec, window_of, window_starts
from affuse.inference.extraction import Extraction, clip_of
from affuse.inference.keyframes import key_frames
from affuse.inference.people import face_of
from affuse.inference.timeline import KeyFrame, Presence, Timeline
from affuse.inference.values import ValuesTimeline, presence_of, values_over_time
from affuse.media.probe import MediaInfo, probe
from affuse.models.modelfile import ModelSpec, Windows, load_model, move_to
from affuse.models.published.rjca import FRAMES
from affuse.models.published.rjca import MODELS as JOINT_ATTENTION

_BATCH = 16
_NOTHING = {
    frozenset({"audio", "video"}): "has neither sound nor a face",
    frozenset({"audio"}): "has no sound",
    frozenset({"video"}): "has no face",
}


class Predictor:
    """Slides a model over recordings, the same way its training clips were cut.

    Args:
        model: Model file, of classes or of values over time.
        hop: Greatest distance between windows in seconds; by default a quarter of the window for
            classes, two thirds of it for values over time.
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

    def predict(self, path: Path, thumbnails: bool = True) -> Timeline | ValuesTimeline:
        """What the model says about one recording.

        Args:
            path: Any file that PyAV opens, with sound, pictures or both; also a single picture.
            thumbnails: Whether to take key frames.

        Returns:
            A `Timeline` of a model of classes, a `ValuesTimeline` of one of values over time.

        Raises:
            BadInput: The file cannot be decoded, is too short, or has neither sound nor a face, or
                none of what the model cannot do without.
        """
        timeline = self.read(path, thumbnails)
        if not timeline.known.any():
            there = {name for name, p in timeline.presence.items() if p.share}
            absent = frozenset(timeline.presence) - there or frozenset(timeline.presence)
            raise BadInput(timeline.source, _NOTHING[absent])
        return timeline

    def read(self, path: Path, thumbnails: bool = False) -> Timeline | ValuesTimeline:
        """The same as `predict`, also where nothing can be said throughout.

        Raises:
            BadInput: The file cannot be decoded, or is too short.
        """
        info = probe(Path(path))
        if not info.still:
            check_length(info.path, info.duration)
        face = face_of(info, self.spec.streams.values())
        turn, others = (0, 0) if face is None else (face.turn, face.others)
        there = thumbnails and info.has_video
        pictures = key_frames(info.path, info.duration, turn) if there else []
        timeline: Timeline | ValuesTimeline
        if self.model.head == "frames":
            timeline = values_over_time(
                self.model, self.spec, self.streams, info, self.hop, pictures
            )
        else:
            timeline = self._classes(info, pictures)
        return replace(timeline, others=others)

    def _classes(self, info: MediaInfo, pictures: list[KeyFrame]) -> Timeline:
        clip = clip_of(info)
        starts = window_starts(info.duration, self.window, self.hop or self.spec.hop)
        whole = self.streams.whole(clip)
        samples = [self._window(clip, whole, float(start)) for start in starts]
        probabilities, ratings = self._scores(samples)
        inside = min(self.window, info.duration)
        presence: dict[str, Presence] = {}
        for name, spec in self.spec.streams.items():
            presence.setdefault(spec.modality, _presence(name, spec, whole, samples, starts))
        return Timeline(
            source=info.path,
            duration=info.duration,
            presence=presence,
            model={"name": self.spec.model, "window": self.window, **self.spec.training},
            key_frames=pictures,
            classes=self.spec.classes,
            starts=np.maximum(starts, 0),
            ends=np.minimum(starts + self.window, info.duration),
            probabilities=probabilities,
            ratings=ratings,
            window_presence={
                modality: np.array([self._share(sample, modality, inside) for sample in samples])
                for modality in presence
            },
        )

    def _share(self, sample: dict[str, Stream], modality: str, inside: float) -> float:
        """Share of the frames of a window that are present, of those inside the recording."""
        shares = []
        for name, spec in self.spec.streams.items():
            if spec.modality == modality:
                mask = sample[name].mask
                frames = len(mask)
                if spec.rate and spec.span is None:
                    frames = min(frames, round(inside * spec.rate))
                shares.append(min(1.0, mask.sum() / max(frames, 1)))
        return float(np.mean(shares))

    def _window(self, clip: Clip, whole: dict[str, Stream], start: float) -> dict[str, Stream]:
        """All streams of one window; those of a fixed span are computed for it."""
        part = replace(clip, start=max(start, 0.0), end=start + self.window)
        streams = {
            name: whole[name] if name in whole else self.streams.stream(name, part)
            for name in self.spec.streams
        }
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
            empty = [not any(s.mask.any() for s in sample.values()) for sample in group]
            scores[np.array(empty)] = np.nan
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
        AffuseError: Windows that lie end to end have no distance.
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
    if smoothing == "published":
        if other := [name for name in spec.classes if name not in FRAMES]:
            raise BadInput(path, f"gives {other[0]}, which has no published smoothing")
        return replace(spec, smoothing=[FRAMES[name] for name in spec.classes])
    return spec if smoothing is None else replace(spec, smoothing=smoothing)


def _presence(
    name: str,
    spec: StreamSpec,
    whole: dict[str, Stream],
    samples: list[dict[str, Stream]],
    starts: np.ndarray,
) -> Presence:
    """When the modality of a stream was there, at the rate of the stream."""
    if name in whole:
        return presence_of(whole[name], spec)
    hop = float(starts[1] - starts[0]) if len(starts) > 1 else 1.0
    present = np.array([sample[name].mask.mean() >= 0.5 for sample in samples])
    return Presence(float(max(starts[0], 0)), 1 / hop, present)
