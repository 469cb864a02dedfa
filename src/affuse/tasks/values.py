"""Continuous valence and arousal at the time stamps of the frames, and their files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from affuse.execution.files import write_json
from affuse.features.stream import Stream, StreamSpec
from affuse.models.calibration import ModelCalibration
from affuse.tasks.columns import Column
from affuse.tasks.naming import WITHHELD
from affuse.tasks.prediction import Prediction
from affuse.tasks.presence import stretches
from affuse.tasks.quality import Quality, quality_of
from affuse.tasks.uncertainty import band_widths

#: Seconds for which a face may be out of sight and nothing is left empty.
UNSEEN = 0.2
#: Seconds before and after a moment over which the quality of face and sound is summed up.
AROUND = 0.5


@dataclass(frozen=True, kw_only=True, repr=False)
class ValuesTimeline(Prediction):
    """Values such as valence and arousal for every image.

    Args:
        dimensions: D names.
        times: (N,) seconds: the time stamps of the images, and 30 per second of sound alone.
        shown: (N,) bool, at which of them an image is shown; None for all, or for sound alone.
        values: (N, D) float32, -1 to 1; NaN where nothing is known or no face is seen.
        calibration: Of the model; None where it was not calibrated.
    """

    dimensions: list[str]
    times: np.ndarray
    values: np.ndarray
    shown: np.ndarray | None = None
    calibration: ModelCalibration | None = None

    @property
    def known(self) -> np.ndarray:
        """(N,) bool, which rows have values."""
        return ~np.isnan(self.values).any(1)

    def brief(self, time: float) -> str:
        """The values of the nearest frame; see `Prediction.brief`."""
        row = self.values[int(np.abs(self.times - time).argmin())]
        return "" if np.isnan(row).any() else " ".join(f"{value:+.1f}" for value in row)

    @cached_property
    def quality(self) -> Quality:
        """On what each row rests: half a second before and after it."""
        there = {name: p.at(self.times).astype(float) for name, p in self.presence.items()}
        return quality_of(self.measures, self.times - AROUND, self.times + AROUND, there)

    def without(self, moments: np.ndarray) -> Self:
        """Without the values of some rows (N,) bool."""
        values = np.where(moments[:, None], np.nan, self.values)
        return replace(self, values=values, withheld=moments)

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """(start, end) in seconds of the stretches without values, up to the next image."""
        ends = np.append(self.times[1:], max(self.duration, self.times[-1]))
        return [(float(self.times[i]), float(ends[j - 1])) for i, j in stretches(~self.known)]

    @property
    def overall(self) -> np.ndarray:
        """(D,) means over the known images; NaN without any."""
        if not self.known.any():
            return np.full(len(self.dimensions), np.nan, np.float32)
        return np.asarray(np.nanmean(self.values, axis=0))

    @property
    def headline(self) -> str:
        """The means."""
        if not self.known.any():
            return f"{WITHHELD}: {', '.join(self.quality.counts())}"
        means = zip(self.dimensions, self.overall, strict=True)
        return ", ".join(f"{name} {mean:+.2f}" for name, mean in means)

    @cached_property
    def bands(self) -> dict[str, np.ndarray]:
        """`<dimension>_low` and `_high` -> (N,) between which the truth is expected, -1 to 1.

        NaN where nothing is known or promised; nothing of models that are not calibrated.
        """
        if self.calibration is None:
            return {}
        there = {name: p.at(self.times) for name, p in self.presence.items()}
        reach = band_widths(self.calibration, len(self.dimensions), there)
        return {
            f"{name}_{end}": (self.values[:, d] + sign * reach[:, d]).clip(-1, 1)
            for d, name in enumerate(self.dimensions)
            for end, sign in (("low", -1), ("high", 1))
        }

    @property
    def columns(self) -> list[Column]:
        """Of each image its number from 1, its time, the values, of calibrated models their bands,
        whether face and sound, and their quality.

        Rows of sound before the first image and after the last one have no number.
        """
        shown = np.ones(len(self.times), bool) if self.shown is None else self.shown
        numbers = np.cumsum(shown).tolist()
        found = [
            Column(
                "frame", [n if there else None for n, there in zip(numbers, shown, strict=True)]
            ),
            Column("time", self.times, 4),
        ]
        found += [
            Column(name, x, 6) for name, x in zip(self.dimensions, self.values.T, strict=True)
        ]
        found += [Column(name, x, 6) for name, x in self.bands.items()]
        found += [
            Column(f"{name}_present", p.at(self.times).astype(int).tolist())
            for name, p in self.presence.items()
        ]
        found += self.baseline.columns(len(self.times)) if self.baseline else []
        return [*found, *self.quality.columns]

    def write_json(self, path: Path, folder: Path | None = None) -> None:
        """Everything but the images; see `Prediction.write_json`."""
        columns = dict(zip(self.dimensions, self.values.T, strict=True))
        facts: dict[str, Callable[..., float]] = {
            "mean": np.nanmean,
            "min": np.nanmin,
            "max": np.nanmax,
        }
        write_json(
            path,
            {
                **self.source_json(folder or path.parent),
                "duration": round(self.duration, 4),
                "tracks": asdict(self.tracks),
                "model": self.model,
                "notes": self.notes,
                **self._baseline_json(),
                "dimensions": {
                    name: {
                        fact: round(float(of(column)), 6) if self.known.any() else None
                        for fact, of in facts.items()
                    }
                    for name, column in columns.items()
                },
                "gaps": [[round(a, 4), round(b, 4)] for a, b in self.gaps],
                "presence": self._presence_json(),
                "others": self.others,
                "person": {"number": self.person, "of": self.people},
                "times": [round(float(time), 4) for time in self.times],
                "values": {name: _json(column) for name, column in columns.items()},
                **self._bands_json(),
                "quality": self.quality.columns_json(),
                "low_quality": [list(reasons) for reasons in self.quality.reasons],
                "withheld": [self.is_withheld(k) for k in range(len(self.times))],
            },
        )

    def _bands_json(self) -> dict[str, Any]:
        if self.calibration is None:
            return {}
        bands = {name: _json(column) for name, column in self.bands.items()}
        return {"bands": bands, "coverage": self.calibration.coverage}


def _json(column: np.ndarray) -> list[float | None]:
    return [None if np.isnan(x) else round(float(x), 6) for x in column]


def unseen(stream: Stream, spec: StreamSpec, times: np.ndarray) -> np.ndarray:
    """Moments within a stretch of more than `UNSEEN` seconds that a stream lacks.

    Args:
        stream: Of the recording.
        spec: Its spec.
        times: (N,) seconds.

    Returns:
        (N,) bool.
    """
    there = stream.start + np.flatnonzero(stream.mask) / spec.rate
    half = 0.5 / spec.rate
    edges = np.concatenate([[-np.inf], there, [np.inf]])
    after = np.searchsorted(edges, times).clip(1, len(edges) - 1)
    before, following = edges[after - 1], edges[after]
    # beyond the first and the last frame the recording itself bounds what is not seen
    length = np.minimum(following, times[-1] + half) - np.maximum(before, -half) - 2 * half
    near = np.minimum(times - before, following - times) <= half + 1e-6
    return np.asarray(~near & (length > UNSEEN))
