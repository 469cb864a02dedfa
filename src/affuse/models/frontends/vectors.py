"""Front-ends for vectors of any modality."""

from __future__ import annotations

from affuse.features.stream import StreamSpec
from affuse.models.frontends.front_end import FrontEnd, vector_length
from affuse.models.layers.framewise import DenseFrames
from affuse.models.layers.temporal import ConvBlock, TemporalStack


class Vectors(FrontEnd):
    """The values of a stream as they are, for streams that are features already.

    Args:
        spec: A stream of vectors.
    """

    def __init__(self, spec: StreamSpec) -> None:
        super().__init__()
        size = vector_length(spec, "vectors")
        self.channels = (size, size)
        self.stage1, self.stage2 = TemporalStack(), TemporalStack()


class Dense(FrontEnd):
    """One linear layer per frame, for few vectors such as clip means of action units.

    Args:
        spec: A stream of vectors.
        width: Units.
        dropout: Probability of dropping an input in training.
    """

    def __init__(self, spec: StreamSpec, *, width: int = 128, dropout: float = 0.0) -> None:
        super().__init__()
        self.channels = (width, width)
        self.stage1 = DenseFrames(vector_length(spec, "dense"), width, dropout)
        self.stage2 = TemporalStack()


class SequenceConv(FrontEnd):
    """Four convolutions over time on vectors of any size, one frame being enough.

    Args:
        spec: A stream of vectors.
        width: Channels of the first two blocks; then twice as many.
    """

    def __init__(self, spec: StreamSpec, *, width: int = 64) -> None:
        super().__init__()
        size = vector_length(spec, "sequence")
        self.channels = (width, 2 * width)
        self.stage1 = TemporalStack(ConvBlock(size, width), ConvBlock(width, width))
        self.stage2 = TemporalStack(ConvBlock(width, 2 * width), ConvBlock(2 * width, 2 * width))
