"""Front-ends for sound."""

from __future__ import annotations

from typing import get_args

from torch import nn

from affuse.errors import AffuseError
from affuse.features.stream import StreamSpec
from affuse.models.backbones.vggish import FRAMES, MELS, VGGish
from affuse.models.frontends.front_end import FrontEnd, vector_length
from affuse.models.layers.framewise import FrameFeatures
from affuse.models.layers.network_layers import Joined, NetworkLayers
from affuse.models.layers.temporal import SpectrogramFeatures, TemporalStack, ValidConvBlock
from affuse.suggestions import unknown


def check_example(spec: StreamSpec, name: str) -> None:
    """Raise an `AffuseError` unless the frames are spectrograms as VGGish takes them."""
    if spec.shape != (FRAMES, MELS):
        raise AffuseError(
            f"{name} reads spectrograms ({FRAMES}, {MELS}); {spec.name} has frames {spec.shape}"
        )


class MFCCConv(FrontEnd):
    """The audio branch of Chumachenko et al. (2022): four convolutions without padding.

    It sees 13 frames around each output; a shorter stream counts as absent.

    Args:
        spec: A stream of vectors.
        width: Channels of the first block (64 as published); then twice, four times and twice.
    """

    def __init__(self, spec: StreamSpec, *, width: int = 64) -> None:
        super().__init__()
        self.lead = 6
        size = vector_length(spec, "mfcc-conv")
        self.channels = (2 * width, 2 * width)
        self.stage1 = TemporalStack(ValidConvBlock(size, width), ValidConvBlock(width, 2 * width))
        self.stage2 = TemporalStack(
            ValidConvBlock(2 * width, 4 * width), ValidConvBlock(4 * width, 2 * width)
        )


class VGGishVectors(FrontEnd):
    """VGGish on every example, without blocks over time.

    Args:
        spec: A stream of log-mel spectrograms of 96 frames and 64 bands.
        frozen: Keep the network as it is, in training too.
    """

    def __init__(self, spec: StreamSpec, *, frozen: bool = False) -> None:
        super().__init__()
        check_example(spec, "front-end vggish")
        self.channels = (VGGish.outputs, VGGish.outputs)
        self.stage1 = FrameFeatures(VGGish(), frozen=frozen)
        self.stage2 = TemporalStack()


class LogMelCNN(FrontEnd):
    """A compact network for log-mel spectrograms; eight times fewer frames come out.

    The second stage adds nothing: each output has already seen a third of a second.

    Args:
        spec: A stream of vectors, one value per mel band.
        width: Channels of the first block; all others are multiples of it.
        dropout: Probability of dropping a value between the convolutions and the last layer.
    """

    def __init__(self, spec: StreamSpec, *, width: int = 16, dropout: float = 0.0) -> None:
        super().__init__()
        self.channels = (8 * width, 8 * width)
        self.stride = 8
        self.stage1 = SpectrogramFeatures(vector_length(spec, "logmel-cnn"), width, dropout)
        self.stage2 = TemporalStack()


class Layers(FrontEnd):
    """Layers of a frozen network, joined on every frame.

    Args:
        spec: A stream of what every layer makes of each frame, such as `audio/whisper-base-layers`.
        width: Units of a dense layer.
        joined: In it `each` layer has weights of its own, or a learned `mean` of them is taken; or
            there is none, and the layers lie `side-by-side`.
        stride: Frames of which one is made.
        dropout: Probability of dropping a value in training.
        tuned: Layers of the network behind those of the stream, which learn with the rest: they
            begin as those of the recipe's `backbone`. Of Whisper alone.
    """

    def __init__(
        self,
        spec: StreamSpec,
        *,
        width: int = 128,
        joined: Joined = "each",
        stride: int = 1,
        dropout: float = 0.0,
        tuned: int = 0,
    ) -> None:
        super().__init__()
        if spec.kind != "maps" or len(spec.shape) != 2:
            raise AffuseError(
                f"front-end layers reads the layers of a network; {spec.name} has frames "
                f"{spec.shape}"
            )
        if joined not in get_args(Joined):
            raise unknown("joined", joined, get_args(Joined))
        if stride < 1:
            raise AffuseError(f"stride={stride}: expected 1 or more")
        if tuned < 0:
            raise AffuseError(f"tuned={tuned}: expected 0 or more")
        if tuned and spec.recipe.get("extractor") != "whisper":
            raise AffuseError(f"tuned={tuned}: {spec.name} is no stream of Whisper's layers")
        self.spec, self.stride, self.lead = spec, stride, stride // 2
        self.stage1 = NetworkLayers(*spec.shape, width, joined, stride, dropout, tuned)
        self.channels = (self.stage1.outputs, self.stage1.outputs)
        self.stage2 = TemporalStack()

    @property
    def tuned(self) -> nn.ModuleList:
        """The layers that learn."""
        assert isinstance(self.stage1, NetworkLayers)
        return self.stage1.tuned
