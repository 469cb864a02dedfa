"""Front-ends: one stream to features over time, in two stages.

A fusion may sit after the first stage, after the second, or both, and so runs on any pair of
streams. Time series between the stages are (B, T, C) with a mask (B, T); absent frames are zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.features.stream import StreamSpec
from affuse.models.backbones.efficientface import FEATURES, SIZE, EfficientFace
from affuse.models.backbones.face_cnn import FaceCNN
from affuse.models.backbones.face_resnet import FaceResNet
from affuse.models.backbones.ir50 import IR50, middle
from affuse.models.backbones.ir50 import SIZE as IR50_SIZE
from affuse.models.backbones.vggish import FRAMES, MELS, VGGish
from affuse.models.layers.alignment import Clock
from affuse.models.layers.framewise import DenseFrames, FrameFeatures, is_embedded
from affuse.models.layers.network_layers import Joined, NetworkLayers
from affuse.models.layers.temporal import (
    ConvBlock,
    SpectrogramFeatures,
    TemporalStack,
    ValidConvBlock,
)
from affuse.models.options import check_options
from affuse.registry import Entry, Registry
from affuse.suggestions import unknown


class FrontEnd(nn.Module):
    """The contract of a front-end.

    Attributes:
        channels: Channels after the first and after the second stage.
        stride: Frames in per frame out.
        lead: Frames in before the one that the first frame out is about.
        clock: When the frames out are; set by `build_frontend`.
        stage1: (B, T, ...) and (B, T) bool -> (B, T1, C1) and (B, T1).
        stage2: (B, T1, C1) and (B, T1) -> (B, T2, C2) and (B, T2).
    """

    channels: tuple[int, int]
    stride: int = 1
    lead: int = 0
    clock: Clock
    stage1: nn.Module
    stage2: nn.Module

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Both stages: (B, T, ...) and (B, T) -> (B, T2, C2) and (B, T2).

        In place of the frames, x can be what `embed_frames` made of them, (B, T, F).
        """
        return self.stage2(*self.stage1(x, mask))

    @property
    def frame_features(self) -> int | None:
        """Values F that the first stage makes of every frame by itself; None where it does not."""
        return self.stage1.net.outputs if isinstance(self.stage1, FrameFeatures) else None

    def embed_frames(self, frames: Tensor) -> Tensor:
        """Normalised frames (N, ...) -> (N, F), each by itself.

        Raises:
            TypeError: No part of the front-end sees one frame at a time.
        """
        if not isinstance(self.stage1, FrameFeatures):
            raise TypeError(f"{type(self).__name__} sees no frame by itself")
        rows: Tensor = self.stage1.net(frames)
        return rows


def vector_length(spec: StreamSpec, name: str) -> int:
    """Values per frame of a stream of vectors; an `AffuseError` for any other stream."""
    if not spec.is_flat:
        raise AffuseError(f"front-end {name} reads vectors; {spec.name} has frames {spec.shape}")
    return spec.shape[0]


def check_picture(spec: StreamSpec, size: int, name: str) -> None:
    """Raise an `AffuseError` unless the frames are square images of this size."""
    if spec.shape != (size, size, 3):
        raise AffuseError(
            f"{name} reads images of {size} x {size} pixels; {spec.name} has frames {spec.shape}"
        )


def check_small_picture(spec: StreamSpec) -> None:
    """Raise an `AffuseError` unless the frames are images whose middle IR-50 can read."""
    if not spec.is_picture or not IR50_SIZE <= min(spec.shape[:2]) <= max(spec.shape[:2]) <= 48:
        raise AffuseError(
            f"IR-50 reads images of {IR50_SIZE} to 48 pixels; {spec.name} has frames {spec.shape}"
        )


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


class EfficientFaceConv(FrontEnd):
    """The visual branch of Chumachenko et al. (2022): EfficientFace and four convolutions.

    Args:
        spec: A stream of images of 224 x 224 pixels.
        width: Channels of the first two blocks (64 as published); then twice as many.
        frozen: Keep EfficientFace as it is, in training too.
    """

    def __init__(self, spec: StreamSpec, *, width: int = 64, frozen: bool = False) -> None:
        super().__init__()
        check_picture(spec, SIZE, "front-end efficientface")
        self.channels = (width, 2 * width)
        blocks = ConvBlock(FEATURES, width), ConvBlock(width, width)
        self.stage1 = FrameFeatures(EfficientFace(), *blocks, frozen=frozen)
        self.stage2 = TemporalStack(ConvBlock(width, 2 * width), ConvBlock(2 * width, 2 * width))


class IR50Vectors(FrontEnd):
    """IR-50 on the middle of every image, without blocks over time.

    Args:
        spec: A stream of images of 40 x 40 pixels, or up to 48 as published.
        squeeze_excitation: Whether its units have gates (the variant IR-SE-50).
        frozen: Keep the network as it is, in training too.
    """

    def __init__(
        self, spec: StreamSpec, *, squeeze_excitation: bool = False, frozen: bool = False
    ) -> None:
        super().__init__()
        check_small_picture(spec)
        self.channels = (IR50.outputs, IR50.outputs)
        self.stage1 = FrameFeatures(IR50(squeeze_excitation), frozen=frozen)
        self.stage2 = TemporalStack()

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, T, 3, H, W) and (B, T) -> (B, T, 512) and (B, T)."""
        return super().forward(x if is_embedded(x) else middle(x), mask)

    def embed_frames(self, frames: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> (N, 512)."""
        return super().embed_frames(middle(frames))


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


class FaceConv(FrontEnd):
    """A compact network for images of any size, and four convolutions over time.

    Args:
        spec: A stream of images, 32 to 128 pixels wide.
        width: Channels of the first layer; all others are multiples of it.
    """

    def __init__(self, spec: StreamSpec, *, width: int = 16) -> None:
        super().__init__()
        if not spec.is_picture:
            raise AffuseError(f"front-end face-cnn reads images; {spec.name} holds none")
        self.channels = (3 * width, 6 * width)
        self.stage1 = FrameFeatures(
            FaceCNN(width), ConvBlock(6 * width, 3 * width), ConvBlock(3 * width, 3 * width)
        )
        self.stage2 = TemporalStack(
            ConvBlock(3 * width, 6 * width), ConvBlock(6 * width, 6 * width)
        )


class FaceResNetVectors(FrontEnd):
    """A small residual network on every image, without blocks over time.

    Args:
        spec: A stream of images, 32 to 128 pixels wide.
        width: Channels of the first layer; the features have four times as many.
        mirrored: Outside training, see every image and its mirror image, and take the mean: twice
            the time, and the same answer for either.
    """

    def __init__(self, spec: StreamSpec, *, width: int = 24, mirrored: bool = False) -> None:
        super().__init__()
        if not spec.is_picture:
            raise AffuseError(f"front-end face-resnet reads images; {spec.name} holds none")
        self.channels = (4 * width, 4 * width)
        self.stage1 = FrameFeatures(FaceResNet(width, mirrored))
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


FRONTENDS: Registry[Entry] = Registry(
    "front-end",
    {
        "mfcc-conv": Entry("affuse.models.frontends:MFCCConv"),
        "efficientface": Entry("affuse.models.frontends:EfficientFaceConv"),
        "ir50": Entry("affuse.models.frontends:IR50Vectors"),
        "vggish": Entry("affuse.models.frontends:VGGishVectors"),
        "face-cnn": Entry("affuse.models.frontends:FaceConv"),
        "face-resnet": Entry("affuse.models.frontends:FaceResNetVectors"),
        "logmel-cnn": Entry("affuse.models.frontends:LogMelCNN"),
        "sequence": Entry("affuse.models.frontends:SequenceConv"),
        "vectors": Entry("affuse.models.frontends:Vectors"),
        "dense": Entry("affuse.models.frontends:Dense"),
        "layers": Entry("affuse.models.frontends:Layers"),
    },
    group="affuse.frontends",
    listed_by="affuse list frontends",
)


def default_frontend(spec: StreamSpec) -> str:
    """The name of the front-end that suits a stream."""
    if spec.is_picture:
        sides = {IR50_SIZE: "ir50", SIZE: "efficientface"}
        return (
            sides.get(spec.shape[0], "face-cnn") if spec.shape[0] == spec.shape[1] else "face-cnn"
        )
    if spec.modality == "audio" and spec.shape == (FRAMES, MELS):
        return "vggish"
    if spec.kind == "scores":
        return "vectors"
    if spec.kind == "spectrum":
        return "logmel-cnn"
    if spec.kind == "maps" and len(spec.shape) == 2:
        return "layers"
    # what the published network for ten MFCCs would do to other vectors, nobody knows
    return "mfcc-conv" if spec.name.startswith("audio/mfcc10") else "sequence"


FrontEndChoice = str | Mapping[str, Any] | None


def build_frontend(
    spec: StreamSpec, choice: FrontEndChoice = None, plain: bool = False
) -> FrontEnd:
    """A front-end for a stream.

    Args:
        spec: The stream that it reads.
        choice: Its name, or a mapping with `name` and its options; what is left out is the
            default.
        plain: Hand vectors on as they are, unless another front-end is chosen: for models that
            learn over time themselves.

    Raises:
        AffuseError: No such front-end or option, or it cannot read this stream.
    """
    options = {"name": choice} if isinstance(choice, str) else dict(choice or {})
    default = "vectors" if plain and spec.is_flat else default_frontend(spec)
    name = options.pop("name", None) or default
    build: type[FrontEnd] = FRONTENDS[name].load()
    check_options(f"front-end {name}", build, options)
    frontend = build(spec, **options)
    frontend.clock = Clock(spec.name, spec.rate, frontend.stride, frontend.lead)
    return frontend
