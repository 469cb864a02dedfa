"""The contract of everything that turns a clip into a stream."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.stream import Stream, StreamSpec

#: Seconds of a recording below which nothing can be said about an emotion.
SHORTEST = 0.5


class Extractor(Protocol):
    """Makes one kind of stream from clips; picklable, so that worker processes can use it."""

    spec: StreamSpec

    def extract(self, clip: Clip) -> Stream | None:
        """The stream of a clip, or None where the clip lacks the modality.

        Raises:
            BadInput: A file of the clip cannot be used.
        """
        ...


def check_length(path: Path, seconds: float) -> None:
    """Refuse what is too short.

    Raises:
        BadInput: Less than `SHORTEST` seconds.
    """
    if seconds < SHORTEST:
        raise BadInput(path, f"is only {max(seconds, 0):.2f} s long; {SHORTEST} s are needed")
