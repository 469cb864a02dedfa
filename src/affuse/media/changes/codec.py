"""Sound as it comes through a lossy codec."""

from __future__ import annotations

from io import BytesIO

import av
import numpy as np
import soxr

from affuse.media.channels import Samples

_RATE = 48000  # of Opus, in Hz


def codec(sound: Samples, rate: int, kilobits: float, random: np.random.Generator) -> Samples:
    """Encode as Opus with so many kbit/s, and decode again, at the same place.

    Source: RFC 6716; libopus in the application `audio`.
    """
    if not len(sound):
        return sound
    wide = np.asarray(soxr.resample(sound, rate, _RATE), np.float32)
    heard = soxr.resample(_decoded(_encoded(wide, kilobits)), _RATE, rate)
    lost = max(0, len(sound) - len(heard))
    return np.pad(heard, (0, lost))[: len(sound)].astype(np.float32)


def _encoded(sound: Samples, kilobits: float) -> BytesIO:
    file = BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream(
            "libopus", rate=_RATE, layout="mono", options={"application": "audio"}
        )
        stream.bit_rate = round(kilobits * 1000)
        frame = av.AudioFrame.from_ndarray(sound[None], "flt", "mono")
        frame.sample_rate, frame.pts = _RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    return file


def _decoded(file: BytesIO) -> Samples:
    with av.open(file, "r") as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate([np.zeros(0, np.float32), *parts])
