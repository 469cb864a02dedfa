"""A model applied to windows of streams, with the networks that see one frame at a time apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from affuse.features.baseline import is_personal
from affuse.features.batch import Batch, collate, normalise
from affuse.features.stream import Stream, StreamSpec
from affuse.models.base import Model, Output
from affuse.models.layers.folding import folded
from affuse.models.layers.framewise import CHUNK, FrameEmbedder
from affuse.models.spec import ModelSpec

#: Frames that are normalised and embedded together: memory does not depend on the recording.
_FRAMES = 64


class WindowModel:
    """A model that takes windows of raw streams, or of what its frame networks made of them.

    Args:
        model: In evaluation mode, on its device.
        spec: Its spec.
        whole: Streams whose frames are not embedded one by one, such as those that a condition
            changes.
    """

    def __init__(self, model: Model, spec: ModelSpec, whole: Collection[str] = ()) -> None:
        self.model, self.spec = model, spec
        self._embedders = {
            name: _for_prediction(part)
            for name, part in model.frame_embedders().items()
            if name not in whole
            and spec.streams[name].span is None
            and (spec.shrinkage is None or not is_personal(spec.streams[name]))
        }
        self.specs: dict[str, StreamSpec] = {
            name: self._vectors(stream) if name in self._embedders else stream
            for name, stream in spec.streams.items()
        }
        self._statistics = {
            name: x for name, x in spec.normalisation.items() if name not in self._embedders
        }
        self._device = next(model.parameters()).device

    def _vectors(self, stream: StreamSpec) -> StreamSpec:
        """The spec of what is made of the frames of a stream."""
        features = self._embedders[stream.name].frame_features
        assert features is not None
        return replace(stream, shape=(features,), dtype="float32")

    @property
    def embedded(self) -> Collection[str]:
        """Streams whose frames are embedded one by one."""
        return self._embedders.keys()

    def embed(self, name: str, part: Stream, wanted: slice, clip: str = "") -> Stream:
        """What the frame network of a stream makes of its frames, each of them once.

        Args:
            name: Of the stream; one that is not embedded stays as it is.
            part: Consecutive frames.
            wanted: Those that windows need; others are zero.
            clip: Of what they are, for messages.

        Returns:
            (T, F) float32, zero where absent.

        Raises:
            AffuseError: A frame holds a number that is not finite.
        """
        if name not in self._embedders:
            return part
        embedder, spec = self._embedders[name], self.spec.streams[name]
        rows = np.zeros((len(part.mask), *self.specs[name].shape), np.float32)
        first, last, _ = wanted.indices(len(part.mask))
        places = first + np.flatnonzero(part.mask[first:last])
        for begin in range(0, len(places), _FRAMES):
            some = places[begin : begin + _FRAMES]
            start = part.start + float(some[0]) / (spec.rate or 1.0)
            frames = Stream(part.values[some], np.ones(len(some), bool), start)
            batch = collate([{name: frames}], {name: spec}, ids=[clip] if clip else ())
            batch = normalise(batch.to(self._device), self.spec.normalisation)
            with torch.inference_mode():
                found = [embedder.embed_frames(x) for x in self._chunks(batch.streams[name][0])]
            rows[some] = torch.cat(found).float().cpu().numpy()
        return Stream(rows, part.mask, part.start, part.notes)

    def _chunks(self, frames: torch.Tensor) -> Sequence[torch.Tensor]:
        """Frames in parts that fit the caches of a CPU."""
        return frames.split(CHUNK if frames.device.type == "cpu" else len(frames))

    def outputs(
        self,
        samples: Sequence[Mapping[str, Stream]],
        ids: Sequence[str] = (),
        change: Callable[[Batch], Batch] | None = None,
    ) -> tuple[Output, Batch]:
        """What the model says about windows, calibrated where its file says how.

        Args:
            samples: Streams of each window, embedded ones as `embed` gives them.
            ids: What the random numbers of a change depend on, of each window.
            change: Done to the normalised batch, such as a condition.

        Returns:
            The output, and the batch that it is of.

        Raises:
            AffuseError: A frame holds a number that is not finite.
        """
        batch = collate(samples, self.specs, ids=ids).to(self._device)
        batch = normalise(batch, self._statistics)
        batch = change(batch) if change else batch
        with torch.inference_mode():
            output: Output = self.model(batch)
        if self.spec.calibration is not None and output.mask is None:
            scores = self.spec.calibration.calibrated(output.scores, batch, self.specs)
            output = replace(output, scores=scores)
        return output, batch


def _for_prediction(part: FrameEmbedder) -> FrameEmbedder:
    """A part of a model that gives the same, sooner."""
    return folded(part) if isinstance(part, nn.Module) else part
