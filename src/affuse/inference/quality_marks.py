"""Where a prediction rests on little, for its drawings and its page."""

from __future__ import annotations

import numpy as np

from affuse.tasks.prediction import Prediction
from affuse.tasks.presence import stretches
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline

#: Column -> what it is called in a sentence, its digits and its unit.
_WORDS = {
    "face_size": ("face", 0, " px"),
    "face_sharpness": ("sharpness", 2, ""),
    "face_light": ("light", 2, ""),
    "face_yaw": ("yaw", 0, "°"),
    "face_pitch": ("pitch", 0, "°"),
    "sound_level": ("sound", 0, " dB"),
    "sound_snr": ("SNR", 0, " dB"),
    "sound_voice": ("voice", 2, ""),
}


def row_edges(timeline: Prediction) -> np.ndarray:
    """(N + 1,) seconds between which each row of a timeline is the nearest one."""
    if isinstance(timeline, Timeline):
        inner = (timeline.centres[1:] + timeline.centres[:-1]) / 2
    elif isinstance(timeline, ValuesTimeline):
        inner = timeline.times[1:]
    else:
        raise TypeError(f"{type(timeline).__name__} has no rows")
    return np.concatenate([[0.0], inner, [timeline.duration]])


def low_spans(timeline: Prediction) -> list[tuple[float, float]]:
    """(start, end) in seconds of the stretches that are marked as of low quality."""
    edges = row_edges(timeline)
    return [(float(edges[i]), float(edges[j])) for i, j in stretches(timeline.quality.low)]


def low_summary(timeline: Prediction) -> str:
    """How much is of low quality, and why: `40% (quiet, small face)`."""
    low = sum(end - start for start, end in low_spans(timeline))
    reasons = ", ".join(timeline.quality.counts())
    return f"{low / timeline.duration:.0%} ({reasons})"


def withheld_summary(timeline: Prediction) -> str:
    """How much is withheld, and why: `2 of 7 windows withheld (quiet)`; empty where nothing is."""
    if timeline.withheld is None:
        return ""
    rows, quality = np.flatnonzero(timeline.withheld), timeline.quality
    why = dict.fromkeys(reason for row in rows for reason in quality.reasons[row])
    unit = "windows" if isinstance(timeline, Timeline) else "moments"
    return f"{len(rows)} of {len(timeline.known)} {unit} withheld ({', '.join(why)})"


def quality_words(timeline: Prediction) -> list[tuple[str, str]]:
    """What is measured, in the order of `quality_rows`, with its unit."""
    return [(_WORDS[n][0], _WORDS[n][2]) for n in timeline.quality.values if n in _WORDS]


def quality_rows(timeline: Prediction) -> list[list[float | None]]:
    """The measures of each row, rounded for the eye."""
    columns = [
        [None if np.isnan(x) else round(float(x), _WORDS[n][1]) + 0.0 for x in values]
        for n, values in timeline.quality.values.items()
        if n in _WORDS
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def quality_sentence(timeline: Prediction) -> str:
    """Medians over all rows: `face 149 px, sharpness 0.25, ...`; empty where nothing is known."""
    said = []
    for name, values in timeline.quality.values.items():
        known = values[~np.isnan(values)]
        if name in _WORDS and len(known):
            word, digits, unit = _WORDS[name]
            said.append(f"{word} {round(float(np.median(known)), digits) + 0.0:.{digits}f}{unit}")
    return ", ".join(said)
