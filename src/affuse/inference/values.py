"""Values over time, at the time stamps of the pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affuse.execution.files import write_csv, write_json
from affuse.features.batch import TARGET_RATE
from affuse.features.pictures import end_of
from affuse.features.stream import Stream, StreamSpec
from affuse.inference.extraction import Extraction, clip_of
from affuse.inference.timeline import KeyFrame, Prediction, Presence
from affuse.media.probe import MediaInfo
from affuse.media.timestamps import picture_times
from affuse.models.base import Model
from affuse.models.modelfile import ModelSpec
from affuse.models.sliding import slide

#: Seconds for which a face may be out of sight and nothing is left empty.
UNSEEN = 0.2


@dataclass(frozen=True, kw_only=True)
class ValuesTimeline(Prediction):
    """Values such as valence and arousal for every picture.

    Args:
        dimensions: D names.
        times: (N,) seconds: the time stamps of the pictures, or 30 per second of sound alone.
        values: (N, D) float32, -1 to 1; NaN where nothing is known or no face is seen.
    """

    dimensions: list[str]
    times: np.ndarray
    values: np.ndarray

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
        """One row per picture: its number from 1, its time, the values, whether face and sound."""
        there = {name: self.presence[name].at(self.times) for name in self.presence}
        header = ["frame", "time", *self.dimensions, *(f"{name}_present" for name in there)]
        rows = [
            [
                k + 1,
                f"{time:.4f}",
                *("" if np.isnan(value) else f"{value:.6f}" for value in self.values[k]),
                *(int(present[k]) for present in there.values()),
            ]
            for k, time in enumerate(self.times)
        ]
        write_csv(path, header, rows)

    def write_json(self, path: Path) -> None:
        """Everything but the pictures; times in seconds."""
        columns = dict(zip(self.dimensions, self.values.T, strict=True))
        facts: dict[str, Callable[..., float]] = {
            "mean": np.nanmean,
            "min": np.nanmin,
            "max": np.nanmax,
        }
        write_json(
            path,
            {
                "source": self.source.name,
                "duration": round(self.duration, 4),
                "model": self.model,
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


def values_over_time(
    model: Model,
    spec: ModelSpec,
    streams: Extraction,
    info: MediaInfo,
    hop: float | None = None,
    pictures: list[KeyFrame] | None = None,
) -> ValuesTimeline:
    """What a model with a head per frame says about a recording.

    Args:
        model: In evaluation mode, on its device.
        spec: Its spec; its windows and smoothing are applied.
        streams: Makes its streams.
        info: The recording.
        hop: Seconds from window to window; two thirds of the window by default.
        pictures: Key frames for those who look at it.

    Raises:
        BadInput: The recording cannot be decoded.
    """
    if info.has_video:
        times = picture_times(info.path)
        duration = max(info.duration, end_of(times))
    else:
        times = np.arange(int(np.ceil(info.duration * TARGET_RATE - 1e-6))) / TARGET_RATE
        duration = info.duration
    whole = streams.whole(clip_of(info))
    series = slide(model, spec, whole, duration, hop=hop).smoothed(spec.smoothing).clipped()
    values = series.at(times)
    leader = model.leader
    if info.has_video and leader.modality == "video":
        values[_unseen(whole[leader.name], leader, times)] = np.nan
    presence: dict[str, Presence] = {}
    for name, stream in whole.items():
        presence.setdefault(spec.streams[name].modality, presence_of(stream, spec.streams[name]))
    return ValuesTimeline(
        source=info.path,
        duration=duration,
        presence=presence,
        model={
            "name": spec.model,
            "window": spec.seconds,
            "windows": spec.windows,
            "smoothing": spec.smoothing,
            **spec.training,
        },
        key_frames=pictures or [],
        dimensions=spec.classes,
        times=times,
        values=values,
    )


def presence_of(stream: Stream, spec: StreamSpec) -> Presence:
    """When the modality of a stream was there."""
    return Presence(stream.start, spec.rate, stream.mask)


def _unseen(stream: Stream, spec: StreamSpec, times: np.ndarray) -> np.ndarray:
    """(N,) bool: moments within a stretch of more than `UNSEEN` seconds that a stream lacks."""
    there = stream.start + np.flatnonzero(stream.mask) / spec.rate
    half = 0.5 / spec.rate
    edges = np.concatenate([[-np.inf], there, [np.inf]])
    after = np.searchsorted(edges, times).clip(1, len(edges) - 1)
    before, following = edges[after - 1], edges[after]
    # beyond the first and the last frame the recording itself bounds what is not seen
    length = np.minimum(following, times[-1] + half) - np.maximum(before, -half) - 2 * half
    near = np.minimum(times - before, following - times) <= half + 1e-6
    return np.asarray(~near & (length > UNSEEN))


def stretches(flags: np.ndarray) -> list[tuple[int, int]]:
    """(first, one after the last) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
