"""Front-ends for images of faces."""

from __future__ import annotations

from torch import Tensor

from affuse.errors import AffuseError
from affuse.features.stream import StreamSpec
from affuse.models.backbones.efficientface import FEATURES, SIZE, EfficientFace
from affuse.models.backbones.face_cnn import FaceCNN
from affuse.models.backbones.face_resnet import FaceResNet
from affuse.models.backbones.ir50 import IR50, middle
from affuse.models.backbones.ir50 import SIZE as IR50_SIZE
from affuse.models.frontends.front_end import FrontEnd
from affuse.models.layers.framewise import FrameFeatures, is_embedded
from affuse.models.layers.temporal import ConvBlock, TemporalStack


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

    def seen(self, x: Tensor) -> Tensor:
        """The middle of images (..., 3, H, W)."""
        return x if is_embedded(x) else middle(x)


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
