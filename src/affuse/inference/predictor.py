"""A model file applied to recordings of any length."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.batch import collate, normalise
from affuse.features.catalogue import Sources, create_extractor, is_stream, source_of
from affuse.features.extractor import Extractor, check_length, check_same_stream
from affuse.features.stream import Stream, StreamSpec, window_of, window_starts
from affuse.inference.keyframes import key_frames
from affuse.inference.timeline import Presence, Timeline
from affuse.media.probe import probe
from affuse.models.modelfile import load_model, move_to

_BATCH = 16
_NOTHING = {
    frozenset({"audio", "video"}): "has neither sound nor a face",
    frozenset({"audio"}): "has no sound",
    frozenset({"video"}): "has no face",
}


class Predictor:
    """Slides a model over recordings, the same way its training clips were cut.

    Args:
        model: Model file.
        hop: Greatest distance between windows in seconds; a quarter of the window by default.
        device: Torch device.
        source: File or folder of imported features, for models that read them; several as
            stream name -> path.

    Raises:
        BadInput: The model file cannot be used: its model does not end in classes, or reads a
            stream that affuse does not make.
    """

    def __init__(
        self,
        model: Path,
        hop: float | None = None,
        device: str = "cpu",
        source: Sources = None,
    ) -> None:
        self.model, self.spec = load_model(model)
        if self.model.head != "classes":
            raise BadInput(model, f"gives values ({self.spec.task}); only classes are predicted")
        for name in self.spec.streams:
            if not is_stream(name):
                raise BadInput(model, f"reads the stream {name}, which affuse does not make yet")
        move_to(self.model, device)
        self.device, self.source = device, source
        self.window = self.spec.seconds
        self.hop = hop or self.spec.hop
        self._extractors: dict[str, Extractor] = {}

    def predict(self, path: Path, thumbnails: bool = True) -> Timeline:
        """The timeline of one recording.

        Args:
            path: Any file that PyAV opens, with sound, pictures or both.
            thumbnails: Whether to take key frames.

        Raises:
            BadInput: The file cannot be decoded, is too short, or has neither sound nor a face.
        """
        path = Path(path)
        info = probe(path)
        check_length(path, info.duration)
        clip = Clip(
            id=path.stem,
            video=path if info.has_video else None,
            audio=path if info.has_audio else None,
        )
        starts = window_starts(info.duration, self.window, self.hop)
        whole = {
            name: self._extract(name, spec, clip)
            for name, spec in self.spec.streams.items()
            if spec.span is None
        }
        samples = [self._window(clip, whole, float(start)) for start in starts]
        presence: dict[str, Presence] = {}
        for name, spec in self.spec.streams.items():
            presence.setdefault(spec.modality, _presence(name, spec, whole, samples, starts))
        if not any(stream.mask.any() for sample in samples for stream in sample.values()):
            raise BadInput(path, _NOTHING[frozenset(presence)])
        return Timeline(
            source=path,
            duration=info.duration,
            classes=self.spec.classes,
            starts=np.maximum(starts, 0),
            ends=np.minimum(starts + self.window, info.duration),
            probabilities=self._probabilities(samples),
            presence=presence,
            window_presence={
                modality: np.array([_share(sample, modality) for sample in samples])
                for modality in presence
            },
            model={"name": self.spec.model, "window": self.window, **self.spec.training},
            key_frames=key_frames(path, info.duration) if thumbnails and info.has_video else [],
        )

    def _extract(self, name: str, spec: StreamSpec, clip: Clip) -> Stream:
        """A stream of a recording; without frames where the modality is not there.

        Raises:
            AffuseError: The stream is not made as the training clips' was.
        """
        there = clip.video if spec.modality == "video" else clip.audio
        stream = None
        if there is not None or source_of(name, self.source) is not None:
            if name not in self._extractors:
                extractor = create_extractor(name, self.source)
                check_same_stream(extractor.spec, spec)
                self._extractors[name] = extractor
            stream = self._extractors[name].extract(clip)
        if stream is None:
            return Stream(np.zeros((0, *spec.shape), spec.dtype), np.zeros(0, bool))
        return stream

    def _window(self, clip: Clip, whole: dict[str, Stream], start: float) -> dict[str, Stream]:
        """All streams of one window; those of a fixed span are computed for it."""
        part = replace(clip, start=max(start, 0.0), end=start + self.window)
        streams = {
            name: whole[name] if name in whole else self._extract(name, spec, part)
            for name, spec in self.spec.streams.items()
        }
        return window_of(streams, self.spec.streams, start, self.window)

    def _probabilities(self, samples: list[dict[str, Stream]]) -> np.ndarray:
        """(W, C) float32; NaN where nothing is present."""
        parts = []
        for first in range(0, len(samples), _BATCH):
            group = samples[first : first + _BATCH]
            batch = collate(group, self.spec.streams).to(self.device)
            with torch.inference_mode():
                logits = self.model(normalise(batch, self.spec.normalisation)).logits
            scores = logits.float().softmax(-1).cpu().numpy()
            empty = [not any(s.mask.any() for s in sample.values()) for sample in group]
            scores[np.array(empty)] = np.nan
            parts.append(scores)
        return np.concatenate(parts)


def _share(sample: dict[str, Stream], modality: str) -> float:
    """Share of the frames of a window that are present."""
    masks = [s.mask for name, s in sample.items() if name.split("/", 1)[0] == modality]
    return float(np.mean([mask.mean() if len(mask) else 0.0 for mask in masks]))


def _presence(
    name: str,
    spec: StreamSpec,
    whole: dict[str, Stream],
    samples: list[dict[str, Stream]],
    starts: np.ndarray,
) -> Presence:
    """When the modality of a stream was there, at the rate of the stream."""
    if name in whole:
        stream = whole[name]
        return Presence(stream.start, spec.rate, stream.mask)
    hop = float(starts[1] - starts[0]) if len(starts) > 1 else 1.0
    present = np.array([sample[name].mask.mean() >= 0.5 for sample in samples])
    return Presence(float(max(starts[0], 0)), 1 / hop, present)
