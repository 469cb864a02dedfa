"""Whether imported streams end where the recordings of their clips end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.execution.executors import map_unordered
from affuse.execution.files import write_csv
from affuse.execution.progress import progress
from affuse.execution.tables import read_rows
from affuse.features.extractor import Extractor
from affuse.features.imported import Imported
from affuse.features.store import stream_path
from affuse.features.stream_file import StreamFile
from affuse.media.allowance import time_limit
from affuse.media.probe import probe

#: Where the sound of a clip lies, and its images.
_Files = tuple[Path | None, Path | None]
#: Seconds that the ends of a stream and of its recording may lie apart.
WITHIN = 0.2
#: Median length of the streams in lengths of their recordings between which the rate may be right.
_PLAUSIBLE = (0.9, 1.1)
#: Extractors of what other programs computed from the recordings.
_IMPORTED = ("own", "openface", "emoca", "scores")
_HEADER = ("clip", "stream", "stream_seconds", "recording_seconds", "difference")


def check_alignment(
    store: Path, clips: Sequence[Clip], extractors: Sequence[Extractor]
) -> list[str]:
    """Compare imported streams with the recordings and write `alignment.csv` into their store.

    Args:
        store: A store in which the streams are prepared.
        clips: The clips; those without a recording at hand are not compared.
        extractors: Of the streams; computed ones and those of one row per clip are not compared.
            What `alignment.csv` says of other streams stays.

    Returns:
        Lines for the user: of which clips a source has nothing, how many streams end within
        `WITHIN` of their recordings, and which rate would fit where the declared one does not.
    """
    lines: list[str] = []
    rows: list[_Row] = []
    alone: list[str] = []
    durations: dict[_Files, float] = {}  # clips may share a recording, and streams share the clips
    imported = [e for e in extractors if e.spec.recipe.get("extractor") in _IMPORTED]
    for extractor in imported:
        name, rate = extractor.spec.name, extractor.spec.rate
        streams = StreamFile(stream_path(store, name))
        prepared = [clip for clip in clips if clip.id in streams]
        there = [clip for clip in prepared if len(streams.outline(clip.id).mask)]
        if len(there) < len(prepared):
            lines.append(_nothing(name, prepared, there))
        lines += _gaps(name, {clip.id: streams[clip.id].mask for clip in there})
        if rate == 0 or not there:
            continue
        compared = []
        durations |= _durations({(clip.audio, clip.video) for clip in there} - {*durations})
        for clip in there:
            stream, seconds = streams.outline(clip.id), _seconds(clip, durations)
            if seconds > 0:
                span = stream.start + len(stream.mask) / rate
                compared.append(_Row(clip.id, name, span, seconds))
        if compared:
            rows += compared
            lines += _compare(extractor, compared, len(there), store / "alignment.csv")
        else:
            alone.append(name)
    if alone:
        lines.append(f"{', '.join(alone)}: no recordings at hand to compare the lengths with")
    if imported:
        _write(store / "alignment.csv", rows, {e.spec.name for e in imported})
    return lines


@dataclass(frozen=True)
class _Row:
    """Lengths in seconds of the stream and of the recording of a clip."""

    clip: str
    stream: str
    span: float
    seconds: float

    @property
    def difference(self) -> float:
        return self.span - self.seconds


def _nothing(name: str, prepared: Sequence[Clip], there: Sequence[Clip]) -> str:
    known = {clip.id for clip in there}
    missing = [clip.id for clip in prepared if clip.id not in known]
    more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
    return (
        f"{name}: the source has nothing of {len(missing):,} of {len(prepared):,} clips: "
        f"{', '.join(missing[:3])}{more}"
    )


def _gaps(name: str, masks: Mapping[str, np.ndarray]) -> list[str]:
    """A line that counts the frames that are absent, and names the clip with most of them."""
    absent = {clip: int((~mask).sum()) for clip, mask in masks.items()}
    gaps = sum(count > 0 for count in absent.values())
    if not gaps:
        return []
    worst = max(absent, key=absent.__getitem__)
    return [
        f"{name}: {sum(absent.values()):,} of {sum(map(len, masks.values())):,} frames in "
        f"{gaps:,} clips are absent (no face, missing rows or numbers); the most in {worst}, "
        f"{absent[worst]:,} of {len(masks[worst]):,}"
    ]


def _compare(extractor: Extractor, rows: Sequence[_Row], clips: int, table: Path) -> list[str]:
    """The summary of a stream, and a line of its own where the rate must be wrong."""
    name, rate = extractor.spec.name, extractor.spec.rate
    worst = max(rows, key=lambda row: abs(row.difference))
    close = sum(abs(row.difference) <= WITHIN for row in rows)
    without = f" ({clips - len(rows):,} have no recording at hand)" if len(rows) < clips else ""
    lines = [
        f"{name}: {close:,} of {len(rows):,} clips end within {WITHIN:g} s of their recordings"
        f"{without}; the worst is {worst.clip} ({abs(worst.difference):.2f} s "
        f"{'short' if worst.difference < 0 else 'long'}), see {table}"
    ]
    ratio = float(np.median([row.span / row.seconds for row in rows]))
    if not _PLAUSIBLE[0] <= ratio <= _PLAUSIBLE[1]:
        fit = rate * ratio
        fit = round(fit) if abs(fit - round(fit)) < 0.01 * fit else fit
        advice = (
            f"--rate {name}={rate:g} is probably wrong, {fit:.4g} would fit"
            if isinstance(extractor, Imported) and not extractor.by_time
            else "are its files of these recordings, and their times in seconds?"
        )
        lines.append(f"{name}: lasts {ratio:.2f} of the recordings (median): {advice}")
    return lines


def _seconds(clip: Clip, durations: Mapping[_Files, float]) -> float:
    """Length of a clip as its recording says; 0 where that is not at hand."""
    if duration := durations[clip.audio, clip.video]:
        return (duration if clip.end is None else min(clip.end, duration)) - clip.start
    return 0.0


def _durations(files: Collection[_Files]) -> dict[_Files, float]:
    """Length of recordings, 0 where they are not at hand; opened where one that crashes may."""
    work = map_unordered(_duration, files, limit=time_limit(), lost=lambda pair, *_: (pair, 0.0))
    return dict(progress(work, "lengths", total=len(files)))


def _duration(files: _Files) -> tuple[_Files, float]:
    for path in files:  # sound is opened ten times as quickly as images
        try:
            if path is not None and (duration := probe(path).duration):
                return files, duration
        except BadInput:
            continue
    return files, 0.0


def _write(path: Path, rows: Sequence[_Row], streams: set[str]) -> None:
    table: list[tuple[str, ...]] = []
    if path.is_file():
        rows_before = (row for _, row in read_rows(path, _HEADER))
        table = [tuple(row.values()) for row in rows_before if row["stream"] not in streams]
    table += [
        (row.clip, row.stream, *(f"{x:.3f}" for x in (row.span, row.seconds, row.difference)))
        for row in rows
    ]
    write_csv(path, _HEADER, sorted(table))
