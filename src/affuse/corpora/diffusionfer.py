"""DiffusionFER: faces that a diffusion model drew, with an expression, valence and arousal.

The folder holds `index.csv` and the images that it names, in one folder per expression that was
asked for; what an image shows is what was annotated.
"""

from __future__ import annotations

import os
from pathlib import Path

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.tree import Tree, check_folder, find_listed
from affuse.errors import BadInput
from affuse.execution.tables import Sheet, rows_of

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
DIMENSIONS = ("valence", "arousal")
LICENCE = "CC0-1.0 (DiffusionFER, synthetic faces)"
INDEX = "index.csv"


def read(root: Path) -> Corpus:
    """The images below a folder.

    Args:
        root: Folder with `index.csv` (columns `path`, `prompted_label`, `annotated_label`,
            `valence`, `arousal`, the last two from -1 to 1).

    Returns:
        One clip per image, its label the annotated one, `kind` the one that was asked for. Nobody
        is shown twice: a speaker is the name of the image. Images that the index names and the
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
    sheet, tree = Sheet(index, columns), Tree(root)
    for line, row in rows_of(sheet, iter(sheet), columns):
        clip = _clip(root, row, sheet, line)
        if clip.id in clips:
            raise BadInput(index, f"line {line}: {row['path']} is listed twice")
        if clip.video is None or not os.path.lexists(clip.video):
            missing.append(f"{row['path']}: no such image")
        elif tree.holds(clip.video):
            clips[clip.id] = clip
    if not clips:
        absent = f"; {tree.first_absent()}" if tree.first_absent() else ""
        raise BadInput(index, f"names no image that is there{absent}")
    ordered = [clips[name] for name in sorted(clips)]
    return Corpus(
        "diffusionfer",
        root,
        ordered,
        CLASSES,
        LICENCE,
        left_out=dict(tree.left_out),
        missing=tree.missing + missing,
    )


def _clip(root: Path, row: dict[str, str], sheet: Sheet, line: int) -> Clip:
    index = sheet.path
    name, label = row["path"], row["annotated_label"]
    if label not in CLASSES:
        raise BadInput(index, f"line {line}: {label!r} is none of {', '.join(CLASSES)}")
    ratings = {}
    for dimension in DIMENSIONS:
        ratings[dimension] = sheet.finite(row[dimension])
        if not -1 <= ratings[dimension] <= 1:
            raise BadInput(
                index, f"line {line}: {dimension} {row[dimension]!r} is no number from -1 to 1"
            )
    identifier = Path(name).with_suffix("").as_posix()
    return Clip(
        id=identifier,
        video=find_listed(root, name),
        speaker=identifier,
        label=label,
        attributes=ratings,
        kind=row["prompted_label"],
    )
