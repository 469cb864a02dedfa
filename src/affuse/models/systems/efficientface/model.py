"""`efficientface`: EfficientFace on every image of a face, Zhao, Liu and Zhou, AAAI 2021."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import interpolate

from affuse.errors import AffuseError
from affuse.features.stream import StreamSpec
from affuse.models.backbones.efficientface import SIZE, EfficientFace
from affuse.models.base import Head
from affuse.models.frame_classifier import FrameClassifier


class EfficientFaceFrames(FrameClassifier):
    """`efficientface`: EfficientFace on every image.

    Args:
        streams: Streams, of which the first of video is read: square images.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        size: Pixels along a side to which images are brought, a multiple of 16; 224 as published.

    Raises:
        AffuseError: The stream holds no images, or the size is no multiple of 16.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        size: int = SIZE,
    ) -> None:
        super().__init__(streams, outputs, head, EfficientFace())
        spec = self.stream_of("video")
        if not spec.is_picture or spec.shape[0] != spec.shape[1]:
            raise AffuseError(
                f"efficientface reads square images; {spec.name} has frames {spec.shape}"
            )
        if size < 16 or size % 16:
            raise AffuseError(f"efficientface: size must be a multiple of 16, not {size}")
        self.size = size

    def fit(self, x: Tensor) -> Tensor:
        """Images scaled to the size."""
        if x.shape[-1] == self.size:
            return x
        mode = "area" if x.shape[-1] > self.size else "bilinear"
        scaled = interpolate(x.flatten(0, 1), (self.size, self.size), mode=mode)
        return scaled.unflatten(0, x.shape[:2])
