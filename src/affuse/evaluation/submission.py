"""The files of the challenge: a row of values per image of a video, one file per trial.

Source: Aff-Wild2 (Kollias & Zafeiriou 2019) and the ABAW challenges; rows as in the published code
of recursive joint attention (ICASSP 2023).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import BadInput
from affuse.execution.names import path_below
from affuse.media.timestamps import picture_times
from affuse.tasks.registry import TASKS


def submission_text(names: Sequence[str], values: np.ndarray) -> str:
    """What a file of the challenge holds.

    Args:
        names: Of the dimensions, the first line.
        values: (N, D), a row per image.
    """
    rows = (",".join(f"{value:.5f}" for value in row) for row in values.tolist())
    return "\n".join([",".join(names), *rows]) + "\n"


def submission_problems(folder: Path, corpus: Corpus) -> tuple[list[str], list[str]]:
    """What is wrong with a folder of files for the challenge.

    Args:
        folder: With `<trial>.txt`; other kinds of files do not count.
        corpus: Its clips of the partition `test` are what has to be there.

    Returns:
        A line per problem, naming file and line, and of each kind of problem the first in a file;
        and lines about what could not be checked.

    Raises:
        BadInput: There is no such folder, or the corpus has no test clips with continuous valence
            and arousal.
    """
    if not folder.is_dir():
        raise BadInput(folder, "no such folder")
    tested = {clip.id: clip for clip in corpus.clips if clip.partition == "test"}
    if not TASKS[corpus.task].over_time or not tested:
        raise BadInput(corpus.root, "has no test clips with continuous valence and arousal")
    found, unchecked = [], []
    for clip in tested.values():
        path = path_below(folder, clip.id, ".txt")
        if not path.is_file():
            found.append(f"{path}: is missing (test trial {clip.id})")
            continue
        if clip.video is None:
            unchecked.append(f"{path}: the video is missing, so its rows are not counted")
        found += _about(path, clip, corpus.classes)
    for path in sorted(folder.glob("*.txt")):
        if path.stem not in tested and not path.name.startswith("."):
            found.append(f"{path}: is of no test trial")
    return found, unchecked


def _about(path: Path, clip: Clip, names: Sequence[str]) -> Iterator[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        yield f"{path}: is not a text file in UTF-8"
        return
    header = ",".join(names)
    if not lines or lines[0] != header:
        yield f"{path}: line 1: {lines[0] if lines else 'nothing'!r}, expected {header}"
    told = set()
    for number, line in enumerate(lines[1:], 2):
        reason = _wrong(line, len(names))
        if reason and reason not in told:
            told.add(reason)
            yield f"{path}: line {number}: {line!r} {reason}"
    if clip.video is None:
        return
    try:
        pictures = len(picture_times(clip.video))
    except BadInput as error:
        yield f"{path}: its rows cannot be counted: {error}"
        return
    rows = max(len(lines) - 1, 0)
    if rows != pictures:
        yield f"{path}: line {rows + 1}: {rows} rows, but {clip.video} has {pictures} images"


def _wrong(line: str, count: int) -> str:
    """What is wrong with a row; empty if nothing."""
    cells = line.split(",")
    if len(cells) != count:
        return f"is not {count} values"
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return "is not numbers"
    if not all(math.isfinite(value) for value in values):
        return "is not finite"
    return "" if all(-1 <= value <= 1 for value in values) else "is not within -1 and 1"
