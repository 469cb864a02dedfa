"""Probabilities of classes over time, and the files they are written to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from affuse.execution.files import write_json
from affuse.models.applied import LEAST_VOICE
from affuse.models.calibration import ModelCalibration
from affuse.tasks.columns import Column
from affuse.tasks.naming import UNCLEAR, WITHHELD, named
from affuse.tasks.prediction import Prediction
from affuse.tasks.presence import stretches
from affuse.tasks.quality import Quality, quality_of
from affuse.tasks.uncertainty import BETWEEN, classes_left
from affuse.tasks.weighing import counting


@dataclass(frozen=True, kw_only=True, repr=False)
class Timeline(Prediction):
    """Probabilities of classes, window by window.

    Args:
        classes: C names.
        starts: (W,) seconds.
        ends: (W,) seconds.
        probabilities: (W, C) float32; NaN where nothing was present.
        window_presence: As `presence` -> (W,) share of each window that is present.
        ratings: Name -> (W,) values that the model reads beside the classes, such as valence; an
            experiment. NaN where it sees nothing.
        voice: (W,) share of the sound of each window in which somebody is heard; NaN where there is
            none or the model does not tell.
        calibration: Of the model; None where it was not calibrated.
    """

    classes: list[str]
    starts: np.ndarray
    ends: np.ndarray
    probabilities: np.ndarray
    window_presence: dict[str, np.ndarray]
    ratings: dict[str, np.ndarray] = field(default_factory=dict)
    voice: np.ndarray | None = None
    calibration: ModelCalibration | None = None

    @property
    def known(self) -> np.ndarray:
        """(W,) bool, in which windows something was present."""
        return ~np.isnan(self.probabilities).any(1)

    @property
    def claimed(self) -> np.ndarray:
        """(W,) bool, in which windows an emotion is named, or probabilities rest on no voice.

        Else `unclear` can stay where it is said.
        """
        rows = range(len(self.probabilities))
        claims = np.array([self.said(k) not in (None, UNCLEAR, WITHHELD) for k in rows], bool)
        return claims if self.voice is None else claims | (self.voice < LEAST_VOICE) & self.known

    @cached_property
    def quality(self) -> Quality:
        """On what each window rests."""
        presence = self.window_presence
        return quality_of(self.measures, self.starts, self.ends, presence, self.voice)

    def without(self, moments: np.ndarray) -> Self:
        """Without what the model says about some windows (W,) bool."""
        return replace(
            self,
            probabilities=np.where(moments[:, None], np.nan, self.probabilities),
            ratings={name: np.where(moments, np.nan, x) for name, x in self.ratings.items()},
            withheld=moments,
        )

    @property
    def centres(self) -> np.ndarray:
        """(W,) seconds."""
        return (self.starts + self.ends) / 2

    @property
    def parts(self) -> list[tuple[int, int]]:
        """(first, one after the last) window of each stretch in which every window is known."""
        return stretches(self.known)

    @property
    def edges(self) -> list[tuple[float, float, int]]:
        """(start, end, window) of the half windows at both ends of the recording that are known.

        A window speaks at its centre; nothing else speaks about the first half of the first one
        and the second half of the last one.
        """
        last = len(self.starts) - 1
        halves = [
            (float(self.starts[0]), float(self.centres[0]), 0),
            (float(self.centres[last]), float(self.ends[last]), last),
        ]
        return [half for half in halves if self.known[half[2]]]

    def at(self, time: float) -> np.ndarray:
        """(C,) probabilities at a moment, on lines between centres; NaN where nothing is known.

        Between a window that is known and one that is not the nearer one counts.

        Args:
            time: Seconds.
        """
        after = int(np.searchsorted(self.centres, time))
        before, after = max(after - 1, 0), min(after, len(self.centres) - 1)
        gap = max(float(self.centres[after] - self.centres[before]), 1e-9)
        share = float(np.clip((time - self.centres[before]) / gap, 0, 1))
        near = self.probabilities[[before, after]]
        if np.isnan(near).any():
            return np.asarray(near[int(share > 0.5)])
        return np.asarray(near.T @ np.array([1 - share, share]))

    def brief(self, time: float) -> str:
        """The class that stands out at a moment, or `unclear`; see `Prediction.brief`."""
        row = self.at(time)
        return "" if np.isnan(row).any() else named(self.classes, row)

    @property
    def overall(self) -> np.ndarray:
        """(C,) mean probabilities over the windows that are known; NaN without any."""
        if not self.known.any():
            return np.full(len(self.classes), np.nan, np.float32)
        return np.asarray(np.nanmean(self.probabilities, axis=0))

    @property
    def emotion(self) -> str:
        """The class whose mean probability stands out, or `unclear`, or `withheld`."""
        if not self.known.any():
            return WITHHELD
        return named(self.classes, self.overall)

    @property
    def headline(self) -> str:
        """The class that stands out and its mean probability, or the two likeliest."""
        if self.emotion == WITHHELD:
            return f"{WITHHELD}: {', '.join(self.quality.counts())}"
        first, *others = np.argsort(-self.overall, kind="stable")
        likeliest = f"{self.classes[first]} {self.overall[first]:.2f}"
        if self.emotion != UNCLEAR:
            return likeliest
        seconds = (f", {self.classes[k]} {self.overall[k]:.2f}" for k in others[:1])
        return f"{UNCLEAR}: {likeliest}{''.join(seconds)}"

    def said(self, window: int) -> str | None:
        """What stands out in a window, `unclear`, `withheld`, or None without a reading."""
        row = self.probabilities[window]
        if np.isnan(row).any():
            return WITHHELD if self.is_withheld(window) else None
        return named(self.classes, row)

    def modalities(self, window: int) -> frozenset[str]:
        """Those that count in a window."""
        return counting({name: float(x[window]) for name, x in self.window_presence.items()})

    def not_ruled_out(self, window: int | None = None) -> list[str] | None:
        """The classes that a calibrated model does not rule out; None where it cannot say.

        Args:
            window: Of which; by default of the whole recording.
        """
        if window is not None:
            row, there = self.probabilities[window], self.modalities(window)
        else:
            row = self.overall
            there = frozenset().union(*map(self.modalities, np.flatnonzero(self.known).tolist()))
        return classes_left(self.calibration, self.classes, row, there)

    @property
    def columns(self) -> list[Column]:
        """What stands out in each window, probabilities, presence, ratings and quality.

        Of calibrated models also the classes that are not ruled out. Probabilities that are
        withheld are NaN.
        """
        rows = range(len(self.starts))
        found = [
            Column("start", self.starts, 3),
            Column("end", self.ends, 3),
            Column("emotion", [self.said(k) for k in rows]),
        ]
        if self.calibration is not None:
            sets = [BETWEEN.join(self.not_ruled_out(k) or ()) or None for k in rows]
            found.append(Column("not_ruled_out", sets))
        values = np.where(self.known[:, None], self.probabilities, np.nan)
        found += [Column(name, x, 6) for name, x in zip(self.classes, values.T, strict=True)]
        found += [Column(f"{name}_present", x, 3) for name, x in self.window_presence.items()]
        found += [Column(f"{name}_experimental", x, 4) for name, x in self.ratings.items()]
        found += self.baseline.columns(len(rows)) if self.baseline else []
        return [*found, *self.quality.columns]

    def _experimental(self, window: int) -> dict[str, Any]:
        """The ratings of a window as JSON values, where the model has any."""
        values = {n: round(float(x[window]), 4) for n, x in self.ratings.items()}
        known = {n: None if np.isnan(x) else x for n, x in values.items()}
        return {"experimental": known} if known else {}

    def _set_json(self, window: int | None = None) -> dict[str, Any]:
        """The classes that are not ruled out as JSON values, where the model is calibrated."""
        if self.calibration is None:
            return {}
        return {"not_ruled_out": self.not_ruled_out(window)}

    @property
    def mean_ratings(self) -> dict[str, float]:
        """Name -> mean over the windows in which it is known; names that never are, left out."""
        return {n: float(np.nanmean(x)) for n, x in self.ratings.items() if not np.isnan(x).all()}

    def write_json(self, path: Path, folder: Path | None = None) -> None:
        """Everything but the images; see `Prediction.write_json`."""
        windows = [
            {
                "start": round(float(self.starts[k]), 4),
                "end": round(float(self.ends[k]), 4),
                "probabilities": None
                if np.isnan(row).any()
                else {c: round(float(p), 6) for c, p in zip(self.classes, row, strict=True)},
                **self._set_json(k),
                "present": {n: round(float(v[k]), 4) for n, v in self.window_presence.items()},
                **self._experimental(k),
                "quality": self.quality.to_json(k),
                "low_quality": list(self.quality.reasons[k]),
                "withheld": self.is_withheld(k),
            }
            for k, row in enumerate(self.probabilities)
        ]
        write_json(
            path,
            {
                **self.source_json(folder or path.parent),
                "duration": round(self.duration, 4),
                "tracks": asdict(self.tracks),
                "model": self.model,
                "notes": self.notes,
                **self._baseline_json(),
                "emotion": self.emotion,
                "probabilities": {
                    c: round(float(p), 6) for c, p in zip(self.classes, self.overall, strict=True)
                }
                if self.known.any()
                else None,
                **self._set_json(),
                **({"coverage": self.calibration.coverage} if self.calibration else {}),
                "presence": self._presence_json(),
                "others": self.others,
                "person": {"number": self.person, "of": self.people},
                "windows": windows,
            },
        )
