"""The contract of everything that turns a clip into a stream."""

from __future__ import annotations

from typing import Protocol

from affuse.corpora.clip import Clip
from affuse.features.stream import Stream, StreamSpec


class Extractor(Protocol):
    """Makes one kind of stream from clips; picklable, so that worker processes can use it."""

    spec: StreamSpec

    def extract(self, clip: Clip) -> Stream | None:
        """The stream of a clip, or None where the clip lacks the modality.

        Raises:
            BadInput: A file of the clip cannot be used.
        """
        ...
