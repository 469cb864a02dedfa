"""How large faces are, measured in the recordings of some clips."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from affuse.errors import BadInput
from affuse.evaluation.checks.examined import Examined
from affuse.evaluation.checks.outcome import NotApplicable
from affuse.evaluation.checks.recordings import placed
from affuse.execution.progress import progress
from affuse.media.face import FaceOptions, Readings

#: Times by which a face is larger than another, for sizes to differ.
_RATIO = 1.25


def face_sizes(model: Examined) -> Mapping[str, str]:
    """Clip id -> whether its face is among the smaller or the larger half of some clips.

    Raises:
        NotApplicable: Where the recordings lie is not known, or faces are all of one size.
    """
    sizes: dict[str, float] = {}
    for clip in progress(placed(model, model.some("video")), "face sizes"):
        if clip.video is None:
            continue
        readings = Readings(clip.tracks)
        try:
            search = readings.face(clip.video, FaceOptions(), clip.start, clip.end)
            readings.run()
        except BadInput:
            continue
        if search.track is not None:
            sides = search.track.boxes[:, 2:] - search.track.boxes[:, :2]
            sizes[clip.id] = float(np.median(sides.max(1)))
    if not sizes:
        raise NotApplicable("no face was found in the recordings")
    return halves(sizes)


def halves(sizes: Mapping[str, float]) -> Mapping[str, str]:
    """Clip id -> whether its face is in the smaller or the larger half.

    Args:
        sizes: Clip id -> pixels.

    Raises:
        NotApplicable: Faces are all of one size.
    """
    low, middle, high = np.quantile(list(sizes.values()), [0.1, 0.5, 0.9])
    if high < _RATIO * low:
        raise NotApplicable(f"faces are all about {middle:.0f} pixels large")
    return {clip: "smaller half" if x < middle else "larger half" for clip, x in sizes.items()}
