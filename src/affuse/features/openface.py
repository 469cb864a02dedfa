"""Action units imported from OpenFace's CSV files."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cached_property
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip
from affuse.corpora.tree import walk
from affuse.errors import BadInput
from affuse.execution.text import clean
from affuse.features.clip_table import KEYS, column_names, read_columns, rows_by_clip
from affuse.features.files import clip_names, finite_rows, first_file, nearest_rows, present_rows
from affuse.features.stream import Stream, StreamSpec

_UNIT = re.compile(r"(AU\d\d_)([rc])", re.IGNORECASE)
#: Rate in Hz at which per-frame files are resampled, whatever the rate of their videos.
_RATE = 30.0


class OpenFace:
    """`video/openface`: action-unit intensities (`AUxx_r`, 0..5) and presences (`AUxx_c`, 0..1).

    Args:
        source: A folder with one CSV per clip as OpenFace writes it (named after the clip or its
            file), which gives 30 rows per second, frames without a face absent; or one CSV with a
            row of clip means per clip and a column `id`, which gives one row per clip. A row with
            an empty cell or a NaN is absent. In any dialect of CSV (`affuse.execution.tables`).

    Raises:
        BadInput: The source is absent or has no action-unit columns.
    """

    def __init__(self, source: Path) -> None:
        self.source = Path(source)
        if not self.source.exists():
            raise BadInput(source, "no such file or folder of OpenFace results")
        per_clip = self.source.is_file()
        first = self.source if per_clip else first_file(self.source, (".csv",))
        if first is None:
            raise BadInput(source, "holds no CSV file")
        self.units = _unit_columns(first)
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
            rows = self._means
            row = next((rows[name] for name in clip_names(clip) if name in rows), None)
            return None if row is None else present_rows(row[None])
        files = self.sources(clip)
        return self._frames(files[0], clip) if files else None

    def _frames(self, path: Path, clip: Clip) -> Stream:
        """Rows of a per-frame file at `_RATE`, each the nearest in time."""
        table = read_columns(path, [*self.units, "timestamp"], ("face_id", "success"))
        if "face_id" in table.others:
            faces = table.others["face_id"]
            often = Counter(faces)
            most = min(often, key=lambda face: (-often[face], _order(face)))
            table = table.only(np.array([face == most for face in faces]))
        times = table.cells[:, -1]
        if len(times) == 0:
            raise BadInput(path, "no rows")
        if len(wrong := np.flatnonzero(~np.isfinite(times))):
            raise BadInput(path, f"line {table.lines[wrong[0]]}: holds no timestamp")
        if len(wrong := np.flatnonzero(np.diff(times) < 0)):
            raise BadInput(path, f"line {table.lines[wrong[0] + 1]}: timestamps run backwards")
        cells = table.cells[:, :-1]
        if "success" in table.others:
            failed = [_order(cell) != (1.0, "") for cell in table.others["success"]]
            cells = np.where(np.array(failed)[:, None], np.nan, cells)
        values = finite_rows(path, cells, table.lines)
        seen = ~np.isnan(values).any(1)
        last = times[-1] if clip.end is None else min(clip.end, times[-1])
        wanted = clip.start + np.arange(max(1, int((last - clip.start) * _RATE) + 1)) / _RATE
        nearest = nearest_rows(times, wanted)
        mask = seen[nearest] & (np.abs(times[nearest] - wanted) < 0.1)
        return Stream(np.where(mask[:, None], values[nearest], np.float32(0)), mask)

    @cached_property
    def _files(self) -> dict[str, Path]:
        files = [path for path in walk(self.source) if path.suffix.lower() == ".csv"]
        return {clean(path.stem): path for path in files} | {path.stem: path for path in files}

    @cached_property
    def _means(self) -> dict[str, np.ndarray]:
        """Name of a clip -> (units,) float32, NaN where a cell is empty."""
        table = read_columns(self.source, self.units, KEYS)
        values = finite_rows(self.source, table.cells, table.lines)
        rows = rows_by_clip(self.source, table)
        return {name: values[row] for name, row in rows.items()}


def _order(cell: str) -> tuple[float, str]:
    """Numbers by their size, before words."""
    try:
        return float(cell), ""
    except ValueError:
        return math.inf, cell


def _unit_columns(path: Path) -> list[str]:
    found = filter(None, map(_UNIT.fullmatch, column_names(path)))
    units = [f"{match[1].upper()}{match[2].lower()}" for match in found]
    if not units:
        raise BadInput(path, "has no action-unit columns such as AU01_r")
    return units
