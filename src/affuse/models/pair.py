"""What most fusions begin with: one stream of sound and one of video, each behind a front-end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Model
from affuse.models.frontends.registry import FrontEndChoice, build_frontend


class PairModel(Model):
    """A model of two streams.

    Args:
        streams: An audio and a video stream, the first of each is read.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        audio: Front-end of the audio stream; None for the one that suits it, or where the model is
            `plain`, for its vectors as they are.
        video: Front-end of the video stream, in the same way.
    """

    #: Whether vectors are read as they are unless a front-end is chosen.
    plain: ClassVar[bool] = False

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        audio: FrontEndChoice = None,
        video: FrontEndChoice = None,
    ) -> None:
        super().__init__(streams, outputs, head)
        sound, picture = self.stream_of("audio"), self.stream_of("video")
        self.streams = {spec.name: spec for spec in (sound, picture)}
        self.audio = build_frontend(sound, audio, self.plain)
        self.video = build_frontend(picture, video, self.plain)
