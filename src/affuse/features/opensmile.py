"""Descriptors that openSMILE computes."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse.extras import need
from affuse.features.sound import SoundExtractor, heard
from affuse.features.stream import Stream, StreamSpec

if TYPE_CHECKING:
    from affuse.media.audio import Sound

RATE = 16000


class Egemaps(SoundExtractor):
    """`audio/egemaps`: the 23 low-level descriptors of eGeMAPS v01a, at 100 Hz.

    Loudness and spectrum of a row are about 20 ms, pitch about 60 ms from the same beginning on. A
    row belongs to the moment 20 ms after it, which is 10 ms from the middle of either. All are
    smoothed over three rows; what describes voice is zero where there is none.

    openSMILE comes with the audEERING Research License: non-commercial research only, also for what
    is computed with it and for models of that. The recipe says so.

    Raises:
        AffuseError: opensmile is not installed.

    Source: Eyben et al. 2016 (GeMAPS), computed by openSMILE.
    """

    sound_rate = RATE

    def __init__(self) -> None:
        columns = list(_smile().feature_names)
        recipe = {
            "extractor": "openSMILE eGeMAPSv01a",
            "rate": RATE,
            "quantised": "16 bit",
            "licence": "audEERING Research License: non-commercial research only",
            "columns": columns,
        }
        self.spec = StreamSpec("audio/egemaps", 100.0, (len(columns),), recipe=recipe)

    def stream_of(self, sound: Sound) -> Stream:
        """(about 100 seconds - 4, 23) float32."""
        # openSMILE would round towards zero, and turn full scale into its negative.
        steps = np.clip(np.round(sound.samples * 32768), -32768, 32767)
        rows = _smile().process_signal(steps / 32768, RATE)
        return heard(sound, rows.to_numpy(np.float32), self.spec.rate, 0.02)


@lru_cache(maxsize=1)  # a worker process meets the extractor anew with every clip
def _smile() -> Any:
    need("opensmile", "stream audio/egemaps")
    import opensmile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # v01a is the version that was published
        return opensmile.Smile(
            feature_set=opensmile.FeatureSet.eGeMAPSv01a,
            feature_level=opensmile.FeatureLevel.LowLevelDescriptors,
        )
