"""A talking face to make recordings of."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from affuse.media.video import read_frames
from tests.faults.containers import FPS, RATE, Content
from tests.media.recordings import read_audio


@cache
def talking_face(seconds: float) -> Content:
    """A face that shows one emotion and a voice that speaks with another."""
    pytest.importorskip("skimage")
    from affuse.corpora.synthetic import ravdess

    with TemporaryDirectory() as name:
        ravdess.synthesise(
            Path(name),
            actors=[2],
            intensities=[2],
            statements=[1],
            repetitions=[1],
            seconds=seconds,
            fps=FPS,
        )
        (source,) = Path(name).rglob("01-01-06-*.mp4")
        images = [frame.rgb() for frame in read_frames(source)]
        sound = read_audio(source, RATE)
    assert sound is not None
    length = len(images) * RATE // FPS
    return Content(images, np.pad(sound, (0, max(0, length - len(sound))))[:length])
