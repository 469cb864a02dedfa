"""FER+: small grey images of faces from the web, each judged by ten people.

The images are those of FER2013, the votes were published for them later; both lie in one CSV
each, or together in one `.npz` file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.near_pictures import near_groups
from affuse.corpora.packed import Pictures, packed_pictures, read_arrays
from affuse.corpora.tree import check_folder
from affuse.errors import BadInput
from affuse.execution.tables import Sheet, rows_of

CLASSES = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
)
#: Answers of raters that are none of the classes; the votes keep them.
OTHERS = ("unknown", "NF")
LICENCE = "votes: MIT (FER+); images: FER2013, for research only, not to be passed on"
ARCHIVE, PICTURES, VOTES = "ferplus.npz", "fer2013.csv", "fer2013new.csv"
#: The publisher's names of the sets, in both forms.
_PARTITIONS = {
    "train": "train",
    "valid": "validation",
    "Training": "train",
    "PublicTest": "validation",
    "PrivateTest": "test",
}
_ORDER = ("train", "validation", "test")


@dataclass(frozen=True)
class _Table:
    """What both forms say about N images: names, rows in the file, sets and votes (N, 10)."""

    path: Path
    names: list[str]
    rows: list[int]
    partitions: list[str]
    votes: NDArray[np.float64]


def read(root: Path) -> Corpus:
    """The images that have a name, which are those that show a face.

    Args:
        root: Folder with the publishers' `fer2013.csv` and `fer2013new.csv`, or with `ferplus.npz`
            (arrays `images`, `votes`, `vote_columns`, `split` and `name`).

    Returns:
        One clip per image with the votes of its raters, also those for `unknown` and `NF` (not a
        face), which are none of the classes. Who is shown is not known: images that are nearly
        the same count as one speaker. What repeats an image of an earlier set (in the order
        training, validation, test) is left out, and the second of two that have one name.

    Raises:
        BadInput: The files are absent or damaged, or do not fit each other.
    """
    root = Path(root)
    check_folder(root)
    table = _from_archive(root / ARCHIVE) if (root / ARCHIVE).is_file() else _from_tables(root)
    pictures: Pictures = packed_pictures(table.path)
    groups = near_groups(pictures[table.rows])
    homes: dict[int, str] = {}
    for partition in _ORDER:
        for group, own in zip(groups.tolist(), table.partitions, strict=True):
            if own == partition:
                homes.setdefault(group, partition)
    clips, left_out = [], Counter[str]()
    first: dict[str, int] = {}
    for k, group in enumerate(groups.tolist()):
        if homes[group] != table.partitions[k]:
            left_out[f"{table.partitions[k]} images that repeat one of {homes[group]}"] += 1
            continue
        if (other := first.setdefault(table.names[k], k)) != k:
            if groups[other] != group:
                raise BadInput(root, f"two different images are called {table.names[k]}")
            left_out["images that are listed twice"] += 1
            continue
        votes = dict(zip((*CLASSES, *OTHERS), table.votes[k].tolist(), strict=True))
        clips.append(
            Clip(
                id=table.names[k],
                images=table.path,
                row=table.rows[k],
                speaker=table.names[group],
                partition=table.partitions[k],
                votes={"video": {name: count for name, count in votes.items() if count}},
            )
        )
    clips.sort(key=lambda clip: clip.id)
    return Corpus("ferplus", root, clips, CLASSES, LICENCE, left_out=dict(left_out))


def _from_archive(path: Path) -> _Table:
    held = read_arrays(path, "votes", "vote_columns", "split", "name")
    count, columns = len(packed_pictures(path)), [str(name) for name in held["vote_columns"].flat]
    if missing := [name for name in (*CLASSES, *OTHERS) if name not in columns]:
        raise BadInput(path, f"has no votes for {missing[0]} (vote_columns: {', '.join(columns)})")
    shapes = {"votes": (count, len(columns)), "split": (count,), "name": (count,)}
    if wrong := [name for name, shape in shapes.items() if held[name].shape != shape]:
        raise BadInput(
            path,
            f"holds {count} images, so {wrong[0]} must be {shapes[wrong[0]]}, and is "
            f"{held[wrong[0]].shape}",
        )
    if held["votes"].dtype.kind not in "uif":
        raise BadInput(path, f"votes are {held['votes'].dtype}, no numbers of raters")
    votes = np.asarray(held["votes"], np.float64)
    if not _are_counts(votes):
        raise BadInput(path, "votes are no numbers of raters")
    order = [columns.index(name) for name in (*CLASSES, *OTHERS)]
    if unknown := sorted({str(name) for name in held["split"]} - set(_PARTITIONS)):
        raise BadInput(path, f"split {unknown[0]!r} is none of {', '.join(_PARTITIONS)}")
    rows = [row for row, name in enumerate(held["name"]) if str(name)]
    if not rows:
        raise BadInput(path, "names no image")
    return _Table(
        path,
        [Path(str(held["name"][row])).stem for row in rows],
        rows,
        [_PARTITIONS[str(held["split"][row])] for row in rows],
        votes[np.ix_(rows, order)],
    )


def _from_tables(root: Path) -> _Table:
    pictures, votes = root / PICTURES, root / VOTES
    for path in (votes, pictures):
        if not path.is_file():
            raise BadInput(path, f"no such file; FER+ needs {PICTURES} and {VOTES}, or {ARCHIVE}")
    names, rows, partitions = [], [], []
    counts, row = [], -1
    columns = ["Usage", "Image name", *CLASSES, *OTHERS]
    sheet = Sheet(votes, columns)
    for row, (line, cells) in enumerate(rows_of(sheet, iter(sheet), columns)):
        if not cells["Image name"]:  # most raters saw no face, so the publishers leave it out
            continue
        if cells["Usage"] not in _PARTITIONS:
            raise BadInput(votes, f"line {line}: Usage {cells['Usage']!r} is no set of FER2013")
        counts.append([sheet.finite(cells[name]) for name in (*CLASSES, *OTHERS)])
        if not _are_counts(np.array(counts[-1])):
            raise BadInput(votes, f"line {line}: votes are no numbers of raters")
        names.append(Path(cells["Image name"]).stem)
        rows.append(row)
        partitions.append(_PARTITIONS[cells["Usage"]])
    there = len(packed_pictures(pictures))
    if there != row + 1:
        raise BadInput(votes, f"has {row + 1} rows, but {pictures} has {there} images")
    if not counts:
        raise BadInput(votes, "names no image")
    return _Table(pictures, names, rows, partitions, np.array(counts))


def _are_counts(votes: NDArray[np.float64]) -> bool:
    return bool((np.isfinite(votes) & (votes >= 0)).all())
