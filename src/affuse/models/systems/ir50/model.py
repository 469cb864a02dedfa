"""`ir50`: IR-50 on every small image of a face, as Zhang, Ding, Wei and Guan, ICCVW 2021 use it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from affuse.features.stream import StreamSpec
from affuse.models.backbones.ir50 import IR50, middle
from affuse.models.base import Head
from affuse.models.frame_classifier import FrameClassifier
from affuse.models.frontends.images import check_small_picture


class IR50Frames(FrameClassifier):
    """`ir50`: IR-50 on the middle of every image.

    Args:
        streams: Streams, of which the first of video is read: images of 40 x 40 pixels, or up to
            48 as published.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        squeeze_excitation: Whether the units of the network have gates (the variant IR-SE-50).

    Raises:
        AffuseError: The stream holds no such images.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        squeeze_excitation: bool = False,
    ) -> None:
        super().__init__(streams, outputs, head, IR50(squeeze_excitation))
        check_small_picture(self.stream_of("video"))

    def fit(self, x: Tensor) -> Tensor:
        """Their middle."""
        return middle(x)
