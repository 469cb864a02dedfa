"""DiffusionFER: faces that a diffusion model drew, with an expression, valence and arousal.

The folder holds `index.csv` and the pictures that it names, in one folder per expression that was
asked for; what a picture shows is what was annotated.
"""

from __future__ import annotations

import math
from pathlib import Path

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.tree import check_folder
from affuse.errors import BadInput
from affuse.execution.tables import read_rows

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
DIMENSIONS = ("valence", "arousal")
LICENCE = "CC0-1.0 (DiffusionFER, synthetic faces)"
INDEX = "index.csv"


def read(root: Path) -> Corpus:
    """The pictures below a folder.

    Args:
        root: Folder with `index.csv` (columns `path`, `prompted_label`, `annotated_label`,
            `valence`, `arousal`, the last two from -1 to 1).

    Returns:
        One clip per picture, its label the annotated one, `kind` the one that was asked for. Nobody
        is shown twice: a speaker is the name of the picture. Pictures that the index names and the
        folder lacks are in `missing`.

    Raises:
        BadInput: There is no folder, no index, or a row of it is wrong (named with its line).
    """
    root = Path(root)
    check_folder(root)
    index = root / INDEX
    clips: dict[str, Clip] = {}
    missing = []
    columns = ("path", "prompted_label", "annotated_label", *DIMENSIONS)
    for line, row in read_rows(index, columns):
        clip = _clip(root, row, index, line)
        if clip.id in clips:
            raise BadInput(index, f"line {line}: {row['path']} is listed twice")
        if (root / row["path"]).is_file():
            clips[clip.id] = clip
        else:
            missing.append(f"{row['path']}: no such picture")
    if not clips:
        raise BadInput(index, "names no picture that is there")
    ordered = [clips[name] for name in sorted(clips)]
    return Corpus("diffusionfer", root, ordered, CLASSES, LICENCE, missing=missing)


def _clip(root: Path, row: dict[str, str], index: Path, line: int) -> Clip:
    name, label = row["path"], row["annotated_label"]
    if label not in CLASSES:
        raise BadInput(index, f"line {line}: {label!r} is none of {', '.join(CLASSES)}")
    ratings = {}
    for dimension in DIMENSIONS:
        try:
            ratings[dimension] = float(row[dimension])
        except ValueError:
            ratings[dimension] = math.nan
        if not -1 <= ratings[dimension] <= 1:
            raise BadInput(
                index, f"line {line}: {dimension} {row[dimension]!r} is no number from -1 to 1"
            )
    identifier = Path(name).with_suffix("").as_posix()
    return Clip(
        id=identifier,
        video=root / name,
        speaker=identifier,
        label=label,
        attributes=ratings,
        kind=row["prompted_label"],
    )
