"""Anybody's own features, from one file or one folder per clip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.execution.remembered import remembered
from affuse.features.files import (
    FOLDER,
    Table,
    array_files,
    clip_place,
    finite_rows,
    first_file,
    nearest_rows,
    numbered_files,
    present_rows,
    read_array,
    read_table,
)
from affuse.features.stream import Stream, StreamSpec

_SUFFIXES = (".npy", ".csv")
#: Shapes of a `.npy` file.
_MANY, _ONE = ("T", "D"), ("D",)
_TIMES = ("time", "timestamp")
#: How far from a frame its row may lie, in periods of the stream or of the rows, the longer.
_REACH = 0.75
#: Frames per row above which the times of a file are not sparse but in another unit.
_SPARSE = 300


class Imported:
    """`audio/imported-<word>`, `video/imported-<word>`: rows that another program computed.

    Args:
        name: Name of the stream.
        source: A folder with, per clip (named after its id or one of its files), one `<clip>.npy`
            of (T, D); or one `<clip>.csv`, with or without a header; or a folder
            `<clip>/<number>.npy` of (D,), one per row, counted from 1 (from 0 where there is a
            `0.npy`). Each begins with the first second of the recording; the start and end of a
            clip cut it.
        rate: Rows per second in Hz; 0 for one row per clip, (D,) or (1, D).

    A row with a NaN (or an empty cell) is an absent frame, and so is a number that is missing. A
    CSV may have a column `mask` (0 = absent), and a column `time` or `timestamp` in seconds: then
    each frame is the row nearest in time, and absent where that is farther than three quarters of
    a period.

    Raises:
        AffuseError: The rate is no rate.
        BadInput: The source is no such folder, or its first file cannot be used.
    """

    def __init__(self, name: str, source: Path, rate: float) -> None:
        if not (math.isfinite(rate) and rate >= 0):
            raise AffuseError(f"stream {name}: {rate:g} is no rate in Hz (0: one row per clip)")
        self.source = Path(source)
        if not self.source.is_dir():
            raise BadInput(source, f"no such folder of rows for {name}")
        first = first_file(self.source, _SUFFIXES)
        if first is None:
            raise BadInput(source, "holds no .npy or .csv file")
        rows = _read(first, _MANY, _ONE)
        self._first = first
        #: Whether times in the files place the rows, and not the rate.
        self.by_time = rows.times is not None
        recipe = {"extractor": "own", "columns": rows.columns}
        self.spec = StreamSpec(name, float(rate), rows.values.shape[1:], recipe=recipe)

    def sources(self, clip: Clip) -> list[Path]:
        """The clip's file, or the files of its folder."""
        place = self._place(clip)
        if place is None:
            return []
        return array_files(place) if place.is_dir() else [place]

    def extract(self, clip: Clip) -> Stream | None:
        """(T, D), or (1, D), float32; None where the source has nothing of the clip."""
        place = self._place(clip)
        if place is None:
            return None
        if place.is_dir():
            return self._from_folder(place, clip)
        rows = self._rows(place, _MANY, *([] if self.spec.rate else [_ONE]))
        count = len(rows.values)
        if self.spec.rate == 0:
            if count != 1:
                raise BadInput(place, f"holds {count} rows; rate 0 stands for one row per clip")
            return present_rows(rows.values)
        if rows.times is None:
            frames = self._frames(place, clip, (count - 1) / self.spec.rate, count)
            number = self._numbers(frames)
            there = number < count
        else:
            frames = self._frames(place, clip, rows.times[-1], count)
            # of two rows as near the earlier one, whatever the rounding of their times
            number = nearest_rows(rows.times, frames - 1e-6)
            period = np.median(np.diff(rows.times)) if count > 1 else 0
            reach = _REACH * max(1 / self.spec.rate, period)
            there = np.abs(rows.times[number] - frames) <= reach
        values = rows.values[np.where(there, number, 0)]
        return present_rows(np.where(there[:, None], values, np.float32(np.nan)))

    def _from_folder(self, folder: Path, clip: Clip) -> Stream:
        files = numbered_files(folder, "row")
        frames = self._frames(folder, clip, max(files) / self.spec.rate, len(files))
        values = np.full((len(frames), *self.spec.shape), np.nan, np.float32)
        for frame, number in enumerate(self._numbers(frames)):
            if number in files:
                values[frame] = self._rows(files[number], _ONE).values[0]
        return present_rows(values)

    def _place(self, clip: Clip) -> Path | None:
        kinds = (*_SUFFIXES, FOLDER) if self.spec.rate else _SUFFIXES
        return clip_place(self.source, clip, kinds)

    def _frames(self, path: Path, clip: Clip, last: float, rows: int) -> np.ndarray:
        """Times of the frames of a clip in seconds of its file, whose last row is at `last`."""
        rate = self.spec.rate
        length = ((last if clip.end is None else min(last, clip.end)) - clip.start) * rate
        if length > _SPARSE * rows + 10_000:
            raise BadInput(path, f"ends at {last:g} s, with {rows} rows: are these seconds?")
        count = int(length + 1e-6) + 1
        if clip.end is not None:
            count = min(count, math.ceil((clip.end - clip.start) * rate - 1e-6))
        return clip.start + np.arange(max(1, count)) / rate

    def _numbers(self, frames: np.ndarray) -> np.ndarray:
        """Number of the row at each time; of two as near the later one."""
        return np.round(frames * self.spec.rate + 1e-6).astype(int)

    def _rows(self, path: Path, *shapes: tuple[str, ...]) -> _Rows:
        """The rows of a file, which must be like those of the first file."""
        rows = _read(path, *shapes)
        width, expected = rows.values.shape[1], self.spec.shape[0]
        if width != expected:
            raise BadInput(path, f"has {width} values in a row; {self._first} has {expected}")
        alike = path.suffix.lower() == self._first.suffix.lower()
        if alike and rows.columns != self.spec.recipe["columns"]:
            raise BadInput(path, f"has other columns, or none with names, than {self._first}")
        return rows


@dataclass(frozen=True)
class _Rows:
    """What a file holds: (T, D) float32 with NaN where absent, (T,) seconds, names of columns."""

    values: np.ndarray
    times: np.ndarray | None = None
    columns: list[str] | None = None


@remembered(1)  # clips that are parts of one recording follow each other
def _read(path: Path, *shapes: tuple[str, ...]) -> _Rows:
    if path.suffix.lower() == ".npy":
        return _Rows(finite_rows(path, np.atleast_2d(read_array(path, *shapes))))
    table = read_table(path, (*_TIMES, "mask"))
    names = table.columns or []
    timed = [name for name in _TIMES if name in names]
    if len(timed) == 2:
        raise BadInput(path, "has both a column time and a column timestamp")
    kept = [k for k in range(table.cells.shape[1]) if not names or names[k] not in (*timed, "mask")]
    if not kept:
        raise BadInput(path, f"has no column but {', '.join(names)}")
    values = finite_rows(path, table.cells[:, kept], table.lines)
    times = None
    if timed:
        times = table.cells[:, names.index(timed[0])]
        _check(path, table, np.isfinite(times), f"holds no {timed[0]}")
        _check(path, table, np.diff(times, prepend=times[0]) >= 0, f"{timed[0]} runs backwards")
    if "mask" in names:
        mask = table.cells[:, names.index("mask")]
        _check(path, table, np.isin(mask, (0, 1)), "mask is neither 0 nor 1")
        values[mask == 0] = np.nan
    return _Rows(values, times, [names[k] for k in kept] if names else None)


def _check(path: Path, table: Table, good: np.ndarray, reason: str) -> None:
    if not good.all():
        raise BadInput(path, f"line {table.lines[int(np.argmin(good))]}: {reason}")
