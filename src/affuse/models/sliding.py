"""A torch model applied to windows of streams; networks that see one frame at a time apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from affuse.features.baseline import is_personal
from affuse.features.batch import collate, normalise
from affuse.features.padded import Arrays
from affuse.features.stream import Stream, StreamSpec
from affuse.models.applied import CHUNK, Applied, Change, WindowOutput
from affuse.models.base import Model, Output
from affuse.models.layers.folding import folded
from affuse.models.layers.framewise import FrameEmbedder
from affuse.models.spec import ModelSpec


class WindowModel(Applied):
    """A model that takes windows of raw streams, or of what its frame networks made of them.

    Args:
        model: In evaluation mode, on its device.
        spec: Its spec.
        whole: Streams whose frames are not embedded one by one, such as those that a condition
            changes.
    """

    def __init__(self, model: Model, spec: ModelSpec, whole: Collection[str] = ()) -> None:
        self.model, self.spec = model, spec
        self.leader, self.head = model.leader, model.head
        self.parameters = sum(p.numel() for p in model.parameters())
        self._embedders = {
            name: _for_prediction(part)
            for name, part in embedders_of(model, spec).items()
            if name not in whole
        }
        self.specs: dict[str, StreamSpec] = {
            name: as_vectors(stream, self._embedders[name]) if name in self._embedders else stream
            for name, stream in spec.streams.items()
        }
        self._statistics = {
            name: x for name, x in spec.normalisation.items() if name not in self._embedders
        }
        self._device = next(model.parameters()).device

    @property
    def embedded(self) -> Collection[str]:
        """Streams whose frames are embedded one by one."""
        return self._embedders.keys()

    def features(self, name: str, frames: Stream, clip: str) -> np.ndarray:
        """See `Applied`."""
        embedder, spec = self._embedders[name], self.spec.streams[name]
        batch = collate([{name: frames}], {name: spec}, ids=[clip] if clip else ())
        batch = normalise(batch.to(self._device), self.spec.normalisation)
        with torch.inference_mode():
            found = [embedder.embed_frames(x) for x in self._chunks(batch.streams[name][0])]
        return torch.cat(found).float().cpu().numpy()

    def _chunks(self, frames: torch.Tensor) -> Sequence[torch.Tensor]:
        """Frames in parts that fit the caches of a CPU."""
        return frames.split(CHUNK if frames.device.type == "cpu" else len(frames))

    def outputs(
        self,
        samples: Sequence[Mapping[str, Stream]],
        ids: Sequence[str] = (),
        change: Change | None = None,
    ) -> tuple[WindowOutput, Arrays]:
        """See `Applied`."""
        batch = collate(samples, self.specs, ids=ids).to(self._device)
        batch = normalise(batch, self._statistics)
        batch = change(batch) if change else batch
        with torch.inference_mode():
            output: Output = self.model(batch)
        if self.spec.calibration is not None and output.mask is None:
            scores = self.spec.calibration.calibrated(output.scores, batch, self.specs)
            output = replace(output, scores=scores)
        masks = {name: mask.cpu().numpy() for name, mask in batch.masks.items()}
        return as_arrays(output), masks


def embedders_of(model: Model, spec: ModelSpec) -> dict[str, FrameEmbedder]:
    """The parts of a model that see the frames of a stream one by one in prediction, by stream."""
    return {
        name: part
        for name, part in model.frame_embedders().items()
        if spec.streams[name].span is None
        and (spec.shrinkage is None or not is_personal(spec.streams[name]))
    }


def as_vectors(stream: StreamSpec, embedder: FrameEmbedder) -> StreamSpec:
    """The spec of what is made of the frames of a stream."""
    assert embedder.frame_features is not None
    return replace(stream, shape=(embedder.frame_features,), dtype="float32")


def as_arrays(output: Output) -> WindowOutput:
    """What a model says, as arrays."""
    return WindowOutput(
        output.scores.float().cpu().numpy(),
        None if output.mask is None else output.mask.cpu().numpy(),
        {name: x.float().cpu().numpy() for name, x in output.ratings.items()},
        None if output.voice is None else output.voice.float().cpu().numpy(),
    )


def _for_prediction(part: FrameEmbedder) -> FrameEmbedder:
    """A part of a model that gives the same, sooner."""
    return folded(part) if isinstance(part, nn.Module) else part
