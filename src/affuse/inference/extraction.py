"""The streams of a recording, made the way those of the training were."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from affuse.corpora.clip import Clip
from affuse.features.catalogue import Sources, create_extractor, source_of
from affuse.features.extractor import Extractor, check_same_stream
from affuse.features.stream import Stream, StreamSpec
from affuse.media.probe import MediaInfo
from affuse.models.embedded import unpack_networks


class Extraction:
    """The extractors of a model's streams, each made when it is first needed.

    Args:
        model: The model file, which may hold the frozen networks of its streams.
        specs: The streams of the model, by name.
        source: Where imported features are read from, and networks that are not to be those of
            the file.
    """

    def __init__(
        self, model: Path, specs: Mapping[str, StreamSpec], source: Sources = None
    ) -> None:
        self.specs, self.source = dict(specs), source
        self._extractors: dict[str, Extractor] = {}
        self._folder = TemporaryDirectory(prefix="affuse-")
        digests = {
            name: spec.recipe["weights"]
            for name, spec in self.specs.items()
            if "weights" in spec.recipe and source_of(name, source) is None
        }
        held = unpack_networks(model, set(digests.values()), Path(self._folder.name))
        within = {name: held[digest] for name, digest in digests.items() if digest in held}
        if within and (source is None or isinstance(source, Mapping)):
            self.source = {**(source or {}), **within}

    def stream(self, name: str, clip: Clip) -> Stream:
        """A stream of a clip; without frames where the modality is not there.

        Raises:
            BadInput: A file of the clip cannot be used.
            AffuseError: The stream is not made as the training clips' was.
        """
        spec = self.specs[name]
        there = clip.video if spec.modality == "video" else clip.audio
        stream = None
        if there is not None or source_of(name, self.source) is not None:
            if name not in self._extractors:
                extractor = create_extractor(name, self.source)
                check_same_stream(extractor.spec, spec)
                self._extractors[name] = extractor
            stream = self._extractors[name].extract(clip)
        if stream is None:
            return Stream(np.zeros((0, *spec.shape), spec.dtype), np.zeros(0, bool))
        return stream

    def whole(self, clip: Clip) -> dict[str, Stream]:
        """The streams that describe a whole recording, not one window of a fixed span."""
        return {
            name: self.stream(name, clip) for name, spec in self.specs.items() if spec.span is None
        }


def clip_of(info: MediaInfo) -> Clip:
    """A recording as a clip."""
    path: Path = info.path
    return Clip(
        id=path.stem,
        video=path if info.has_video else None,
        audio=path if info.has_audio else None,
        tracks=info.tracks,
    )
