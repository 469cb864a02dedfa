"""What a model of somebody else said of each clip, imported from a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.features.clip_table import KEYS, Columns, column_names, read_columns, rows_by_clip
from affuse.features.files import clip_names, finite_rows, present_rows
from affuse.features.stream import Stream, StreamSpec

#: Column with the part of the clips that the model which scored a clip was not trained on.
FOLD = "fold"
#: How far rounded probabilities of a clip may be from adding up to 1, and the lowest that counts:
#: a rounded zero would forbid a class whatever all others say.
_ROUNDED, _LOWEST = 0.02, 1e-6


class Scores:
    """`audio/scores-<word>`, `video/scores-<word>`: a row of class scores per clip.

    Args:
        name: Name of the stream.
        source: A table in any dialect of CSV with a row per clip and a column `id`, `audio_id`,
            `clip`, `file` or `name`; then `#` and how the names of the columns of the scores begin,
            such as `scores.csv#wav2vec_logit_`. The rest of these names is the class, or its number
            from 0. A column `fold` says which clips a row's model was not trained on.
        classes: Names of the classes C in the order of the corpus.

    Values that all lie between 0 and 1 are probabilities, which must add up to 1; others are logits
    (log-probabilities too). A row with an empty cell or a NaN is absent.

    Raises:
        AffuseError: There are no classes.
        BadInput: The table cannot be read, a class has no column, a column of this beginning is of
            no class, a number is infinite, or probabilities do not add up.
    """

    def __init__(self, name: str, source: Path, classes: Sequence[str]) -> None:
        if not classes:
            raise AffuseError(f"stream {name} needs the classes that are scored")
        self.source, prefix = _parts(source)
        if not self.source.is_file():
            raise BadInput(self.source, f"no such table of scores for {name}")
        self.columns = _columns(self.source, prefix, classes)
        values = self._table.cells[~np.isnan(self._table.cells).any(1)]
        self._probabilities = bool(len(values) and values.min() >= 0 and values.max() <= 1)
        recipe = {
            "extractor": "scores",
            "columns": self.columns,
            "classes": list(classes),
            "given": "probabilities" if self._probabilities else "logits",
        }
        self.spec = StreamSpec(name, 0.0, (len(classes),), recipe=recipe, kind="scores")
        self._values = self._log_probabilities()

    def sources(self, clip: Clip) -> list[Path]:
        """The table."""
        return [self.source]

    def extract(self, clip: Clip) -> Stream | None:
        """(1, C) float32 log-probabilities; None where the table has nothing of the clip."""
        row = self._row(clip)
        return None if row is None else present_rows(self._values[[row]])

    def fold(self, clip: Clip) -> str | None:
        """The part of the clips that the model which scored a clip was not trained on, if told."""
        row, folds = self._row(clip), self._table.others.get(FOLD)
        return None if row is None or folds is None else folds[row] or None

    def _row(self, clip: Clip) -> int | None:
        return next((self._rows[k] for k in clip_names(clip) if k in self._rows), None)

    @cached_property
    def _table(self) -> Columns:
        return read_columns(self.source, self.columns, (*KEYS, FOLD))

    @cached_property
    def _rows(self) -> dict[str, int]:
        return rows_by_clip(self.source, self._table)

    def _log_probabilities(self) -> np.ndarray:
        """(N, C) float32, NaN where a row is absent."""
        values, lines = self._table.cells, self._table.lines
        finite_rows(self.source, values, lines)
        if self._probabilities:
            wrong = np.flatnonzero(np.abs(values.sum(1) - 1) > _ROUNDED)
            if len(wrong):
                raise BadInput(
                    self.source,
                    f"line {lines[wrong[0]]}: the probabilities {self.columns[0]}, ... add up to "
                    f"{values[wrong[0]].sum():.3f}, not to 1",
                )
            values = np.log(np.maximum(values, _LOWEST))
        values = values - values.max(1, keepdims=True)
        shares: np.ndarray = values - np.log(np.exp(values).sum(1, keepdims=True))
        return shares.astype(np.float32)


def check_classes(specs: Iterable[StreamSpec], classes: Sequence[str]) -> None:
    """Refuse scores of other classes than those that are learned.

    Raises:
        AffuseError: The message names the stream.
    """
    for spec in specs:
        if spec.kind == "scores" and spec.recipe.get("classes") != list(classes):
            raise AffuseError(
                f"stream {spec.name} scores {', '.join(spec.recipe.get('classes', ['?']))}; "
                f"what is learned is {', '.join(classes)}"
            )


def _parts(source: Path) -> tuple[Path, str]:
    """The table, and how the names of its columns begin."""
    path, _, prefix = str(source).rpartition("#")
    return (Path(source), "") if not path or Path(source).is_file() else (Path(path), prefix)


def _columns(path: Path, prefix: str, classes: Sequence[str]) -> list[str]:
    """The column of every class."""
    named, counted = ([f"{prefix}{one}" for one in ones] for ones in (classes, range(len(classes))))
    found = column_names(path, (*named, *counted))
    columns = counted if counted[0] in found and named[0] not in found else named
    if missing := [name for name in columns if name not in found]:
        raise BadInput(
            path,
            f"no column {missing[0]}; scores need a column for each class, and the beginning of "
            f"their names behind the file ({path.name}#logit_ for logit_{classes[0]}, ...)",
        )
    others = [name for name in found if prefix and name.startswith(prefix) and name not in columns]
    if others:
        raise BadInput(path, f"column {others[0]} scores none of {', '.join(classes)}")
    return columns
