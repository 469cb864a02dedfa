"""Values over time, at the time stamps of the images, and the files they are written to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from affuse.execution.files import write_csv, write_json
from affuse.features.stream import Stream, StreamSpec
from affuse.tasks.prediction import Prediction
from affuse.tasks.presence import stretches

#: Seconds for which a face may be out of sight and nothing is left empty.
UNSEEN = 0.2


@dataclass(frozen=True, kw_only=True)
class ValuesTimeline(Prediction):
    """Values such as valence and arousal for every picture.

    Args:
        dimensions: D names.
        times: (N,) seconds: the time stamps of the pictures, and 30 per second of sound alone.
        shown: (N,) bool, at which of them a picture is shown; None for all, or for sound alone.
        values: (N, D) float32, -1 to 1; NaN where nothing is known or no face is seen.
    """

    dimensions: list[str]
    times: np.ndarray
    values: np.ndarray
    shown: np.ndarray | None = None

    @property
    def known(self) -> np.ndarray:
        """(N,) bool, which rows have values."""
        return ~np.isnan(self.values).any(1)

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """(start, end) in seconds of the stretches without values, up to the next picture."""
        ends = np.append(self.times[1:], max(self.duration, self.times[-1]))
        return [(float(self.times[i]), float(ends[j - 1])) for i, j in stretches(~self.known)]

    @property
    def overall(self) -> np.ndarray:
        """(D,) means over the known pictures."""
        return np.asarray(np.nanmean(self.values, axis=0))

    @property
    def headline(self) -> str:
        """The means."""
        means = zip(self.dimensions, self.overall, strict=True)
        return ", ".join(f"{name} {mean:+.2f}" for name, mean in means)

    def write_csv(self, path: Path) -> None:
        """One row per picture: its number from 1, its time, the values, whether face and sound.

        Rows of sound before the first picture and after the last one have no number.
        """
        shown = np.ones(len(self.times), bool) if self.shown is None else self.shown
        numbers = np.cumsum(shown)
        there = {name: self.presence[name].at(self.times) for name in self.presence}
        header = ["frame", "time", *self.dimensions, *(f"{name}_present" for name in there)]
        rows = [
            [
                numbers[k] if shown[k] else "",
                f"{time:.4f}",
                *("" if np.isnan(value) else f"{value:.6f}" for value in self.values[k]),
                *(int(present[k]) for present in there.values()),
            ]
            for k, time in enumerate(self.times)
        ]
        write_csv(path, header, rows)

    def write_json(self, path: Path, folder: Path | None = None) -> None:
        """Everything but the pictures; see `Prediction.write_json`."""
        columns = dict(zip(self.dimensions, self.values.T, strict=True))
        facts: dict[str, Callable[..., float]] = {
            "mean": np.nanmean,
            "min": np.nanmin,
            "max": np.nanmax,
        }
        write_json(
            path,
            {
                **self._source_json(folder or path.parent),
                "duration": round(self.duration, 4),
                "tracks": asdict(self.tracks),
                "model": self.model,
                "notes": self.notes,
                "dimensions": {
                    name: {fact: round(float(of(column)), 6) for fact, of in facts.items()}
                    for name, column in columns.items()
                },
                "gaps": [[round(a, 4), round(b, 4)] for a, b in self.gaps],
                "presence": self._presence_json(),
                "others": self.others,
                "times": [round(float(time), 4) for time in self.times],
                "values": {
                    name: [None if np.isnan(x) else round(float(x), 6) for x in column]
                    for name, column in columns.items()
                },
            },
        )


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
