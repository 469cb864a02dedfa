"""How each stream is made of a source that is read once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from affuse.errors import AffuseError
from affuse.features.aligned import AlignedFaces
from affuse.features.arriving import Arriving, ArrivingFaces, ArrivingSound
from affuse.features.extractor import Extractor
from affuse.features.faces import Faces
from affuse.features.recomputed import OfBlocks, Whole, WindowRows, WindowSound
from affuse.features.sound import LocalExtractor, SoundExtractor
from affuse.features.stream import Stream

if TYPE_CHECKING:
    from affuse.media.live import Live


@runtime_checkable
class FrameByFrame(Protocol):
    """An extractor that makes something of each frame of another stream.

    Attributes:
        input: The extractor of that stream.
    """

    input: Extractor

    def features_of(self, block: Stream) -> Stream:
        """What it makes of some frames."""
        ...


def live_stream(extractor: Extractor, live: Live, seconds: float) -> Arriving | Whole:
    """The stream of an extractor, of a source.

    Args:
        extractor: What makes it from recordings.
        live: The source, of which nothing was read yet.
        seconds: Of the windows that are wanted.

    Raises:
        AffuseError: It is computed of a whole recording or a whole window of frames.
    """
    if live.sound is not None and isinstance(extractor, LocalExtractor):
        return ArrivingSound(extractor, live.sound)
    if live.sound is not None and isinstance(extractor, SoundExtractor):
        return WindowSound(extractor, live.sound, seconds + live.late + 1.0)
    if isinstance(extractor, AlignedFaces | Faces):
        return ArrivingFaces(extractor, live)
    if isinstance(extractor, FrameByFrame) and isinstance(extractor.input, AlignedFaces | Faces):
        return ArrivingFaces(extractor.input, live, extractor.features_of)
    if isinstance(extractor, OfBlocks):
        read = live_stream(extractor.input, live, seconds)
        if isinstance(read, Arriving):
            return WindowRows(extractor, read, seconds + live.late + 1.0)
    raise AffuseError(
        f"the model reads {extractor.spec.name}, which is made of many frames at once and not "
        "frame by frame, as live would need it; affuse predict makes it"
    )
