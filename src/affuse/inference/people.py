"""Who is in a recording besides the person that is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from affuse.errors import AffuseError
from affuse.features.stream import StreamSpec
from affuse.media.face import FaceOptions, find_face
from affuse.media.probe import MediaInfo
from affuse.media.tracks import Track


def face_of(info: MediaInfo, specs: Iterable[StreamSpec]) -> Track | None:
    """The face that a model looks at, found as its streams find it and remembered for them.

    Args:
        info: The recording.
        specs: The streams of the model.

    Returns:
        None where there is none, or no stream looks for one.
    """
    names = [field.name for field in fields(FaceOptions)]
    for spec in specs:
        if info.has_video and set(names) <= set(spec.recipe):
            try:
                options = FaceOptions(**{n: spec.recipe[n] for n in names})
                return find_face(info.path, options, tracks=info.tracks)
            except AffuseError:  # whoever needs the pictures says what is wrong with them
                return None
    return None
