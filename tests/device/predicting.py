"""How many seconds of a recording are predicted in a second."""

from __future__ import annotations

import time

from affuse.corpora.synthetic.affwild2 import synthesise
from affuse.inference.predictor import Predictor
from affuse.models.bundled import BUNDLED
from tests.device.setting import Figures, Setting


def measure(setting: Setting) -> Figures:
    """A generated recording of a talking face, by the bundled model, twice."""
    length = 3.0 if setting.quick else 60.0
    synthesise(setting.work / "corpus", videos=2, seconds=(length, length))
    recording = setting.work / "corpus" / "videos" / "video2.mp4"
    yield "recording_seconds", length
    began = time.perf_counter()
    predictor = Predictor(BUNDLED, device=setting.device)
    yield "load_seconds", round(time.perf_counter() - began, 3)
    for name in ("first", "second"):
        began = time.perf_counter()
        predictor.predict_people(recording)
        took = time.perf_counter() - began
        yield f"{name}_seconds_per_second", round(length / took, 2)
