"""Values over time, at the time stamps of the pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from affuse.errors import AffuseError, BadInput
from affuse.execution.files import write_csv, write_json
from affuse.features.batch import TARGET_RATE
from affuse.features.extractor import undecodable
from affuse.features.pictures import end_of
from affuse.features.stream import Stream, StreamSpec
from affuse.inference.extraction import LEFT_OUT, Extraction, clip_of
from affuse.inference.presence import NEAR, Presence, stretches
from affuse.inference.timeline import KeyFrame, Prediction
from affuse.media.audio import Survey
from affuse.media.probe import MediaInfo
from affuse.media.sounding import Span
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
    def pictured(self) -> bool:
        """Whether there is a stream of pictures."""
        return "video" in self.presence and len(self.presence["video"].present) > 0

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


def values_over_time(
    model: Model,
    spec: ModelSpec,
    streams: Extraction,
    info: MediaInfo,
    hop: float | None = None,
    pictures: list[KeyFrame] | None = None,
    heard: Sequence[Span] | None = None,
) -> ValuesTimeline:
    """What a model with a head per frame says about a recording.

    Args:
        model: In evaluation mode, on its device.
        spec: Its spec; its windows and smoothing are applied.
        streams: Makes its streams.
        info: The recording.
        hop: Seconds from window to window; two thirds of the window by default.
        pictures: Key frames for those who look at it.
        heard: (start, end) in seconds between which it has sound, if the file does not tell.

    Raises:
        BadInput: The recording cannot be decoded.
    """
    if info.has_video:
        times = picture_times(info.path, info.tracks)
        duration = max(info.duration, end_of(times))
    else:
        times, duration = _moments(0.0, info.duration), info.duration
    shown = np.ones(len(times), bool)
    if info.has_video and info.has_audio:
        before = _moments(0.0, times[0]) if times[0] > NEAR else np.zeros(0)
        after = _moments(end_of(times), duration)
        after = after if duration - end_of(times) > NEAR else np.zeros(0)
        shown = np.pad(shown, (len(before), len(after)))
        times = np.concatenate([before, times, after])
    notes = [f"{reason}{LEFT_OUT}" for reason in undecodable(info).values()]
    sound = streams.survey(info, notes, heard)
    whole = streams.whole(clip_of(info), duration, sound, notes)
    try:
        series = slide(model, spec, whole, duration, hop=hop).smoothed(spec.smoothing).clipped()
    except AffuseError as error:
        raise BadInput(info.path, str(error)) from error
    values = series.at(times)
    leader = model.leader
    if info.has_video and leader.modality == "video" and len(whole[leader.name].mask):
        values[_unseen(whole[leader.name], leader, times)] = np.nan
    presence: dict[str, Presence] = {}
    for name, stream in whole.items():
        read = spec.streams[name]
        presence.setdefault(read.modality, presence_of(stream, read, duration, sound))
    return ValuesTimeline(
        source=info.path,
        tracks=info.tracks,
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
        notes=list(dict.fromkeys(notes)),
        dimensions=spec.classes,
        times=times,
        values=values,
        shown=None if shown.all() else shown,
    )


def _moments(start: float, end: float) -> np.ndarray:
    """(N,) seconds from a start on and before an end, at `TARGET_RATE`."""
    return start + np.arange(int(np.ceil((end - start) * TARGET_RATE - 1e-6))) / TARGET_RATE


def presence_of(
    stream: Stream, spec: StreamSpec, duration: float, sound: Survey | None
) -> Presence:
    """When in a recording the modality of a stream was there.

    Args:
        stream: Of the whole recording.
        spec: Its spec.
        duration: Of the recording in seconds.
        sound: What was found in its sound.
    """
    presence = Presence(stream.start, spec.rate, stream.mask, duration)
    if sound is None or spec.modality != "audio":
        return presence
    return replace(presence, silent=sound.silent, silences=sound.silences)


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
