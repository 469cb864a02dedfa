"""The contract between a model and everything around it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec


@dataclass
class Output:
    """What every model returns.

    Args:
        logits: (B, C) class scores before softmax.
        auxiliary: Named further heads, each (B, C).
    """

    logits: Tensor
    auxiliary: dict[str, Tensor] = field(default_factory=dict)


class Model(nn.Module, ABC):
    """A network from a normalised batch to an `Output`.

    No training code, no input or output, no global state. A modality that is absent is an
    all-False mask, never an exception, and the result of a clip does not depend on its batch
    mates or on padding.

    Args:
        streams: The streams that it reads, by name.
        classes: Number of classes C.
    """

    def __init__(self, streams: Mapping[str, StreamSpec], classes: int) -> None:
        super().__init__()
        self.streams = dict(streams)
        self.classes = classes

    def stream_of(self, modality: str) -> StreamSpec:
        """The spec of the first stream of a modality.

        Raises:
            ValueError: The model was given no stream of it.
        """
        for spec in self.streams.values():
            if spec.modality == modality:
                return spec
        raise ValueError(f"{type(self).__name__} needs a stream of modality {modality!r}")

    @abstractmethod
    def forward(self, batch: Batch) -> Output:
        """Class scores for every clip of a normalised batch."""
