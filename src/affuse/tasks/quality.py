"""On what each row of a prediction rests: how well a face is seen and a voice is heard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from affuse.media.loudness import Loudness
from affuse.media.quality import FIELDS, FaceSeries
from affuse.models.applied import LEAST_VOICE
from affuse.tasks.columns import Column
from affuse.tasks.weighing import LEAST


class Limit(NamedTuple):
    """Values of a measure beyond which a row is marked, and beyond which nothing is said of it.

    Measured with the bundled model of 0.1.0 on faces of FER+ and voices of RAVDESS that it had not
    learned, each made worse step by step: half of what the unweighted average recall has above
    chance is lost at `marked`, nine tenths at `worthless`. Today's bears more
    (`docs/results/quality.md`).
    """

    marked: float
    worthless: float


SMALL_FACE = Limit(14, 8)
"""Side of a face in pixels, from below. Recall: 0.69 at 48 pixels, 0.44 at 14, 0.19 at 8."""
BLURRED = Limit(0.085, 0.05)
"""Sharpness, from below: that of faces with a blur of 2 and of 3 pixels of 48."""
DARK = Limit(0.10, 0.055)
"""Light, from below: a fifth, and a tenth of that of the images of FER+."""
OVEREXPOSED = Limit(0.80, 0.97)
"""Share of the face that is clipped, where it is light, from above. Recall: 0.43 and 0.20."""
TURNED = Limit(60, np.inf)
"""Degrees of yaw, either way, from above. Of faces that were found, those turned by up to 60
degrees are read as well as others; beyond there are too few to know, so nothing is withheld."""
QUIET = Limit(-75, -90)
"""Level in dB of full scale, from below. Recall: 0.66 down to -60, 0.31 at -80, 0.19 at -90."""
NOISY = Limit(-8, -np.inf)
"""Signal-to-noise ratio in dB as estimated, from below: -10 dB of white noise in truth. Nothing is
withheld for noise: where it is worthless, at -20 dB, the estimate does not tell it from a vowel
that is held."""
NO_VOICE = Limit(LEAST_VOICE, LEAST_VOICE)
"""Share of the sound in which the model hears somebody, from below."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "video": tuple(f"face_{name}" for name in FIELDS),
    "audio": ("sound_level", "sound_snr", "sound_voice"),
}
"""Modality -> what is measured of it."""
_DIGITS = {
    "face_size": 1,
    "face_sharpness": 4,
    "face_light": 4,
    "face_clipped": 4,
    "face_yaw": 1,
    "face_pitch": 1,
    "sound_level": 1,
    "sound_snr": 1,
    "sound_voice": 2,
}


@dataclass(frozen=True)
class Measures:
    """What was measured of a recording over time.

    Attributes:
        face: How well the face is seen; None where it was not cut out.
        sound: How loud the sound is; None where there is none.
    """

    face: FaceSeries | None = None
    sound: Loudness | None = None


@dataclass(frozen=True)
class Quality:
    """On what each of W rows rests.

    Attributes:
        values: `COLUMNS` of the modalities that the model reads -> (W,); NaN where not known.
        reasons: Of each row, why what is there is of low quality, such as `small face`; none where
            it is not.
        worthless: (W,) bool, in which rows all modalities that are there are beyond a limit of
            `worthless`.
    """

    values: Mapping[str, np.ndarray]
    reasons: tuple[tuple[str, ...], ...]
    worthless: np.ndarray

    def medians(self) -> dict[str, str]:
        """Measure -> its median over the rows in which it is known, as a cell of a table."""
        known = {name: values[~np.isnan(values)] for name, values in self.values.items()}
        return {
            name: f"{np.median(values) + 0.0:.{_DIGITS[name]}f}" if len(values) else ""
            for name, values in known.items()
        }

    def to_json(self, row: int) -> dict[str, float | None]:
        """The values of a row by name."""
        return dict(self._rounded(name, row) for name in self.values)

    def columns_json(self) -> dict[str, list[float | None]]:
        """The values of all rows by name."""
        rows = range(len(self.reasons))
        return {name: [self._rounded(name, row)[1] for row in rows] for name in self.values}

    def _rounded(self, name: str, row: int) -> tuple[str, float | None]:
        value = float(self.values[name][row])
        return name, None if np.isnan(value) else round(value, _DIGITS[name]) + 0.0

    @property
    def columns(self) -> list[Column]:
        """The values, and the reasons as `low_quality`, of tables."""
        measured = [Column(name, x, _DIGITS[name]) for name, x in self.values.items()]
        return [*measured, Column("low_quality", ["; ".join(x) for x in self.reasons])]

    @property
    def low(self) -> np.ndarray:
        """(W,) bool, which rows have a reason."""
        return np.array([bool(reasons) for reasons in self.reasons], bool)

    def counts(self) -> dict[str, int]:
        """Reason -> how many rows have it, the most frequent first."""
        found: dict[str, int] = {}
        for reasons in self.reasons:
            for reason in reasons:
                found[reason] = found.get(reason, 0) + 1
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def quality_of(
    measures: Measures,
    starts: np.ndarray,
    ends: np.ndarray,
    present: Mapping[str, np.ndarray],
    voice: np.ndarray | None = None,
) -> Quality:
    """On what some rows of a prediction rest.

    Args:
        measures: Of the recording.
        starts: (W,) seconds.
        ends: (W,) seconds.
        present: Modalities that the model reads -> (W,) share of each row in which they are there;
            one that is there for less than a tenth does not count.
        voice: (W,) share of the sound of each row in which a model hears somebody; NaN where it
            does not tell, None if it never does.
    """
    values: dict[str, np.ndarray] = {}
    good = np.zeros(len(starts), bool)
    reasons: list[list[str]] = [[] for _ in starts]
    for name in COLUMNS:
        if name not in present:
            continue
        measured = _measured(name, measures, starts, ends)
        if name == "audio" and voice is not None:
            measured["sound_voice"] = voice
        values |= measured
        there = present[name] >= LEAST
        lost = np.zeros(len(starts), bool)
        for reason, (marked, worthless) in _checks(measured).items():
            for row in np.flatnonzero(marked & there):
                reasons[row].append(reason)
            lost |= worthless
        good |= there & ~lost
    found = tuple(tuple(row) for row in reasons)
    return Quality(values, found, ~good & np.array([bool(row) for row in found], bool))


def _measured(
    modality: str, measures: Measures, starts: np.ndarray, ends: np.ndarray
) -> dict[str, np.ndarray]:
    """Columns of a modality -> (W,)."""
    rows = np.full((len(COLUMNS[modality]), len(starts)), np.nan)
    if modality == "video" and measures.face is not None:
        rows = measures.face.within(starts, ends).T
    if modality == "audio" and measures.sound is not None:
        rows[:2] = measures.sound.level(starts, ends), measures.sound.snr(starts, ends)
    return dict(zip(COLUMNS[modality], rows, strict=True))


def _checks(values: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reason -> (W,) bool, the rows it marks, and those it makes worthless.

    What is not known misses no limit.
    """

    def below(name: str, limit: Limit) -> tuple[np.ndarray, np.ndarray]:
        return values[name] < limit.marked, values[name] < limit.worthless

    def above(measured: np.ndarray, limit: Limit) -> tuple[np.ndarray, np.ndarray]:
        return measured > limit.marked, measured > limit.worthless

    if "face_size" in values:
        light = values["face_light"]
        return {
            "small face": below("face_size", SMALL_FACE),
            "blurred": below("face_sharpness", BLURRED),
            "dark": below("face_light", DARK),
            "overexposed": above(np.where(light > 0.5, values["face_clipped"], 0), OVEREXPOSED),
            "turned away": above(np.abs(values["face_yaw"]), TURNED),
        }
    return {
        "quiet": below("sound_level", QUIET),
        "noisy": below("sound_snr", NOISY),
        "no voice": below("sound_voice", NO_VOICE),
    }
