"""A model applied to windows of streams, whatever computes it; importing this imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from affuse.features.padded import Arrays
from affuse.features.stream import Stream, StreamSpec
from affuse.models.options import Head
from affuse.models.spec import ModelSpec

if TYPE_CHECKING:
    from affuse.features.batch import Batch

#: Share of the sound of a window in which a voice is heard, from which there is one to read.
LEAST_VOICE = 0.1
#: Frames that pass a network together on a CPU; small enough for its caches.
CHUNK = 16
#: Frames that are normalised and embedded together: memory does not depend on the recording.
_FRAMES = 64
#: Does something to a normalised batch, such as a condition.
Change = Callable[["Batch"], "Batch"]


@dataclass(frozen=True)
class WindowOutput:
    """What a model says about some windows, as arrays.

    Args:
        scores: (B, C) float32 class scores before softmax, calibrated where the model file says
            how; or (B, L, D) float32 values.
        mask: (B, L) bool, which values rest on something; None for class scores.
        ratings: Name -> (B,) float32; see `affuse.models.base.Output`.
        voice: (B,) float32; see `affuse.models.base.Output`.
    """

    scores: np.ndarray
    mask: np.ndarray | None = None
    ratings: dict[str, np.ndarray] = field(default_factory=dict)
    voice: np.ndarray | None = None

    @property
    def probabilities(self) -> np.ndarray:
        """(B, C) of class scores."""
        powers = np.exp(self.scores - self.scores.max(-1, keepdims=True))
        return np.asarray(powers / powers.sum(-1, keepdims=True))


class Applied(ABC):
    """A model that takes windows of raw streams, or of what its frame networks made of them.

    Attributes:
        spec: Its spec.
        specs: Of its streams, as windows hold them: those that are embedded are vectors.
        leader: The stream whose frames values follow.
        head: What it ends in.
        parameters: How many numbers its weights are.
    """

    spec: ModelSpec
    specs: dict[str, StreamSpec]
    leader: StreamSpec
    head: Head
    parameters: int

    @property
    @abstractmethod
    def embedded(self) -> Collection[str]:
        """Streams whose frames are embedded one by one."""

    @abstractmethod
    def features(self, name: str, frames: Stream, clip: str) -> np.ndarray:
        """What the frame network of a stream makes of frames that are present.

        Args:
            name: Of the stream.
            frames: N of them.
            clip: Of what they are, for messages.

        Returns:
            (N, F) float32.

        Raises:
            AffuseError: A frame holds a number that is not finite.
        """

    @abstractmethod
    def outputs(
        self,
        samples: Sequence[Mapping[str, Stream]],
        ids: Sequence[str] = (),
        change: Change | None = None,
    ) -> tuple[WindowOutput, Arrays]:
        """What the model says about windows, calibrated where its file says how.

        Args:
            samples: Streams of each window, embedded ones as `embed` gives them.
            ids: What the random numbers of a change depend on, of each window.
            change: Done to the normalised batch, such as a condition.

        Returns:
            The output, and the masks (B, T) bool of what it is of.

        Raises:
            AffuseError: A frame holds a number that is not finite.
        """

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
        if name not in self.embedded:
            return part
        rate = self.spec.streams[name].rate or 1.0
        rows = np.zeros((len(part.mask), *self.specs[name].shape), np.float32)
        first, last, _ = wanted.indices(len(part.mask))
        places = first + np.flatnonzero(part.mask[first:last])
        for begin in range(0, len(places), _FRAMES):
            some = places[begin : begin + _FRAMES]
            start = part.start + float(some[0]) / rate
            frames = Stream(part.values[some], np.ones(len(some), bool), start)
            rows[some] = self.features(name, frames, clip)
        return Stream(rows, part.mask, part.start, part.notes)
