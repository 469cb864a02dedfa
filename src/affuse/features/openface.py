"""Action units imported from OpenFace's CSV files."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.files import clip_names, nearest_rows
from affuse.features.stream import Stream, StreamSpec

_UNIT = re.compile(r"AU\d\d_[rc]")
_KEYS = ("id", "audio_id", "clip", "file", "name")
#: Rate in Hz at which per-frame files are resampled, whatever the rate of their videos.
_RATE = 30.0


class OpenFace:
    """`video/openface`: action-unit intensities (`AUxx_r`, 0..5) and presences (`AUxx_c`, 0..1).

    Args:
        source: A folder with one CSV per clip as OpenFace writes it (named after the clip or its
            file), which gives 30 rows per second, frames without a face absent; or one CSV with a
            row of clip means per clip and a column `id`, which gives one row per clip.

    Raises:
        BadInput: The source is absent or has no action-unit columns.
    """

    def __init__(self, source: Path) -> None:
        self.source = Path(source)
        if not self.source.exists():
            raise BadInput(source, "no such file or folder of OpenFace results")
        per_clip = self.source.is_file()
        first = self.source if per_clip else next(iter(sorted(self.source.rglob("*.csv"))), None)
        if first is None:
            raise BadInput(source, "holds no CSV file")
        self.units = _unit_columns(_table(first, rows=1), first)
        recipe = {
            "extractor": "openface",
            "columns": self.units,
            "per": "clip" if per_clip else "frame",
        }
        self.spec = StreamSpec(
            "video/openface", 0.0 if per_clip else _RATE, (len(self.units),), recipe=recipe
        )

    def sources(self, clip: Clip) -> list[Path]:
        """The table, or the clip's own file of a folder."""
        if self.spec.rate == 0:
            return [self.source]
        return [self._files[name] for name in clip_names(clip) if name in self._files][:1]

    def extract(self, clip: Clip) -> Stream | None:
        """(1, units) or (T, units) float32; None where OpenFace saw nothing of the clip."""
        if self.spec.rate == 0:
            row = next((self._rows[name] for name in clip_names(clip) if name in self._rows), None)
            return None if row is None else Stream(self._values[row : row + 1], np.ones(1, bool))
        files = self.sources(clip)
        return self._frames(files[0], clip) if files else None

    def _frames(self, path: Path, clip: Clip) -> Stream:
        """Rows of a per-frame file at `_RATE`, each the nearest in time."""
        table = _table(path)
        if missing := [name for name in (*self.units, "timestamp") if name not in table]:
            raise BadInput(path, f"no column {missing[0]}")
        if "face_id" in table:
            table = table[table["face_id"] == table["face_id"].mode()[0]]
        times = table["timestamp"].to_numpy(float)
        if len(times) == 0 or (np.diff(times) < 0).any():
            raise BadInput(path, "no rows" if len(times) == 0 else "timestamps run backwards")
        seen = table["success"].to_numpy() == 1 if "success" in table else np.ones(len(times), bool)
        last = times[-1] if clip.end is None else min(clip.end, times[-1])
        wanted = clip.start + np.arange(max(1, int((last - clip.start) * _RATE) + 1)) / _RATE
        nearest = nearest_rows(times, wanted)
        mask = seen[nearest] & (np.abs(times[nearest] - wanted) < 0.1)
        values = table[self.units].to_numpy(np.float32)[nearest]
        return Stream(np.where(mask[:, None], values, 0), mask)

    @cached_property
    def _files(self) -> dict[str, Path]:
        return {path.stem: path for path in sorted(self.source.rglob("*.csv"))}

    @cached_property
    def _means(self) -> pd.DataFrame:
        return _table(self.source)

    @cached_property
    def _values(self) -> np.ndarray:
        return self._means[self.units].to_numpy(np.float32)

    @cached_property
    def _rows(self) -> dict[str, int]:
        keys = [name for name in _KEYS if name in self._means]
        if not keys:
            raise BadInput(self.source, f"no column {', '.join(_KEYS)} that names the clips")
        return {str(name): row for key in keys for row, name in enumerate(self._means[key])}


def _table(path: Path, rows: int | None = None) -> pd.DataFrame:
    try:
        return pd.read_csv(path, skipinitialspace=True, nrows=rows)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise BadInput(path, f"is not a CSV table ({error})") from error


def _unit_columns(table: pd.DataFrame, path: Path) -> list[str]:
    units = [name for name in table.columns if _UNIT.fullmatch(name)]
    if not units:
        raise BadInput(path, "has no action-unit columns such as AU01_r")
    return units
